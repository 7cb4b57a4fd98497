/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common/ledger_file_verify.c against a stranger who has the file and may rewrite anything but the
 * signature (attacks L1, L2, L3). The files are made by the real ledger and changed by plain SQL, after
 * the triggers are dropped, and these are put back so that only the contents give the change away.
 */
#include "tests/unit/export_fixture.h"

#include "common/crypto.h"
#include "common/ledger_layout.h"

/* Runs SQL on the copy without triggers, and puts the schema back byte for byte. */
static void change(const Export *e, const char *sql) {
        char *all = sqlite3_mprintf(
                "PRAGMA writable_schema = ON;"
                "CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE type = 'trigger';"
                "DROP TRIGGER meta_insert; DROP TRIGGER meta_update; DROP TRIGGER meta_delete;"
                "DROP TRIGGER entry_insert; DROP TRIGGER entry_update; DROP TRIGGER entry_delete;"
                "DROP TRIGGER node_insert; DROP TRIGGER node_update; DROP TRIGGER node_delete;"
                "%s; INSERT INTO sqlite_schema SELECT * FROM kept",
                sql);

        fixture_copy(e->db, e->changed);
        fixture_sql(e->changed, all);
        sqlite3_free(all);
}

static void both_kinds_of_export_verify(void **state) {
        const Export *e = *state;

        assert_good(e->db, e, ENTRIES);
        assert_good(e->lines, e, ENTRIES);
        assert_good(e->changed, e, ENTRIES);
        change(e, "SELECT 1"); /* the way of changing files changes nothing by itself */
        assert_good(e->changed, e, ENTRIES);
}

static void an_empty_export_verifies_only_with_an_empty_checkpoint(void **state) {
        Export *e = *state;
        Fixture *f = &e->fixture;

        write_lines(e->changed, NULL, NULL, 0);
        assert_bad(e->changed, e, 0, "entry 0 is missing: the checkpoint covers 11 entries");
        assert_int_equal(unlink(fixture_path(f, "ledger.db")), 0);
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        fixture_open(f);
        assert_int_equal(ledger_checkpoint(f->ledger, e->note), 0);
        (void)fixture_snapshot(f, e->db);
        fixture_close(f);
        assert_good(e->changed, e, 0);
        assert_good(e->db, e, 0);
        assert_bad(e->lines, e, 0, "not covered by the checkpoint");
}

/* Attack L1, in the bytes of the file where the value lies. */
static void flip_each_bit(const Export *e, const void *value, size_t size, int64_t index) {
        static unsigned char bytes[1 << 18];
        unsigned char *where = NULL;
        FILE *file = fopen(e->db, "re");
        size_t total;

        assert_non_null(file);
        total = fread(bytes, 1, sizeof(bytes), file);
        assert_int_equal(fclose(file), 0);
        assert_true(total < sizeof(bytes));
        where = memmem(bytes, total, value, size);
        assert_non_null(where);
        file = fopen(e->changed, "r+e");
        assert_non_null(file);
        for (size_t bit = 0; bit < 8 * size; bit++) {
                const unsigned char flipped = where[bit / 8] ^ (unsigned char)(1U << bit % 8);

                (void)fseek(file, (long)(where - bytes) + (long)(bit / 8), SEEK_SET);
                (void)fputc(flipped, file);
                (void)fflush(file);
                assert_bad(e->changed, e, index, "");
                (void)fseek(file, (long)(where - bytes) + (long)(bit / 8), SEEK_SET);
                (void)fputc(where[bit / 8], file);
                (void)fflush(file);
        }
        assert_int_equal(fclose(file), 0);
        assert_good(e->changed, e, ENTRIES);
}

static void each_bit_of_an_entry_and_its_hash(void **state) {
        static const unsigned indexes[] = {0, 5, ENTRIES - 1};
        const Export *e = *state;

        for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
                const char *text = e->texts[indexes[i]];
                MerkleHash leaf = merkle_leaf(text, strlen(text));

                flip_each_bit(e, text, strlen(text), indexes[i]);
                flip_each_bit(e, leaf.bytes, sizeof(leaf.bytes), indexes[i]);
        }
}

/* A wrong node convicts one of the entries under it; the first of them is named. */
static void each_bit_of_a_node(void **state) {
        const Export *e = *state;
        MerkleHash a = merkle_leaf(e->texts[6], strlen(e->texts[6]));
        MerkleHash b = merkle_leaf(e->texts[7], strlen(e->texts[7])), node = merkle_node(&a, &b);

        flip_each_bit(e, node.bytes, sizeof(node.bytes), 6);
}

static void each_bit_of_the_checkpoint(void **state) {
        Export *e = *state;

        for (size_t bit = 0; bit < 8 * strlen(e->note); bit++) {
                e->note[bit / 8] ^= (char)(1U << bit % 8);
                if (e->note[bit / 8] != '\0')
                        assert_bad(e->db, e, -1, "the checkpoint is not");
                e->note[bit / 8] ^= (char)(1U << bit % 8);
        }
        assert_good(e->db, e, ENTRIES);
}

/* What somebody with the file does to it, the entry that must be named (-1: none), and the words for it. */
static const struct SqlCase {
        const char *sql;
        int64_t index;
        const char *word;
} sql_cases[] = {
        {"UPDATE entry SET body = replace(body, 'alice', 'mallory') WHERE idx = 4", 4, "entry 4 was changed"},
        {"UPDATE entry SET leaf = zeroblob(32) WHERE idx = 9", 9, "entry 9 was changed"},
        {"UPDATE node SET hash = zeroblob(32) WHERE level = 2 AND idx = 1", 4, "entries 4 to 7"},
        {"UPDATE node SET hash = zeroblob(32) WHERE level = 3", 0, "entries 0 to 7"},
        {"DELETE FROM node WHERE level = 1 AND idx = 3", 6, "entries 6 to 7"},
        {"INSERT INTO node VALUES(9, 9, zeroblob(32))", -1, "belong to no entry"},
        /* L2: deleted, from the start, the middle and the end, and everything */
        {"DELETE FROM entry WHERE idx = 0", 0, "entry 0 is missing"},
        {"DELETE FROM entry WHERE idx = 5", 5, "entry 5 is missing: the next one is 6"},
        {"DELETE FROM entry WHERE idx = 10", 10, "entry 10 is missing: the checkpoint covers 11"},
        {"DELETE FROM entry WHERE idx >= 8; DELETE FROM node WHERE (idx + 1) << level > 8", 8,
         "entry 8 is missing: the checkpoint covers 11"},
        {"DELETE FROM entry; DELETE FROM node", 0, "entry 0 is missing: the checkpoint covers 11"},
        /* closed up after the deletion */
        {"DELETE FROM entry WHERE idx = 5; "
         "UPDATE entry SET idx = 5 WHERE idx = 6",
         5, "in its place is one that says \"index\":6"},
        /* reordered: two rows swapped, with their hashes */
        {"UPDATE entry SET idx = 99 WHERE idx = 3; UPDATE entry SET idx = 3 WHERE idx = 4;"
         "UPDATE entry SET idx = 4 WHERE idx = 99",
         3, "says \"index\":4"},
        /* doubled and inserted in place of another */
        {"DELETE FROM entry WHERE idx = 7; INSERT INTO entry SELECT 7, body, leaf FROM entry WHERE "
         "idx = 6",
         7, "says \"index\":6"},
        /* appended after the end */
        {"INSERT INTO entry SELECT 11, body, leaf FROM entry WHERE idx = 10", 11,
         "entry 11 and all after it"},
        {"INSERT INTO entry SELECT 1000000, body, leaf FROM entry WHERE idx = 10", 11,
         "entry 11 and all after it"},
        /* hostile contents */
        {"UPDATE entry SET body = printf('%.*c', 100000, 'x') WHERE idx = 2", 2, "entry 2 is too long"},
        {"UPDATE entry SET body = printf('%.*c', 70000, 'x') WHERE idx = 2", 2, "entry 2 is too long"},
        {"UPDATE entry SET body = replace(hex(zeroblob(300000)), '0', 'x') WHERE idx = 2", 2,
         "entry 2 is too long"},
        {"UPDATE entry SET body = body || char(0) || 'x' WHERE idx = 2", 2, "holds bytes that no entry has"},
        {"UPDATE entry SET body = body || char(10) WHERE idx = 2", 2, "holds bytes that no entry has"},
        {"UPDATE entry SET body = '' WHERE idx = 2", 2, "entry 2 was changed"},
        {"UPDATE meta SET value = 'example.org/peerauth/other/1' WHERE key = 'origin'", -1, "another ledger"},
        {"UPDATE meta SET value = 'x' WHERE key = 'vkey'", -1, "another ledger"},
        {"UPDATE meta SET value = '2' WHERE key = 'format'", -1, "meta was changed"},
        {"INSERT INTO meta VALUES('more', 'x')", -1, "meta was changed"},
};

static void sql_changes_are_found_and_named(void **state) {
        const Export *e = *state;

        for (size_t i = 0; i < sizeof(sql_cases) / sizeof(sql_cases[0]); i++) {
                change(e, sql_cases[i].sql);
                assert_bad(e->changed, e, sql_cases[i].index, sql_cases[i].word);
        }
}

static void sha256_function(sqlite3_context *context, int n, sqlite3_value **values) {
        uint8_t hash[CRYPTO_SHA256_SIZE];

        (void)n;
        crypto_sha256(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]), NULL, 0, hash);
        sqlite3_result_blob(context, hash, sizeof(hash), SQLITE_TRANSIENT);
}

/* Rewrites an entry and makes every hash below `levels` fit again, as a careful forger would. */
static void forge(const Export *e, unsigned index, unsigned levels) {
        sqlite3 *db;
        char *sql = sqlite3_mprintf("UPDATE entry SET body = replace(body, 'alice', 'mallo') WHERE idx = %u;"
                                    "UPDATE entry SET leaf = sha256(x'00' || body) WHERE idx = %u;",
                                    index, index);

        change(e, "DELETE FROM kept; INSERT INTO kept SELECT * FROM sqlite_schema WHERE 0");
        assert_int_equal(sqlite3_open(e->changed, &db), SQLITE_OK);
        assert_int_equal(
                sqlite3_create_function(db, "sha256", 1, SQLITE_UTF8, NULL, sha256_function, NULL, NULL),
                SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_free(sql);
        for (unsigned level = 1; level <= levels; level++) {
                sql = sqlite3_mprintf(
                        "UPDATE node SET hash = sha256(x'01' || (SELECT hash FROM (SELECT 0 AS level, idx, "
                        "leaf AS hash"
                        " FROM entry UNION ALL SELECT level, idx, hash FROM node) WHERE level = %u AND idx = "
                        "%u) ||"
                        " (SELECT hash FROM (SELECT 0 AS level, idx, leaf AS hash FROM entry UNION ALL "
                        "SELECT level,"
                        " idx, hash FROM node) WHERE level = %u AND idx = %u)) WHERE level = %u AND idx = %u",
                        level - 1, index >> level << 1, level - 1, (index >> level << 1) + 1, level,
                        index >> level);
                assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
                sqlite3_free(sql);
        }
        assert_int_equal(sqlite3_exec(db, LEDGER_LAYOUT_TRIGGERS, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_careful_forger_is_found_and_nobody_is_named_without_proof(void **state) {
        const Export *e = *state;

        forge(e, 5, 0);
        assert_bad(e->changed, e, 4, "entries 4 to 5 do not hash to the node");
        forge(e, 5, 1);
        assert_bad(e->changed, e, 4, "entries 4 to 7 do not hash to the node");
        forge(e, 5, 2);
        assert_bad(e->changed, e, 0, "entries 0 to 7 do not hash to the node");
        forge(e, 5, 3); /* everything fits again, except what was signed */
        assert_bad(e->changed, e, -1, "cannot be told");
        forge(e, 10, 0); /* the last entry is under no stored node */
        assert_bad(e->changed, e, -1, "cannot be told");
}

static void json_lines_in_another_order(void **state) {
        static const struct {
                int order[ENTRIES + 1];
                int n;
                int64_t index;
                const char *word;
        } cases[] = {
                {{0, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10}, 11, 3, "says \"index\":4"},
                {{0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 12, 3, "says \"index\":2"},
                {{0, 1, 2, 3, 5, 6, 7, 8, 9, 10}, 10, 4, "says \"index\":5"},
                {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10, 0, "says \"index\":1"},
                {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10, 10, "entry 10 is missing"},
                {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10}, 12, 11, "entry 11 and all after it"},
        };
        const Export *e = *state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                write_lines(e->changed, e->texts, cases[i].order, cases[i].n);
                assert_bad(e->changed, e, cases[i].index, cases[i].word);
        }
}

/* Without stored hashes an edit shows in the root only, and the reason says that. */
static void an_edited_json_line(void **state) {
        Export *e = *state;
        char *note = strstr(e->texts[6], "alice");

        *note = 'A';
        write_lines(e->changed, e->texts, NULL, ENTRIES);
        assert_bad(e->changed, e, -1, "which was changed cannot be told");
        *note = '\x1b';
        write_lines(e->changed, e->texts, NULL, ENTRIES);
        assert_bad(e->changed, e, 6, "entry 6 holds bytes that no entry has");
}

static void the_checkpoint_and_key_of_another_ledger(void **state) {
        Export *e = *state;
        Fixture *f = &e->fixture;
        char *message = NULL, other_vkey[CHECKPOINT_VKEY_MAX], other_note[CHECKPOINT_NOTE_MAX];
        LedgerVerdict verdict;

        assert_int_equal(unlink(fixture_path(f, "ledger.db")), 0);
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        assert_int_equal(unlink(fixture_path(f, "ledger.key")), 0);
        fixture_open(f);
        fixture_add(f, ENTRIES);
        strcpy(other_vkey, ledger_vkey(f->ledger));
        assert_int_equal(ledger_checkpoint(f->ledger, other_note), 0);

        verdict = verify(e->db, e->note, other_vkey);
        assert_false(verdict.good);
        assert_non_null(strstr(verdict.reason, "not signed by the verifier key"));
        verdict = verify(e->db, other_note,
                         other_vkey); /* the same entries, but not this ledger's signature */
        assert_false(verdict.good);
        assert_non_null(strstr(verdict.reason, "names another ledger"));
        verdict = verify(e->db, "nonsense", e->vkey);
        assert_false(verdict.good);
        assert_non_null(strstr(verdict.reason, "malformed"));
        assert_int_equal(ledger_file_verify(e->db, e->note, "nonsense", &verdict, &message), -EINVAL);
        assert_non_null(message);
        free(message);
}

/* Flips over the whole file: page headers, cell pointers, free space. Whatever they do to SQLite, a file
 * that still counts as good must give the very entries that were signed. */
static void flips_anywhere_never_give_other_entries(void **state) {
        const Export *e = *state;
        struct stat st;
        unsigned good = 0, bad = 0;
        FILE *file;

        assert_int_equal(stat(e->changed, &st), 0);
        file = fopen(e->changed, "r+e");
        assert_non_null(file);
        for (long at = 0; at < st.st_size; at += 5) {
                _cleanup_free_ char *message = NULL;
                LedgerVerdict verdict = {0};
                int byte;

                (void)fseek(file, at, SEEK_SET);
                byte = fgetc(file);
                (void)fseek(file, at, SEEK_SET);
                (void)fputc(byte ^ (1 << at % 8), file);
                (void)fflush(file);
                if (ledger_file_verify(e->changed, e->note, e->vkey, &verdict, &message) == 0 && verdict.good)
                        assert_int_equal(verdict.size, ENTRIES);
                good += verdict.good;
                bad += !verdict.good;
                (void)fseek(file, at, SEEK_SET);
                (void)fputc(byte, file);
                (void)fflush(file);
        }
        assert_int_equal(fclose(file), 0);
        assert_true(bad > 0);
        print_message("%u flips refused, %u in bytes that hold nothing\n", bad, good);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                export_test(both_kinds_of_export_verify),
                export_test(an_empty_export_verifies_only_with_an_empty_checkpoint),
                export_test(each_bit_of_an_entry_and_its_hash),
                export_test(each_bit_of_a_node),
                export_test(each_bit_of_the_checkpoint),
                export_test(sql_changes_are_found_and_named),
                export_test(a_careful_forger_is_found_and_nobody_is_named_without_proof),
                export_test(json_lines_in_another_order),
                export_test(an_edited_json_line),
                export_test(the_checkpoint_and_key_of_another_ledger),
                export_test(flips_anywhere_never_give_other_entries),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
