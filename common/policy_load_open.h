/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens the folders and files of the policy, and refuses those that somebody but root could have
 * written: a symbolic link, a FIFO, a device, another owner, write permission for group or others.
 *
 * Errors are a negative errno and *ret_message, "PATH: what is wrong, and the remedy" (caller frees; not
 * touched when memory ran out): -EPERM for what is described above, -EINVAL for a file that is too big, else
 * as the system says. -ENOENT comes without a message.
 */
#pragma once

#include <stddef.h>

/* A folder below dir_fd (AT_FDCWD if name is a whole path). path is for messages. */
int policy_open_dir(int dir_fd, const char *name, const char *path, int *ret_fd, char **ret_message);

/* All bytes of a file in dir_fd, at most POLICY_FILE_MAX; what is checked is what is read. */
int policy_read_file(int dir_fd, const char *name, const char *path, char **ret_bytes, size_t *ret_size,
                     char **ret_message);

/* Makes *ret_message, "PATH: ..." or with a line above 0 "PATH:LINE: ...". Returns r, or -ENOMEM. */
int policy_message(char **ret_message, int r, const char *path, unsigned line, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
