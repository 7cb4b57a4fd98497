/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statements, transactions and moments of state.db, and its housekeeping. Statements are prepared for each
 * call: logins are rare, and nothing is left half run.
 */
#include "broker/state_internal.h"

#include <errno.h>
#include <string.h>

#include "broker/ledger_schema.h"

bool state_is_new(const State *s) {
        return s->is_new;
}

/* ---- Statements ---- */

static int bind(sqlite3_stmt *stmt, int n, const StateValue *value) {
        switch (value->type) {
        case STATE_VALUE_INTEGER:
                return sqlite3_bind_int64(stmt, n, value->integer);
        case STATE_VALUE_TEXT:
                return sqlite3_bind_text(stmt, n, value->data, -1, SQLITE_STATIC);
        case STATE_VALUE_BLOB:
                return sqlite3_bind_blob64(stmt, n, value->data, (sqlite3_uint64)value->integer,
                                           SQLITE_STATIC);
        case STATE_VALUE_END:
                break;
        }
        return SQLITE_MISUSE;
}

int state_prepare(State *s, const char *sql, const StateValue *values, sqlite3_stmt **ret_stmt) {
        sqlite3_stmt *stmt = NULL;
        int rc = SQLITE_OK;

        /* Inside what a failed rollback left open nothing would be durable. */
        if (!s->in_transaction && !sqlite3_get_autocommit(s->db))
                rc = sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
        for (int n = 1; rc == SQLITE_OK && values->type != STATE_VALUE_END; n++)
                rc = bind(stmt, n, values++);
        if (rc != SQLITE_OK) {
                int r = ledger_schema_errno(s->db, rc);

                (void)sqlite3_finalize(stmt);
                return r;
        }
        *ret_stmt = stmt;
        return 0;
}

int state_step(State *s, sqlite3_stmt *stmt) {
        int rc = sqlite3_step(stmt);

        return rc == SQLITE_ROW ? 1 : ledger_schema_errno(s->db, rc);
}

int state_run(State *s, const char *sql, const StateValue *values) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        int r, before = sqlite3_total_changes(s->db);

        r = state_prepare(s, sql, values, &stmt);
        if (r >= 0)
                r = state_step(s, stmt);
        if (r < 0)
                return r;
        return r > 0 ? -EBADMSG : sqlite3_total_changes(s->db) - before;
}

int state_integer(State *s, const char *sql, const StateValue *values, int64_t *ret) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        int r;

        r = state_prepare(s, sql, values, &stmt);
        if (r >= 0)
                r = state_step(s, stmt);
        if (r < 0)
                return r;
        if (r == 0)
                return -EBADMSG;
        *ret = sqlite3_column_int64(stmt, 0);
        return 0;
}

int state_collect(State *s, const char *sql, const StateValue *values, size_t size,
                  void (*read_row)(sqlite3_stmt *stmt, void *item), void **ret_items, size_t *ret_n) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        _cleanup_free_ char *items = NULL;
        size_t n = 0, room = 0;
        int r;

        r = state_prepare(s, sql, values, &stmt);
        while (r >= 0 && (r = state_step(s, stmt)) > 0) {
                if (n == room) {
                        char *more = reallocarray(items, room = room ? room * 2 : 8, size);

                        if (!more)
                                return -ENOMEM;
                        items = more;
                }
                memset(items + n * size, 0, size);
                read_row(stmt, items + n++ * size);
        }
        if (r < 0)
                return r;
        *ret_items = STEAL_PTR(items);
        *ret_n = n;
        return 0;
}

/* ---- Transactions ---- */

int state_begin(State *s) {
        int r = state_run(s, "BEGIN IMMEDIATE", STATE_NO_VALUES);

        s->in_transaction = r >= 0;
        return r;
}

int state_end(State *s, int r) {
        if (r >= 0) {
                int commit = state_run(s, "COMMIT", STATE_NO_VALUES);

                if (commit < 0)
                        r = commit;
        }
        s->in_transaction = false;
        if (r < 0 && !sqlite3_get_autocommit(s->db))
                (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

void state_scrub(State *s) {
        (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

/* ---- Values ---- */

int state_moment(State *s, uint64_t now_usec, int64_t *ret_usec) {
        if (now_usec > STATE_TIME_MAX)
                return -EINVAL;
        if (s->newest_usec < (int64_t)now_usec)
                s->newest_usec = (int64_t)now_usec;
        *ret_usec = s->newest_usec;
        return 0;
}

uint64_t state_time(int64_t stored_usec) {
        return stored_usec > 0 ? (uint64_t)stored_usec : 1; /* 0 means "never" in our structures */
}

void state_copy_text(sqlite3_stmt *stmt, int column, char *ret, size_t size) {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        size_t n = text ? strnlen(text, size - 1) : 0;

        if (n > 0)
                memcpy(ret, text, n);
        ret[n] = '\0';
}

bool state_fits(const char *text, size_t max) {
        return text && strnlen(text, max + 1) <= max;
}

/* ---- Housekeeping ---- */

int state_clean(State *s, uint64_t now_usec, unsigned *ret_removed) {
        static const char *const statements[] = {
                "DELETE FROM attempt WHERE time < ?1",
                "DELETE FROM block WHERE until < ?1",
                "DELETE FROM recovery WHERE used < ?1",
                "DELETE FROM totp WHERE confirmed = 0 AND created < ?1",
        };
        unsigned removed = 0;
        int64_t before;
        int r;

        r = state_moment(s, now_usec, &before);
        if (r < 0)
                return r;
        before -= (int64_t)(STATE_KEEP_DAYS * 24 * 3600 * PEERAUTH_USEC_PER_SEC);
        r = state_begin(s);
        for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && r >= 0; i++) {
                r = state_run(s, statements[i], STATE_VALUES(STATE_INTEGER(before)));
                removed += r > 0 ? (unsigned)r : 0;
        }
        r = state_end(s, r);
        if (r < 0)
                return r;
        *ret_removed = removed;
        return 0;
}
