/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What opening a ledger and using it share. Not for others. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "broker/ledger.h"
#include "broker/ledger_dir.h"

enum { LEDGER_STAGED_MAX = 256 };

typedef enum LedgerStatement {
        LEDGER_BEGIN,
        LEDGER_COMMIT,
        LEDGER_ROLLBACK,
        LEDGER_INSERT_ENTRY,
        LEDGER_INSERT_NODE,
        LEDGER_SELECT_BODY,
        LEDGER_N_STATEMENTS,
} LedgerStatement;

typedef struct LedgerStaged {
        char *body;
        size_t size;
        MerkleHash leaf;
} LedgerStaged;

struct Ledger {
        LedgerDir dir;
        sqlite3 *db;
        sqlite3_stmt *statements[LEDGER_N_STATEMENTS];
        CryptoSignKey *key;
        char *origin;
        char vkey[CHECKPOINT_VKEY_MAX];
        MerkleFrontier tree; /* of the committed entries */
        bool anchor_missing; /* there were entries at start, and no checkpoint file */
        bool tree_unsure;    /* a commit failed: read it again */
        uint64_t saved_size; /* of the checkpoint file; UINT64_MAX: not known */
        int wal_pages;
        unsigned n_staged;
        LedgerStaged staged[LEDGER_STAGED_MAX];
};

/* Reads the frontier of the committed tree from the database. 0 or a negative errno. */
int ledger_load_tree(Ledger *ledger);
