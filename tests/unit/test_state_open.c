/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_open.c: what a broker refuses to start on, and that it says what to do. */
#include "tests/unit/state_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

static void prepare(Fixture *f) {
        const StateAccount alice = {"alice", 1000};
        static const char *const hash = "h";
        int64_t id;

        fixture_open(f);
        for (unsigned i = 0; i < 40; i++)
                assert_int_equal(state_attempt_add(f->state, "alice", "a source of some length", NOW, &id),
                                 0);
        assert_int_equal(state_failure_add(f->state, "alice", STATE_WAY_CODE, NOW, NULL), 0);
        assert_int_equal(state_recovery_replace(f->state, alice, &hash, 1, NOW), 0);
        assert_int_equal(state_block_add(f->state, "tty1", NOW, "", NOW), 0);
        assert_int_equal(state_totp_enroll(f->state, alice, "x", 1, NOW), 0);
        fixture_close(f);
}

static void move(const Fixture *f, const char *from, const char *to) {
        assert_int_equal(rename(fixture_path(f, from), fixture_path(f, to)), 0);
}

static void a_new_folder_gets_a_state_for_its_owner_only(void **state) {
        static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "state.lock"};
        mode_t mask = umask(0);
        Fixture *f = *state;
        struct stat st;
        int64_t id;

        fixture_open(f);
        assert_true(state_is_new(f->state));
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), 0);
        (void)umask(mask);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(lstat(fixture_path(f, names[i]), &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
        assert_int_equal(access(fixture_path(f, "state.db.new"), F_OK), -1);
        assert_int_equal(fixture_integer(f, "PRAGMA user_version"), 2);
        fixture_reopen(f, NOW);
        assert_false(state_is_new(f->state));
}

static void a_second_writer_is_refused(void **state) {
        Fixture *f = *state;
        int64_t id;

        fixture_open(f);
        fixture_refused(f, -EBUSY, "state.lock: another broker has this state open; stop it first");
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), 0);
        fixture_refused(f, -EBUSY, "state.lock");
        fixture_close(f);
        fixture_open(f);
}

static int open_elsewhere(Fixture *f) {
        return fixture_refuses(f, -EBUSY, "another broker");
}

static void a_second_process_is_refused(void **state) {
        Fixture *f = *state;

        fixture_open(f);
        fixture_apart(f, open_elsewhere);
}

/* Whoever holds the file with another program for a moment makes a call fail, and nothing else. */
static void another_program_that_writes_is_waited_for_and_then_refused(void **state) {
        Fixture *f = *state;
        sqlite3 *db = NULL;
        StateCount count;
        int64_t id = -5;

        fixture_open(f);
        assert_int_equal(sqlite3_open(fixture_path(f, "state.db"), &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), -EBUSY);
        assert_int_equal(state_failure_clear(f->state, "alice", STATE_WAY_CODE), -EBUSY);
        assert_int_equal(id, -5);
        assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(state_attempt_count_user(f->state, "alice", NOW, HOUR, &count), 0);
        assert_int_equal(count.n, 0);
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), 0);
}

static void links_are_not_followed(void **state) {
        static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "state.lock"};
        Fixture *f = *state;

        prepare(f);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                int has = access(fixture_path(f, names[i]), F_OK);

                if (has == 0)
                        move(f, names[i], "aside");
                else
                        fixture_write(fixture_path(f, "aside"), "", 0);
                assert_int_equal(symlink("aside", fixture_path(f, names[i])), 0);
                fixture_refused(f, -ELOOP, "replace the symbolic link");
                fixture_refused(f, -ELOOP, names[i]);
                assert_int_equal(unlink(fixture_path(f, names[i])), 0);
                if (has == 0)
                        move(f, "aside", names[i]);
        }
        assert_int_equal(symlink("nothing", fixture_path(f, "state.db.new")), 0);
        move(f, "state.db", "kept");
        fixture_open(f); /* a link in the way of a new one is removed, never written through */
        assert_int_equal(access(fixture_path(f, "nothing"), F_OK), -1);
}

static void what_others_can_reach_is_refused(void **state) {
        static const mode_t modes[] = {0640, 0604, 0660, 0606, 0601};
        Fixture *f = *state;

        prepare(f);
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                assert_int_equal(chmod(fixture_path(f, "state.db"), modes[i]), 0);
                fixture_refused(f, -EPERM, "state.db: must be a file of uid");
        }
        assert_int_equal(chmod(fixture_path(f, "state.db"), 0600), 0);
        fixture_write(fixture_path(f, "state.db-wal"), "", 0);
        assert_int_equal(chmod(fixture_path(f, "state.db-wal"), 0620), 0);
        fixture_refused(f, -EPERM, "state.db-wal: must be a file");
        assert_int_equal(unlink(fixture_path(f, "state.db-wal")), 0);
        assert_int_equal(link(fixture_path(f, "state.db"), fixture_path(f, "second")), 0);
        fixture_refused(f, -EPERM, "2 names");
        assert_int_equal(unlink(fixture_path(f, "second")), 0);
        move(f, "state.db", "good");
        assert_int_equal(mkfifo(fixture_path(f, "state.db"), 0600), 0);
        fixture_refused(f, -EPERM, "state.db: must be a file");
        assert_int_equal(unlink(fixture_path(f, "state.db")), 0);
        assert_int_equal(mkdir(fixture_path(f, "state.db"), 0700), 0);
        fixture_refused(f, -EPERM, "state.db: must be a file");
        assert_int_equal(rmdir(fixture_path(f, "state.db")), 0);
        move(f, "good", "state.db");
        fixture_open(f);
}

static void what_belongs_to_others_is_refused(void **state) {
        Fixture *f = *state;

        if (geteuid() != 0) {
                print_message("skipped: needs root\n");
                skip();
        }
        prepare(f);
        assert_int_equal(chown(fixture_path(f, "state.db"), FIXTURE_NOBODY, 0), 0);
        fixture_refused(f, -EPERM, "belongs to uid 65534");
        assert_int_equal(chown(fixture_path(f, "state.db"), 0, 0), 0);
        assert_int_equal(chown(f->dir, FIXTURE_NOBODY, 0), 0);
        fixture_refused(f, -EPERM, "belongs to uid 65534");
        assert_int_equal(chown(f->dir, 0, 0), 0);
        fixture_open(f);
}

static void the_folder_must_be_there_and_ours_alone(void **state) {
        Fixture *f = *state;

        assert_int_equal(chmod(f->dir, 0750), 0);
        fixture_refused(f, -EPERM, "0700");
        assert_int_equal(rmdir(f->dir), 0);
        fixture_refused(f, -ENOENT, "create the folder");
        fixture_write(f->dir, "", 0);
        fixture_refused(f, -ENOTDIR, "create the folder");
}

static void a_schema_that_is_not_ours_is_refused(void **state) {
        static const char *const changes[] = {
                "DROP INDEX attempt_source",
                "CREATE TABLE more(x)",
                "CREATE VIEW more AS SELECT 1",
                "CREATE TRIGGER more AFTER UPDATE ON totp BEGIN UPDATE totp SET step = 0; END",
                "DROP TABLE block; CREATE VIEW block AS SELECT 'x' AS source, 0 AS since, 0 AS until, '' AS reason",
                "ALTER TABLE recovery RENAME COLUMN used TO unused",
                "PRAGMA application_id = 1",
                "PRAGMA application_id = 0",
                "PRAGMA user_version = 1",
                "PRAGMA user_version = 0",
                "PRAGMA user_version = -1",
        };
        Fixture *f = *state;

        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                size_t before_size, after_size;
                char *before, *after;

                prepare(f);
                fixture_sql(f, changes[i]);
                before = fixture_read(fixture_path(f, "state.db"), &before_size);
                fixture_refused(f, -EBADMSG, "keep a copy for examination");
                after = fixture_read(fixture_path(f, "state.db"), &after_size);
                assert_int_equal(before_size, after_size);
                assert_memory_equal(before, after, before_size);
                free(before);
                free(after);
                assert_int_equal(unlink(fixture_path(f, "state.db")), 0);
        }
}

static void a_foreign_database_is_refused_and_not_touched(void **state) {
        size_t before_size, after_size;
        char *before, *after;
        Fixture *f = *state;

        fixture_write(fixture_path(f, "state.db"), "", 0);
        fixture_sql(f, "CREATE TABLE bookmarks(x); INSERT INTO bookmarks VALUES(1)");
        before = fixture_read(fixture_path(f, "state.db"), &before_size);
        fixture_refused(f, -EBADMSG, "is damaged, or no database of peerauth");
        after = fixture_read(fixture_path(f, "state.db"), &after_size);
        assert_int_equal(before_size, after_size);
        assert_memory_equal(before, after, before_size);
        free(before);
        free(after);
}

/* The head of every page overwritten in turn, and the file cut short after each. */
static void damage_is_refused_wherever_it_is(void **state) {
        static const char zeros[16];
        Fixture *f = *state;
        size_t size, pages;
        char *good;

        prepare(f);
        good = fixture_read(fixture_path(f, "state.db"), &size);
        assert_int_equal(size % 4096, 0);
        pages = size / 4096;
        assert_true(pages >= 12);
        for (size_t page = 0; page < pages; page++) {
                char *bad = malloc(size);

                assert_non_null(bad);
                memcpy(bad, good, size);
                memcpy(bad + page * 4096, zeros, sizeof(zeros));
                fixture_write(fixture_path(f, "state.db"), bad, size);
                if (memcmp(bad, good, size) != 0) /* a free page may be empty */
                        fixture_refused(f, -EBADMSG, "nothing was changed");
                free(bad);
                fixture_write(fixture_path(f, "state.db"), good, page * 4096); /* an empty file, too */
                fixture_refused(f, -EBADMSG, "nothing was changed");
        }
        fixture_write(fixture_path(f, "state.db"), good, size);
        fixture_open(f);
        free(good);
}

/* Rows that the tables would not take, and an index that lies about its table. */
static void rows_that_make_no_sense_are_refused(void **state) {
        static const char *const changes[] = {
                "PRAGMA ignore_check_constraints = ON; UPDATE failure SET count = 0",
                "PRAGMA ignore_check_constraints = ON; UPDATE attempt SET outcome = 'exempt' WHERE id = 1",
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(user', '(time') WHERE name = "
                "'attempt_user'; PRAGMA writable_schema = RESET; REINDEX; PRAGMA writable_schema = ON; UPDATE "
                "sqlite_schema SET sql = 'CREATE INDEX attempt_user ON attempt(user, time)' WHERE name = 'attempt_user'",
        };
        Fixture *f = *state;

        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                prepare(f);
                fixture_sql(f, changes[i]);
                fixture_refused(f, -EBADMSG, "state.db");
                assert_int_equal(unlink(fixture_path(f, "state.db")), 0);
        }
}

static void a_lost_database_with_its_wal_left_is_not_replaced(void **state) {
        Fixture *f = *state;

        prepare(f);
        move(f, "state.db", "state.db-wal");
        fixture_refused(f, -EBADMSG, "is gone, but state.db-wal tells of one");
        assert_int_equal(access(fixture_path(f, "state.db"), F_OK), -1);
}

static void a_rollback_journal_is_not_played_back(void **state) {
        Fixture *f = *state;

        prepare(f);
        fixture_write(fixture_path(f, "state.db-journal"), "x", 1);
        fixture_refused(f, -EBADMSG, "state.db-journal");
        assert_int_equal(access(fixture_path(f, "state.db-journal"), F_OK), 0);
}

static void what_a_dead_broker_left_half_made_is_begun_again(void **state) {
        Fixture *f = *state;

        fixture_write(fixture_path(f, "state.db.new"), "half", 4);
        fixture_write(fixture_path(f, "state.db.new-wal"), "half", 4);
        fixture_open(f);
        assert_true(state_is_new(f->state));
        assert_int_equal(access(fixture_path(f, "state.db.new"), F_OK), -1);
        assert_int_equal(access(fixture_path(f, "state.db.new-wal"), F_OK), -1);
}

static int as_nobody(Fixture *f) {
        if (chown(f->root, FIXTURE_NOBODY, FIXTURE_NOBODY) < 0 ||
            chown(f->dir, FIXTURE_NOBODY, FIXTURE_NOBODY) < 0 || chmod(f->dir, 0500) < 0 ||
            setresgid(FIXTURE_NOBODY, FIXTURE_NOBODY, FIXTURE_NOBODY) < 0 ||
            setresuid(FIXTURE_NOBODY, FIXTURE_NOBODY, FIXTURE_NOBODY) < 0)
                return FIXTURE_SKIP;
        FIXTURE_CHECK(fixture_refuses(f, -EACCES, "modes 0700 and 0600") == 0);
        FIXTURE_CHECK(chmod(f->dir, 0700) == 0);
        FIXTURE_CHECK(state_open(f->dir, NOW, &f->state, &(char *){NULL}) == 0);
        f->state = state_close(f->state);
        FIXTURE_CHECK(chmod(fixture_path(f, "state.db"), 0400) == 0);
        FIXTURE_CHECK(fixture_refuses(f, -EROFS, "writable") == 0);
        return 0;
}

static void a_folder_or_file_that_cannot_be_written_is_refused(void **state) {
        fixture_apart(*state, as_nobody);
}

static int on_read_only_mount(Fixture *f) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, "size=4m,mode=0700") < 0)
                return FIXTURE_SKIP;
        FIXTURE_CHECK(state_open(f->dir, NOW, &f->state, &(char *){NULL}) == 0);
        f->state = state_close(f->state);
        FIXTURE_CHECK(mount(NULL, f->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
        FIXTURE_CHECK(fixture_refuses(f, -EROFS, "writable") == 0);
        (void)umount2(f->dir, MNT_DETACH);
        return 0;
}

static void a_read_only_file_system_is_refused(void **state) {
        fixture_apart(*state, on_read_only_mount);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(a_new_folder_gets_a_state_for_its_owner_only),
                fixture_test(a_second_writer_is_refused),
                fixture_test(a_second_process_is_refused),
                fixture_test(another_program_that_writes_is_waited_for_and_then_refused),
                fixture_test(links_are_not_followed),
                fixture_test(what_others_can_reach_is_refused),
                fixture_test(what_belongs_to_others_is_refused),
                fixture_test(the_folder_must_be_there_and_ours_alone),
                fixture_test(a_schema_that_is_not_ours_is_refused),
                fixture_test(a_foreign_database_is_refused_and_not_touched),
                fixture_test(damage_is_refused_wherever_it_is),
                fixture_test(rows_that_make_no_sense_are_refused),
                fixture_test(a_lost_database_with_its_wal_left_is_not_replaced),
                fixture_test(a_rollback_journal_is_not_played_back),
                fixture_test(what_a_dead_broker_left_half_made_is_begun_again),
                fixture_test(a_folder_or_file_that_cannot_be_written_is_refused),
                fixture_test(a_read_only_file_system_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
