/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TOTP: one secret an account, and the last step that was accepted, which only grows (attack R2). */
#include "broker/state_internal.h"

#include <errno.h>
#include <string.h>

static bool is_sane(StateAccount account) {
        return state_fits(account.user, PEERAUTH_USER_MAX) && account.uid != (uid_t)-1;
}

static int insert(State *s, StateAccount account, const void *secret, size_t size, int64_t now) {
        int64_t confirmed = 0;
        int r;

        r = state_integer(s, "SELECT count(*) FROM totp WHERE user = ?1 AND uid = ?2 AND confirmed = 1",
                          STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)), &confirmed);
        if (r < 0)
                return r;
        if (confirmed > 0)
                return -EEXIST;
        r = state_run(s, "DELETE FROM totp WHERE user = ?1 OR uid = ?2",
                      STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)));
        if (r < 0)
                return r;
        return state_run(
                s,
                "INSERT INTO totp(user, uid, secret, created, confirmed, step) VALUES(?1, ?2, ?3, ?4, 0, 0)",
                STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid), STATE_BLOB(secret, size),
                             STATE_INTEGER(now)));
}

int state_totp_enroll(State *s, StateAccount account, const void *secret, size_t size, uint64_t now_usec) {
        int64_t now;
        int r;

        if (!is_sane(account) || size == 0 || size > STATE_SECRET_MAX)
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_begin(s);
        if (r < 0)
                return r;
        r = state_end(s, insert(s, account, secret, size, now));
        if (r < 0)
                return r;
        state_scrub(s);
        return 0;
}

int state_totp_get(State *s, StateAccount account, StateTotp *ret_totp) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        const void *secret;
        int r, size;

        if (!is_sane(account))
                return -EINVAL;
        r = state_prepare(s, "SELECT secret, created, confirmed, step FROM totp WHERE user = ?1 AND uid = ?2",
                          STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)), &stmt);
        if (r >= 0)
                r = state_step(s, stmt);
        if (r <= 0)
                return r;
        secret = sqlite3_column_blob(stmt, 0);
        size = sqlite3_column_bytes(stmt, 0);
        if (!secret || size <= 0 || size > STATE_SECRET_MAX)
                return -EBADMSG;
        *ret_totp = (StateTotp){
                .secret_size = (size_t)size,
                .created_usec = state_time(sqlite3_column_int64(stmt, 1)),
                .confirmed = sqlite3_column_int(stmt, 2) == 1,
                .step = (uint64_t)sqlite3_column_int64(stmt, 3),
        };
        memcpy(ret_totp->secret, secret, (size_t)size);
        return 1;
}

static int advance(State *s, const char *sql, StateAccount account, uint64_t step) {
        if (!is_sane(account) || step == 0 || step > INT64_MAX)
                return -EINVAL;
        return state_run(s, sql,
                         STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid),
                                      STATE_INTEGER((int64_t)step)));
}

int state_totp_confirm(State *s, StateAccount account, uint64_t step) {
        return advance(
                s,
                "UPDATE totp SET confirmed = 1, step = ?3 WHERE user = ?1 AND uid = ?2 AND confirmed = 0"
                " AND step < ?3",
                account, step);
}

int state_totp_accept(State *s, StateAccount account, uint64_t step) {
        return advance(
                s, "UPDATE totp SET step = ?3 WHERE user = ?1 AND uid = ?2 AND confirmed = 1 AND step < ?3",
                account, step);
}

int state_totp_remove(State *s, StateAccount account) {
        int r;

        if (!is_sane(account))
                return -EINVAL;
        r = state_run(s, "DELETE FROM totp WHERE user = ?1 OR uid = ?2",
                      STATE_VALUES(STATE_TEXT(account.user), STATE_INTEGER(account.uid)));
        if (r > 0)
                state_scrub(s);
        return r > 0 ? 1 : r;
}

void state_totp_wipe(StateTotp *totp) {
        explicit_bzero(totp, sizeof(*totp));
}
