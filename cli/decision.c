/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who asks, the note that a rule asks for, and an approval that may take its time. */
#include "cli/decision.h"

#include <stdio.h>
#include <string.h>

#include "cli/request_view.h"
#include "common/clock.h"
#include "common/text.h"

/* So that the broker's own answer to a request that expired arrives before we give up. */
#define GRACE_USEC (10 * PEERAUTH_USEC_PER_SEC)

int decision_introduce(const ClientRequest *request) {
        _cleanup_free_ char *line = request_view_line(request);
        _cleanup_free_ char *reason = text_safe(request->reason, 4 * PEERAUTH_REASON_MAX);

        if (!line || !reason)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        (void)fprintf(stderr, "Request %.8s: %s%s\n", request->id, line,
                      request->self ? " (your own login)" : "");
        if (*reason)
                (void)fprintf(stderr, "Reason given: %s\n", reason);
        return CLIENT_EXIT_OK;
}

bool decision_lacks_note(const Cli *cli, const ClientRequest *request) {
        return client_request_needs_note(request) && (!cli->args.note || !*cli->args.note);
}

static int ask_note(const ClientRequest *request, bool must, char ret[PROMPT_NOTE_SIZE]) {
        _cleanup_free_ char *pattern = text_safe(request->note_pattern, PEERAUTH_REASON_MAX),
                            *question = NULL;
        bool matches = strcmp(request->note_mode, PEERAUTH_TEXT_PATTERN) == 0;
        int r;

        if (!pattern ||
            asprintf(&question, "Note, which the rule %s%s%s: ", must ? "requires" : "asks for, or Enter",
                     matches ? ", of the form " : "", matches ? pattern : "") < 0) {
                question = NULL;
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        }
        r = prompt_note(question, must, ret);
        if (must && (r < 0 || !*ret))
                return cli_fail(CLIENT_EXIT_USAGE, "no note was given; nothing was sent");
        return args_check_note(ret) < 0 ? CLIENT_EXIT_USAGE : CLIENT_EXIT_OK;
}

int decision_note(const Cli *cli, const ClientRequest *request, bool must, char ret[PROMPT_NOTE_SIZE]) {
        bool lacks = decision_lacks_note(cli, request);

        (void)snprintf(ret, PROMPT_NOTE_SIZE, "%s", cli->args.note ? cli->args.note : "");
        if (lacks && prompt_has_terminal())
                return ask_note(request, must, ret);
        if (!lacks || !must)
                return CLIENT_EXIT_OK;
        return cli_fail(
                CLIENT_EXIT_USAGE,
                "the rule of the request of '%s' requires a note%s%s, and nobody can be asked without "
                "a terminal; say it with --note=TEXT",
                request->user, *request->note_pattern ? " of the form " : "", request->note_pattern);
}

int decision_approve(const Cli *cli, const ClientRequest *request, const char *code, const char *note,
                     Verdict *ret_state, unsigned *ret_missing, sd_bus_error *ret_error) {
        uint64_t now = clock_boottime_usec();
        uint64_t left = request->deadline_usec > now ? request->deadline_usec - now : 0;

        return client_approve_interactive(cli->bus, request->id, code, note,
                                          clock_earlier(left, PEERAUTH_EXPIRES_MAX_USEC) + GRACE_USEC,
                                          ret_state, ret_missing, ret_error);
}
