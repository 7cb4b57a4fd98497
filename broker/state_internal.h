/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of state.db share: the open state, its statements and its transactions. */
#pragma once

#include "broker/state.h"

#include <sqlite3.h>

#include "broker/ledger_dir.h"
#include "common/cleanup.h"

#define STATE_DATABASE "state.db"
#define STATE_LOCK     "state.lock"

struct State {
        LedgerDir dir; /* our own descriptor of the folder, with the lock on STATE_LOCK */
        sqlite3 *db;
        bool is_new;
        bool in_transaction;
        int64_t newest_usec; /* the newest time that was stored or passed in */
        int64_t step_usec;   /* a step that the next state_clock() reports */
        int64_t offset_usec; /* wall clock minus CLOCK_BOOTTIME, once known */
        bool offset_known;
};

static inline void state_stmt_finalize(sqlite3_stmt **stmt) {
        (void)sqlite3_finalize(*stmt);
}
#define _cleanup_stmt_ PEERAUTH_CLEANUP(state_stmt_finalize)

/* A parameter of a statement; a list of them ends with {0}. */
typedef struct StateValue {
        enum { STATE_VALUE_END = 0, STATE_VALUE_INTEGER, STATE_VALUE_TEXT, STATE_VALUE_BLOB } type;
        int64_t integer; /* of a blob: its size */
        const void *data;
} StateValue;

#define STATE_INTEGER(value) \
        { STATE_VALUE_INTEGER, (value), NULL }
#define STATE_TEXT(text) \
        { STATE_VALUE_TEXT, 0, (text) }
#define STATE_BLOB(blob, size) \
        { STATE_VALUE_BLOB, (int64_t)(size), (blob) }
#define STATE_VALUES(...) ((const StateValue[]){__VA_ARGS__, {0}})
#define STATE_NO_VALUES   ((const StateValue[]){{0}})

/* A statement with its parameters, not yet run; they must outlive it. 0 or a negative errno. */
int state_prepare(State *state, const char *sql, const StateValue *values, sqlite3_stmt **ret_stmt);
/* 1 if there is a (further) row, 0 at the end, or a negative errno. */
int state_step(State *state, sqlite3_stmt *stmt);
/* Runs a statement that gives no rows: how many rows it inserted, changed or deleted, or a negative errno.
 * Durable on return unless a transaction is open. */
int state_run(State *state, const char *sql, const StateValue *values);
/* Runs a query that gives one integer. */
int state_integer(State *state, const char *sql, const StateValue *values, int64_t *ret);

/* state_end() commits if r >= 0 and returns r, or the error of the commit; otherwise all is undone. */
int state_begin(State *state);
int state_end(State *state, int r);

/* Reads all rows into an array of items of that size. */
int state_collect(State *state, const char *sql, const StateValue *values, size_t size,
                  void (*read_row)(sqlite3_stmt *stmt, void *item), void **ret_items, size_t *ret_n);

/* The moment that a caller's now_usec stands for; see "Time" in state.h. 0 or -EINVAL. */
int state_moment(State *state, uint64_t now_usec, int64_t *ret_usec);
/* A stored time as callers see it. */
uint64_t state_time(int64_t stored_usec);
/* Copies a column of text, which is no longer than its buffer in a database that we wrote. */
void state_copy_text(sqlite3_stmt *stmt, int column, char *ret, size_t size);
/* Whether a text is within its bound. */
bool state_fits(const char *text, size_t max);

/* Writes removed secrets out of the -wal file too, as far as that is possible now. */
void state_scrub(State *state);

/* Moves all stored times; opens its own transaction. */
int state_clock_move(State *state, int64_t step_usec);
/* When the file was last written, as far as it says; INT64_MIN if it does not. */
int state_clock_newest(State *state, int64_t *ret_usec);
