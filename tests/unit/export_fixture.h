/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small ledger made by the real writer, exported in both forms, and what the verifier must say of it. */
#pragma once

#include "tests/unit/ledger_fixture.h"

enum { ENTRIES = 11 };

typedef struct Export {
        Fixture fixture; /* first: the teardown is the fixture's */
        char db[128], lines[128], changed[128];
        char note[CHECKPOINT_NOTE_MAX], vkey[CHECKPOINT_VKEY_MAX];
        char *texts[ENTRIES];
} Export;

static inline void write_lines(const char *path, char *const *texts, const int *order, int n) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        for (int i = 0; i < n; i++)
                (void)fprintf(file, "%s\n", texts[order ? order[i] : i]);
        assert_int_equal(fclose(file), 0);
}

static inline int export_setup(void **state) {
        Export *e = calloc(1, sizeof(*e));
        Fixture *f;
        void *made;

        if (!e || fixture_setup(&made) < 0)
                return -1;
        e->fixture = *(Fixture *)made;
        free(made);
        f = &e->fixture;
        fixture_open(f);
        fixture_add(f, ENTRIES);
        for (unsigned i = 0; i < ENTRIES; i++)
                assert_int_equal(ledger_read(f->ledger, i, &e->texts[i]), 0);
        assert_int_equal(ledger_checkpoint(f->ledger, e->note), 0);
        strcpy(e->vkey, ledger_vkey(f->ledger));
        (void)snprintf(e->db, sizeof(e->db), "%s/export.db", f->root);
        (void)snprintf(e->lines, sizeof(e->lines), "%s/export.jsonl", f->root);
        (void)snprintf(e->changed, sizeof(e->changed), "%s/changed?#%%41", f->root); /* nasty for a URI */
        (void)fixture_snapshot(f, e->db);
        write_lines(e->lines, e->texts, NULL, ENTRIES);
        fixture_copy(e->db, e->changed);
        fixture_close(f);
        *state = e;
        return 0;
}

static inline int export_teardown(void **state) {
        Export *e = *state;

        for (unsigned i = 0; i < ENTRIES; i++)
                free(e->texts[i]);
        return fixture_teardown(state);
}

#define export_test(function) cmocka_unit_test_setup_teardown(function, export_setup, export_teardown)

static inline LedgerVerdict verify(const char *path, const char *note, const char *vkey) {
        _cleanup_free_ char *message = NULL;
        LedgerVerdict verdict;
        int r = ledger_file_verify(path, note, vkey, &verdict, &message);

        if (r < 0)
                fail_msg("%s: %s: %s", path, strerror(-r), message ? message : "");
        return verdict;
}

static inline void assert_good(const char *path, const Export *e, uint64_t size) {
        LedgerVerdict verdict = verify(path, e->note, e->vkey);

        if (!verdict.good)
                fail_msg("%s", verdict.reason);
        assert_int_equal(verdict.size, size);
        assert_string_equal(verdict.reason, "");
        assert_int_equal(verdict.checkpoint.size, size);
}

/* index -1: no entry may be named. */
static inline void assert_bad(const char *path, const Export *e, int64_t index, const char *word) {
        LedgerVerdict verdict = verify(path, e->note, e->vkey);

        if (verdict.good)
                fail_msg("verifies, but should say '%s'", word);
        if (verdict.has_bad_index != (index >= 0) || (index >= 0 && verdict.bad_index != (uint64_t)index) ||
            !strstr(verdict.reason, word))
                fail_msg("expected entry %" PRId64 " and '%s', got %d %" PRIu64 ": %s", index, word,
                         verdict.has_bad_index, verdict.bad_index, verdict.reason);
}
