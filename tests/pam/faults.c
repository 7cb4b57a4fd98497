/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets the n-th call of the C library fail, counted over every function below, from faults_arm(n) to
 * faults_disarm() in the same thread (attack A1). Preloaded into the test's host program.
 *
 * Only calls that go from one library to another are seen: those are the ones that the module and
 * libsystemd make.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

PUBLIC void faults_arm(int n);
PUBLIC int faults_disarm(void);

static __thread int countdown; /* 0: nothing is counted */
static __thread bool hit, resolving, watched;

PUBLIC void faults_arm(int n) {
        hit = false;
        watched = true;
        countdown = n;
}

PUBLIC int faults_disarm(void) {
        countdown = 0;
        watched = false;
        return hit;
}

static bool fails(void) {
        if (countdown == 0 || resolving || --countdown > 0)
                return false;
        hit = true;
        return true;
}

/* dlsym() may allocate. */
static void *next(const char *name) {
        void *function;

        resolving = true;
        function = dlsym(RTLD_NEXT, name);
        resolving = false;
        return function;
}

#define REAL(name)                     \
        static __typeof__(&name) real; \
        if (!real)                     \
        *(void **)&real = next(#name)

/* type name(parameters) that fails with error and value; arguments are passed on otherwise. */
#define FAULT(type, name, parameters, arguments, error, value) \
        PUBLIC type name parameters {                          \
                REAL(name);                                    \
                if (fails()) {                                 \
                        errno = error;                         \
                        return value;                          \
                }                                              \
                return real arguments;                         \
        }

/* These cannot be looked up with dlsym(), which uses them. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

PUBLIC void *malloc(size_t size) {
        return fails() ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}

PUBLIC void *calloc(size_t n, size_t size) {
        return fails() ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}

PUBLIC void *realloc(void *p, size_t size) {
        return fails() ? (errno = ENOMEM, NULL) : __libc_realloc(p, size);
}

FAULT(int, socket, (int d, int t, int p), (d, t, p), EMFILE, -1)
FAULT(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), ECONNREFUSED, -1)
FAULT(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), EIO, -1)
FAULT(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), EIO, -1)
FAULT(ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f), ECONNRESET, -1)
FAULT(ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f), ECONNRESET, -1)
FAULT(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), EPIPE, -1)
FAULT(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f), EPIPE, -1)
FAULT(int, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), ENOTCONN, -1)
FAULT(int, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), ENOTCONN, -1)
FAULT(int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n), EINVAL, -1)
FAULT(int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n), EINVAL, -1)
FAULT(int, clock_gettime, (clockid_t c, struct timespec *t), (c, t), EINVAL, -1)
FAULT(int, poll, (struct pollfd * f, nfds_t n, int t), (f, n, t), EINTR, -1)
FAULT(int, ppoll, (struct pollfd * f, nfds_t n, const struct timespec *t, const sigset_t *s), (f, n, t, s),
      EINTR, -1)
FAULT(int, signalfd, (int fd, const sigset_t *s, int f), (fd, s, f), EMFILE, -1)
FAULT(int, sigaction, (int s, const struct sigaction *a, struct sigaction *o), (s, a, o), EINVAL, -1)
FAULT(int, pthread_sigmask, (int h, const sigset_t *s, sigset_t *o), (h, s, o), EINVAL, EINVAL)
FAULT(int, getitimer, (__itimer_which_t w, struct itimerval *v), (w, v), EINVAL, -1)
FAULT(DIR *, opendir, (const char *p), (p), EMFILE, NULL)
FAULT(long, sysconf, (int n), (n), EINVAL, -1)
FAULT(int, memfd_create, (const char *n, unsigned f), (n, f), EMFILE, -1)
FAULT(char *, strdup, (const char *s), (s), ENOMEM, NULL)

#define FAULT_OPEN(name)                                    \
        PUBLIC int name(const char *path, int flags, ...) { \
                mode_t mode = 0;                            \
                va_list ap;                                 \
                                                            \
                REAL(name);                                 \
                if (flags & (O_CREAT | O_TMPFILE)) {        \
                        va_start(ap, flags);                \
                        mode = va_arg(ap, mode_t);          \
                        va_end(ap);                         \
                }                                           \
                if (fails()) {                              \
                        errno = EMFILE;                     \
                        return -1;                          \
                }                                           \
                return real(path, flags, mode);             \
        }
FAULT_OPEN(open)
FAULT_OPEN(open64)

/* Which variables are asked for while a fault is armed (attack A9). */
static void show_variable(const char *name) {
        static const char word[] = "GETENV ";

        (void)!write(STDERR_FILENO, word, sizeof(word) - 1);
        (void)!write(STDERR_FILENO, name, strlen(name));
        (void)!write(STDERR_FILENO, "\n", 1);
}

PUBLIC char *secure_getenv(const char *name) {
        REAL(secure_getenv);
        if (watched)
                show_variable(name);
        return real(name);
}

PUBLIC char *getenv(const char *name) {
        REAL(getenv);
        if (watched)
                show_variable(name);
        return real(name);
}

PUBLIC int fcntl64(int fd, int command, ...) {
        va_list ap;
        void *argument;

        REAL(fcntl64);
        va_start(ap, command);
        argument = va_arg(ap, void *);
        va_end(ap);
        if (fails()) {
                errno = EBADF;
                return -1;
        }
        return real(fd, command, argument);
}
