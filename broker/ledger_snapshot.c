/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Consistent copies of the ledger for auditors. Works on connections of its own, so that it can run in
 * a thread beside the writer, and never holds the ledger's key or its Ledger object.
 *
 * VACUUM INTO reads inside one transaction and lays the rows out anew, so the copy depends on the rows
 * only; the head is then read from the copy itself and belongs to exactly that copy.
 */
#include "broker/ledger_snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/ledger.h"
#include "broker/ledger_schema.h"
#include "common/cleanup.h"
#include "common/crypto.h"

#define PREFIX "snapshot-"
#define SUFFIX ".tmp"

PEERAUTH_DEFINE_CLEANUP(sqlite3 *, ledger_schema_close);
#define _cleanup_db_ PEERAUTH_CLEANUP(ledger_schema_close_p)

/* The random name keeps two snapshots apart that are made at the same time. */
static char *temporary_path(const char *folder) {
        uint8_t random[8];
        char hex[2 * sizeof(random) + 1], *path;

        crypto_random(random, sizeof(random));
        crypto_hex(random, sizeof(random), hex);
        return asprintf(&path, "%s/" PREFIX "%s" SUFFIX, folder, hex) < 0 ? NULL : path;
}

static int copy_into(const char *folder, const char *target) {
        _cleanup_free_ char *source = ledger_dir_file(folder, LEDGER_DIR_DATABASE);
        _cleanup_db_ sqlite3 *db = NULL;
        sqlite3_stmt *stmt = NULL;
        int rc, r;

        if (!source)
                return -ENOMEM;
        r = ledger_schema_open_readonly(source, &db);
        if (r < 0)
                return r;
        rc = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_bind_text(stmt, 1, target, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        r = ledger_schema_errno(db, rc);
        (void)sqlite3_finalize(stmt);
        return r;
}

static int read_head(const char *path, LedgerSnapshot *snapshot) {
        _cleanup_db_ sqlite3 *db = NULL;
        MerkleFrontier tree;
        int r;

        r = ledger_schema_open_readonly(path, &db);
        if (r >= 0)
                r = ledger_schema_size(db, &snapshot->size);
        if (r >= 0)
                r = ledger_schema_frontier(db, snapshot->size, &tree);
        if (r < 0)
                return r;
        snapshot->root = merkle_root(&tree);
        return 0;
}

static int make(const char *folder, const char *path, LedgerSnapshot *ret_snapshot) {
        /* Made here and not by SQLite, so that it is ours and 0600 from the start. */
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        LedgerSnapshot snapshot = {.fd = -1};
        int r;

        if (fd < 0)
                return -errno;
        r = copy_into(folder, path);
        if (r >= 0)
                r = read_head(path, &snapshot);
        if (r < 0)
                return r;
        if (fchmod(fd, 0400) < 0)
                return -errno;
        snapshot.fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (snapshot.fd < 0)
                return -errno;
        *ret_snapshot = snapshot;
        return 0;
}

int ledger_snapshot(const char *state_dir, LedgerSnapshot *ret_snapshot) {
        _cleanup_free_ char *folder = realpath(state_dir, NULL), *path = NULL;
        int r;

        if (!folder)
                return -errno;
        path = temporary_path(folder);
        if (!path)
                return -ENOMEM;
        r = make(folder, path, ret_snapshot);
        (void)unlink(path);
        return r;
}

void ledger_snapshot_clean(const LedgerDir *dir) {
        int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!stream) {
                if (fd >= 0)
                        (void)close(fd);
                return;
        }
        while ((entry = readdir(stream))) {
                size_t size = strlen(entry->d_name);

                if (size > strlen(SUFFIX) && strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
                    strcmp(entry->d_name + size - strlen(SUFFIX), SUFFIX) == 0)
                        (void)unlinkat(dir->fd, entry->d_name, 0);
        }
        (void)closedir(stream);
}
