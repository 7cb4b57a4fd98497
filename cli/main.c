/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peerauthctl: the table of verbs, and from argv to exit status.
 */
#include <locale.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "cli/cli.h"

#define BULK   (ARG_ALL | ARG_YES | ARG_USER | ARG_SERVICE | ARG_RHOST)
#define DIRS   (ARG_CONF_DIR | ARG_VENDOR_DIR)
#define TRIAL  (DIRS | ARG_USER | ARG_SERVICE | ARG_RHOST | ARG_TTY | ARG_TIME | ARG_STAGE)
#define VERIFY (ARG_CHECKPOINT | ARG_VKEY)
#define EXPORT (ARG_FORMAT | ARG_OUTPUT | ARG_FORCE)

/* The first one runs if none is named. */
static const Verb verbs[] = {
        {"list", "", "List the requests that wait, oldest first", 0, 0, 0, cmd_list},
        {"show", "REQUEST", "Show everything about one request", 1, 1, 0, cmd_show},
        {"approve", "REQUEST|--all", "Approve a login; asks for the code that the requester says", 0, 1,
         ARG_NOTE | BULK, cmd_approve},
        {"deny", "REQUEST|--all", "Deny a login", 0, 1, ARG_NOTE | BULK, cmd_deny},
        {"watch", "", "Print requests and decisions as they happen, until interrupted", 0, 0, 0, cmd_watch},
        {"status", "", "Show the state of the broker, the policy and the ledger", 0, 0, 0, cmd_status},
        {"policy keys", "", "List the keys that a rule can have", 0, 0, 0, cmd_policy_keys},
        {"policy check", "", "Check the files of the policy", 0, 0, DIRS | ARG_STRICT, cmd_policy_check},
        {"policy show", "", "List the rules in the order in which they are asked", 0, 0, DIRS,
         cmd_policy_show},
        {"policy test", "", "Say what would happen to a login, and why", 0, 0, TRIAL, cmd_policy_test},
        {"policy reload", "", "Make the broker read its policy again", 0, 0, 0, cmd_policy_reload},
        {"ledger show", "", "List the entries of the ledger", 0, 0, ARG_LINES, cmd_ledger_show},
        {"ledger export", "", "Write a copy of the ledger for an auditor", 0, 0, EXPORT, cmd_ledger_export},
        {"ledger verify", "[FILE]", "Verify an export, or the broker's ledger", 0, 1, VERIFY,
         cmd_ledger_verify},
        {"ledger checkpoint", "", "Print the signed checkpoint of the ledger", 0, 0, 0,
         cmd_ledger_checkpoint},
        {"recovery generate", "", "Give an account ten recovery codes, which void its earlier ones", 0, 0,
         ARG_USER | ARG_YES, cmd_recovery_generate},
        {"recovery status", "", "Show which ways of recovery an account has", 0, 0, ARG_USER,
         cmd_recovery_status},
        {"recovery remove", "", "Void the recovery codes of an account", 0, 0, ARG_USER | ARG_YES,
         cmd_recovery_remove},
        {"totp enroll", "", "Let an account use one-time passwords from an app", 0, 0, ARG_USER,
         cmd_totp_enroll},
        {"totp remove", "", "Take the one-time passwords of an account away", 0, 0, ARG_USER | ARG_YES,
         cmd_totp_remove},
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
