/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ledger in a folder of its own for each test, and the few acts that all ledger tests share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/ledger.h"
#include "common/cleanup.h"
#include "common/ledger_file.h"

#define FIXTURE_ORIGIN "example.org/peerauth/0123abcd/1"

typedef struct Fixture {
        char root[64];  /* removed at the end */
        char dir[80];   /* the state folder */
        Ledger *ledger; /* NULL while closed */
} Fixture;

static inline char *fixture_path(const Fixture *f, const char *name) {
        static char path[4][128];
        static unsigned n;
        char *result = path[n++ % 4];

        (void)snprintf(result, sizeof(path[0]), "%s/%s", f->dir, name);
        return result;
}

static inline int fixture_setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        strcpy(f->root, "/tmp/peerauth-test-XXXXXX");
        if (!mkdtemp(f->root))
                return -1;
        (void)snprintf(f->dir, sizeof(f->dir), "%s/state", f->root);
        *state = f;
        return mkdir(f->dir, 0700);
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static inline int fixture_teardown(void **state) {
        Fixture *f = *state;

        f->ledger = ledger_close(f->ledger);
        (void)nftw(f->root, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

#define fixture_test(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline void fixture_open(Fixture *f) {
        char *message = NULL;
        int r = ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &message);

        if (r != 0)
                fail_msg("ledger_open: %s: %s", strerror(-r), message ? message : "(no message)");
        assert_null(message);
}

static inline void fixture_close(Fixture *f) {
        f->ledger = ledger_close(f->ledger);
}

/* Opening must fail with this error and a message of one line that contains a word. */
static inline void fixture_refused(Fixture *f, int error, const char *word) {
        _cleanup_free_ char *message = NULL;
        Ledger *ledger = NULL;
        int r = ledger_open(f->dir, FIXTURE_ORIGIN, &ledger, &message);

        if (r != error)
                fail_msg("ledger_open: %d (%s), expected %d: %s", r, strerror(-r), error,
                         message ? message : "");
        assert_null(ledger);
        assert_non_null(message);
        if (!strstr(message, word) || strchr(message, '\n'))
                fail_msg("message lacks '%s': %s", word, message);
}

static inline int fixture_stage(Ledger *ledger, const char *note) {
        const LedgerField fields[] = {
                {"user", LEDGER_STRING, {.string = "alice"}},
                {"note", LEDGER_STRING, {.string = note}},
                {0},
        };

        return ledger_stage(ledger, "test", 1700000000000000ULL, fields, NULL);
}

static inline void fixture_add(Fixture *f, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                char note[32];

                (void)snprintf(note, sizeof(note), "n%" PRIu64, ledger_size(f->ledger));
                assert_int_equal(fixture_stage(f->ledger, note), 0);
                assert_int_equal(ledger_commit(f->ledger), 0);
        }
}

/* As a stranger with the disk would: a plain connection, none of our settings. */
static inline void fixture_sql(const char *path, const char *sql) {
        sqlite3 *db = NULL;
        char *error = NULL;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
                fail_msg("%s: %s", sql, error);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline void fixture_copy_fd(int fd, const char *to) {
        _cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        char buffer[4096];
        ssize_t n;

        assert_true(out >= 0);
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                assert_int_equal(write(out, buffer, (size_t)n), n);
        assert_int_equal(n, 0);
}

static inline void fixture_copy(const char *from, const char *to) {
        _cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        fixture_copy_fd(fd, to);
}

/* Writes a snapshot to a file and returns its head. */
static inline LedgerSnapshot fixture_snapshot(const Fixture *f, const char *to) {
        LedgerSnapshot snapshot;
        int r = ledger_snapshot(f->dir, &snapshot);

        if (r != 0)
                fail_msg("ledger_snapshot: %s", strerror(-r));
        fixture_copy_fd(snapshot.fd, to);
        assert_int_equal(close(snapshot.fd), 0);
        return snapshot;
}

/* The open ledger, exported and read by the verifier, holds exactly `size` good entries. */
static inline void fixture_verify(Fixture *f, uint64_t size) {
        _cleanup_free_ char *message = NULL;
        char copy[128], note[CHECKPOINT_NOTE_MAX];
        LedgerVerdict verdict;

        (void)snprintf(copy, sizeof(copy), "%s/verify.db", f->root);
        (void)fixture_snapshot(f, copy);
        assert_int_equal(ledger_checkpoint(f->ledger, note), 0);
        assert_int_equal(ledger_file_verify(copy, note, ledger_vkey(f->ledger), &verdict, &message), 0);
        if (!verdict.good)
                fail_msg("does not verify: %s", verdict.reason);
        assert_int_equal(verdict.size, size);
        assert_int_equal(unlink(copy), 0);
}
