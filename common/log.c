/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See log.h. The journal is told from a terminal or a file as systemd.exec(5) describes: the service
 * manager names the stream's device and inode, and only if standard error is still that stream do the
 * priorities belong in front.
 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *log_name;
static bool log_to_journal;
static bool log_debug_on;

static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
               device == (uintmax_t)st.st_dev && inode == (uintmax_t)st.st_ino;
}

void log_init(const char *name) {
        log_name = name;
        log_to_journal = stderr_is_journal();
}

void log_set_debug(bool on) {
        log_debug_on = on;
}

static int prefix(int priority, char *ret, size_t size) {
        if (log_to_journal)
                return snprintf(ret, size, "<%d>", priority);
        return log_name ? snprintf(ret, size, "%s: ", log_name) : 0;
}

void log_print(int priority, const char *format, ...) {
        char line[LOG_LINE_MAX + 1];
        int saved = errno, used;
        size_t start, end;
        va_list args;

        if (priority == LOG_DEBUG && !log_debug_on)
                return;

        used = prefix(priority, line, LOG_LINE_MAX);
        start = used < 0 || used >= LOG_LINE_MAX ? 0 : (size_t)used;
        va_start(args, format);
        errno = saved; /* for %m */
        used = vsnprintf(line + start, LOG_LINE_MAX - start, format, args);
        va_end(args);
        if (used < 0)
                line[start] = '\0';
        end = start + strlen(line + start);
        for (size_t i = start; i < end; i++)
                if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
                        line[i] = '?';
        line[end++] = '\n';
        /* One write a line, so that two threads do not mix theirs; a log that is gone stops nobody. */
        while (write(STDERR_FILENO, line, end) < 0 && errno == EINTR)
                ;
        errno = saved;
}
