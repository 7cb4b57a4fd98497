/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deny: no code, and no question but for a note, which nobody has to answer: denial is the safe side. */
#include "cli/bulk.h"
#include "cli/cli.h"
#include "cli/decision.h"

static int deny_one(Cli *cli, const char *name) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char note[PROMPT_NOTE_SIZE];
        Verdict state;
        int r;

        r = cli_select(cli, name, &request);
        if (r == CLIENT_EXIT_OK)
                r = decision_note(cli, &request, false, note);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_deny(cli->bus, request.id, note, &state, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot deny the request of '%s'", request.user);
        if (state == VERDICT_PENDING)
                cli_say(cli, "Your denial is recorded; the request of %s still waits for others.",
                        request.user);
        else if (state == VERDICT_DENIED)
                cli_say(cli, "Denied: the login of %s ends.", request.user);
        else
                return cli_fail(CLIENT_EXIT_REFUSED,
                                "the request of '%s' is now %s, not denied; see `peerauthctl list`",
                                request.user, verdict_to_string(state));
        return CLIENT_EXIT_OK;
}

int cmd_deny(Cli *cli, char **words) {
        int r = bulk_check_usage(cli, words[0], "deny");

        if (r != CLIENT_EXIT_OK)
                return r;
        return cli->args.all ? bulk_decide(cli, false) : deny_one(cli, words[0]);
}
