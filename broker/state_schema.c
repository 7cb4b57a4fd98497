/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps from each format of state.db to the next. A step that was released is never changed: files that
 * took it exist. What a version looks like is not written down twice: it is what its steps make.
 */
#include "broker/state_schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "broker/ledger_schema.h"
#include "common/cleanup.h"
#include "common/ledger_layout.h"

static inline void stmt_finalize(sqlite3_stmt **stmt) {
        (void)sqlite3_finalize(*stmt);
}
#define _cleanup_stmt_ PEERAUTH_CLEANUP(stmt_finalize)

static inline void db_close(sqlite3 **db) {
        (void)sqlite3_close(*db);
}
#define _cleanup_db_ PEERAUTH_CLEANUP(db_close)

/* Times are microseconds since 1970 and may be negative, when a clock that was set back moved them.
 * AUTOINCREMENT: an id that somebody still holds must never come to mean another row. */
static const char *const steps[STATE_SCHEMA_VERSION] = {
        /* 0 -> 1 */
        "CREATE TABLE attempt(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, source TEXT NOT NULL,"
        " outcome TEXT NOT NULL CHECK(outcome IN ('pending', 'approved', 'denied', 'expired', 'cancelled')),"
        " time INTEGER NOT NULL) STRICT;"
        "CREATE INDEX attempt_user ON attempt(user, time);"
        "CREATE INDEX attempt_source ON attempt(source, time);"
        "CREATE TABLE failure(user TEXT PRIMARY KEY NOT NULL, count INTEGER NOT NULL CHECK(count BETWEEN 1 AND "
        "100), last INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE block(source TEXT PRIMARY KEY NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,"
        " reason TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE recovery(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, uid INTEGER NOT NULL,"
        " hash TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER) STRICT;"
        "CREATE INDEX recovery_user ON recovery(user, uid);"
        "CREATE TABLE totp(user TEXT PRIMARY KEY NOT NULL, uid INTEGER NOT NULL UNIQUE, secret BLOB NOT NULL,"
        " created INTEGER NOT NULL, confirmed INTEGER NOT NULL CHECK(confirmed IN (0, 1)),"
        " step INTEGER NOT NULL CHECK(step >= 0)) STRICT, WITHOUT ROWID;",

        /* 1 -> 2: a count for each way in, so that wrong codes do not lock recovery. */
        "ALTER TABLE failure RENAME TO failure_1;"
        "CREATE TABLE failure(user TEXT NOT NULL, way TEXT NOT NULL, count INTEGER NOT NULL CHECK(count BETWEEN 1 "
        "AND 100), last INTEGER NOT NULL, PRIMARY KEY(user, way)) STRICT, WITHOUT ROWID;"
        "INSERT INTO failure(user, way, count, last) SELECT user, 'code', count, last FROM failure_1;"
        "DROP TABLE failure_1;",
};

int state_schema_version(sqlite3 *db, int *ret_version) {
        int64_t application_id = 0, version = 0;
        int rc;

        rc = ledger_layout_integer(db, "PRAGMA application_id", &application_id);
        if (rc == SQLITE_OK)
                rc = ledger_layout_integer(db, "PRAGMA user_version", &version);
        if (rc != SQLITE_OK)
                return ledger_schema_errno(db, rc);
        if (application_id != STATE_SCHEMA_APPLICATION_ID || version < 1)
                return -EBADMSG;
        *ret_version = (int)version;
        return 0;
}

int state_schema_migrate(sqlite3 *db, int from, int to) {
        char marks[96];
        int rc;

        (void)snprintf(marks, sizeof(marks), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                       STATE_SCHEMA_APPLICATION_ID, to);
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (int version = from; version < to && rc == SQLITE_OK; version++)
                rc = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, marks, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
                int r = ledger_schema_errno(db, rc);

                if (!sqlite3_get_autocommit(db))
                        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
                return r;
        }
        return 0;
}

/* The schema as one text, in an order that does not depend on history. As bytes: a NUL must not end it early.
 */
static int describe(sqlite3 *db, sqlite3_stmt **ret_stmt) {
        int rc;

        rc = sqlite3_prepare_v2(
                db,
                "SELECT group_concat(line, char(10)) FROM (SELECT type || ' ' || name || ' ' || "
                "tbl_name || ' ' || coalesce(sql, '-') AS line FROM sqlite_schema ORDER BY 1)",
                -1, ret_stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(*ret_stmt);
        return rc == SQLITE_ROW ? 0 : ledger_schema_errno(db, rc);
}

int state_schema_matches(sqlite3 *db, int version) {
        _cleanup_db_ sqlite3 *model = NULL; /* closed after its statement, which is declared later */
        _cleanup_stmt_ sqlite3_stmt *expected = NULL, *found = NULL;
        const void *a, *b;
        int size, r;

        if (sqlite3_open(":memory:", &model) != SQLITE_OK)
                return -ENOMEM;
        r = state_schema_migrate(model, 0, version);
        if (r >= 0)
                r = describe(model, &expected);
        if (r >= 0)
                r = describe(db, &found);
        if (r < 0)
                return r;
        a = sqlite3_column_blob(expected, 0);
        b = sqlite3_column_blob(found, 0);
        size = sqlite3_column_bytes(expected, 0);
        return a && b && size == sqlite3_column_bytes(found, 0) && memcmp(a, b, (size_t)size) == 0;
}

int state_schema_is_sound(sqlite3 *db) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        const char *text;
        int rc;

        rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW)
                return ledger_schema_errno(db, rc);
        text = (const char *)sqlite3_column_text(stmt, 0);
        return text && strcmp(text, "ok") == 0;
}
