/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the ledger with the checkpoint file, at start. A truncated database, an old copy of it and
 * one without its -wal file all pass SQLite's own checks; this comparison is what sees them (attack L3).
 */
#include "broker/ledger_anchor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "broker/ledger_schema.h"
#include "common/checkpoint.h"

/* What a person can do when entries are missing; "moving aside" is an act with a meaning, so it is said. */
#define REMEDY                                                                                              \
        "restore the folder from the newest backup; or find out why, move the file 'checkpoint' aside and " \
        "start again, which accepts that these entries are lost and keeps them out of every later proof"

static int read_checkpoint(const LedgerDir *dir, const char *vkey, Checkpoint *ret, char **ret_message) {
        char note[CHECKPOINT_NOTE_MAX];
        size_t size = 0;
        int r;

        r = ledger_dir_read(dir, LEDGER_DIR_CHECKPOINT, false, note, sizeof(note) - 1, &size);
        if (r == -ENOENT)
                return r;
        if (r < 0 && r != -EFBIG)
                return ledger_dir_failed(ret_message, r, dir->path, LEDGER_DIR_CHECKPOINT, "read");
        note[r < 0 ? 0 : size] = '\0';
        r = strlen(note) == size ? checkpoint_verify(note, vkey, ret) : -EBADMSG;
        if (r < 0)
                return ledger_dir_refuse(
                        ret_message, -EBADMSG, "%s/" LEDGER_DIR_CHECKPOINT ": %s; " REMEDY, dir->path,
                        r == -EKEYREJECTED ? "is not signed by this ledger's key" : "is not a checkpoint");
        return 0;
}

int ledger_anchor_check(const LedgerDir *dir, sqlite3 *db, const char *vkey, uint64_t size,
                        char **ret_message) {
        MerkleFrontier frontier;
        Checkpoint checkpoint;
        MerkleHash root;
        int r;

        r = read_checkpoint(dir, vkey, &checkpoint, ret_message);
        if (r == -ENOENT)
                return size > 0;
        if (r < 0)
                return r;
        if (checkpoint.size > size)
                return ledger_dir_refuse(
                        ret_message, -ESTALE,
                        "%s/" LEDGER_DIR_DATABASE ": has %" PRIu64 " entries, but %" PRIu64
                        " were recorded: the end is missing or an old copy was put in place; " REMEDY,
                        dir->path, size, checkpoint.size);
        r = ledger_schema_frontier(db, checkpoint.size, &frontier);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, dir->path, LEDGER_DIR_DATABASE,
                                         "read the tree of the ledger");
        root = merkle_root(&frontier);
        if (memcmp(root.bytes, checkpoint.root.bytes, sizeof(root.bytes)) != 0)
                return ledger_dir_refuse(ret_message, -ESTALE,
                                         "%s/" LEDGER_DIR_DATABASE ": its first %" PRIu64
                                         " entries are not those that were recorded; " REMEDY,
                                         dir->path, checkpoint.size);
        return 0;
}
