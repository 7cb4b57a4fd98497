/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger checkpoint: the signed head of the ledger, as text that can be kept somewhere else and given to
 * `ledger verify --checkpoint` later. Keeping one elsewhere is what makes a removed tail visible.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "common/checkpoint.h"
#include "common/crypto.h"
#include "common/text.h"

/* Prints the note byte for byte, if it does nothing to a terminal. */
static int print_note(const char *note) {
        while (*note) {
                size_t size = strcspn(note, "\n");
                _cleanup_free_ char *line = strndup(note, size);

                if (!line || !note[size] || !text_is_safe(line, CHECKPOINT_NOTE_MAX))
                        return cli_fail(
                                CLIENT_EXIT_ERROR,
                                "the broker's checkpoint has the wrong form; restart peerauth-broker");
                (void)puts(line);
                note += size + 1;
        }
        return CLIENT_EXIT_OK;
}

static int print_json(const Cli *cli, const Checkpoint *checkpoint, const char *note, const char *vkey) {
        _cleanup_record_ Record *record = record_new();
        char root[2 * MERKLE_HASH_SIZE + 1];

        if (!record)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        crypto_hex(checkpoint->root.bytes, sizeof(checkpoint->root.bytes), root);
        record_string(record, "origin", NULL, checkpoint->origin);
        record_uint(record, "entries", NULL, checkpoint->size, NULL);
        record_string(record, "root", NULL, root);
        record_string(record, "vkey", NULL, vkey);
        record_string(record, "checkpoint", NULL, note);
        if (output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return CLIENT_EXIT_OK;
}

int cmd_ledger_checkpoint(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *note = NULL, *vkey = NULL;
        Checkpoint checkpoint;
        int r;

        (void)words;
        if (crypto_init() < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "libsodium does not start; reinstall it");
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_get_checkpoint(cli->bus, &note, &vkey, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot get the checkpoint");
        if (checkpoint_verify(note, vkey, &checkpoint) < 0)
                return cli_fail(CLIENT_EXIT_BAD_LEDGER, "the broker's checkpoint is not signed by its own "
                                                        "key; see `journalctl -u peerauth-broker`");
        return cli->style.json != JSON_OFF ? print_json(cli, &checkpoint, note, vkey) : print_note(note);
}
