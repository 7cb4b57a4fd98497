/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A state.db in a folder of its own for each test, and the few acts that all state tests share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/state.h"
#include "common/cleanup.h"

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)
#define NOW    (UINT64_C(1700000000) * SECOND)

enum { FIXTURE_SKIP = 77, FIXTURE_NOBODY = 65534 };

typedef struct Fixture {
        char root[64]; /* removed at the end */
        char dir[80];  /* the state folder */
        State *state;  /* NULL while closed */
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

        f->state = state_close(f->state);
        (void)nftw(f->root, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static inline void fixture_open_at(Fixture *f, uint64_t now) {
        char *message = NULL;
        int r = state_open(f->dir, now, &f->state, &message);

        if (r != 0)
                fail_msg("state_open: %s: %s", strerror(-r), message ? message : "(no message)");
        assert_null(message);
}

static inline void fixture_open(Fixture *f) {
        fixture_open_at(f, NOW);
}

static inline int fixture_setup_open(void **state) {
        int r = fixture_setup(state);

        if (r == 0)
                fixture_open(*state);
        return r;
}

#define fixture_test(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
#define fixture_test_open(function) \
        cmocka_unit_test_setup_teardown(function, fixture_setup_open, fixture_teardown)

static inline void fixture_close(Fixture *f) {
        f->state = state_close(f->state);
}

static inline void fixture_reopen(Fixture *f, uint64_t now) {
        fixture_close(f);
        fixture_open_at(f, now);
}

/* 0 if opening fails with this error and a message of one line that contains a word; says why not. */
static inline int fixture_refuses(const Fixture *f, int error, const char *word) {
        _cleanup_free_ char *message = NULL;
        State *state = NULL;
        int r = state_open(f->dir, NOW, &state, &message);

        (void)state_close(state);
        if (r == error && message && strstr(message, word) && !strchr(message, '\n'))
                return 0;
        (void)fprintf(stderr, "state_open: %s, expected %s with '%s': %s\n", strerror(-r), strerror(-error),
                      word, message ? message : "");
        return 1;
}

static inline void fixture_refused(const Fixture *f, int error, const char *word) {
        assert_int_equal(fixture_refuses(f, error, word), 0);
}

/* As a stranger with the disk would: a plain connection, none of our settings. */
static inline void fixture_sql(const Fixture *f, const char *sql) {
        sqlite3 *db = NULL;
        char *error = NULL;

        assert_int_equal(sqlite3_open(fixture_path(f, "state.db"), &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
                fail_msg("%s: %s", sql, error);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline int64_t fixture_integer(const Fixture *f, const char *sql) {
        sqlite3_stmt *stmt = NULL;
        sqlite3 *db = NULL;
        int64_t result;

        assert_int_equal(sqlite3_open(fixture_path(f, "state.db"), &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        result = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_finalize(stmt);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        return result;
}

/* A whole file; caller frees. */
static inline char *fixture_read(const char *path, size_t *ret_size) {
        FILE *file = fopen(path, "re");
        char *data;
        long size;

        assert_non_null(file);
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        size = ftell(file);
        assert_true(size >= 0);
        rewind(file);
        data = malloc((size_t)size + 1);
        assert_non_null(data);
        assert_int_equal(fread(data, 1, (size_t)size, file), size);
        assert_int_equal(fclose(file), 0);
        *ret_size = (size_t)size;
        return data;
}

static inline void fixture_write(const char *path, const void *data, size_t size) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
}

/* Runs a check in a child with its own mounts or uid; cmocka's asserts do not work there. FIXTURE_SKIP skips.
 */
static inline void fixture_apart(Fixture *f, int (*check)(Fixture *)) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(check(f));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == FIXTURE_SKIP) {
                print_message("skipped: needs root\n");
                skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* For children: says which condition failed. */
#define FIXTURE_CHECK(condition)                                                      \
        do {                                                                          \
                if (!(condition)) {                                                   \
                        (void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
                        return 1;                                                     \
                }                                                                     \
        } while (0)
