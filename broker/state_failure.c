/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts of consecutive failures (attacks C3, C4). What they mean for the account, broker/limit.c says. */
#include "broker/state_internal.h"

#include <errno.h>
#include <string.h>

#include "broker/limit.h"

_Static_assert(LIMIT_FAILURES_MAX == 100, "the schema says so too, in a CHECK");

/* The file's words: add, never rename. */
static const char *const words[STATE_WAYS] = {
        [STATE_WAY_CODE] = "code",
        [STATE_WAY_RECOVERY] = "recovery",
        [STATE_WAY_TOTP] = "totp",
};

const char *state_way_to_string(StateWay way) {
        return words[(unsigned)way < STATE_WAYS ? way : STATE_WAY_CODE];
}

static bool is_sane(const char *user, StateWay way) {
        return state_fits(user, PEERAUTH_USER_MAX) && (unsigned)way < STATE_WAYS;
}

static void conclude(StateFailure *failure) {
        const LimitFailures failures = {.count = failure->count, .last_usec = failure->last_usec};

        failure->until_usec = limit_until_usec(&failures);
}

/* A word that we do not know is a count of codes: that lock is the strictest. */
static void read_row(sqlite3_stmt *stmt, void *item) {
        StateFailure *failure = item;
        const char *word = (const char *)sqlite3_column_text(stmt, 1);

        state_copy_text(stmt, 0, failure->user, sizeof(failure->user));
        for (unsigned way = 0; way < STATE_WAYS; way++)
                if (word && strcmp(word, words[way]) == 0)
                        failure->way = (StateWay)way;
        failure->count = (unsigned)sqlite3_column_int64(stmt, 2);
        failure->last_usec = state_time(sqlite3_column_int64(stmt, 3));
        conclude(failure);
}

/* 1 and the row, or 0 and a count of none. */
static int load(State *s, const char *user, StateWay way, StateFailure *ret_failure) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        StateFailure failure = {.way = way};
        int r;

        r = state_prepare(s, "SELECT user, way, count, last FROM failure WHERE user = ?1 AND way = ?2",
                          STATE_VALUES(STATE_TEXT(user), STATE_TEXT(words[way])), &stmt);
        if (r >= 0)
                r = state_step(s, stmt);
        if (r < 0)
                return r;
        strcpy(failure.user, user);
        if (r > 0)
                read_row(stmt, &failure);
        *ret_failure = failure;
        return r;
}

static int make_room(State *s) {
        int64_t n = 0;
        int r;

        r = state_integer(s, "SELECT count(*) FROM failure", STATE_NO_VALUES, &n);
        if (r < 0 || n < STATE_FAILURES_MAX)
                return r;
        r = state_run(
                s,
                "DELETE FROM failure WHERE (user, way) IN (SELECT user, way FROM failure WHERE count < ?1"
                " ORDER BY count, last LIMIT 1)",
                STATE_VALUES(STATE_INTEGER(LIMIT_FAILURES_MAX)));
        return r == 0 ? -ENOBUFS : r;
}

static int count_one_more(State *s, const char *user, StateWay way, int64_t now, StateFailure *ret_failure) {
        LimitFailures failures;
        int r;

        r = load(s, user, way, ret_failure);
        if (r == 0)
                r = make_room(s);
        if (r < 0)
                return r;
        failures = (LimitFailures){.count = ret_failure->count, .last_usec = ret_failure->last_usec};
        limit_fail(&failures, state_time(now));
        ret_failure->count = failures.count;
        ret_failure->last_usec = failures.last_usec;
        conclude(ret_failure);
        return state_run(s,
                         "INSERT INTO failure(user, way, count, last) VALUES(?1, ?2, ?3, ?4)"
                         " ON CONFLICT(user, way) DO UPDATE SET count = excluded.count, last = excluded.last",
                         STATE_VALUES(STATE_TEXT(user), STATE_TEXT(words[way]), STATE_INTEGER(failures.count),
                                      STATE_INTEGER((int64_t)failures.last_usec)));
}

int state_failure_add(State *s, const char *user, StateWay way, uint64_t now_usec,
                      StateFailure *ret_failure) {
        StateFailure failure;
        int64_t now;
        int r;

        if (!is_sane(user, way))
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = state_begin(s);
        if (r < 0)
                return r;
        r = state_end(s, count_one_more(s, user, way, now, &failure));
        if (r < 0)
                return r;
        if (ret_failure)
                *ret_failure = failure;
        return 0;
}

int state_failure_get(State *s, const char *user, StateWay way, uint64_t now_usec,
                      StateFailure *ret_failure) {
        StateFailure failure;
        LimitFailures failures;
        int64_t now;
        int r;

        if (!is_sane(user, way))
                return -EINVAL;
        r = state_moment(s, now_usec, &now);
        if (r >= 0)
                r = load(s, user, way, &failure);
        if (r < 0)
                return r;
        failures = (LimitFailures){.count = failure.count, .last_usec = failure.last_usec};
        *ret_failure = failure;
        return limit_is_locked(&failures, state_time(now));
}

int state_failure_clear(State *s, const char *user, StateWay way) {
        if (!is_sane(user, way))
                return -EINVAL;
        return state_run(s, "DELETE FROM failure WHERE user = ?1 AND way = ?2",
                         STATE_VALUES(STATE_TEXT(user), STATE_TEXT(words[way])));
}

int state_failure_list(State *s, StateFailure **ret_failures, size_t *ret_n) {
        void *items;
        int r = state_collect(s, "SELECT user, way, count, last FROM failure ORDER BY user, way",
                              STATE_NO_VALUES, sizeof(StateFailure), read_row, &items, ret_n);

        if (r >= 0)
                *ret_failures = items;
        return r;
}
