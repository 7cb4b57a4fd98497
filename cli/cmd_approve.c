/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * approve: the reviewer first picks the request and sees whose it is, then says the code.
 *
 * MUST 1: the code is never taken from the command line or the environment, and is wiped after use (C7).
 * MUST 2: who and where is shown before the code is asked for, so that a code heard from one person is not
 *         typed on another's request unseen (C2).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/agent.h"
#include "cli/bulk.h"
#include "cli/cli.h"
#include "cli/decision.h"
#include "cli/prompt.h"
#include "cli/request_view.h"
#include "common/text.h"

static void code_wipe(char (*code)[PEERAUTH_CODE_DIGITS + 1]) {
        explicit_bzero(*code, sizeof(*code));
}

/* Code=compare: both sides see a code, the reviewer says whether it is the same. */
static int confirm_code(const Cli *cli, const ClientRequest *request, const char *user,
                        char ret[PEERAUTH_CODE_DIGITS + 1]) {
        char grouped[8], question[512];
        bool same = cli->args.yes;

        if (text_group_code(request->code, grouped) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "the broker did not say the code to compare; try again");
        if (!same) {
                if (!prompt_has_terminal()) {
                        explicit_bzero(grouped, sizeof(grouped));
                        return cli_fail(
                                CLIENT_EXIT_USAGE,
                                "nobody can be asked without a terminal; give --yes to approve unasked");
                }
                (void)snprintf(question, sizeof(question), "Code: %s\nDoes %.200s say this code?", grouped,
                               user);
                same = prompt_yes(question);
                explicit_bzero(question, sizeof(question));
        }
        explicit_bzero(grouped, sizeof(grouped));
        if (!same)
                return cli_fail(CLIENT_EXIT_REFUSED,
                                "not approved; if the codes differ, deny it: peerauthctl deny %.8s",
                                request->id);
        memcpy(ret, request->code, PEERAUTH_CODE_DIGITS + 1);
        return CLIENT_EXIT_OK;
}

/* Code=enter: only the requester was told the code. */
static int enter_code(const char *user, char ret[PEERAUTH_CODE_DIGITS + 1]) {
        char question[512];
        int r;

        (void)snprintf(question, sizeof(question), "Code that %.200s told you: ", user);
        r = prompt_code(question, ret);
        if (r == -ECANCELED)
                return cli_fail(CLIENT_EXIT_USAGE, "no code was given; nothing was sent");
        if (r < 0)
                return cli_fail(CLIENT_EXIT_USAGE, "a code is six digits, such as 482 913; nothing was sent");
        return CLIENT_EXIT_OK;
}

static int tell(const Cli *cli, Verdict state, unsigned missing, const char *user) {
        if (state == VERDICT_APPROVED)
                cli_say(cli, "Approved: the login of %s goes on.", user);
        else if (state == VERDICT_PENDING && missing == UINT32_MAX)
                cli_say(cli, "Your approval is recorded; the login of %s needs an administrator's.", user);
        else if (state == VERDICT_PENDING && missing == 0)
                cli_say(cli, "Your approval is recorded; one more approval is needed for the login of %s.",
                        user);
        else if (state == VERDICT_PENDING)
                cli_say(cli, "Your approval is recorded; %u more needed for the login of %s.", missing, user);
        else
                return cli_fail(CLIENT_EXIT_REFUSED,
                                "the request of '%s' is now %s, not approved; see `peerauthctl list`", user,
                                verdict_to_string(state));
        return CLIENT_EXIT_OK;
}

static int send_approval(Cli *cli, const ClientRequest *request, const char *code, const char *note) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        PEERAUTH_CLEANUP(agent_stop) Agent agent = {0};
        Verdict state;
        unsigned missing;
        int r;

        agent_start(&agent, cli->args.bus);
        r = decision_approve(cli, request, code, note, &state, &missing, &error);
        agent_stop(&agent);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot approve the request of '%s'", request->user);
        return tell(cli, state, missing, request->user);
}

static int approve_one(Cli *cli, const char *name) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        PEERAUTH_CLEANUP(code_wipe) char code[PEERAUTH_CODE_DIGITS + 1] = "";
        char note[PROMPT_NOTE_SIZE];
        _cleanup_free_ char *user = NULL;
        int r;

        r = cli_select(cli, name, &request);
        if (r != CLIENT_EXIT_OK)
                return r;
        if (!request.can_decide)
                return cli_fail(CLIENT_EXIT_REFUSED,
                                "you cannot approve the request of '%s': %s; leave it to %s", request.user,
                                *request.why_not ? request.why_not : "the broker gives no reason",
                                *request.reviewers ? request.reviewers : "somebody whom the rule names");
        user = request_view_word(request.user);
        if (!user)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        r = cli->args.quiet ? CLIENT_EXIT_OK : decision_introduce(&request);
        if (r == CLIENT_EXIT_OK)
                r = decision_note(cli, &request, true, note);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = strcmp(request.code_mode, PEERAUTH_CODE_COMPARE) == 0 ? confirm_code(cli, &request, user, code)
                                                                  : enter_code(user, code);
        return r == CLIENT_EXIT_OK ? send_approval(cli, &request, code, note) : r;
}

int cmd_approve(Cli *cli, char **words) {
        int r = bulk_check_usage(cli, words[0], "approve");

        if (r != CLIENT_EXIT_OK)
                return r;
        return cli->args.all ? bulk_decide(cli, true) : approve_one(cli, words[0]);
}
