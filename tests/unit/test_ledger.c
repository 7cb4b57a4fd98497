/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/ledger.c: appending, and what our own connection cannot do (attacks L6, L7). */
#include "tests/unit/ledger_fixture.h"

#include <sys/wait.h>

#include "broker/ledger_schema.h"
#include "common/ledger_layout.h"

static void assert_read(Ledger *ledger, uint64_t index, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(ledger_read(ledger, index, &text), 0);
        assert_string_equal(text, expected);
}

static MerkleHash root_of(const char *const *texts, size_t n) {
        MerkleFrontier tree = {0};

        for (size_t i = 0; i < n; i++) {
                MerkleHash leaf = merkle_leaf(texts[i], strlen(texts[i]));

                (void)merkle_append(&tree, &leaf, NULL);
        }
        return merkle_root(&tree);
}

static void an_entry_has_a_fixed_head_and_the_fields_in_order(void **state) {
        static const char *const texts[] = {
                "{\"v\":1,\"index\":0,\"time\":1700000000000001,\"kind\":\"decision\",\"voters\":[\"bob\","
                "\"eve\"],"
                "\"needed\":2,\"note\":\"caf\\u00e9\"}",
                "{\"v\":1,\"index\":1,\"time\":0,\"kind\":\"empty\"}",
        };
        char *voters[] = {(char *)"bob", (char *)"eve", NULL}, note[CHECKPOINT_NOTE_MAX];
        const LedgerField fields[] = {
                {"voters", LEDGER_STRINGS, {.strings = voters}},
                {"rhost", LEDGER_STRING, {.string = NULL}},
                {"needed", LEDGER_UINT, {.uint = 2}},
                {"note", LEDGER_STRING, {.string = "caf\xc3\xa9"}},
                {0},
        };
        const LedgerField none[] = {{0}};
        Fixture *f = *state;
        Checkpoint checkpoint;
        MerkleHash root;
        uint64_t index = 99;

        fixture_open(f);
        assert_int_equal(ledger_stage(f->ledger, "decision", 1700000000000001ULL, fields, &index), 0);
        assert_int_equal(index, 0);
        assert_int_equal(ledger_stage(f->ledger, "empty", 0, none, &index), 0);
        assert_int_equal(index, 1);
        assert_int_equal(ledger_commit(f->ledger), 0);
        assert_read(f->ledger, 0, texts[0]);
        assert_read(f->ledger, 1, texts[1]);

        assert_int_equal(ledger_checkpoint(f->ledger, note), 0);
        assert_int_equal(checkpoint_verify(note, ledger_vkey(f->ledger), &checkpoint), 0);
        root = root_of(texts, 2);
        assert_string_equal(checkpoint.origin, FIXTURE_ORIGIN);
        assert_int_equal(checkpoint.size, 2);
        assert_memory_equal(checkpoint.root.bytes, root.bytes, MERKLE_HASH_SIZE);
}

static void staged_entries_do_not_exist(void **state) {
        Fixture *f = *state;
        char *text = NULL;

        fixture_open(f);
        fixture_add(f, 1);
        assert_int_equal(fixture_stage(f->ledger, "staged"), 0);
        assert_int_equal(ledger_staged(f->ledger), 1);
        assert_int_equal(ledger_size(f->ledger), 1);
        assert_int_equal(ledger_read(f->ledger, 1, &text), -ENOENT);
        ledger_rollback(f->ledger);
        assert_int_equal(ledger_staged(f->ledger), 0);
        assert_int_equal(ledger_commit(f->ledger), 0);
        assert_int_equal(ledger_size(f->ledger), 1);
        fixture_verify(f, 1);
        assert_int_equal(fixture_stage(f->ledger, "at close"), 0);
        fixture_close(f);
        fixture_open(f);
        assert_int_equal(ledger_size(f->ledger), 1);
}

static void a_group_is_committed_together_and_bounded(void **state) {
        Fixture *f = *state;

        fixture_open(f);
        fixture_add(f, 3);
        for (unsigned i = 0; i < 256; i++)
                assert_int_equal(fixture_stage(f->ledger, "group"), 0);
        assert_int_equal(fixture_stage(f->ledger, "one too many"), -ENOBUFS);
        assert_int_equal(ledger_staged(f->ledger), 256);
        assert_int_equal(ledger_commit(f->ledger), 0);
        fixture_verify(f, 259);
}

static void an_entry_that_cannot_be_written_is_not_staged(void **state) {
        static char huge[70000];
        Fixture *f = *state;

        memset(huge, 'x', sizeof(huge) - 1);
        fixture_open(f);
        assert_int_equal(fixture_stage(f->ledger, "bad \xff text"), -EILSEQ);
        assert_int_equal(fixture_stage(f->ledger, huge), -E2BIG);
        assert_int_equal(ledger_staged(f->ledger), 0);
        huge[65000] = '\0';
        assert_int_equal(fixture_stage(f->ledger, huge), 0);
        assert_int_equal(ledger_commit(f->ledger), 0);
        fixture_verify(f, 1);
}

/* Every shape of the frontier up to two levels of carries, loaded from the stored nodes. */
static void reopening_continues_the_same_tree(void **state) {
        char before[CHECKPOINT_NOTE_MAX], after[CHECKPOINT_NOTE_MAX], vkey[CHECKPOINT_VKEY_MAX];
        Fixture *f = *state;

        fixture_open(f);
        strcpy(vkey, ledger_vkey(f->ledger));
        for (unsigned size = 0; size < 35; size++) {
                assert_int_equal(ledger_checkpoint(f->ledger, before), 0);
                fixture_close(f);
                fixture_open(f);
                assert_int_equal(ledger_checkpoint(f->ledger, after), 0);
                assert_string_equal(after, before);
                fixture_add(f, 1);
        }
        assert_string_equal(ledger_vkey(f->ledger), vkey);
        fixture_verify(f, 35);
}

/* MUST 4: somebody else holds the write lock for a while. */
static void a_failed_commit_leaves_nothing_and_the_next_succeeds(void **state) {
        Fixture *f = *state;
        sqlite3 *other;

        fixture_open(f);
        fixture_add(f, 2);
        assert_int_equal(sqlite3_open(fixture_path(f, "ledger.db"), &other), SQLITE_OK);
        assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(fixture_stage(f->ledger, "lost"), 0);
        assert_int_equal(ledger_commit(f->ledger), -EBUSY);
        assert_int_equal(ledger_size(f->ledger), 2);
        assert_int_equal(ledger_staged(f->ledger), 0);
        assert_int_equal(sqlite3_close(other), SQLITE_OK);
        fixture_add(f, 1);
        assert_read(f->ledger, 2,
                    "{\"v\":1,\"index\":2,\"time\":1700000000000000,\"kind\":\"test\",\"user\":\"alice\","
                    "\"note\":\"n2\"}");
        fixture_verify(f, 3);
}

/* Another writer took our index: the entry must fail, not replace, and the ledger must go on. */
static void an_index_taken_by_a_stranger_fails_the_commit(void **state) {
        Fixture *f = *state;

        fixture_open(f);
        fixture_add(f, 2);
        fixture_sql(fixture_path(f, "ledger.db"), "INSERT INTO entry VALUES(2, 'stranger', zeroblob(32))");
        assert_int_equal(fixture_stage(f->ledger, "ours"), 0);
        assert_int_equal(ledger_commit(f->ledger), -EBADMSG);
        assert_read(f->ledger, 2, "stranger");
}

static void the_connection_is_durable_and_hardened(void **state) {
        static const struct {
                const char *pragma;
                int64_t value;
        } wanted[] = {{"PRAGMA synchronous", 2},
                      {"PRAGMA recursive_triggers", 1},
                      {"PRAGMA trusted_schema", 0},
                      {"PRAGMA cell_size_check", 1},
                      {"PRAGMA mmap_size", 0},
                      {"PRAGMA cache_size", -256},
                      {"PRAGMA application_id", 0x70616c67},
                      {"PRAGMA user_version", 1}};
        Fixture *f = *state;
        int defensive = 0;
        sqlite3 *db;

        fixture_open(f);
        assert_int_equal(ledger_schema_open(fixture_path(f, "ledger.db"), &db), 0);
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                int64_t value = -1;

                (void)ledger_layout_integer(db, wanted[i].pragma, &value);
                if (value != wanted[i].value)
                        fail_msg("%s is %" PRId64 ", wanted %" PRId64, wanted[i].pragma, value,
                                 wanted[i].value);
        }
        assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, -1, &defensive), SQLITE_OK);
        assert_int_equal(defensive, 1);
        assert_null(ledger_schema_close(db));
}

/* A literal: a function would be refused by the seal before the statement is looked at. */
#define H32 "x'0000000000000000000000000000000000000000000000000000000000000000'"

/* Attack L6. The sealed connection is the writer's; the unsealed one shows that the triggers hold alone. */
static const char *const changes[] = {
        "UPDATE entry SET body = 'x' WHERE idx = 1",
        "UPDATE entry SET leaf = " H32,
        "UPDATE entry SET idx = 77 WHERE idx = 1",
        "UPDATE OR REPLACE entry SET idx = 0 WHERE idx = 1",
        "DELETE FROM entry",
        "DELETE FROM entry WHERE idx = 2",
        "INSERT OR REPLACE INTO entry VALUES(1, 'x', " H32 ")",
        "REPLACE INTO entry VALUES(2, 'x', " H32 ")",
        "INSERT INTO entry VALUES(1, 'x', " H32 ") ON CONFLICT DO UPDATE SET body = 'x'",
        "INSERT INTO entry VALUES(9, 'gap', " H32 ")",
        "INSERT INTO entry VALUES(-1, 'x', " H32 ")",
        "INSERT INTO entry(body, leaf) VALUES('x', x'00')",
        "INSERT INTO entry VALUES(3, x'00', " H32 ")",
        "UPDATE node SET hash = " H32,
        "DELETE FROM node",
        "INSERT OR REPLACE INTO node VALUES(1, 0, " H32 ")",
        "INSERT INTO node VALUES(1, 0, " H32 ") ON CONFLICT DO UPDATE SET hash = " H32,
        "INSERT INTO node VALUES(0, 0, " H32 ")",
        "INSERT INTO meta VALUES('new', 'x')",
        "INSERT OR REPLACE INTO meta VALUES('vkey', 'x')",
        "UPDATE meta SET value = 'x'",
        "DELETE FROM meta",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = 'trigger'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'x'",
};

/* What needs the seal: these change no row by themselves, or are no statement on rows. */
static const char *const weakenings[] = {
        "DROP TRIGGER entry_delete",
        "DROP TABLE entry",
        "ALTER TABLE entry RENAME TO gone",
        "ALTER TABLE entry ADD COLUMN extra",
        "CREATE TABLE more(x)",
        "CREATE TRIGGER more AFTER INSERT ON entry BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER more BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END",
        "CREATE VIEW more AS SELECT 1",
        "CREATE INDEX more ON entry(body)",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = ON",
        "ATTACH ':memory:' AS other",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "SELECT load_extension('x')",
};

static void assert_refused(sqlite3 *db, const char *sql) {
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
                fail_msg("was carried out: %s", sql);
}

static void our_connection_can_only_append(void **state) {
        Fixture *f = *state;
        sqlite3 *db;

        fixture_open(f);
        fixture_add(f, 3);
        assert_int_equal(ledger_schema_open(fixture_path(f, "ledger.db"), &db), 0);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
                assert_refused(db, changes[i]);
        assert_int_equal(sqlite3_exec(db, "PRAGMA recursive_triggers = OFF", NULL, NULL, NULL), SQLITE_OK);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
                assert_refused(db, changes[i]);

        assert_int_equal(ledger_schema_seal(db), 0);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
                assert_refused(db, changes[i]);
        for (size_t i = 0; i < sizeof(weakenings) / sizeof(weakenings[0]); i++)
                assert_refused(db, weakenings[i]);
        assert_int_equal(sqlite3_exec(db, "BEGIN; INSERT INTO entry VALUES(3, 'x', " H32 "); ROLLBACK", NULL,
                                      NULL, NULL),
                         SQLITE_OK);
        assert_null(ledger_schema_close(db));
        fixture_verify(f, 3);
        fixture_close(f);
        fixture_open(f);
        assert_int_equal(ledger_size(f->ledger), 3);
}

/* Attack L7. */
static void a_second_broker_is_refused(void **state) {
        Fixture *f = *state;
        int status;
        pid_t pid;

        fixture_open(f);
        fixture_refused(f, -EBUSY, "another broker");
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char *message = NULL;
                Ledger *second = NULL;

                _exit(ledger_open(f->dir, FIXTURE_ORIGIN, &second, &message) == -EBUSY && !second ? 42 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
        fixture_add(f, 1);
        fixture_close(f);
        fixture_open(f);
        assert_int_equal(ledger_size(f->ledger), 1);
}

static void the_checkpoint_file_follows_the_tree(void **state) {
        char text[CHECKPOINT_NOTE_MAX] = "", note[CHECKPOINT_NOTE_MAX];
        Fixture *f = *state;
        struct stat st;
        FILE *file;

        fixture_open(f);
        fixture_add(f, 5);
        assert_int_equal(ledger_save_checkpoint(f->ledger), 0);
        assert_int_equal(stat(fixture_path(f, "checkpoint"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        file = fopen(fixture_path(f, "checkpoint"), "re");
        assert_non_null(file);
        assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(ledger_checkpoint(f->ledger, note), 0);
        assert_string_equal(text, note);
        assert_non_null(strstr(note, "\n5\n"));
        assert_int_equal(access(fixture_path(f, "checkpoint.tmp"), F_OK), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(an_entry_has_a_fixed_head_and_the_fields_in_order),
                fixture_test(staged_entries_do_not_exist),
                fixture_test(a_group_is_committed_together_and_bounded),
                fixture_test(an_entry_that_cannot_be_written_is_not_staged),
                fixture_test(reopening_continues_the_same_tree),
                fixture_test(a_failed_commit_leaves_nothing_and_the_next_succeeds),
                fixture_test(an_index_taken_by_a_stranger_fails_the_commit),
                fixture_test(the_connection_is_durable_and_hardened),
                fixture_test(our_connection_can_only_append),
                fixture_test(a_second_broker_is_refused),
                fixture_test(the_checkpoint_file_follows_the_tree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
