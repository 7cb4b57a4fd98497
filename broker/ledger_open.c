/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens, creates and closes the ledger: every reason to refuse one is found here, before the first
 * entry, and explained to the person who has to act. Nothing is repaired and nothing is guessed.
 */
#include "broker/ledger_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/ledger_anchor.h"
#include "broker/ledger_key.h"
#include "broker/ledger_schema.h"
#include "broker/ledger_snapshot.h"
#include "common/cleanup.h"
#include "common/ledger_layout.h"

static const char *const statement_sql[LEDGER_N_STATEMENTS] = {
        [LEDGER_BEGIN] = "BEGIN IMMEDIATE",
        [LEDGER_COMMIT] = "COMMIT",
        [LEDGER_ROLLBACK] = "ROLLBACK",
        [LEDGER_INSERT_ENTRY] = "INSERT INTO entry(idx, body, leaf) VALUES(?1, ?2, ?3)",
        [LEDGER_INSERT_NODE] = "INSERT INTO node(level, idx, hash) VALUES(?1, ?2, ?3)",
        [LEDGER_SELECT_BODY] = "SELECT body FROM entry WHERE idx = ?1",
};

static int refuse_lost_database(const Ledger *l, char **ret_message) {
        return ledger_dir_refuse(
                ret_message, -ESTALE,
                "%s/" LEDGER_DIR_DATABASE ": is gone, but the file '" LEDGER_DIR_CHECKPOINT
                "' beside it tells of one; restore the folder from backup; or find out why, move "
                "'" LEDGER_DIR_CHECKPOINT "' aside and start again, which begins an empty ledger",
                l->dir.path);
}

static int create_ledger(Ledger *l, const char *origin, char **ret_message) {
        CryptoPublicKey public;
        char vkey[CHECKPOINT_VKEY_MAX];
        int r = 0;

        if (!l->key)
                r = ledger_key_create(&l->dir, &l->key, ret_message);
        if (r < 0)
                return r;
        crypto_sign_public(l->key, &public);
        r = checkpoint_vkey(origin, &public, vkey);
        if (r < 0)
                return ledger_dir_refuse(
                        ret_message, r, "'%s' cannot name a ledger: use printable ASCII without '+'", origin);
        r = ledger_schema_create(l->db, origin, vkey);
        if (r >= 0)
                r = ledger_dir_sync(&l->dir);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, l->dir.path, LEDGER_DIR_DATABASE,
                                         "create the ledger");
        return 0;
}

static int open_or_create(Ledger *l, const char *origin, char **ret_message) {
        _cleanup_free_ char *path = ledger_dir_file(l->dir.path, LEDGER_DIR_DATABASE);
        int r, empty, has_checkpoint = ledger_dir_has(&l->dir, LEDGER_DIR_CHECKPOINT);

        if (!path)
                return -ENOMEM;
        if (has_checkpoint != 0 && ledger_dir_has(&l->dir, LEDGER_DIR_DATABASE) == 0)
                return refuse_lost_database(l, ret_message);
        r = ledger_dir_create(&l->dir, LEDGER_DIR_DATABASE);
        if (r >= 0)
                r = ledger_schema_open(path, &l->db);
        if (r >= 0)
                r = empty = ledger_schema_is_empty(l->db);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, l->dir.path, LEDGER_DIR_DATABASE, "open the ledger");
        r = ledger_key_load(&l->dir, &l->key, ret_message);
        if (r < 0 && r != -ENOENT)
                return r;
        if (empty && has_checkpoint != 0)
                return refuse_lost_database(l, ret_message);
        if (empty)
                return create_ledger(l, origin, ret_message);
        if (r == -ENOENT)
                return ledger_dir_refuse(ret_message, -ENOKEY,
                                         "%s/" LEDGER_DIR_KEY
                                         ": is gone; restore it from backup: without it the ledger "
                                         "beside it can be verified but not continued",
                                         l->dir.path);
        return 0;
}

/* The key in the folder must be the one that this ledger has been signed with from its first entry. */
static int load_identity(Ledger *l, char **ret_message) {
        _cleanup_free_ char *vkey = NULL;
        CryptoPublicKey public;
        int r;

        crypto_sign_public(l->key, &public);
        r = ledger_schema_meta(l->db, LEDGER_LAYOUT_META_ORIGIN, &l->origin);
        if (r >= 0)
                r = ledger_schema_meta(l->db, LEDGER_LAYOUT_META_VKEY, &vkey);
        if (r >= 0)
                r = checkpoint_vkey(l->origin, &public, l->vkey);
        if (r < 0)
                return ledger_dir_failed(ret_message, -EBADMSG, l->dir.path, LEDGER_DIR_DATABASE,
                                         "read its name");
        if (strcmp(vkey, l->vkey) != 0)
                return ledger_dir_refuse(ret_message, -ENOKEY,
                                         "%s/" LEDGER_DIR_KEY
                                         ": is not the key of the ledger beside it; restore both "
                                         "from the same backup",
                                         l->dir.path);
        return 0;
}

static int note_wal_size(void *userdata, sqlite3 *db, const char *name, int pages) {
        Ledger *l = userdata;

        (void)db;
        (void)name;
        l->wal_pages = pages;
        return SQLITE_OK;
}

static int prepare(Ledger *l) {
        int r;

        r = ledger_schema_seal(l->db);
        for (LedgerStatement s = 0; s < LEDGER_N_STATEMENTS && r >= 0; s++)
                r = ledger_schema_errno(l->db, sqlite3_prepare_v3(l->db, statement_sql[s], -1,
                                                                  SQLITE_PREPARE_PERSISTENT,
                                                                  &l->statements[s], NULL));
        /* Takes the place of the automatic checkpoint, which would run while somebody waits for COMMIT. */
        (void)sqlite3_wal_hook(l->db, note_wal_size, l);
        return r;
}

static int open_all(Ledger *l, const char *state_dir, const char *origin, char **ret_message) {
        int r;

        r = ledger_dir_open(state_dir, &l->dir, ret_message);
        if (r < 0)
                return r;
        ledger_snapshot_clean(&l->dir);
        r = open_or_create(l, origin, ret_message);
        if (r >= 0)
                r = load_identity(l, ret_message);
        if (r < 0)
                return r;
        r = ledger_load_tree(l);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, l->dir.path, LEDGER_DIR_DATABASE,
                                         "read the tree of the ledger");
        r = ledger_anchor_check(&l->dir, l->db, l->vkey, l->tree.size, ret_message);
        if (r < 0)
                return r;
        l->anchor_missing = r > 0;
        r = prepare(l);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, l->dir.path, LEDGER_DIR_DATABASE,
                                         "prepare the ledger");
        return 0;
}

int ledger_open(const char *state_dir, const char *origin, Ledger **ret_ledger, char **ret_message) {
        Ledger *l;
        int r;

        *ret_message = NULL;
        r = crypto_init();
        l = r < 0 ? NULL : calloc(1, sizeof(*l));
        if (!l)
                return r < 0 ? r : -ENOMEM;
        l->dir = LEDGER_DIR_INIT;
        l->saved_size = UINT64_MAX;
        r = open_all(l, state_dir, origin, ret_message);
        if (r < 0) {
                (void)ledger_close(l);
                return r;
        }
        /* Entries that a killed broker committed after its last checkpoint are covered from now on; if this
         * fails, the call after the next commit tries again. */
        (void)ledger_save_checkpoint(l);
        *ret_ledger = l;
        return 0;
}

Ledger *ledger_close(Ledger *l) {
        if (!l)
                return NULL;
        ledger_rollback(l);
        for (LedgerStatement s = 0; s < LEDGER_N_STATEMENTS; s++)
                (void)sqlite3_finalize(l->statements[s]);
        l->db = ledger_schema_close(l->db);
        l->key = crypto_sign_key_free(l->key);
        ledger_dir_close(&l->dir);
        free(l->origin);
        free(l);
        return NULL;
}
