/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger export: a copy of the ledger for an auditor, as FILE with its signed checkpoint, the key that
 * verifies it and a SHA-256 sum, so that no tool of ours is needed to check it.
 *
 * The same ledger gives the same bytes: nothing here adds a time, a name or an order of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/file_set.h"
#include "cli/snapshot.h"
#include "common/crypto.h"
#include "common/ledger_file.h"

typedef struct Export {
        const char *path;
        bool jsonl;
        Checkpoint checkpoint;
        char sha256[2 * CRYPTO_SHA256_SIZE + 1];
} Export;

PEERAUTH_DEFINE_CLEANUP(LedgerFile *, ledger_file_close);

static int fail_write(int r, const char *path) {
        switch (r) {
        case -EEXIST:
                return cli_fail(
                        CLIENT_EXIT_ERROR,
                        "%s or one of its companions is there already; choose another name, or give --force",
                        path);
        case -EINVAL:
                return cli_fail(CLIENT_EXIT_USAGE,
                                "'%s' is no good name for an export; choose one without control characters "
                                "and backslashes",
                                path);
        case -EINTR:
                return cli_fail(CLIENT_EXIT_ERROR, "interrupted; nothing was written");
        default:
                return cli_fail(CLIENT_EXIT_ERROR, "cannot write %s: %s; nothing was left behind", path,
                                strerror(-r));
        }
}

/* Writes the entries of the SQLite file at path as lines to fd. */
static int write_lines(const char *path, int fd) {
        PEERAUTH_CLEANUP(ledger_file_close_p) LedgerFile *file = NULL;
        _cleanup_free_ char *message = NULL;
        const char *text;
        uint64_t index;
        size_t size;
        FILE *out;
        int r;

        r = ledger_file_open(path, &file, &message);
        if (r < 0)
                return r;
        out = fdopen(dup(fd), "w");
        if (!out)
                return -errno;
        while ((r = ledger_file_next(file, &index, &text, &size)) > 0) {
                if (fwrite(text, 1, size, out) != size || putc('\n', out) == EOF)
                        r = -errno;
                else if (file_set_interrupted())
                        r = -EINTR;
                if (r < 0)
                        break;
        }
        if (fclose(out) != 0 && r >= 0)
                r = -errno;
        return r;
}

/* For JSON lines a scratch copy in SQLite's form is made first, in the folder of the export. */
static int write_jsonl(const Cli *cli, const Snapshot *snapshot, const char *path, int fd) {
        _cleanup_file_set_ FileSet *scratch = NULL;
        int scratch_fd, r;

        r = file_set_new(path, true, &scratch);
        if (r >= 0)
                r = file_set_add(scratch, ".scratch", &scratch_fd);
        if (r >= 0)
                r = snapshot_copy(cli, snapshot, scratch_fd);
        return r < 0 ? r : write_lines(file_set_temporary_path(scratch), fd);
}

static int hash_file(int fd, char ret_hex[2 * CRYPTO_SHA256_SIZE + 1]) {
        uint8_t digest[CRYPTO_SHA256_SIZE];
        CryptoSha256 state;
        char buffer[16384];
        off_t offset = 0;
        ssize_t n;

        crypto_sha256_begin(&state);
        while ((n = pread(fd, buffer, sizeof(buffer), offset)) > 0) {
                crypto_sha256_add(&state, buffer, (size_t)n);
                offset += n;
        }
        if (n < 0)
                return -errno;
        crypto_sha256_end(&state, digest);
        crypto_hex(digest, sizeof(digest), ret_hex);
        return 0;
}

static int add_companion(FileSet *set, const char *suffix, const char *text, const char *end) {
        int fd, r;

        r = file_set_add(set, suffix, &fd);
        if (r >= 0)
                r = file_set_write(fd, text, strlen(text));
        return r < 0 ? r : file_set_write(fd, end, strlen(end));
}

static int add_all(const Cli *cli, const Snapshot *snapshot, FileSet *set, Export *export) {
        _cleanup_free_ char *sum = NULL;
        int fd, r;

        r = file_set_add(set, "", &fd);
        if (r >= 0)
                r = export->jsonl ? write_jsonl(cli, snapshot, export->path, fd)
                                  : snapshot_copy(cli, snapshot, fd);
        if (r >= 0)
                r = hash_file(fd, export->sha256);
        if (r >= 0)
                r = add_companion(set, ".checkpoint", snapshot->note, "");
        if (r >= 0)
                r = add_companion(set, ".vkey", snapshot->vkey, "\n");
        if (r < 0)
                return r;
        if (asprintf(&sum, "%s  %s\n", export->sha256, file_set_name(set)) < 0)
                return -ENOMEM;
        return add_companion(set, ".sha256", sum, "");
}

static int tell(const Cli *cli, const Export *export) {
        _cleanup_record_ Record *record = record_new();

        if (cli->args.quiet)
                return CLIENT_EXIT_OK;
        if (!record)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        record_string(record, "file", "Written", export->path);
        record_uint(record, "entries", "Entries", export->checkpoint.size, NULL);
        record_string(record, "origin", "Origin", export->checkpoint.origin);
        record_string(record, "sha256", "SHA-256", export->sha256);
        record_text(record, "with", "Beside it", ".checkpoint, .vkey, .sha256");
        if (output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return CLIENT_EXIT_OK;
}

static int export_to_stdout(const Cli *cli, const Snapshot *snapshot) {
        const char *folder = getenv("TMPDIR");
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/peerauth-export", folder && *folder ? folder : "/tmp") < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        r = write_jsonl(cli, snapshot, path, STDOUT_FILENO);
        return r < 0 ? fail_write(r, "the standard output") : CLIENT_EXIT_OK;
}

static int export_to_files(const Cli *cli, const Snapshot *snapshot, Export *export) {
        _cleanup_file_set_ FileSet *set = NULL;
        int r;

        r = file_set_new(export->path, cli->args.force, &set);
        if (r >= 0)
                r = add_all(cli, snapshot, set, export);
        if (r >= 0)
                r = file_set_publish(set);
        return r < 0 ? fail_write(r, export->path) : tell(cli, export);
}

int cmd_ledger_export(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(snapshot_done) Snapshot snapshot = {.fd = -1};
        const char *format = cli->args.format ? cli->args.format : "sqlite";
        Export export = {.path = cli->args.output, .jsonl = strcmp(format, "jsonl") == 0};
        int r;

        (void)words;
        if (!export.jsonl && strcmp(format, "sqlite") != 0)
                return cli_fail(CLIENT_EXIT_USAGE, "--format takes sqlite or jsonl, not '%s'", format);
        if (!export.path)
                return cli_fail(CLIENT_EXIT_USAGE, "say where to write the export: --output=FILE");
        if (strcmp(export.path, "-") == 0 && !export.jsonl)
                return cli_fail(CLIENT_EXIT_USAGE,
                                "only --format=jsonl can go to the standard output; give --output=FILE");
        if (crypto_init() < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "libsodium does not start; reinstall it");
        r = snapshot_get(cli, &snapshot);
        if (r != CLIENT_EXIT_OK)
                return r;
        if (checkpoint_verify(snapshot.note, snapshot.vkey, &export.checkpoint) < 0)
                return cli_fail(CLIENT_EXIT_BAD_LEDGER, "the broker's checkpoint is not signed by its own "
                                                        "key; see `journalctl -u peerauth-broker`");
        return strcmp(export.path, "-") == 0 ? export_to_stdout(cli, &snapshot)
                                             : export_to_files(cli, &snapshot, &export);
}
