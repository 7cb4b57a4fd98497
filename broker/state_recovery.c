/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recovery codes: hashes of them, and which were used. One statement decides who used one (attack R1). */
#include "broker/state_internal.h"

#include <errno.h>

static bool is_sane(StateAccount account) {
        return state_fits(account.user, PEERAUTH_USER_MAX) && account.uid != (uid_t)-1;
}

static int insert_all(State *s, StateAccount account, const char *const *hashes, size_t n, int64_t now) {
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = state_run(s, "INSERT INTO recovery(user, uid, hash, created) VALUES(?1, ?2, ?3, ?4)",
                              STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid),
                                           STATE_TEXT(hashes[i]), STATE_INTEGER(now)));
        return r;
}

int state_recovery_replace(State *s, StateAccount account, const char *const *hashes, size_t n,
                           uint64_t now_usec) {
        int64_t now;
        int r;

        if (!is_sane(account) || n > STATE_RECOVERY_MAX)
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                if (!state_fits(hashes[i], STATE_HASH_MAX) || hashes[i][0] == '\0')
                        return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_begin(s);
        if (r < 0)
                return r;
        r = state_run(s, "DELETE FROM recovery WHERE user = ?1 OR uid = ?2",
                      STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)));
        if (r >= 0)
                r = insert_all(s, account, hashes, n, now);
        r = state_end(s, r);
        if (r < 0)
                return r;
        state_scrub(s);
        return 0;
}

static void read_code(sqlite3_stmt *stmt, void *item) {
        StateRecovery *code = item;

        code->id = sqlite3_column_int64(stmt, 0);
        code->created_usec = state_time(sqlite3_column_int64(stmt, 1));
        if (sqlite3_column_type(stmt, 2) != SQLITE_NULL)
                code->used_usec = state_time(sqlite3_column_int64(stmt, 2));
}

int state_recovery_list(State *s, StateAccount account, StateRecovery **ret_codes, size_t *ret_n) {
        void *items;
        int r;

        if (!is_sane(account))
                return -EINVAL;
        r = state_collect(s,
                          "SELECT id, created, used FROM recovery WHERE user = ?1 AND uid = ?2 ORDER BY id",
                          STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)),
                          sizeof(StateRecovery), read_code, &items, ret_n);
        if (r >= 0)
                *ret_codes = items;
        return r;
}

static void read_hash(sqlite3_stmt *stmt, void *item) {
        StateRecoveryHash *hash = item;

        hash->id = sqlite3_column_int64(stmt, 0);
        state_copy_text(stmt, 1, hash->hash, sizeof(hash->hash));
}

int state_recovery_hashes(State *s, StateAccount account, StateRecoveryHash **ret_hashes, size_t *ret_n) {
        void *items;
        int r;

        if (!is_sane(account))
                return -EINVAL;
        r = state_collect(
                s, "SELECT id, hash FROM recovery WHERE user = ?1 AND uid = ?2 AND used IS NULL ORDER BY id",
                STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)), sizeof(StateRecoveryHash),
                read_hash, &items, ret_n);
        if (r >= 0)
                *ret_hashes = items;
        return r;
}

int state_recovery_use(State *s, StateAccount account, int64_t id, uint64_t now_usec) {
        int64_t now;
        int r;

        if (!is_sane(account))
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r < 0)
                return r;
        return state_run(
                s, "UPDATE recovery SET used = ?4 WHERE id = ?3 AND user = ?1 AND uid = ?2 AND used IS NULL",
                STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid), STATE_INTEGER(id),
                             STATE_INTEGER(now)));
}

int state_recovery_left(State *s, StateAccount account, unsigned *ret_left) {
        int64_t n = 0;
        int r;

        if (!is_sane(account))
                return -EINVAL;
        r = state_integer(s, "SELECT count(*) FROM recovery WHERE user = ?1 AND uid = ?2 AND used IS NULL",
                          STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)), &n);
        if (r >= 0)
                *ret_left = (unsigned)n;
        return r;
}
