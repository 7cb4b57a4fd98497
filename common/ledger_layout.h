/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a ledger lies in SQLite: the exact schema text, shared by the broker, which writes it, and by
 * the verifier, which accepts nothing else; and the settings of every connection to such a file.
 *
 * The text is format 1. It is compared byte for byte, so any change of it needs a new format number.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

enum {
        LEDGER_LAYOUT_APPLICATION_ID = 0x70616c67, /* "palg" */
        LEDGER_LAYOUT_FORMAT = 1,
        /* Above every value that we store and the schema text, far below what a hostile file may claim. */
        LEDGER_LAYOUT_VALUE_MAX = 128 * 1024,
};

/* node holds the complete interior subtrees only; level 0 is entry.leaf. */
#define LEDGER_LAYOUT_TABLES                                                                             \
        "CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;\n" \
        "CREATE TABLE entry(idx INTEGER PRIMARY KEY CHECK(idx >= 0), body TEXT NOT NULL,"                \
        " leaf BLOB NOT NULL CHECK(length(leaf) = 32)) STRICT;\n"                                        \
        "CREATE TABLE node(level INTEGER NOT NULL CHECK(level BETWEEN 1 AND 63), idx INTEGER NOT NULL "  \
        "CHECK(idx >= 0),"                                                                               \
        " hash BLOB NOT NULL CHECK(length(hash) = 32), PRIMARY KEY(level, idx)) STRICT, WITHOUT ROWID;\n"

#define LEDGER_LAYOUT_REFUSE(name, event, condition)               \
        "CREATE TRIGGER " name " BEFORE " event condition " BEGIN" \
        " SELECT RAISE(ABORT, 'the ledger is append-only'); END;\n"

/*
 * The two conditional triggers refuse INSERT OR REPLACE of a row that is there and every gap, even on a
 * connection without recursive_triggers (attack L6).
 */
#define LEDGER_LAYOUT_TRIGGERS                                                                              \
        LEDGER_LAYOUT_REFUSE("meta_insert", "INSERT ON meta", "")                                           \
        LEDGER_LAYOUT_REFUSE("meta_update", "UPDATE ON meta", "")                                           \
        LEDGER_LAYOUT_REFUSE("meta_delete", "DELETE ON meta", "")                                           \
        LEDGER_LAYOUT_REFUSE("entry_insert", "INSERT ON entry",                                             \
                             " WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry)")          \
        LEDGER_LAYOUT_REFUSE("entry_update", "UPDATE ON entry", "")                                         \
        LEDGER_LAYOUT_REFUSE("entry_delete", "DELETE ON entry", "")                                         \
        LEDGER_LAYOUT_REFUSE("node_insert", "INSERT ON node",                                               \
                             " WHEN EXISTS (SELECT 1 FROM node WHERE level = NEW.level AND idx = NEW.idx)") \
        LEDGER_LAYOUT_REFUSE("node_update", "UPDATE ON node", "")                                           \
        LEDGER_LAYOUT_REFUSE("node_delete", "DELETE ON node", "")

#define LEDGER_LAYOUT_META_FORMAT "format"
#define LEDGER_LAYOUT_META_ORIGIN "origin"
#define LEDGER_LAYOUT_META_VKEY   "vkey"

/* Settings for a file that may be hostile: nothing in it may run code, lie about its cells or use much
 * memory. Returns an SQLite result code. */
int ledger_layout_harden(sqlite3 *db);

/* Runs a query whose first row is one integer. 0, or an SQLite result code. */
int ledger_layout_integer(sqlite3 *db, const char *sql, int64_t *ret);

/* 1 if the file holds this format and nothing else, 0 if not, or minus an SQLite result code. */
int ledger_layout_matches(sqlite3 *db);
