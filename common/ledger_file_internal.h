/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reader and the verifier of ledger files share. Not for others. */
#pragma once

#include <sqlite3.h>

#include "common/cleanup.h"
#include "common/ledger_file.h"

typedef struct LedgerFileLines LedgerFileLines;

struct LedgerFile {
        sqlite3 *db; /* NULL: JSON lines */
        sqlite3_stmt *entries, *node;
        LedgerFileLines *lines;
        uint64_t next;
        const void *leaf;    /* stored with the entry that was read last; NULL: none */
        const char *problem; /* why reading failed, to follow "entry N " */
};

PEERAUTH_DEFINE_CLEANUP(LedgerFile *, ledger_file_close);
#define _cleanup_file_ PEERAUTH_CLEANUP(ledger_file_close_p)

/* Sets *ret_message to a formatted line and returns error. */
int ledger_file_refuse(char **ret_message, int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
