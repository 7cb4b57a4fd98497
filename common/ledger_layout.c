/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings and schema comparison for the broker's connections and the verifier's alike: one text, one
 * comparison, so that the two cannot come to accept different files.
 */
#include "common/ledger_layout.h"

#include <stdbool.h>
#include <string.h>

int ledger_layout_harden(sqlite3 *db) {
        (void)sqlite3_extended_result_codes(db, 1);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
        (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LEDGER_LAYOUT_VALUE_MAX);
        return sqlite3_exec(
                db,
                "PRAGMA cell_size_check = ON; PRAGMA recursive_triggers = ON; PRAGMA mmap_size = 0;"
                "PRAGMA cache_size = -256",
                NULL, NULL, NULL);
}

int ledger_layout_integer(sqlite3 *db, const char *sql, int64_t *ret) {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
                *ret = sqlite3_column_int64(stmt, 0);
                rc = SQLITE_OK;
        }
        (void)sqlite3_finalize(stmt);
        return rc == SQLITE_DONE ? SQLITE_NOTFOUND : rc;
}

int ledger_layout_matches(sqlite3 *db) {
        static const char expected[] = LEDGER_LAYOUT_TABLES LEDGER_LAYOUT_TRIGGERS;
        sqlite3_stmt *stmt = NULL;
        int64_t application_id = 0, format = 0;
        bool same = false;
        int rc;

        rc = ledger_layout_integer(db, "PRAGMA application_id", &application_id);
        if (rc == SQLITE_OK)
                rc = ledger_layout_integer(db, "PRAGMA user_version", &format);
        if (rc == SQLITE_OK)
                rc = sqlite3_prepare_v2(db,
                                        "SELECT group_concat(coalesce(sql, '?') || char(59, 10), '')"
                                        " FROM (SELECT sql FROM sqlite_schema ORDER BY rowid)",
                                        -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
                const void *text = sqlite3_column_blob(stmt, 0); /* as bytes: a NUL must not end it early */

                same = text && sqlite3_column_bytes(stmt, 0) == (int)sizeof(expected) - 1 &&
                       memcmp(text, expected, sizeof(expected) - 1) == 0;
                rc = SQLITE_OK;
        }
        (void)sqlite3_finalize(stmt);
        if (rc != SQLITE_OK)
                return -rc;
        return same && application_id == LEDGER_LAYOUT_APPLICATION_ID && format == LEDGER_LAYOUT_FORMAT;
}
