/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/ledger_file.c: reading both kinds of export, and files that are neither. */
#include "tests/unit/export_fixture.h"

static void both_kinds_give_the_same_entries(void **state) {
        const Export *e = *state;
        const char *paths[] = {e->db, e->lines};

        for (size_t k = 0; k < 2; k++) {
                LedgerFile *file = NULL;
                char *message = NULL;
                const char *text;
                uint64_t index;
                size_t size;

                assert_int_equal(ledger_file_open(paths[k], &file, &message), 0);
                for (unsigned i = 0; i < ENTRIES; i++) {
                        assert_int_equal(ledger_file_next(file, &index, &text, &size), 1);
                        assert_int_equal(index, i);
                        assert_int_equal(size, strlen(e->texts[i]));
                        assert_memory_equal(text, e->texts[i], size);
                }
                assert_int_equal(ledger_file_next(file, &index, &text, &size), 0);
                assert_null(ledger_file_close(file));
        }
}

static void write_text(const char *path, const char *text, size_t size) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

static void json_lines_that_are_broken(void **state) {
        static char huge[200000];
        Export *e = *state;

        memset(huge, 'x', sizeof(huge));
        huge[0] = '{';
        write_text(e->changed, huge, sizeof(huge));
        assert_bad(e->changed, e, 0, "entry 0 is too long");
        huge[70000] = '\n';
        write_text(e->changed, huge, 70001);
        assert_bad(e->changed, e, 0, "entry 0 is too long");
        write_text(e->changed, e->texts[0], strlen(e->texts[0]));
        assert_bad(e->changed, e, 0, "entry 0 is cut short");
        write_text(e->changed, "{\0\n", 3);
        assert_bad(e->changed, e, 0, "holds bytes that no entry has");
        write_text(e->changed, "{}\n", 3);
        assert_bad(e->changed, e, 0, "does not have the form of an entry");
        write_text(e->changed, "{\"v\":1,\"index\":", 15);
        assert_bad(e->changed, e, 0, "cut short");
        write_text(e->changed, "{\"v\":1,\"index\":\n", 16);
        assert_bad(e->changed, e, 0, "does not have the form of an entry");
        write_text(e->changed, "{\"v\":2,\"index\":0,\"time\":0,\"kind\":\"x\"}\n", 39);
        assert_bad(e->changed, e, 0, "does not have the form of an entry");
        write_lines(e->changed, e->texts, NULL, ENTRIES);
        assert_int_equal(truncate(e->changed, (off_t)(3 * (strlen(e->texts[0]) + 1) + 10)), 0);
        assert_bad(e->changed, e, 3, "entry 3 is cut short");
}

static void assert_unreadable(const char *path, int error, const char *word) {
        _cleanup_free_ char *message = NULL;
        LedgerFile *file = NULL;
        int r = ledger_file_open(path, &file, &message);

        if (r != error || !message || !strstr(message, word) || strchr(message, '\n'))
                fail_msg("%s: expected %d and '%s', got %d: %s", path, error, word, r,
                         message ? message : "");
        assert_null(file);
}

static void a_file_that_is_no_ledger_is_refused(void **state) {
        static const char *const schemas[] = {
                "DROP TRIGGER entry_update",
                /* the same length as ours */
                ("DROP TRIGGER node_delete; CREATE TRIGGER node_delete BEFORE DELETE ON meta BEGIN"
                 " SELECT RAISE(ABORT, 'the ledger is append-only'); END"),
                "CREATE TRIGGER more AFTER INSERT ON entry BEGIN SELECT 1; END",
                "CREATE VIEW more AS SELECT 1",
                "DROP TABLE entry; CREATE VIEW entry AS SELECT 0 AS idx, 'x' AS body, zeroblob(32) AS leaf",
                "DROP TABLE node; CREATE VIRTUAL TABLE node USING fts5(level, idx, hash)",
                "CREATE INDEX more ON entry(body)",
                "PRAGMA user_version = 2",
                "PRAGMA application_id = 2",
        };
        const Export *e = *state;

        for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
                fixture_copy(e->db, e->changed);
                fixture_sql(e->changed, schemas[i]);
                assert_unreadable(e->changed, -EBADMSG, "not those of a ledger");
        }
        assert_int_equal(truncate(e->changed, 2000), 0);
        assert_unreadable(e->changed, -EBADMSG, "cannot be read as a ledger");
        write_text(e->changed, "SQLite format 3", 16);
        assert_unreadable(e->changed, -EBADMSG, "");
        write_text(e->changed, "hello\n", 6);
        assert_unreadable(e->changed, -EBADMSG, "neither an SQLite ledger nor one in JSON lines");
        assert_int_equal(unlink(e->changed), 0);
        assert_unreadable(e->changed, -ENOENT, "");
        assert_int_equal(mkfifo(e->changed, 0600), 0);
        assert_unreadable(e->changed, -EBADMSG, "not a regular file");
        assert_unreadable(e->fixture.root, -EBADMSG, "not a regular file");
        assert_unreadable("/dev/zero", -EBADMSG, "not a regular file");
}

static void the_live_database_is_told_from_an_export(void **state) {
        Export *e = *state;
        Fixture *f = &e->fixture;

        assert_good(fixture_path(f, "ledger.db"), e, ENTRIES); /* of a broker that ended in order */
        fixture_open(f);
        fixture_add(f, 1);
        assert_unreadable(fixture_path(f, "ledger.db"), -EBADMSG, "in the -wal file beside it");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                export_test(both_kinds_give_the_same_entries),
                export_test(json_lines_that_are_broken),
                export_test(a_file_that_is_no_ledger_is_refused),
                export_test(the_live_database_is_told_from_an_export),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
