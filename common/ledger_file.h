/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and verifies a ledger that lies in a file: a snapshot made by OpenSnapshot, or an export in
 * JSON lines. Never writes, never trusts the file: it is opened read-only, immutable, with its
 * schema compared to the one this program knows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/checkpoint.h"

typedef struct LedgerFile LedgerFile;

/* Opens a SQLite snapshot or a JSON-lines export (told apart by their first bytes). 0, or a negative errno
 * and a one-line message (caller frees): -EBADMSG the file is not a ledger, or its schema was changed. */
int ledger_file_open(const char *path, LedgerFile **ret_file, char **ret_message);
LedgerFile *ledger_file_close(LedgerFile *file);

/* The next entry in order: 1 and its index and text (owned by the file until the next call), 0 at the end, or
 * a negative errno. */
int ledger_file_next(LedgerFile *file, uint64_t *ret_index, const char **ret_text, size_t *ret_size);

typedef struct LedgerVerdict {
        bool good;
        uint64_t size;      /* entries read */
        uint64_t bad_index; /* first bad entry; meaningful if has_bad_index */
        bool has_bad_index;
        char reason[256];      /* what is wrong with it, for people; empty if good */
        Checkpoint checkpoint; /* what the signed checkpoint says */
} LedgerVerdict;

/*
 * Recomputes the tree over every entry of the file at path and compares it with the checkpoint note,
 * whose signature is checked with vkey. The index inside each entry, the stored leaf hashes and the
 * stored nodes (SQLite) are checked too, so that the first bad entry can be named.
 * Returns 0 and *ret_verdict (good or not), or a negative errno and *ret_message if the file could not be
 * read at all.
 */
int ledger_file_verify(const char *path, const char *note, const char *vkey, LedgerVerdict *ret_verdict,
                       char **ret_message);
