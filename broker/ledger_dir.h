/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger's folder: its lock, its small files, and the sentence that a person reads when one of
 * them is not as it should be. Internal to the ledger and its tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct LedgerDir {
        char *path;      /* without symbolic links */
        int fd, lock_fd; /* -1: none */
} LedgerDir;

#define LEDGER_DIR_INIT ((LedgerDir){.fd = -1, .lock_fd = -1})

#define LEDGER_DIR_DATABASE   "ledger.db"
#define LEDGER_DIR_KEY        "ledger.key"
#define LEDGER_DIR_LOCK       "ledger.lock"
#define LEDGER_DIR_CHECKPOINT "checkpoint"

/* Sets *ret_message to a formatted line and returns error, so that a caller can refuse in one statement. */
int ledger_dir_refuse(char **ret_message, int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The same for a failed operation on a file of the folder: adds what the errno means and what to do. */
int ledger_dir_failed(char **ret_message, int error, const char *path, const char *name, const char *doing);

/* Opens the folder, which must be the broker's alone, and takes the lock. 0 or a negative errno and a
 * message: -EBUSY another process holds the lock. */
int ledger_dir_open(const char *path, LedgerDir *ret_dir, char **ret_message);
/* Releases the lock; safe on LEDGER_DIR_INIT. */
void ledger_dir_close(LedgerDir *dir);

/* The path of a file in the folder; caller frees; NULL: no memory. */
char *ledger_dir_file(const char *path, const char *name);
/* 1 if there is something under that name, 0 if not, or a negative errno. */
int ledger_dir_has(const LedgerDir *dir, const char *name);

/*
 * Reads a small regular file that belongs to this account and that nobody else can write (nor read, if
 * secret). 0 and *ret_size, or -ENOENT, -EFBIG above max, -EPERM for owner, mode or type.
 */
int ledger_dir_read(const LedgerDir *dir, const char *name, bool secret, void *ret, size_t max,
                    size_t *ret_size);
/* Replaces a file (0600): a crash leaves the old one or the new one, and what returned is durable. */
int ledger_dir_replace(const LedgerDir *dir, const char *name, const void *data, size_t size);
/* Makes an empty file (0600) unless there is one. 0 or a negative errno. */
int ledger_dir_create(const LedgerDir *dir, const char *name);
/* Makes the names in the folder durable. */
int ledger_dir_sync(const LedgerDir *dir);
