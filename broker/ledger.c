/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The writer of the ledger: stages entries in memory, commits them in one durable transaction, and
 * keeps the frontier of the tree so that an append costs the same at any size.
 *
 * The tree in memory is never ahead of the database: it moves only after COMMIT returned, and after any
 * failure it is read again before the next entry is staged, because the failed COMMIT may have reached
 * the disk after all.
 */
#include "broker/ledger_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/ledger_schema.h"
#include "common/canonical.h"

enum {
        ENTRY_VERSION = 1,
        WAL_FOLD_PAGES = 512,      /* folded into the database when nobody waits for us */
        WAL_FOLD_NOW_PAGES = 8192, /* ... and when somebody does, before the -wal file fills the disk */
};

int ledger_load_tree(Ledger *l) {
        MerkleFrontier tree;
        uint64_t size;
        int r;

        r = ledger_schema_size(l->db, &size);
        if (r >= 0)
                r = ledger_schema_frontier(l->db, size, &tree);
        if (r < 0)
                return r;
        l->tree = tree;
        l->tree_unsure = false;
        return 0;
}

/* Runs a prepared statement that gives no rows. */
static int run(Ledger *l, LedgerStatement s) {
        int rc = sqlite3_step(l->statements[s]);
        int r = ledger_schema_errno(l->db, rc);

        (void)sqlite3_reset(l->statements[s]);
        return rc == SQLITE_ROW ? -EBADMSG : r;
}

static int settle(Ledger *l) {
        if (!l->tree_unsure)
                return 0;
        if (!sqlite3_get_autocommit(l->db)) {
                int r = run(l, LEDGER_ROLLBACK);

                if (r < 0)
                        return r;
        }
        return ledger_load_tree(l);
}

static void add_fields(Canonical *c, const LedgerField *fields) {
        for (; fields->type != LEDGER_END; fields++) {
                switch (fields->type) {
                case LEDGER_END:
                        break;
                case LEDGER_STRING:
                        canonical_string(c, fields->key, fields->string);
                        break;
                case LEDGER_UINT:
                        canonical_uint(c, fields->key, fields->uint);
                        break;
                case LEDGER_STRINGS:
                        canonical_strings(c, fields->key, fields->strings);
                        break;
                }
        }
}

int ledger_stage(Ledger *l, const char *kind, uint64_t realtime_usec, const LedgerField *fields,
                 uint64_t *ret_index) {
        LedgerStaged staged;
        Canonical c;
        uint64_t index;
        int r;

        if (l->n_staged >= LEDGER_STAGED_MAX)
                return -ENOBUFS;
        r = settle(l);
        if (r < 0)
                return r;
        index = l->tree.size + l->n_staged;
        canonical_begin(&c);
        canonical_uint(&c, "v", ENTRY_VERSION);
        canonical_uint(&c, "index", index);
        canonical_uint(&c, "time", realtime_usec);
        canonical_string(&c, "kind", kind);
        add_fields(&c, fields);
        r = canonical_end(&c, &staged.body, &staged.size);
        if (r < 0)
                return r;
        staged.leaf = merkle_leaf(staged.body, staged.size);
        l->staged[l->n_staged++] = staged;
        if (ret_index)
                *ret_index = index;
        return 0;
}

unsigned ledger_staged(const Ledger *l) {
        return l->n_staged;
}

void ledger_rollback(Ledger *l) {
        for (unsigned i = 0; i < l->n_staged; i++)
                free(l->staged[i].body);
        l->n_staged = 0;
}

static int insert_entry(Ledger *l, const LedgerStaged *staged, MerkleFrontier *tree) {
        sqlite3_stmt *entry = l->statements[LEDGER_INSERT_ENTRY], *node = l->statements[LEDGER_INSERT_NODE];
        MerkleNode nodes[MERKLE_LEVELS];
        unsigned n;
        int r;

        (void)sqlite3_bind_int64(entry, 1, (int64_t)tree->size);
        (void)sqlite3_bind_text(entry, 2, staged->body, (int)staged->size, SQLITE_STATIC);
        (void)sqlite3_bind_blob(entry, 3, staged->leaf.bytes, MERKLE_HASH_SIZE, SQLITE_STATIC);
        r = run(l, LEDGER_INSERT_ENTRY);
        (void)sqlite3_clear_bindings(entry);
        n = merkle_append(tree, &staged->leaf, nodes);
        for (unsigned i = 1; i < n && r >= 0; i++) { /* nodes[0] is the leaf, which the entry holds */
                (void)sqlite3_bind_int64(node, 1, (int64_t)nodes[i].level);
                (void)sqlite3_bind_int64(node, 2, (int64_t)nodes[i].index);
                (void)sqlite3_bind_blob(node, 3, nodes[i].hash.bytes, MERKLE_HASH_SIZE, SQLITE_STATIC);
                r = run(l, LEDGER_INSERT_NODE);
                (void)sqlite3_clear_bindings(node);
        }
        return r;
}

/* Moves the pages of the -wal file into the database. Failure loses nothing: the next one tries again. */
static void fold_wal(Ledger *l, int limit) {
        if (l->wal_pages >= limit)
                (void)sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

int ledger_commit(Ledger *l) {
        MerkleFrontier tree;
        int r;

        if (l->n_staged == 0)
                return 0;
        r = settle(l);
        tree = l->tree;
        if (r >= 0)
                r = run(l, LEDGER_BEGIN);
        for (unsigned i = 0; i < l->n_staged && r >= 0; i++)
                r = insert_entry(l, &l->staged[i], &tree);
        if (r >= 0)
                r = run(l, LEDGER_COMMIT);
        ledger_rollback(l);
        if (r < 0) {
                l->tree_unsure = true;
                (void)settle(l);
                return r;
        }
        l->tree = tree; /* the one place where entries begin to exist */
        fold_wal(l, WAL_FOLD_NOW_PAGES);
        return 0;
}

/* ---- Reading and signing ---- */

int ledger_save_checkpoint(Ledger *l) {
        char note[CHECKPOINT_NOTE_MAX];
        int r;

        if (l->saved_size == l->tree.size)
                return 0;
        r = ledger_checkpoint(l, note);
        if (r >= 0)
                r = ledger_dir_replace(&l->dir, LEDGER_DIR_CHECKPOINT, note, strlen(note));
        if (r < 0)
                return r;
        l->saved_size = l->tree.size;
        fold_wal(l, WAL_FOLD_PAGES);
        return 0;
}

int ledger_sign(const Ledger *l, uint64_t size, const MerkleHash *root, char ret_note[CHECKPOINT_NOTE_MAX]) {
        Checkpoint checkpoint = {.size = size, .root = *root};

        if (strlen(l->origin) > CHECKPOINT_ORIGIN_MAX)
                return -EINVAL;
        strcpy(checkpoint.origin, l->origin);
        return checkpoint_sign(&checkpoint, l->key, ret_note);
}

int ledger_checkpoint(const Ledger *l, char ret_note[CHECKPOINT_NOTE_MAX]) {
        MerkleHash root = merkle_root(&l->tree);

        return ledger_sign(l, l->tree.size, &root, ret_note);
}

bool ledger_anchor_missing(const Ledger *ledger) {
        return ledger->anchor_missing;
}

const char *ledger_vkey(const Ledger *l) {
        return l->vkey;
}

uint64_t ledger_size(const Ledger *l) {
        return l->tree.size;
}

int ledger_read(Ledger *l, uint64_t index, char **ret_text) {
        sqlite3_stmt *stmt = l->statements[LEDGER_SELECT_BODY];
        const char *text;
        int rc, r;

        if (index >= l->tree.size)
                return -ENOENT;
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)index);
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
                text = (const char *)sqlite3_column_text(stmt, 0);
                *ret_text = text ? strdup(text) : NULL;
                r = *ret_text ? 0 : -ENOMEM;
        } else
                r = rc == SQLITE_DONE ? -EBADMSG : ledger_schema_errno(l->db, rc);
        (void)sqlite3_reset(stmt);
        return r;
}
