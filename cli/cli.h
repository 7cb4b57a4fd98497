/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every verb of peerauthctl gets and may call: the parsed command line, the connection, and how a
 * failure is told. The verbs' own functions are declared here too, for the table in main.c.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "cli/args.h"
#include "cli/output.h"
#include "common/client.h"
#include "common/client_error.h"

typedef struct Cli {
        Args args;
        OutputStyle style;
        sd_bus *bus; /* NULL until cli_connect() */
} Cli;

/* Connects once; cli->bus is valid after CLIENT_EXIT_OK. Otherwise it was told already. */
int cli_connect(Cli *cli);

/* Says on one line of stderr what failed and why, and returns status. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a client_ call that returned r < 0: "WHAT: why; remedy". Returns the exit status that belongs
 * to the error. */
int cli_fail_call(int r, const sd_bus_error *error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Says something to the person on stdout, unless --quiet. */
void cli_say(const Cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Finds the pending request that the person named and fetches everything about it. CLIENT_EXIT_OK and
 * *ret_request, or an exit status after it was told why. */
int cli_select(Cli *cli, const char *name, ClientRequest *ret_request);

/* One function a verb: takes the words after the verb, returns the exit status. */
int cmd_list(Cli *cli, char **words);
int cmd_show(Cli *cli, char **words);
int cmd_approve(Cli *cli, char **words);
int cmd_deny(Cli *cli, char **words);
int cmd_watch(Cli *cli, char **words);
int cmd_status(Cli *cli, char **words);
int cmd_policy_keys(Cli *cli, char **words);
int cmd_policy_check(Cli *cli, char **words);
int cmd_policy_show(Cli *cli, char **words);
int cmd_policy_test(Cli *cli, char **words);
int cmd_policy_reload(Cli *cli, char **words);
int cmd_ledger_show(Cli *cli, char **words);
int cmd_ledger_export(Cli *cli, char **words);
int cmd_ledger_verify(Cli *cli, char **words);
int cmd_ledger_checkpoint(Cli *cli, char **words);
int cmd_recovery_generate(Cli *cli, char **words);
int cmd_recovery_status(Cli *cli, char **words);
int cmd_recovery_remove(Cli *cli, char **words);
int cmd_totp_enroll(Cli *cli, char **words);
int cmd_totp_remove(Cli *cli, char **words);
