/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_schema.c: every earlier format comes up to date with all its rows, or stays as it was. */
#include "tests/unit/state_fixture.h"

#include <signal.h>

#include "broker/limit.h"
#include "broker/state_schema.h"

/* Format 1 as it was made, with rows of every kind. Never changed: such files exist. */
static const char format_1[] =
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE attempt(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, source TEXT NOT NULL, outcome "
        "TEXT NOT NULL CHECK(outcome IN ('pending', 'approved', 'denied', 'expired', 'cancelled')), time INTEGER NOT "
        "NULL) STRICT;"
        "CREATE INDEX attempt_user ON attempt(user, time);"
        "CREATE INDEX attempt_source ON attempt(source, time);"
        "CREATE TABLE failure(user TEXT PRIMARY KEY NOT NULL, count INTEGER NOT NULL CHECK(count BETWEEN 1 AND 100), "
        "last INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE block(source TEXT PRIMARY KEY NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, reason "
        "TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE recovery(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, uid INTEGER NOT NULL, hash "
        "TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER) STRICT;"
        "CREATE INDEX recovery_user ON recovery(user, uid);"
        "CREATE TABLE totp(user TEXT PRIMARY KEY NOT NULL, uid INTEGER NOT NULL UNIQUE, secret BLOB NOT NULL, created "
        "INTEGER NOT NULL, confirmed INTEGER NOT NULL CHECK(confirmed IN (0, 1)), step INTEGER NOT NULL CHECK(step >= "
        "0)) STRICT, WITHOUT ROWID;"
        "PRAGMA application_id = 1885434740; PRAGMA user_version = 1;"
        "INSERT INTO attempt(id, user, source, outcome, time) VALUES"
        " (41, 'alice', 'tty1', 'approved', 1699999990000000), (42, 'alice', 'tty1', 'denied', 1699999991000000),"
        " (43, 'alice', '192.0.2.1', 'expired', 1699999992000000), (44, 'bob', 'tty1', 'pending', 1699999993000000);"
        "INSERT INTO failure(user, count, last) VALUES('alice', 5, 1700000000000000), ('bob', 100, 1600000000000000),"
        " ('', 1, 1), ('O''Brien', 2, 2);"
        "INSERT INTO block VALUES('192.0.2.1', 1699999000000000, 1700003600000000, 'bob: not me');"
        "INSERT INTO recovery(id, user, uid, hash, created, used) VALUES"
        " (7, 'alice', 1000, '$argon2id$a', 1690000000000000, NULL),"
        " (8, 'alice', 1000, '$argon2id$b', 1690000000000000, 1699000000000000);"
        "INSERT INTO totp VALUES('alice', 1000, x'00ff10', 1690000000000000, 1, 56666000);";

static void make_format_1(Fixture *f) {
        fixture_write(fixture_path(f, "state.db"), "", 0);
        fixture_sql(f, format_1);
}

static void format_1_keeps_its_attempts_and_failures(void **state) {
        Fixture *f = *state;
        StateFailure failure;
        StateCount count;
        int64_t id;

        make_format_1(f);
        fixture_open(f);
        assert_false(state_is_new(f->state));
        assert_int_equal(fixture_integer(f, "PRAGMA user_version"), 2);
        assert_int_equal(state_attempt_count_user(f->state, "alice", NOW, HOUR, &count), 0);
        assert_int_equal(count.n, 2);
        assert_int_equal(count.oldest_usec, NOW - 9 * SECOND);
        assert_int_equal(state_attempt_count_source(f->state, "tty1", NOW, HOUR, &count), 0);
        assert_int_equal(count.n, 2);
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), 0);
        assert_int_equal(id, 45);
        assert_int_equal(state_failure_get(f->state, "alice", STATE_WAY_CODE, NOW, &failure), 1);
        assert_int_equal(failure.count, 5);
        assert_int_equal(failure.until_usec, NOW + 2 * MINUTE);
        assert_int_equal(state_failure_get(f->state, "bob", STATE_WAY_CODE, NOW, &failure), 1);
        assert_int_equal(failure.until_usec, LIMIT_FOREVER);
        assert_int_equal(state_failure_get(f->state, "bob", STATE_WAY_RECOVERY, NOW, &failure), 0);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM failure"), 4);
}

static void format_1_keeps_its_blocks_codes_and_secrets(void **state) {
        const StateAccount alice = {"alice", 1000};
        Fixture *f = *state;
        StateRecovery *codes;
        StateBlock block;
        StateTotp totp;
        size_t n;

        make_format_1(f);
        fixture_open(f);
        assert_int_equal(state_block_check(f->state, "192.0.2.1", NOW, &block), 1);
        assert_int_equal(block.since_usec, NOW - 1000 * SECOND);
        assert_int_equal(block.until_usec, NOW + HOUR);
        assert_string_equal(block.reason, "bob: not me");
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(codes[0].id, 7);
        assert_int_equal(codes[0].used_usec, 0);
        assert_int_equal(codes[1].id, 8);
        assert_int_equal(codes[1].used_usec, NOW - 1000000 * SECOND);
        free(codes);
        assert_int_equal(state_recovery_use(f->state, alice, 8, NOW), 0);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_int_equal(totp.secret_size, 3);
        assert_memory_equal(totp.secret, "\x00\xff\x10", 3);
        assert_true(totp.confirmed);
        assert_int_equal(totp.step, 56666000);
        assert_int_equal(state_totp_accept(f->state, alice, 56666000), 0);
        assert_int_equal(state_totp_accept(f->state, alice, 56666001), 1);
}

static void a_file_that_grew_up_is_like_a_new_one(void **state) {
        Fixture *f = *state;
        sqlite3 *db = NULL;

        make_format_1(f);
        fixture_open(f);
        fixture_reopen(f, NOW);
        fixture_close(f);
        assert_int_equal(sqlite3_open(fixture_path(f, "state.db"), &db), SQLITE_OK);
        assert_int_equal(state_schema_matches(db, STATE_SCHEMA_VERSION), 1);
        assert_int_equal(state_schema_matches(db, 1), 0);
        assert_int_equal(state_schema_is_sound(db), 1);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* An old format is looked at as closely as the newest before anything is done to it. */
static void format_1_with_something_else_in_it_is_left_alone(void **state) {
        static const char *const changes[] = {
                "CREATE TABLE failure_1(x)",
                "DROP INDEX attempt_user",
                "ALTER TABLE failure ADD COLUMN way TEXT",
                "CREATE TRIGGER t AFTER INSERT ON failure BEGIN DELETE FROM failure; END",
        };
        Fixture *f = *state;

        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                make_format_1(f);
                fixture_sql(f, changes[i]);
                fixture_refused(f, -EBADMSG, "state.db: is damaged");
                assert_int_equal(fixture_integer(f, "PRAGMA user_version"), 1);
                assert_int_equal(fixture_integer(f, "SELECT sum(count) FROM failure"), 108);
                assert_int_equal(unlink(fixture_path(f, "state.db")), 0);
        }
}

static void a_step_that_fails_leaves_the_old_format(void **state) {
        Fixture *f = *state;
        sqlite3 *db = NULL;

        make_format_1(f);
        assert_int_equal(sqlite3_open(fixture_path(f, "state.db"), &db), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(db,
                             "PRAGMA ignore_check_constraints = ON; UPDATE failure SET count = 101 WHERE "
                             "user = 'bob'; PRAGMA ignore_check_constraints = OFF",
                             NULL, NULL, NULL),
                SQLITE_OK);
        assert_int_equal(state_schema_migrate(db, 1, 2), -EBADMSG);
        assert_int_equal(sqlite3_get_autocommit(db), 1);
        assert_int_equal(state_schema_matches(db, 1), 1);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(fixture_integer(f, "PRAGMA user_version"), 1);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM failure"), 4);
        fixture_refused(f, -EBADMSG, "state.db: is damaged");
}

static void a_newer_format_is_left_alone(void **state) {
        Fixture *f = *state;
        size_t before_size, after_size;
        char *before, *after;

        fixture_open(f);
        fixture_close(f);
        fixture_sql(f, "CREATE TABLE of_the_future(x); PRAGMA user_version = 3");
        before = fixture_read(fixture_path(f, "state.db"), &before_size);
        fixture_refused(f, -EPROTONOSUPPORT, "newer version of peerauth (format 3, this one knows up to 2)");
        after = fixture_read(fixture_path(f, "state.db"), &after_size);
        assert_int_equal(before_size, after_size);
        assert_memory_equal(before, after, before_size);
        free(before);
        free(after);
}

/* Killed anywhere in the middle, the next start finds the old format or the new one. */
static void a_kill_during_the_step_loses_nothing(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 60; i++) {
                int status;
                pid_t pid;

                make_format_1(f);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        _exit(state_open(f->dir, NOW, &f->state, &(char *){NULL}) != 0);
                (void)usleep(i * 150);
                (void)kill(pid, SIGKILL);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
                fixture_open(f);
                assert_int_equal(fixture_integer(f, "SELECT sum(count) FROM failure WHERE way = 'code'"),
                                 108);
                assert_int_equal(fixture_integer(f, "SELECT count(*) FROM recovery"), 2);
                fixture_close(f);
                assert_int_equal(unlink(fixture_path(f, "state.db")), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(format_1_keeps_its_attempts_and_failures),
                fixture_test(format_1_keeps_its_blocks_codes_and_secrets),
                fixture_test(a_file_that_grew_up_is_like_a_new_one),
                fixture_test(format_1_with_something_else_in_it_is_left_alone),
                fixture_test(a_step_that_fails_leaves_the_old_format),
                fixture_test(a_newer_format_is_left_alone),
                fixture_test(a_kill_during_the_step_loses_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
