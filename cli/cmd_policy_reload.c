/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy reload: the broker reads its policy again, all of it or none of it. */
#include <inttypes.h>

#include "cli/cli.h"
#include "common/cleanup.h"

int cmd_policy_reload(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *hash = NULL;
        _cleanup_record_ Record *record = NULL;
        uint32_t rules;
        int r;

        (void)words;
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_reload_policy(cli->bus, &hash, &rules, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "the policy was not replaced");
        if (cli->style.json == JSON_OFF) {
                cli_say(cli, "In force: %" PRIu32 " rule%s, hash %.12s.", rules, rules == 1 ? "" : "s", hash);
                return CLIENT_EXIT_OK;
        }
        record = record_new();
        if (record) {
                record_string(record, PEERAUTH_KEY_POLICY_HASH, NULL, hash);
                record_uint(record, "rules", NULL, rules, NULL);
        }
        if (!record || output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return CLIENT_EXIT_OK;
}
