/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Put before libc in a broker under test: moves its wall clock, and lets the name service hang for accounts
 * whose names begin with "slow". What it does stands in a file that the test changes while the broker runs.
 * Nothing of ours is replaced.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef struct ShimState {
        int64_t realtime_shift;     /* seconds added to CLOCK_REALTIME */
        int32_t name_service_hangs; /* look-ups of "slow..." wait until this is 0 */
} ShimState;

static volatile const ShimState *shim_state(void) {
        static volatile const ShimState *state;
        const char *path;
        void *p;
        int fd;

        if (state)
                return state;
        path = getenv("PEERAUTH_TEST_SHIM");
        fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
                abort();
        p = mmap(NULL, sizeof(*state), PROT_READ, MAP_SHARED, fd, 0);
        (void)close(fd);
        if (p == MAP_FAILED)
                abort();
        state = p;
        return state;
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
        static int (*next)(clockid_t, struct timespec *);
        int r;

        if (!next)
                next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        r = next(clock, ts);
        if (r == 0 && clock == CLOCK_REALTIME)
                ts->tv_sec += shim_state()->realtime_shift;
        return r;
}

static void shim_hang(void) {
        while (shim_state()->name_service_hangs)
                (void)usleep(10000);
}

int getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size, struct passwd **ret) {
        static int (*next)(const char *, struct passwd *, char *, size_t, struct passwd **);

        if (!next)
                next = (int (*)(const char *, struct passwd *, char *, size_t, struct passwd **))dlsym(
                        RTLD_NEXT, "getpwnam_r");
        if (strncmp(name, "slow", 4) == 0)
                shim_hang();
        return next(name, pw, buffer, size, ret);
}

int getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t size, struct passwd **ret) {
        static int (*next)(uid_t, struct passwd *, char *, size_t, struct passwd **);
        int r;

        if (!next)
                next = (int (*)(uid_t, struct passwd *, char *, size_t, struct passwd **))dlsym(RTLD_NEXT,
                                                                                                "getpwuid_r");
        r = next(uid, pw, buffer, size, ret);
        if (r == 0 && *ret && strncmp(pw->pw_name, "slow", 4) == 0)
                shim_hang();
        return r;
}
