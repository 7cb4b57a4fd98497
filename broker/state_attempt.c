/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attempts: what rate limits count (attack C5). One that ended in approval gives its place back. */
#include "broker/state_internal.h"

#include <errno.h>

/* Deletes what a query for ids gives beyond its bound; `select` ends before the order. */
#define FORGET(condition)                                                    \
        "DELETE FROM attempt WHERE id IN (SELECT id FROM attempt " condition \
        " ORDER BY outcome = 'approved', time DESC, id DESC LIMIT -1 OFFSET ?1)"

static int keep_bounds(State *s, const char *user, const char *source) {
        int64_t all = 0;
        int r;

        r = state_run(s, FORGET("WHERE user = ?2"),
                      STATE_VALUES(STATE_INTEGER(STATE_ATTEMPTS_PER_USER), STATE_TEXT(user)));
        if (r >= 0)
                r = state_run(s, FORGET("WHERE source = ?2"),
                              STATE_VALUES(STATE_INTEGER(STATE_ATTEMPTS_PER_SOURCE), STATE_TEXT(source)));
        if (r >= 0)
                r = state_integer(s, "SELECT count(*) FROM attempt", STATE_NO_VALUES, &all);
        if (r >= 0 && all > STATE_ATTEMPTS_MAX)
                r = state_run(s, FORGET(""), STATE_VALUES(STATE_INTEGER(STATE_ATTEMPTS_MAX)));
        return r;
}

int state_attempt_add(State *s, const char *user, const char *source, uint64_t now_usec, int64_t *ret_id) {
        int64_t now, id = 0;
        int r;

        if (!state_fits(user, PEERAUTH_USER_MAX) || !state_fits(source, STATE_SOURCE_MAX))
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_begin(s);
        if (r < 0)
                return r;
        r = state_run(s, "INSERT INTO attempt(user, source, outcome, time) VALUES(?1, ?2, 'pending', ?3)",
                      STATE_VALUES(STATE_TEXT(user), STATE_TEXT(source), STATE_INTEGER(now)));
        if (r >= 0) {
                id = sqlite3_last_insert_rowid(s->db);
                r = keep_bounds(s, user, source);
        }
        r = state_end(s, r);
        if (r < 0)
                return r;
        *ret_id = id;
        return 0;
}

int state_attempt_finish(State *s, int64_t id, Verdict end) {
        int r;

        if (end != VERDICT_APPROVED && end != VERDICT_DENIED && end != VERDICT_EXPIRED &&
            end != VERDICT_CANCELLED)
                return -EINVAL;
        r = state_run(s, "UPDATE attempt SET outcome = ?2 WHERE id = ?1 AND outcome = 'pending'",
                      STATE_VALUES(STATE_INTEGER(id), STATE_TEXT(verdict_to_string(end))));
        return r == 0 ? -ENOENT : r < 0 ? r : 0;
}

static int count(State *s, const char *sql, const char *who, uint64_t now_usec, uint64_t window_usec,
                 StateCount *ret_count) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        int64_t now;
        int r;

        if (window_usec > STATE_TIME_MAX)
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_prepare(s, sql,
                                  STATE_VALUES(STATE_TEXT(who), STATE_INTEGER(now - (int64_t)window_usec)),
                                  &stmt);
        if (r >= 0)
                r = state_step(s, stmt);
        if (r < 0)
                return r;
        ret_count->n = (unsigned)sqlite3_column_int64(stmt, 0);
        ret_count->oldest_usec = ret_count->n > 0 ? state_time(sqlite3_column_int64(stmt, 1)) : 0;
        return 0;
}

int state_attempt_count_user(State *s, const char *user, uint64_t now_usec, uint64_t window_usec,
                             StateCount *ret_count) {
        if (!state_fits(user, PEERAUTH_USER_MAX))
                return -EINVAL;
        return count(
                s,
                "SELECT count(*), min(time) FROM attempt WHERE user = ?1 AND time > ?2 AND outcome <> 'approved'",
                user, now_usec, window_usec, ret_count);
}

int state_attempt_count_source(State *s, const char *source, uint64_t now_usec, uint64_t window_usec,
                               StateCount *ret_count) {
        if (!state_fits(source, STATE_SOURCE_MAX))
                return -EINVAL;
        return count(
                s,
                "SELECT count(*), min(time) FROM attempt WHERE source = ?1 AND time > ?2 AND outcome <> 'approved'",
                source, now_usec, window_usec, ret_count);
}
