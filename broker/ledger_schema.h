/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger's database connection: how it is opened, created, checked and sealed, and what is read
 * from it when the broker starts. Internal to the ledger and its tests.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "common/merkle.h"

/* The errno that a failed SQLite call stands for, negative. db may be NULL. */
int ledger_schema_errno(sqlite3 *db, int rc);

/* Opens the writer's connection (durable: WAL, synchronous=FULL), creating an empty file if there is none.
 * The path must be free of symbolic links. 0 or a negative errno. */
int ledger_schema_open(const char *path, sqlite3 **ret_db);
/* A connection that only reads, for snapshots and for looking at them. */
int ledger_schema_open_readonly(const char *path, sqlite3 **ret_db);
sqlite3 *ledger_schema_close(sqlite3 *db);

/* 1 if the database was never filled, 0 if it holds a ledger, -EBADMSG if it holds something else. */
int ledger_schema_is_empty(sqlite3 *db);
/* Fills an empty database, in one transaction. 0 or a negative errno. */
int ledger_schema_create(sqlite3 *db, const char *origin, const char *vkey);
/* From here on the connection can append and read, and nothing else (MUST 2 of ledger.h). Not undone. */
int ledger_schema_seal(sqlite3 *db);

/* One value of the meta table; caller frees. 0, -ENOENT, or a negative errno. */
int ledger_schema_meta(sqlite3 *db, const char *key, char **ret_value);
/* Number of entries: one more than the highest index. */
int ledger_schema_size(sqlite3 *db, uint64_t *ret_size);
/* The frontier of the first `size` entries, from at most 64 stored nodes. -EBADMSG if one is missing. */
int ledger_schema_frontier(sqlite3 *db, uint64_t size, MerkleFrontier *ret_frontier);
