/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads /proc/PID/{status,loginuid,cgroup,stat} while a pidfd shows that PID is still the same process. */
#include "broker/person.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-login.h>

#include "common/cleanup.h"

#define PERSON_UNSET ((uid_t)-1)

/* glibc has a wrapper from 2.36 on; older distributions have only the number. */
static int person_pidfd(pid_t pid) {
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

static bool person_alive(int pidfd) {
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        return poll(&p, 1, 0) == 0; /* readable means that it has ended */
}

static int person_open(pid_t pid, const char *name, FILE **ret_file) {
        char path[64];
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%jd/%s", (intmax_t)pid, name);
        f = fopen(path, "re");
        if (!f)
                return -errno;
        *ret_file = f;
        return 0;
}

/* Real and effective uid, and parent; -EBADMSG if the file does not say. */
static int person_status(pid_t pid, uid_t *ret_real, uid_t *ret_effective, pid_t *ret_parent) {
        _cleanup_fclose_ FILE *f = NULL;
        char line[256];
        int32_t parent = -1;
        int r;

        r = person_open(pid, "status", &f);
        if (r < 0)
                return r;
        while (fgets(line, sizeof(line), f)) {
                uint32_t real, effective;

                if (sscanf(line, "PPid: %" SCNd32, &parent) == 1 ||
                    sscanf(line, "Uid: %" SCNu32 " %" SCNu32, &real, &effective) != 2)
                        continue;
                if (parent < 0)
                        break;
                *ret_parent = parent;
                *ret_real = real;
                *ret_effective = effective;
                return 0;
        }
        return -EBADMSG;
}

/* PERSON_UNSET for a process that no login started, or a kernel without audit. */
static int person_login_uid(pid_t pid, uid_t *ret_uid) {
        _cleanup_fclose_ FILE *f = NULL;
        uint32_t uid = PERSON_UNSET;
        int r;

        r = person_open(pid, "loginuid", &f);
        if (r == -ENOENT)
                r = 0;
        else if (r >= 0 && fscanf(f, "%" SCNu32, &uid) != 1)
                r = -EBADMSG;
        if (r >= 0)
                *ret_uid = uid;
        return r;
}

/* How libsystemd says that a control group belongs to no session, user or unit of that kind. */
static bool person_is_none(int r) {
        return r == -ENODATA || r == -ENXIO || r == -ENOENT || r == -ENOMEDIUM;
}

static int person_slice_owner(pid_t pid, uid_t *ret_uid) {
        uid_t uid = PERSON_UNSET;
        int r = sd_pid_get_owner_uid(pid, &uid);

        if (r < 0 && !person_is_none(r))
                return r;
        *ret_uid = r < 0 ? PERSON_UNSET : uid;
        return 0;
}

static int person_session(pid_t pid, char ret_session[static LOGIND_ID_SIZE]) {
        _cleanup_free_ char *session = NULL;
        int r = sd_pid_get_session(pid, &session);

        if (r < 0 && !person_is_none(r))
                return r;
        if (r < 0 || strlen(session) >= LOGIND_ID_SIZE)
                *ret_session = '\0';
        else
                memcpy(ret_session, session, strlen(session) + 1);
        return 0;
}

static int person_user_manager(pid_t pid, bool *ret_user_manager) {
        _cleanup_free_ char *unit = NULL;
        int r = sd_pid_get_user_unit(pid, &unit);

        if (r < 0 && !person_is_none(r))
                return r;
        *ret_user_manager = r >= 0;
        return 0;
}

int person_look(pid_t pid, uid_t uid, Person *ret_person) {
        _cleanup_close_ int pidfd = -EBADF;
        uid_t real = PERSON_UNSET, effective = PERSON_UNSET, login = PERSON_UNSET, slice = PERSON_UNSET;
        Person person = {0};
        int r;

        pidfd = person_pidfd(pid);
        if (pidfd < 0)
                return pidfd;
        r = person_status(pid, &real, &effective, &person.parent);
        if (r >= 0)
                r = person_login_uid(pid, &login);
        if (r >= 0)
                r = person_slice_owner(pid, &slice);
        if (r >= 0)
                r = person_session(pid, person.session);
        if (r >= 0)
                r = person_user_manager(pid, &person.user_manager);
        if (r < 0)
                return r;
        if (!person_alive(pidfd))
                return -ESRCH;
        if (effective != uid)
                return -EPERM;
        if (uid != 0 && login != PERSON_UNSET && slice != PERSON_UNSET && login != slice)
                return -EPERM;
        person.uid = login != PERSON_UNSET ? login : slice != PERSON_UNSET ? slice : uid;
        person.user_manager = person.user_manager && slice == person.uid;
        person.behind[0] = real != PERSON_UNSET ? real : 0;
        person.behind[1] = login != PERSON_UNSET ? login : 0;
        person.behind[2] = slice != PERSON_UNSET ? slice : 0;
        *ret_person = person;
        return 0;
}

/* The name of the program stands in parentheses and may hold these, and lines; what follows the last one
 * counts. */
int person_process_start(pid_t pid, pid_t *ret_parent, uint64_t *ret_start) {
        _cleanup_fclose_ FILE *f = NULL;
        char line[1024];
        const char *rest;
        int32_t parent;
        uint64_t start;
        size_t n;
        int r;

        r = person_open(pid, "stat", &f);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        n = fread(line, 1, sizeof(line) - 1, f);
        if (n == 0)
                return -ESRCH; /* it ended while we read */
        line[n] = '\0';
        rest = strrchr(line, ')');
        if (!rest ||
            sscanf(rest,
                   ") %*c %" SCNd32 " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                   "%*s %" SCNu64,
                   &parent, &start) != 2)
                return -EBADMSG;
        if (ret_parent)
                *ret_parent = parent;
        *ret_start = start;
        return 0;
}
