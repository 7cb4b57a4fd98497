/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deny: one word is enough, no code and no question; denial is always the safe side. */
#include "cli/cli.h"

int cmd_deny(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Verdict state;
        int r;

        r = cli_select(cli, words[0], &request);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_deny(cli->bus, request.id, cli->args.note, &state, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot deny the request of '%s'", request.user);
        if (state == VERDICT_PENDING)
                cli_say(cli, "Your denial is recorded; the request of %s still waits for others.",
                        request.user);
        else
                cli_say(cli, "Denied: the login of %s ends.", request.user);
        return CLIENT_EXIT_OK;
}
