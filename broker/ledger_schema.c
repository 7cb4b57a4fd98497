/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The database under the ledger. Whoever gets a connection from here cannot open it in a weaker way:
 * durability and hardening are set, and read back, before anything else happens on it.
 */
#include "broker/ledger_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/ledger_layout.h"

enum { BUSY_TIMEOUT_MSEC = 200 }; /* the broker's loop stands still meanwhile */

static inline void stmt_finalize(sqlite3_stmt **stmt) {
        (void)sqlite3_finalize(*stmt);
}
#define _cleanup_stmt_ PEERAUTH_CLEANUP(stmt_finalize)

int ledger_schema_errno(sqlite3 *db, int rc) {
        int system = db ? sqlite3_system_errno(db) : 0;

        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_AUTH:
        case SQLITE_PERM:
                return -EACCES;
        case SQLITE_TOOBIG:
                return -E2BIG;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
        case SQLITE_CONSTRAINT: /* our own rows do not break a rule: somebody else wrote too */
        case SQLITE_SCHEMA:
        case SQLITE_NOTFOUND:
                return -EBADMSG;
        case SQLITE_CANTOPEN:
                return rc == SQLITE_CANTOPEN_SYMLINK ? -ELOOP : system > 0 ? -system : -EACCES;
        default:
                return system > 0 ? -system : -EIO;
        }
}

static int connect_with(const char *path, int flags, sqlite3 **ret_db) {
        sqlite3 *db = NULL;
        int rc, r;

        rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_busy_timeout(db, BUSY_TIMEOUT_MSEC);
        if (rc == SQLITE_OK)
                rc = ledger_layout_harden(db);
        if (rc != SQLITE_OK) {
                r = ledger_schema_errno(db, rc);
                (void)sqlite3_close(db);
                return r;
        }
        *ret_db = db;
        return 0;
}

/* "PRAGMA journal_mode = WAL" does not fail where WAL is impossible: it answers with another mode. */
static int make_durable(sqlite3 *db) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        int64_t synchronous = 0;
        const char *mode;
        int rc;

        if (sqlite3_db_readonly(db, "main") != 0)
                return -EROFS;
        rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW)
                return ledger_schema_errno(db, rc);
        mode = (const char *)sqlite3_column_text(stmt, 0);
        if (!mode || strcmp(mode, "wal") != 0)
                return -EOPNOTSUPP;
        (void)sqlite3_reset(stmt);

        rc = sqlite3_exec(db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = ledger_layout_integer(db, "PRAGMA synchronous", &synchronous);
        if (rc != SQLITE_OK)
                return ledger_schema_errno(db, rc);
        return synchronous == 2 ? 0 : -EOPNOTSUPP;
}

int ledger_schema_open(const char *path, sqlite3 **ret_db) {
        sqlite3 *db;
        int r;

        r = connect_with(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);
        if (r < 0)
                return r;
        r = make_durable(db);
        if (r < 0) {
                (void)sqlite3_close(db);
                return r;
        }
        *ret_db = db;
        return 0;
}

int ledger_schema_open_readonly(const char *path, sqlite3 **ret_db) {
        return connect_with(path, SQLITE_OPEN_READONLY, ret_db);
}

sqlite3 *ledger_schema_close(sqlite3 *db) {
        (void)sqlite3_close(db);
        return NULL;
}

int ledger_schema_is_empty(sqlite3 *db) {
        int64_t objects = 0, application_id = 0;
        int rc;

        rc = ledger_layout_integer(db, "SELECT count(*) FROM sqlite_schema", &objects);
        if (rc == SQLITE_OK)
                rc = ledger_layout_integer(db, "PRAGMA application_id", &application_id);
        if (rc != SQLITE_OK)
                return ledger_schema_errno(db, rc);
        if (objects == 0 && application_id == 0)
                return 1;
        rc = ledger_layout_matches(db);
        if (rc < 0)
                return ledger_schema_errno(db, -rc);
        return rc == 1 ? 0 : -EBADMSG;
}

static int insert_meta(sqlite3 *db, const char *key, const char *value) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        int rc;

        rc = sqlite3_prepare_v2(db, "INSERT INTO meta(key, value) VALUES(?1, ?2)", -1, &stmt, NULL);
        if (rc != SQLITE_OK)
                return rc;
        (void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int ledger_schema_create(sqlite3 *db, const char *origin, const char *vkey) {
        char marks[96], format[12];
        int rc;

        (void)snprintf(format, sizeof(format), "%d", LEDGER_LAYOUT_FORMAT);
        (void)snprintf(marks, sizeof(marks), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                       LEDGER_LAYOUT_APPLICATION_ID, LEDGER_LAYOUT_FORMAT);
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE;" LEDGER_LAYOUT_TABLES, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = insert_meta(db, LEDGER_LAYOUT_META_FORMAT, format);
        if (rc == SQLITE_OK)
                rc = insert_meta(db, LEDGER_LAYOUT_META_ORIGIN, origin);
        if (rc == SQLITE_OK)
                rc = insert_meta(db, LEDGER_LAYOUT_META_VKEY, vkey);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, LEDGER_LAYOUT_TRIGGERS, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, marks, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
                int r = ledger_schema_errno(db, rc);

                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
                return r;
        }
        return 0;
}

/* What appending and reading need, and what the triggers and CHECKs call; everything else is denied. */
static int authorize(void *userdata, int action, const char *first, const char *second, const char *database,
                     const char *trigger) {
        (void)userdata;
        (void)database;
        (void)trigger;
        switch (action) {
        case SQLITE_TRANSACTION:
        case SQLITE_SELECT:
        case SQLITE_READ:
                return SQLITE_OK;
        case SQLITE_INSERT:
                return strcmp(first, "entry") == 0 || strcmp(first, "node") == 0 ? SQLITE_OK : SQLITE_DENY;
        case SQLITE_FUNCTION:
                return strcmp(second, "max") == 0 || strcmp(second, "coalesce") == 0 ? SQLITE_OK
                                                                                     : SQLITE_DENY;
        default:
                return SQLITE_DENY;
        }
}

int ledger_schema_seal(sqlite3 *db) {
        (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
        return ledger_schema_errno(db, sqlite3_set_authorizer(db, authorize, NULL));
}

int ledger_schema_meta(sqlite3 *db, const char *key, char **ret_value) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        const char *text;
        int rc;

        rc = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?1", -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
                return -ENOENT;
        if (rc != SQLITE_ROW)
                return ledger_schema_errno(db, rc);
        text = (const char *)sqlite3_column_text(stmt, 0);
        *ret_value = text ? strdup(text) : NULL;
        return *ret_value ? 0 : -ENOMEM;
}

int ledger_schema_size(sqlite3 *db, uint64_t *ret_size) {
        int64_t size = 0;
        int rc = ledger_layout_integer(db, "SELECT coalesce(max(idx) + 1, 0) FROM entry", &size);

        if (rc != SQLITE_OK)
                return ledger_schema_errno(db, rc);
        if (size < 0)
                return -EBADMSG;
        *ret_size = (uint64_t)size;
        return 0;
}

static int read_node(sqlite3 *db, unsigned level, uint64_t index, MerkleHash *ret) {
        _cleanup_stmt_ sqlite3_stmt *stmt = NULL;
        const char *sql = level == 0 ? "SELECT leaf FROM entry WHERE idx = ?2 AND ?1 = 0"
                                     : "SELECT hash FROM node WHERE level = ?1 AND idx = ?2";
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_bind_int64(stmt, 1, (int64_t)level);
        if (rc == SQLITE_OK)
                rc = sqlite3_bind_int64(stmt, 2, (int64_t)index);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
                return -EBADMSG;
        if (rc != SQLITE_ROW)
                return ledger_schema_errno(db, rc);
        if (sqlite3_column_bytes(stmt, 0) != MERKLE_HASH_SIZE)
                return -EBADMSG;
        memcpy(ret->bytes, sqlite3_column_blob(stmt, 0), MERKLE_HASH_SIZE);
        return 0;
}

int ledger_schema_frontier(sqlite3 *db, uint64_t size, MerkleFrontier *ret_frontier) {
        MerkleFrontier frontier = {.size = size};

        for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
                int r;

                if ((size >> level & 1) == 0)
                        continue;
                r = read_node(db, level, (size >> level) - 1, &frontier.peaks[level]);
                if (r < 0)
                        return r;
        }
        *ret_frontier = frontier;
        return 0;
}
