/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several files that appear together or not at all: FILE and its companions FILE.checkpoint and so on.
 *
 * Each is written under a hidden name beside its place, made durable, and renamed last of all FILE itself, so
 * that whoever sees FILE sees a complete set. Interrupting signals are held back while a set is open:
 * file_set_interrupted() says when one waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/cleanup.h"

typedef struct FileSet FileSet;

/* path is FILE. 0, -EINVAL for a name that cannot be written on one line, or a negative errno. */
int file_set_new(const char *path, bool force, FileSet **ret_set);
/* Removes what was not published, then lets the held-back signals act. Takes NULL; returns NULL. */
FileSet *file_set_free(FileSet *set);
PEERAUTH_DEFINE_CLEANUP(FileSet *, file_set_free);
#define _cleanup_file_set_ PEERAUTH_CLEANUP(file_set_free_p)

/* Begins the file path + suffix, readable by its owner only. -EEXIST unless forced. The first one added is
 * FILE itself, with suffix "". *ret_fd is the set's. */
int file_set_add(FileSet *set, const char *suffix, int *ret_fd);

/* The name of the file that was added first, without its folder; owned by the set. */
const char *file_set_name(const FileSet *set);

/* Where the first one lies until it is published; owned by the set. */
const char *file_set_temporary_path(const FileSet *set);

/* Puts all files in their places. 0 or a negative errno, after which none is there (with force: an older set
 * may have been replaced in part). */
int file_set_publish(FileSet *set);

/* Whether the person pressed Ctrl-C, or the like. */
bool file_set_interrupted(void);

/* Writes all of data. 0 or a negative errno. */
int file_set_write(int fd, const void *data, size_t size);
