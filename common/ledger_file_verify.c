/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Says whether the ledger in a file is the one that was signed, and if not, where it first differs.
 *
 * MUST 1: a file is good only if its entries hash to the root of a checkpoint that vkey signed; all
 *         other checks serve to name what is wrong.
 * MUST 2: memory is constant: one entry and the frontier of the tree.
 * MUST 3: an entry is named only if the file shows that this one is wrong; otherwise the reason says
 *         what can be told.
 */
#include "common/ledger_file_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/ledger_layout.h"
#include "common/merkle.h"

/* Each check returns true, or false with the verdict filled. */
static bool blame(LedgerVerdict *verdict, const uint64_t *index, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static bool blame(LedgerVerdict *verdict, const uint64_t *index, const char *format, ...) {
        va_list ap;

        verdict->has_bad_index = index != NULL;
        verdict->bad_index = index ? *index : 0;
        va_start(ap, format);
        (void)vsnprintf(verdict->reason, sizeof(verdict->reason), format, ap);
        va_end(ap);
        return false;
}

/* Every entry begins with its version and its place; what comes after is hashed, not understood. */
static bool check_text(const char *text, size_t size, uint64_t index, LedgerVerdict *verdict) {
        static const char head[] = "{\"v\":1,\"index\":";
        char wanted[sizeof(head) + 32];
        const char *claim = text + sizeof(head) - 1;
        int n = snprintf(wanted, sizeof(wanted), "%s%" PRIu64 ",\"time\":", head, index);

        if (size <= (size_t)n || memcmp(text, head, sizeof(head) - 1) != 0 || text[size - 1] != '}')
                return blame(verdict, &index, "entry %" PRIu64 " does not have the form of an entry", index);
        if (memcmp(text, wanted, (size_t)n) == 0)
                return true;
        return blame(verdict, &index,
                     "entry %" PRIu64 " is missing, doubled or out of order: in its place is one that says "
                     "\"index\":%.*s",
                     index, (int)strspn(claim, "0123456789"), claim);
}

static bool check_node(LedgerFile *file, const MerkleNode *node, LedgerVerdict *verdict) {
        uint64_t first = node->index << node->level, last = first + ((uint64_t)1 << node->level) - 1;
        bool same;

        (void)sqlite3_bind_int64(file->node, 1, (int64_t)node->level);
        (void)sqlite3_bind_int64(file->node, 2, (int64_t)node->index);
        same = sqlite3_step(file->node) == SQLITE_ROW &&
               sqlite3_column_bytes(file->node, 0) == MERKLE_HASH_SIZE &&
               memcmp(sqlite3_column_blob(file->node, 0), node->hash.bytes, MERKLE_HASH_SIZE) == 0;
        (void)sqlite3_reset(file->node);
        return same || blame(verdict, &first,
                             "entries %" PRIu64 " to %" PRIu64
                             " do not hash to the node stored over them (level %u): "
                             "one of them was changed together with its own hash, or the node was",
                             first, last, node->level);
}

static bool check_entry(LedgerFile *file, uint64_t index, const char *text, size_t size, MerkleFrontier *tree,
                        LedgerVerdict *verdict) {
        MerkleHash leaf = merkle_leaf(text, size);
        MerkleNode nodes[MERKLE_LEVELS];
        uint64_t expected = tree->size;
        unsigned n;

        if (index != expected)
                return blame(verdict, &expected, "entry %" PRIu64 " is missing: the next one is %" PRIu64,
                             expected, index);
        if (file->leaf && memcmp(file->leaf, leaf.bytes, MERKLE_HASH_SIZE) != 0)
                return blame(verdict, &expected,
                             "entry %" PRIu64 " was changed: its text and its stored hash differ", expected);
        if (!check_text(text, size, expected, verdict))
                return false;
        n = merkle_append(tree, &leaf, nodes);
        for (unsigned i = 1; i < n && file->db; i++)
                if (!check_node(file, &nodes[i], verdict))
                        return false;
        return true;
}

static bool check_root(const LedgerFile *file, const MerkleFrontier *tree, LedgerVerdict *verdict) {
        MerkleHash root = merkle_root(tree);

        if (memcmp(root.bytes, verdict->checkpoint.root.bytes, sizeof(root.bytes)) == 0)
                return true;
        return blame(
                verdict, NULL,
                file->db ? "the entries agree with their stored hashes, but not with the signed checkpoint: "
                           "they were rewritten together; which of them cannot be told from this file"
                         : "the entries do not agree with the signed checkpoint; JSON lines hold no hash for "
                           "each entry, so which was changed cannot be told: verify the SQLite export");
}

/* Walks over all entries. 1: as signed, 0: the verdict says why not, or a negative errno. */
static int check_entries(LedgerFile *file, MerkleFrontier *tree, LedgerVerdict *verdict) {
        const uint64_t signed_size = verdict->checkpoint.size;
        const char *text;
        uint64_t index;
        size_t size;
        int r;

        for (;;) {
                if (tree->size == signed_size && !check_root(file, tree, verdict))
                        return 0;
                r = ledger_file_next(file, &index, &text, &size);
                if (r < 0 && r != -EBADMSG)
                        return r;
                if (r == -EBADMSG)
                        return blame(verdict, &tree->size, "entry %" PRIu64 " %s", tree->size, file->problem);
                if (r == 0)
                        break;
                if (tree->size >= signed_size)
                        return blame(verdict, &signed_size,
                                     "entry %" PRIu64
                                     " and all after it are not covered by the checkpoint, which ends "
                                     "before them",
                                     signed_size);
                if (!check_entry(file, index, text, size, tree, verdict))
                        return 0;
        }
        if (tree->size < signed_size)
                return blame(verdict, &tree->size,
                             "entry %" PRIu64 " is missing: the checkpoint covers %" PRIu64 " entries",
                             tree->size, signed_size);
        return 1;
}

static bool meta_is(LedgerFile *file, const char *key, const char *value) {
        sqlite3_stmt *stmt = NULL;
        bool same = false;

        if (sqlite3_prepare_v2(file->db, "SELECT value = ?2 FROM meta WHERE key = ?1", -1, &stmt, NULL) ==
            SQLITE_OK) {
                (void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
                (void)sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC);
                same = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0) == 1;
        }
        (void)sqlite3_finalize(stmt);
        return same;
}

static bool check_meta(LedgerFile *file, const char *vkey, LedgerVerdict *verdict) {
        int64_t rows = 0;

        if (!file->db)
                return true;
        if (!meta_is(file, LEDGER_LAYOUT_META_VKEY, vkey) ||
            !meta_is(file, LEDGER_LAYOUT_META_ORIGIN, verdict->checkpoint.origin))
                return blame(verdict, NULL, "the file names another ledger than the checkpoint");
        if (!meta_is(file, LEDGER_LAYOUT_META_FORMAT, "1") ||
            ledger_layout_integer(file->db, "SELECT count(*) FROM meta", &rows) != SQLITE_OK || rows != 3)
                return blame(verdict, NULL, "the file's table meta was changed");
        return true;
}

/* Nodes that belong to no entry: n entries close n - popcount(n) subtrees. */
static bool check_surplus(LedgerFile *file, const MerkleFrontier *tree, LedgerVerdict *verdict) {
        int64_t rows = 0, expected = (int64_t)tree->size - __builtin_popcountll(tree->size);

        if (!file->db || (ledger_layout_integer(file->db, "SELECT count(*) FROM node", &rows) == SQLITE_OK &&
                          rows == expected))
                return true;
        return blame(verdict, NULL, "the file holds tree nodes that belong to no entry");
}

int ledger_file_verify(const char *path, const char *note, const char *vkey, LedgerVerdict *ret_verdict,
                       char **ret_message) {
        _cleanup_file_ LedgerFile *file = NULL;
        LedgerVerdict verdict = {0};
        MerkleFrontier tree = {0};
        int r;

        r = ledger_file_open(path, &file, ret_message);
        if (r < 0)
                return r;
        r = checkpoint_verify(note, vkey, &verdict.checkpoint);
        if (r == -EINVAL)
                return ledger_file_refuse(ret_message, r,
                                          "the verifier key is not of the form NAME+ID+KEY: '%.100s'", vkey);
        if (r < 0) {
                (void)blame(&verdict, NULL,
                            r == -EKEYREJECTED ? "the checkpoint is not signed by the verifier key"
                                               : "the checkpoint is not one: its text is malformed");
                *ret_verdict = verdict;
                return 0;
        }
        r = check_meta(file, vkey, &verdict) ? check_entries(file, &tree, &verdict) : 0;
        if (r < 0)
                return ledger_file_refuse(ret_message, r, "%s: entry %" PRIu64 ": %s", path, tree.size,
                                          strerror(-r));
        verdict.size = tree.size;
        verdict.good = r == 1 && check_surplus(file, &tree, &verdict);
        *ret_verdict = verdict;
        return 0;
}
