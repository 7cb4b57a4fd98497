/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger verify: recompute the whole tree and compare it with a signed checkpoint.
 *
 * Everything it reads is foreign. It must never call a ledger good by default: the one line that does stands
 * in tell().
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/earlier.h"
#include "cli/file_set.h"
#include "cli/snapshot.h"
#include "common/crypto.h"
#include "common/ledger_file.h"

enum { SMALL_FILE_MAX = 4096 };

typedef struct Proof {
        const char *path;  /* of the ledger */
        const char *shown; /* what a person calls it */
        char *note, *vkey;
        char *earlier; /* note that was kept elsewhere, or NULL */
        bool own_key;  /* the key came with the ledger */
} Proof;

static void proof_done(Proof *proof) {
        free(proof->note);
        free(proof->vkey);
        free(proof->earlier);
}

/* 0, or a negative errno; -EBADMSG if it is too long for a key or checkpoint, or no text. */
static int read_small(const char *path, char **ret_text) {
        _cleanup_free_ char *text = calloc(1, SMALL_FILE_MAX + 1);
        _cleanup_fclose_ FILE *f = NULL;
        size_t n;

        if (!text)
                return -ENOMEM;
        f = fopen(path, "re");
        if (!f)
                return -errno;
        n = fread(text, 1, SMALL_FILE_MAX + 1, f);
        if (ferror(f))
                return -EIO;
        if (n > SMALL_FILE_MAX || memchr(text, '\0', n))
                return -EBADMSG;
        *ret_text = STEAL_PTR(text);
        return 0;
}

/* Reads given, or else the ledger's companion with suffix. */
static int read_companion(const char *ledger, const char *given, const char *suffix, char **ret_text) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (!given && asprintf(&path, "%s%s", ledger, suffix) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        r = read_small(given ? given : path, ret_text);
        if (r < 0)
                return cli_fail(r == -ENOENT && given ? CLIENT_EXIT_USAGE : CLIENT_EXIT_ERROR,
                                "cannot read %s: %s; name it with --%s", given ? given : path, strerror(-r),
                                suffix + 1);
        return CLIENT_EXIT_OK;
}

/* --vkey is the key itself (name+hex+base64), or a file with it. */
static int read_key(const Cli *cli, const char *ledger, char **ret_vkey) {
        const char *given = cli->args.vkey;
        int r;

        if (given && strchr(given, '+') && access(given, F_OK) < 0) {
                *ret_vkey = strdup(given);
                return *ret_vkey ? CLIENT_EXIT_OK : cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        }
        r = read_companion(ledger, given, ".vkey", ret_vkey);
        if (r == CLIENT_EXIT_OK)
                (*ret_vkey)[strcspn(*ret_vkey, "\r\n")] = '\0';
        return r;
}

static void hex_root(const MerkleHash *root, char ret[2 * MERKLE_HASH_SIZE + 1]) {
        crypto_hex(root->bytes, sizeof(root->bytes), ret);
}

static int tell(const Cli *cli, const Proof *proof, const LedgerVerdict *verdict) {
        _cleanup_record_ Record *record = record_new();
        char root[2 * MERKLE_HASH_SIZE + 1];

        if (!record)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        hex_root(&verdict->checkpoint.root, root);
        record_string(record, "ledger", "Ledger", proof->shown);
        record_bool(record, "good", "Verified", verdict->good);
        record_uint(record, "entries", "Entries", verdict->size, NULL);
        if (verdict->good) { /* else the checkpoint may be anything */
                record_string(record, "root", "Root", root);
                record_string(record, "origin", "Origin", verdict->checkpoint.origin);
        }
        record_string(record, "vkey", "Key", proof->vkey);
        if (verdict->has_bad_index)
                record_uint(record, "bad-entry", "First bad entry", verdict->bad_index, NULL);
        if (!verdict->good)
                record_string(record, "reason", "Reason", verdict->reason);
        if ((!cli->args.quiet || cli->style.json != JSON_OFF) && output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        if (verdict->good) {
                if (proof->own_key && !cli->args.quiet && cli->style.json == JSON_OFF)
                        cli_say(cli, "The key came with the ledger: compare it with the one that you noted, "
                                     "or give --vkey.");
                return CLIENT_EXIT_OK;
        }
        if (verdict->has_bad_index)
                return cli_fail(CLIENT_EXIT_BAD_LEDGER,
                                "%s does not verify: entry %" PRIu64
                                ": %s; keep it, and compare it with an older export",
                                proof->shown, verdict->bad_index, verdict->reason);
        return cli_fail(CLIENT_EXIT_BAD_LEDGER,
                        "%s does not verify: %s; keep it, and compare it with an older export", proof->shown,
                        verdict->reason);
}

static int verify(const Cli *cli, const Proof *proof) {
        _cleanup_free_ char *message = NULL;
        LedgerVerdict verdict = {0};
        int r;

        r = ledger_file_verify(proof->path, proof->note, proof->vkey, &verdict, &message);
        if (r >= 0 && verdict.good && proof->earlier)
                r = earlier_compare(proof->path, proof->earlier, proof->vkey, &verdict);
        if (r == -EBADMSG) /* it is there, but no ledger: that is a ledger that does not verify */
                return cli_fail(CLIENT_EXIT_BAD_LEDGER, "does not verify: %s",
                                message ? message : proof->shown);
        if (r < 0)
                return cli_fail(r == -EINVAL && cli->args.vkey ? CLIENT_EXIT_USAGE : CLIENT_EXIT_ERROR,
                                "cannot verify %s: %s", proof->shown, message ? message : strerror(-r));
        return tell(cli, proof, &verdict);
}

/* --checkpoint is one that was kept elsewhere; for a file without a companion it is the only one. */
static int read_checkpoints(const Cli *cli, const char *path, Proof *proof) {
        _cleanup_free_ char *companion = NULL;
        int r = CLIENT_EXIT_OK;

        if (cli->args.checkpoint)
                r = read_companion(path, cli->args.checkpoint, ".checkpoint", &proof->earlier);
        if (r != CLIENT_EXIT_OK)
                return r;
        if (asprintf(&companion, "%s.checkpoint", path) < 0) {
                companion = NULL;
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        }
        if (proof->earlier && access(companion, F_OK) < 0) {
                proof->note = STEAL_PTR(proof->earlier);
                return CLIENT_EXIT_OK;
        }
        return read_companion(path, NULL, ".checkpoint", &proof->note);
}

static int verify_file(const Cli *cli, const char *path) {
        PEERAUTH_CLEANUP(proof_done) Proof proof = {.path = path, .shown = path, .own_key = !cli->args.vkey};
        int r;

        if (access(path, R_OK) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "cannot read %s: %m", path);
        r = read_checkpoints(cli, path, &proof);
        if (r == CLIENT_EXIT_OK)
                r = read_key(cli, path, &proof.vkey);
        return r == CLIENT_EXIT_OK ? verify(cli, &proof) : r;
}

/* The library that reads the ledger needs a path, so the broker's copy is copied once more. */
static int verify_snapshot(const Cli *cli, const Snapshot *snapshot, Proof *proof) {
        const char *folder = getenv("TMPDIR");
        _cleanup_file_set_ FileSet *scratch = NULL;
        _cleanup_free_ char *path = NULL;
        int fd, r;

        if (asprintf(&path, "%s/peerauth-verify", folder && *folder ? folder : "/tmp") < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        r = file_set_new(path, true, &scratch);
        if (r >= 0)
                r = file_set_add(scratch, "", &fd);
        if (r >= 0)
                r = snapshot_copy(cli, snapshot, fd);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "cannot copy the ledger to %s: %s; point TMPDIR to a folder with room", path,
                                strerror(-r));
        proof->path = file_set_temporary_path(scratch);
        return verify(cli, proof);
}

static int verify_broker(Cli *cli) {
        PEERAUTH_CLEANUP(snapshot_done) Snapshot snapshot = {.fd = -1};
        PEERAUTH_CLEANUP(proof_done)
        Proof proof = {.shown = "the broker's ledger", .own_key = !cli->args.vkey};
        int r;

        r = snapshot_get(cli, &snapshot);
        if (r != CLIENT_EXIT_OK)
                return r;
        proof.note = STEAL_PTR(snapshot.note);
        if (cli->args.checkpoint) {
                r = read_companion("", cli->args.checkpoint, ".checkpoint", &proof.earlier);
                if (r != CLIENT_EXIT_OK)
                        return r;
        }
        if (cli->args.vkey) {
                r = read_key(cli, "", &proof.vkey);
                if (r != CLIENT_EXIT_OK)
                        return r;
        } else
                proof.vkey = STEAL_PTR(snapshot.vkey);
        return verify_snapshot(cli, &snapshot, &proof);
}

int cmd_ledger_verify(Cli *cli, char **words) {
        if (crypto_init() < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "libsodium does not start; reinstall it");
        return words[0] ? verify_file(cli, words[0]) : verify_broker(cli);
}
