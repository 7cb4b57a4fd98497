/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads small files of /proc; proc(5) has their format. */
#include "pam_peerauth/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/protocol.h"

enum { PROCESS_FILE_MAX = 1024, STAT_FIELDS_BEFORE_START = 19 };

/* One read, as the kernel makes these files at the moment of the call. */
static int read_proc(pid_t pid, const char *name, char ret_text[PROCESS_FILE_MAX]) {
        _cleanup_close_ int fd = -1;
        char path[64];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        n = read(fd, ret_text, PROCESS_FILE_MAX - 1);
        if (n < 0)
                return -errno;
        ret_text[n] = '\0';
        return 0;
}

/* Field 22, in clock ticks since boot. The name in field 2 may hold spaces and parentheses. */
static int parse_start_ticks(const char *stat, uint64_t *ret_ticks) {
        const char *p = strrchr(stat, ')');
        unsigned long long ticks;

        for (unsigned i = 0; p && i <= STAT_FIELDS_BEFORE_START; i++)
                p = strchr(p + 1, ' ');
        if (!p || sscanf(p, " %llu", &ticks) != 1)
                return -EBADMSG;
        *ret_ticks = ticks;
        return 0;
}

int process_age_usec(pid_t pid, uint64_t *ret_usec) {
        long ticks_per_sec = sysconf(_SC_CLK_TCK);
        uint64_t now = clock_boottime_usec(), start;
        char stat[PROCESS_FILE_MAX];
        int r;

        r = read_proc(pid, "stat", stat);
        if (r >= 0)
                r = parse_start_ticks(stat, &start);
        if (r < 0)
                return r;
        if (ticks_per_sec <= 0)
                return -EINVAL;
        start = start / (uint64_t)ticks_per_sec * PEERAUTH_USEC_PER_SEC +
                start % (uint64_t)ticks_per_sec * PEERAUTH_USEC_PER_SEC / (uint64_t)ticks_per_sec;
        *ret_usec = now > start ? now - start : 0;
        return 0;
}

static bool is_sshd(pid_t pid) {
        char name[PROCESS_FILE_MAX];

        return read_proc(pid, "comm", name) >= 0 && strncmp(name, "sshd", strlen("sshd")) == 0;
}

/* Field 4 of stat; 0 if unknown, or if the parent is outside this PID namespace. */
static pid_t parent_of(pid_t pid) {
        char stat[PROCESS_FILE_MAX];
        const char *end;
        int parent;

        if (read_proc(pid, "stat", stat) < 0)
                return 0;
        end = strrchr(stat, ')');
        return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* The title that sshd gives the process of a connection. One for a single connection (sshd -i) has no
 * listener above it, and only this tells it from one. */
static bool has_monitor_title(pid_t pid) {
        static const char mark[] = " [priv]";
        char title[PROCESS_FILE_MAX];
        size_t size;

        if (read_proc(pid, "cmdline", title) < 0)
                return false;
        size = strlen(title);
        return strncmp(title, "sshd", strlen("sshd")) == 0 && size >= strlen(mark) &&
               strcmp(title + size - strlen(mark), mark) == 0;
}

bool process_parent_is_sshd(void) {
        return is_sshd(getppid());
}

bool process_parent_is_monitor(void) {
        pid_t parent = getppid();

        return is_sshd(parent) && (is_sshd(parent_of(parent)) || has_monitor_title(parent));
}
