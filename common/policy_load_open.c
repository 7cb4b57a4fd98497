/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that only root could have written (attack A3). See policy_load_open.h. */
#include "common/policy_load_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/policy_scan.h"
#include "common/text.h"

int policy_message(char **ret_message, int r, const char *path, unsigned line, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *shown = text_safe(path, SIZE_MAX);
        char *message;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return -ENOMEM;
        }
        if (!shown)
                return -ENOMEM;
        n = line > 0 ? asprintf(&message, "%s:%u: %s", shown, line, text)
                     : asprintf(&message, "%s: %s", shown, text);
        if (n < 0)
                return -ENOMEM;
        *ret_message = message;
        return r;
}

/* O_NOFOLLOW, so that a link is seen; O_NONBLOCK, so that a FIFO does not hold the broker up. */
static int open_checked(int dir_fd, const char *name, const char *path, int flags, struct stat *ret_st,
                        char **ret_message) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags);
        struct stat st;

        if (fd < 0 && (errno == ELOOP || (errno == ENOTDIR && (flags & O_DIRECTORY))))
                return policy_message(ret_message, -EPERM, path, 0,
                                      "a symbolic link, or not a folder; put the real thing there");
        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        if (fd < 0 && errno == ENXIO)
                return policy_message(ret_message, -EPERM, path, 0, "not a regular file; replace it by one");
        if (fd < 0 && errno == EACCES)
                return policy_message(ret_message, -EACCES, path, 0,
                                      "not readable for the broker; chmod %s it",
                                      flags & O_DIRECTORY ? "0755" : "0644");
        if (fd < 0 || fstat(fd, &st) < 0)
                return policy_message(ret_message, -errno, path, 0, "%s", strerror(errno));
        if (!(flags & O_DIRECTORY) && !S_ISREG(st.st_mode))
                return policy_message(ret_message, -EPERM, path, 0, "not a regular file; replace it by one");
        if (st.st_uid != 0)
                return policy_message(ret_message, -EPERM, path, 0, "owned by uid %u; chown it to root",
                                      st.st_uid);
        if (st.st_mode & (S_IWGRP | S_IWOTH))
                return policy_message(ret_message, -EPERM, path, 0,
                                      "writable for %s (mode %04o); chmod go-w it",
                                      st.st_mode & S_IWOTH ? "everybody" : "its group", st.st_mode & 07777);
        *ret_st = st;
        return steal_fd(&fd);
}

int policy_open_dir(int dir_fd, const char *name, const char *path, int *ret_fd, char **ret_message) {
        struct stat st;
        int fd = open_checked(dir_fd, name, path, O_DIRECTORY, &st, ret_message);

        if (fd < 0)
                return fd;
        *ret_fd = fd;
        return 0;
}

int policy_read_file(int dir_fd, const char *name, const char *path, char **ret_bytes, size_t *ret_size,
                     char **ret_message) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *bytes = NULL;
        size_t size = 0;
        struct stat st;
        ssize_t n;

        fd = open_checked(dir_fd, name, path, 0, &st, ret_message);
        if (fd < 0)
                return fd;
        bytes = malloc(POLICY_FILE_MAX + 1);
        if (!bytes)
                return -ENOMEM;
        /* Not st_size: the file may be growing. */
        do {
                n = read(fd, bytes + size, POLICY_FILE_MAX + 1 - size);
                size += n > 0 ? (size_t)n : 0;
        } while ((n > 0 && size <= POLICY_FILE_MAX) || (n < 0 && errno == EINTR));
        if (n < 0)
                return policy_message(ret_message, -errno, path, 0, "cannot be read: %s", strerror(errno));
        if (size > POLICY_FILE_MAX)
                return policy_message(ret_message, -EINVAL, path, 0, "larger than %d KiB",
                                      POLICY_FILE_MAX / 1024);
        *ret_bytes = STEAL_PTR(bytes);
        *ret_size = size;
        return 0;
}
