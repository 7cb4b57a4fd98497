/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/ledger_open.c: what a broker refuses to start on, and that it says what to do (attack L3). */
#include "tests/unit/ledger_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

/* What a stranger with the disk runs before rewriting rows: our triggers do not bind him. */
#define DROP_TRIGGERS                                                                                   \
        "DROP TRIGGER entry_delete; DROP TRIGGER node_delete; DROP TRIGGER entry_update; DROP TRIGGER " \
        "node_update;"

static void move(const Fixture *f, const char *from, const char *to) {
        assert_int_equal(rename(fixture_path(f, from), fixture_path(f, to)), 0);
}

static void prepare(Fixture *f, unsigned entries) {
        fixture_open(f);
        fixture_add(f, entries);
        assert_int_equal(ledger_save_checkpoint(f->ledger), 0);
        fixture_close(f);
}

static void a_new_folder_gets_a_ledger_for_its_owner_only(void **state) {
        static const char *const names[] = {"ledger.db", "ledger.key", "ledger.lock", "checkpoint"};
        Fixture *f = *state;
        struct stat st;

        prepare(f, 0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(lstat(fixture_path(f, names[i]), &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
        assert_int_equal(stat(fixture_path(f, "ledger.key"), &st), 0);
        assert_int_equal(st.st_size, 32);
}

static void an_old_copy_of_the_database_is_refused(void **state) {
        Fixture *f = *state;

        prepare(f, 3);
        fixture_copy(fixture_path(f, "ledger.db"), fixture_path(f, "old"));
        prepare(f, 4);
        move(f, "old", "ledger.db");
        fixture_refused(f, -ESTALE, "has 3 entries, but 7 were recorded");
        fixture_refused(f, -ESTALE, "restore the folder from the newest backup");
        /* The documented way on: accept the loss. */
        move(f, "checkpoint", "checkpoint.old");
        fixture_open(f);
        assert_int_equal(ledger_size(f->ledger), 3);
        fixture_add(f, 1);
        fixture_verify(f, 4);
}

/* The end of the table and its nodes removed, schema as before: integrity_check is content with it. */
static void a_dropped_tail_is_refused(void **state) {
        Fixture *f = *state;

        prepare(f, 8);
        fixture_sql(
                fixture_path(f, "ledger.db"),
                "PRAGMA writable_schema = ON;"
                "CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE type = 'trigger';" DROP_TRIGGERS
                "DELETE FROM entry WHERE idx >= 6; DELETE FROM node WHERE (idx + 1) << level > 6;"
                "DELETE FROM sqlite_schema WHERE type = 'trigger';"
                "INSERT INTO sqlite_schema SELECT * FROM kept");
        fixture_refused(f, -ESTALE, "has 6 entries, but 8 were recorded");
}

/* A broker that was killed leaves its last entries in the -wal file only. */
static void a_deleted_wal_is_refused(void **state) {
        Fixture *f = *state;
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                char *message;

                if (ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &message) < 0)
                        _exit(1);
                for (int i = 0; i < 10; i++)
                        if (fixture_stage(f->ledger, "kept in the wal") < 0 || ledger_commit(f->ledger) < 0)
                                _exit(2);
                if (ledger_save_checkpoint(f->ledger) < 0)
                        _exit(3);
                (void)raise(SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(unlink(fixture_path(f, "ledger.db-wal")), 0);
        fixture_refused(f, -ESTALE, "");
}

static void another_history_is_refused(void **state) {
        Fixture *f = *state;

        prepare(f, 5);
        move(f, "ledger.db", "first.db");
        move(f, "checkpoint", "first.checkpoint");
        fixture_open(f); /* the same key, other entries */
        assert_int_equal(ledger_size(f->ledger), 0);
        for (int i = 0; i < 5; i++) {
                assert_int_equal(fixture_stage(f->ledger, "another past"), 0);
                assert_int_equal(ledger_commit(f->ledger), 0);
        }
        fixture_close(f);
        move(f, "first.checkpoint", "checkpoint");
        fixture_refused(f, -ESTALE, "its first 5 entries are not those");

        move(f, "checkpoint", "first.checkpoint"); /* longer than the checkpoint is no excuse */
        prepare(f, 4);
        move(f, "first.checkpoint", "checkpoint");
        fixture_refused(f, -ESTALE, "its first 5 entries are not those");
}

static void a_checkpoint_behind_the_ledger_is_fine(void **state) {
        Fixture *f = *state;

        for (unsigned size = 0; size < 20; size++) {
                prepare(f, 1);
                fixture_copy(fixture_path(f, "checkpoint"), fixture_path(f, "early"));
                prepare(f, size);
                move(f, "early", "checkpoint");
        }
        fixture_open(f);
        fixture_verify(f, 210);
}

static void a_checkpoint_that_is_none_is_refused(void **state) {
        Fixture *f = *state;
        FILE *file;

        prepare(f, 2);
        file = fopen(fixture_path(f, "checkpoint"), "r+e");
        assert_non_null(file);
        assert_int_equal(fputc('E', file), 'E'); /* of "example.org": the signature no longer fits */
        assert_int_equal(fclose(file), 0);
        fixture_refused(f, -EBADMSG, "is not signed by this ledger's key");
        assert_int_equal(truncate(fixture_path(f, "checkpoint"), 0), 0);
        fixture_refused(f, -EBADMSG, "is not a checkpoint");
        assert_int_equal(truncate(fixture_path(f, "checkpoint"), 100000), 0);
        fixture_refused(f, -EBADMSG, "is not a checkpoint");
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        assert_int_equal(symlink("/etc/passwd", fixture_path(f, "checkpoint")), 0);
        fixture_refused(f, -ELOOP, "checkpoint");
}

static void a_lost_database_is_not_replaced_by_an_empty_one(void **state) {
        Fixture *f = *state;

        prepare(f, 2);
        assert_int_equal(truncate(fixture_path(f, "ledger.db"), 0), 0);
        fixture_refused(f, -ESTALE, "is gone");
        assert_int_equal(unlink(fixture_path(f, "ledger.db")), 0);
        fixture_refused(f, -ESTALE, "is gone");
        assert_int_equal(access(fixture_path(f, "ledger.db"), F_OK), -1);
        assert_int_equal(unlink(fixture_path(f, "ledger.key")), 0);
        fixture_refused(f, -ESTALE, "is gone");
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        fixture_open(f);
        assert_int_equal(ledger_size(f->ledger), 0);
}

static void a_key_alone_begins_a_ledger_with_that_key(void **state) {
        char vkey[CHECKPOINT_VKEY_MAX];
        Fixture *f = *state;

        fixture_open(f);
        strcpy(vkey, ledger_vkey(f->ledger));
        fixture_close(f);
        assert_int_equal(unlink(fixture_path(f, "ledger.db")), 0);
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        fixture_open(f);
        assert_string_equal(ledger_vkey(f->ledger), vkey);
}

static void a_key_that_is_gone_or_foreign_is_refused(void **state) {
        Fixture *f = *state;

        prepare(f, 1);
        move(f, "ledger.key", "key");
        fixture_refused(f, -ENOKEY, "ledger.key: is gone");
        assert_int_equal(access(fixture_path(f, "ledger.key"), F_OK), -1);
        fixture_copy(fixture_path(f, "key"), fixture_path(f, "ledger.key"));
        assert_int_equal(truncate(fixture_path(f, "ledger.key"), 31), 0);
        fixture_refused(f, -ENOKEY, "is not a key of 32 bytes");
        assert_int_equal(truncate(fixture_path(f, "ledger.key"), 0), 0);
        assert_int_equal(truncate(fixture_path(f, "ledger.key"), 32), 0); /* a key of zeros */
        fixture_refused(f, -ENOKEY, "is not the key of the ledger beside it");
        assert_int_equal(truncate(fixture_path(f, "ledger.key"), 33), 0);
        fixture_refused(f, -ENOKEY, "is not a key of 32 bytes");
        move(f, "key", "ledger.key");
        fixture_open(f);
}

static void a_key_that_others_could_reach_is_refused(void **state) {
        static const mode_t modes[] = {0640, 0604, 0660, 0610};
        Fixture *f = *state;

        prepare(f, 1);
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                assert_int_equal(chmod(fixture_path(f, "ledger.key"), modes[i]), 0);
                fixture_refused(f, -EPERM, "mode 0600");
        }
        assert_int_equal(chmod(fixture_path(f, "ledger.key"), 0600), 0);
        assert_int_equal(link(fixture_path(f, "ledger.key"), fixture_path(f, "second name")), 0);
        fixture_refused(f, -EPERM, "ledger.key");
        assert_int_equal(unlink(fixture_path(f, "second name")), 0);
        move(f, "ledger.key", "key");
        assert_int_equal(symlink("key", fixture_path(f, "ledger.key")), 0);
        fixture_refused(f, -ELOOP, "symbolic link");
        assert_int_equal(unlink(fixture_path(f, "ledger.key")), 0);
        assert_int_equal(mkfifo(fixture_path(f, "ledger.key"), 0600), 0);
        fixture_refused(f, -EPERM, "ledger.key");
}

static void a_schema_that_is_not_ours_is_refused(void **state) {
        static const char *const changes[] = {
                "DROP TRIGGER entry_update",
                "DROP TRIGGER node_update; CREATE TRIGGER node_update UPDATE ON entry BEGIN SELECT 1; END",
                /* the same length as ours */
                ("DROP TRIGGER node_delete; CREATE TRIGGER node_delete BEFORE DELETE ON meta BEGIN"
                 " SELECT RAISE(ABORT, 'the ledger is append-only'); END"),
                "CREATE TRIGGER more AFTER INSERT ON entry BEGIN SELECT 1; END",
                "CREATE TABLE more(x)",
                "CREATE INDEX more ON entry(body)",
                "CREATE VIEW more AS SELECT 1",
                "DROP TABLE node; CREATE VIEW node AS SELECT 1 AS level, 0 AS idx, zeroblob(32) AS hash",
                "PRAGMA user_version = 2",
                "PRAGMA application_id = 1",
        };
        Fixture *f = *state;

        prepare(f, 2);
        move(f, "ledger.db", "good");
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                fixture_copy(fixture_path(f, "good"), fixture_path(f, "ledger.db"));
                fixture_sql(fixture_path(f, "ledger.db"), changes[i]);
                fixture_refused(f, -EBADMSG, "ledger.db");
                assert_int_equal(unlink(fixture_path(f, "ledger.db")), 0);
        }
        fixture_copy(fixture_path(f, "checkpoint"), fixture_path(f, "ledger.db")); /* no database at all */
        fixture_refused(f, -EBADMSG, "ledger.db");
        assert_int_equal(unlink(fixture_path(f, "ledger.db")), 0);
        assert_int_equal(symlink("good", fixture_path(f, "ledger.db")), 0);
        fixture_refused(f, -ELOOP, "symbolic link");
}

static void the_folder_must_be_there_and_ours_alone(void **state) {
        Fixture *f = *state;

        assert_int_equal(chmod(f->dir, 0750), 0);
        fixture_refused(f, -EPERM, "0700");
        assert_int_equal(chmod(f->dir, 0701), 0);
        fixture_refused(f, -EPERM, "0700");
        assert_int_equal(rmdir(f->dir), 0);
        fixture_refused(f, -ENOENT, "create the folder");
        assert_int_equal(close(open(f->dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
        fixture_refused(f, -ENOTDIR, "create the folder");
        assert_int_equal(unlink(f->dir), 0);
        assert_int_equal(mkdir(f->dir, 0700), 0);
        fixture_open(f);
}

static void a_name_that_cannot_be_an_origin_is_refused(void **state) {
        Fixture *f = *state;
        char *message = NULL;
        Ledger *ledger = NULL;

        assert_int_equal(ledger_open(f->dir, "two words", &ledger, &message), -EINVAL);
        assert_non_null(strstr(message, "two words"));
        free(message);
        fixture_open(f); /* and what was left behind is in nobody's way */
}

/* Runs a check in a child with its own mounts or uid: cmocka's asserts do not work there. */
static int in_child(int (*check)(Fixture *), Fixture *f) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(check(f));
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        return WEXITSTATUS(status);
}

static int open_gives(Fixture *f, int error, const char *word) {
        _cleanup_free_ char *message = NULL;
        Ledger *ledger = NULL;
        int r = ledger_open(f->dir, FIXTURE_ORIGIN, &ledger, &message);

        if (r == error && message && strstr(message, word))
                return 0;
        (void)fprintf(stderr, "ledger_open: %s, expected %s: %s\n", strerror(-r), strerror(-error),
                      message ? message : "");
        return 1;
}

static int as_nobody(Fixture *f) {
        if (chown(f->root, NOBODY, NOBODY) < 0 || chown(f->dir, NOBODY, NOBODY) < 0 ||
            chmod(f->dir, 0500) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return 77;
        if (open_gives(f, -EACCES, "modes 0700 and 0600") != 0)
                return 1;
        if (chmod(f->dir, 0700) < 0 || ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &(char *){NULL}) < 0)
                return 2;
        f->ledger = ledger_close(f->ledger);
        if (chmod(fixture_path(f, "ledger.db"), 0400) < 0)
                return 3;
        return open_gives(f, -EROFS, "writable");
}

static void a_folder_or_file_that_cannot_be_written_is_refused(void **state) {
        Fixture *f = *state;
        int r = in_child(as_nobody, f);

        if (r == 77) {
                print_message("skipped: needs root to become another account\n");
                skip();
        }
        assert_int_equal(r, 0);
        if (geteuid() == 0) /* a folder of another account is refused even where root could write it */
                fixture_refused(f, -EPERM, "belongs to uid 65534");
}

static int on_read_only_mount(Fixture *f) {
        int r;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, "size=4m,mode=0700") < 0)
                return 77;
        if (ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &(char *){NULL}) < 0)
                return 1;
        f->ledger = ledger_close(f->ledger);
        if (mount(NULL, f->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
                return 2;
        r = open_gives(f, -EROFS, "writable");
        (void)umount2(f->dir, MNT_DETACH);
        return r;
}

static void a_read_only_file_system_is_refused(void **state) {
        int r = in_child(on_read_only_mount, *state);

        if (r == 77) {
                print_message("skipped: mounting is not permitted here\n");
                skip();
        }
        assert_int_equal(r, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(a_new_folder_gets_a_ledger_for_its_owner_only),
                fixture_test(an_old_copy_of_the_database_is_refused),
                fixture_test(a_dropped_tail_is_refused),
                fixture_test(a_deleted_wal_is_refused),
                fixture_test(another_history_is_refused),
                fixture_test(a_checkpoint_behind_the_ledger_is_fine),
                fixture_test(a_checkpoint_that_is_none_is_refused),
                fixture_test(a_lost_database_is_not_replaced_by_an_empty_one),
                fixture_test(a_key_alone_begins_a_ledger_with_that_key),
                fixture_test(a_key_that_is_gone_or_foreign_is_refused),
                fixture_test(a_key_that_others_could_reach_is_refused),
                fixture_test(a_schema_that_is_not_ours_is_refused),
                fixture_test(the_folder_must_be_there_and_ours_alone),
                fixture_test(a_name_that_cannot_be_an_origin_is_refused),
                fixture_test(a_folder_or_file_that_cannot_be_written_is_refused),
                fixture_test(a_read_only_file_system_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
