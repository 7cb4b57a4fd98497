/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fetching the ledger. The broker's file cannot be opened again by its descriptor's name, because it is
 * another account's: who needs a path copies it first.
 */
#include "cli/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/file_set.h"
#include "common/cleanup.h"

enum { CHUNK = 256 * 1024, PROGRESS = 64 * 1024 * 1024 };

void snapshot_done(Snapshot *snapshot) {
        if (snapshot->fd >= 0)
                (void)close(snapshot->fd);
        free(snapshot->note);
        free(snapshot->vkey);
        *snapshot = (Snapshot){.fd = -1};
}

int snapshot_get(Cli *cli, Snapshot *ret_snapshot) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        PEERAUTH_CLEANUP(snapshot_done) Snapshot snapshot = {.fd = -1};
        struct stat st;
        int r;

        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_open_snapshot(cli->bus, &snapshot.fd, &snapshot.note, &snapshot.vkey, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot get a copy of the ledger");
        if (fstat(snapshot.fd, &st) < 0 || !S_ISREG(st.st_mode))
                return cli_fail(CLIENT_EXIT_ERROR,
                                "the broker's copy of the ledger is not a file; restart peerauth-broker");
        snapshot.bytes = (uint64_t)st.st_size;
        *ret_snapshot = snapshot;
        snapshot = (Snapshot){.fd = -1}; /* handed over */
        return CLIENT_EXIT_OK;
}

static void show_progress(const Snapshot *snapshot, uint64_t done) {
        if (isatty(STDERR_FILENO) == 1)
                (void)fprintf(stderr, "\rCopying the ledger: %" PRIu64 " %%%s", done * 100 / snapshot->bytes,
                              done == snapshot->bytes ? "\n" : "");
}

int snapshot_copy(const Cli *cli, const Snapshot *snapshot, int fd) {
        _cleanup_free_ char *buffer = malloc(CHUNK);
        uint64_t done = 0;
        int r;

        if (!buffer)
                return -ENOMEM;
        while (done < snapshot->bytes) {
                uint64_t left = snapshot->bytes - done;
                ssize_t n = pread(snapshot->fd, buffer, left < CHUNK ? left : CHUNK, (off_t)done);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO; /* it became shorter */
                r = file_set_write(fd, buffer, (size_t)n);
                if (r < 0)
                        return r;
                done += (uint64_t)n;
                if (file_set_interrupted())
                        return -EINTR;
                if (!cli->args.quiet && snapshot->bytes > PROGRESS)
                        show_progress(snapshot, done);
        }
        return 0;
}
