/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources that may not ask for a while, because somebody reported them. */
#include "broker/state_internal.h"

#include <errno.h>

static void read_row(sqlite3_stmt *stmt, void *item) {
        StateBlock *block = item;

        state_copy_text(stmt, 0, block->source, sizeof(block->source));
        block->since_usec = state_time(sqlite3_column_int64(stmt, 1));
        block->until_usec = state_time(sqlite3_column_int64(stmt, 2));
        state_copy_text(stmt, 3, block->reason, sizeof(block->reason));
}

static int make_room(State *s, const char *source) {
        int64_t others = 0;
        int r;

        r = state_integer(s, "SELECT count(*) FROM block WHERE source <> ?1",
                          STATE_VALUES(STATE_TEXT(source)), &others);
        if (r < 0 || others < STATE_BLOCKS_MAX)
                return r;
        return state_run(s,
                         "DELETE FROM block WHERE source IN (SELECT source FROM block WHERE source <> ?1"
                         " ORDER BY until, since LIMIT 1)",
                         STATE_VALUES(STATE_TEXT(source)));
}

int state_block_add(State *s, const char *source, uint64_t until_usec, const char *reason,
                    uint64_t now_usec) {
        int64_t now;
        int r;

        if (!state_fits(source, STATE_SOURCE_MAX) || !state_fits(reason, PEERAUTH_REASON_MAX) ||
            until_usec > STATE_TIME_MAX)
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_begin(s);
        if (r < 0)
                return r;
        r = make_room(s, source);
        if (r >= 0)
                r = state_run(s,
                              "INSERT INTO block(source, since, until, reason) VALUES(?1, ?2, ?3, ?4)"
                              " ON CONFLICT(source) DO UPDATE SET since = excluded.since,"
                              " until = max(until, excluded.until), reason = excluded.reason",
                              STATE_VALUES(STATE_TEXT(source), STATE_INTEGER(now),
                                           STATE_INTEGER((int64_t)until_usec), STATE_TEXT(reason)));
        r = state_end(s, r);
        return r < 0 ? r : 0;
}

int state_block_check(State *s, const char *source, uint64_t now_usec, StateBlock *ret_block) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        int64_t now;
        int r;

        if (!state_fits(source, STATE_SOURCE_MAX))
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_prepare(
                        s, "SELECT source, since, until, reason FROM block WHERE source = ?1 AND until > ?2",
                        STATE_VALUES(STATE_TEXT(source), STATE_INTEGER(now)), &stmt);
        if (r >= 0)
                r = state_step(s, stmt);
        if (r > 0)
                read_row(stmt, ret_block);
        return r;
}

int state_block_clear(State *s, const char *source, uint64_t now_usec) {
        int64_t now;
        int r;

        if (!state_fits(source, STATE_SOURCE_MAX))
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r < 0)
                return r;
        return state_run(s, "DELETE FROM block WHERE source = ?1 AND until > ?2",
                         STATE_VALUES(STATE_TEXT(source), STATE_INTEGER(now)));
}

int state_block_list(State *s, uint64_t now_usec, StateBlock **ret_blocks, size_t *ret_n) {
        void *items;
        int64_t now;
        int r;

        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_collect(
                        s, "SELECT source, since, until, reason FROM block WHERE until > ?1 ORDER BY source",
                        STATE_VALUES(STATE_INTEGER(now)), sizeof(StateBlock), read_row, &items, ret_n);
        if (r >= 0)
                *ret_blocks = items;
        return r;
}
