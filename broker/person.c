/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads /proc/PID/{status,loginuid,cgroup} while a pidfd shows that PID is still the same process. */
#include "broker/person.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
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

/* The effective uid; -EBADMSG if the file does not say. */
static int person_effective_uid(pid_t pid, uid_t *ret_uid) {
        _cleanup_fclose_ FILE *f = NULL;
        char line[256];
        int r;

        r = person_open(pid, "status", &f);
        if (r < 0)
                return r;
        while (fgets(line, sizeof(line), f)) {
                uint32_t effective;

                if (sscanf(line, "Uid: %*" SCNu32 " %" SCNu32, &effective) == 1) {
                        *ret_uid = effective;
                        return 0;
                }
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

static int person_slice_owner(pid_t pid, uid_t *ret_uid) {
        uid_t uid = PERSON_UNSET;
        int r = sd_pid_get_owner_uid(pid, &uid);

        /* Not below user.slice. */
        if (r == -ENODATA || r == -ENXIO || r == -ENOENT || r == -ENOMEDIUM)
                uid = PERSON_UNSET;
        else if (r < 0)
                return r;
        *ret_uid = uid;
        return 0;
}

int person_of_process(pid_t pid, uid_t uid, uid_t *ret_person) {
        _cleanup_close_ int pidfd = -EBADF;
        uid_t effective = PERSON_UNSET, login = PERSON_UNSET, slice = PERSON_UNSET;
        int r;

        pidfd = person_pidfd(pid);
        if (pidfd < 0)
                return pidfd;
        r = person_effective_uid(pid, &effective);
        if (r >= 0)
                r = person_login_uid(pid, &login);
        if (r >= 0)
                r = person_slice_owner(pid, &slice);
        if (r < 0)
                return r;
        if (!person_alive(pidfd))
                return -ESRCH;
        if (effective != uid)
                return -EPERM;
        if (uid != 0 && login != PERSON_UNSET && slice != PERSON_UNSET && login != slice)
                return -EPERM;
        *ret_person = login != PERSON_UNSET ? login : slice != PERSON_UNSET ? slice : uid;
        return 0;
}
