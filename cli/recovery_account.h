/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The account whose ways of recovery are given, shown or taken away: which one, what it has, and the
 * question before something becomes void. What the verbs recovery and totp share.
 */
#pragma once

#include "cli/cli.h"

typedef struct RecoveryAccount {
        const char *user; /* the argument of --user */
        uint32_t codes;   /* left */
        bool totp;        /* one-time passwords that were confirmed */
} RecoveryAccount;

/* Asks the broker what the account of --user has. CLIENT_EXIT_OK, or an exit status after it was told why. */
int recovery_account_get(Cli *cli, RecoveryAccount *ret_account);

/* Asks before something becomes void, unless --yes. CLIENT_EXIT_OK, or an exit status after it was told why.
 */
int recovery_account_confirm(const Cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says in either form that something was taken away, or that it was not there. Returns the exit status. */
int recovery_account_report_removed(const Cli *cli, const RecoveryAccount *account, bool removed,
                                    const char *what);
