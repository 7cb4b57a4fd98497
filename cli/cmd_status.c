/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status: whether the product works on this host, and what this person may do with it. */

#include "cli/cli.h"
#include "cli/request_view.h"
#include "common/checkpoint.h"
#include "common/crypto.h"

static void add_statistics(Record *record, const ClientStatistics *statistics) {
        char text[REQUEST_VIEW_SPAN];

        record_string(record, PEERAUTH_KEY_VERSION, "Version", statistics->version);
        record_uint(record, PEERAUTH_KEY_STARTED, "Since", statistics->started_usec,
                    request_view_time(statistics->started_usec, text));
        record_bool(record, PEERAUTH_KEY_POLICY_VALID, "Policy valid", statistics->policy_valid);
        record_string(record, PEERAUTH_KEY_POLICY_MESSAGE, "Policy error", statistics->policy_message);
        record_uint(record, PEERAUTH_KEY_PENDING, "Requests waiting", statistics->pending, NULL);
        record_uint(record, PEERAUTH_KEY_SUBSCRIBERS, "Listeners", statistics->subscribers, NULL);
        record_uint(record, PEERAUTH_KEY_LEDGER_SIZE, "Ledger entries", statistics->ledger_size, NULL);
        record_string(record, PEERAUTH_KEY_LEDGER_MESSAGE, "Ledger error", statistics->ledger_message);
        if (statistics->roles) /* a broker that does not say is no answer */
                record_strings(record, PEERAUTH_KEY_ROLES, "You are", statistics->roles);
}

static void add_checkpoint(Cli *cli, Record *record) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *note = NULL, *vkey = NULL;
        char root[2 * MERKLE_HASH_SIZE + 1];
        Checkpoint checkpoint;

        if (client_get_checkpoint(cli->bus, &note, &vkey, &error) < 0 ||
            checkpoint_parse(note, &checkpoint) < 0)
                return; /* auditors only; or the ledger is unavailable, which stands there already */
        crypto_hex(checkpoint.root.bytes, sizeof(checkpoint.root.bytes), root);
        record_string(record, "origin", "Ledger origin", checkpoint.origin);
        record_string(record, "root", "Ledger root", root);
        record_string(record, "vkey", "Ledger key", vkey);
}

static int tell_health(const ClientStatistics *statistics) {
        if (!statistics->policy_valid)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "the policy is not valid: %s; correct it, then run `systemctl reload "
                                "peerauth-broker`",
                                statistics->policy_message);
        if (*statistics->ledger_message)
                return cli_fail(CLIENT_EXIT_ERROR, "the ledger is not available, so logins are denied: %s",
                                statistics->ledger_message);
        return CLIENT_EXIT_OK;
}

int cmd_status(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(client_statistics_done) ClientStatistics statistics = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_record_ Record *record = record_new();
        int r;

        (void)words;
        if (!record || crypto_init() < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_get_statistics(cli->bus, &statistics, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot ask the broker how it is");
        record_bool(record, "running", "Broker running", true);
        add_statistics(record, &statistics);
        add_checkpoint(cli, record);
        if ((!cli->args.quiet || cli->style.json != JSON_OFF) && output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return tell_health(&statistics);
}
