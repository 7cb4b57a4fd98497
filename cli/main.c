/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peerauthctl: the table of verbs, and from argv to exit status.
 */
#include <locale.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "cli/cli.h"

#define DECISION (ARG_NOTE)
#define VERIFY   (ARG_CHECKPOINT | ARG_VKEY)
#define EXPORT   (ARG_FORMAT | ARG_OUTPUT | ARG_FORCE)

/* The first one runs if none is named. */
static const Verb verbs[] = {
        {"list", "", "List the requests that wait, oldest first", 0, 0, 0, cmd_list},
        {"show", "REQUEST", "Show everything about one request", 1, 1, 0, cmd_show},
        {"approve", "REQUEST", "Approve a login; asks for the code that the requester says", 1, 1,
         DECISION | ARG_YES, cmd_approve},
        {"deny", "REQUEST", "Deny a login", 1, 1, DECISION, cmd_deny},
        {"watch", "", "Print requests and decisions as they happen, until interrupted", 0, 0, 0, cmd_watch},
        {"status", "", "Show the state of the broker, the policy and the ledger", 0, 0, 0, cmd_status},
        {"ledger show", "", "List the entries of the ledger", 0, 0, ARG_LINES, cmd_ledger_show},
        {"ledger export", "", "Write a copy of the ledger for an auditor", 0, 0, EXPORT, cmd_ledger_export},
        {"ledger verify", "[FILE]", "Verify an export, or the broker's ledger", 0, 1, VERIFY,
         cmd_ledger_verify},
        {"ledger checkpoint", "", "Print the signed checkpoint of the ledger", 0, 0, 0,
         cmd_ledger_checkpoint},
        {NULL},
};

static int run(Cli *cli, int argc, char **argv) {
        const Verb *verb;
        char **words;

        if (args_parse(argc, argv, &cli->args) < 0)
                return CLIENT_EXIT_USAGE;
        cli->style = (OutputStyle){cli->args.json, !cli->args.no_legend, output_wants_colour()};
        if (cli->args.version) {
                (void)printf("peerauthctl %s\n", PEERAUTH_VERSION);
                return CLIENT_EXIT_OK;
        }
        if (args_find_verb(&cli->args, verbs, &verb, &words) < 0)
                return CLIENT_EXIT_USAGE;
        if (cli->args.help) {
                args_print_help(verbs, cli->args.words[0] ? verb : NULL);
                return CLIENT_EXIT_OK;
        }
        return verb->run(cli, words);
}

int main(int argc, char **argv) {
        Cli cli = {0};
        int status;

        /* A code passes through here: no core dump, no look from the person's other programs (attack C7). */
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void)setlocale(LC_ALL, "");
        status = run(&cli, argc, argv);
        sd_bus_close_unref(cli.bus);
        /* A full disk must not look like success. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLIENT_EXIT_OK)
                status = cli_fail(CLIENT_EXIT_ERROR, "cannot write to the standard output: %m");
        return status;
}
