/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The formats of state.db: each one is the format before it and a step. A new file takes all steps, so that
 * a file that grew up and one that was made today have the same schema, byte for byte. Internal to the
 * state and its tests.
 */
#pragma once

#include <sqlite3.h>

enum {
        STATE_SCHEMA_APPLICATION_ID = 0x70617374, /* "past" */
        STATE_SCHEMA_VERSION = 2,                 /* the newest one that is known */
};

/* Which format a database claims to be: 0 and the version; -EBADMSG if it is not ours. */
int state_schema_version(sqlite3 *db, int *ret_version);
/* 1 if the database has exactly the tables and indexes of a version from 1 up, 0 if not, or a negative errno.
 */
int state_schema_matches(sqlite3 *db, int version);
/* Takes all steps from one version (0: an empty database) to another, in one transaction. */
int state_schema_migrate(sqlite3 *db, int from, int to);
/* 1 if every page, row and index is sound, 0 if not, or a negative errno. Reads the whole file.
 * CHECKs are looked at on writable connections only. */
int state_schema_is_sound(sqlite3 *db);
