/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recovery status: which ways of recovery an account has. */
#include "cli/recovery_account.h"

int cmd_recovery_status(Cli *cli, char **words) {
        _cleanup_record_ Record *record = NULL;
        RecoveryAccount account;
        int r;

        (void)words;
        r = recovery_account_get(cli, &account);
        if (r != CLIENT_EXIT_OK)
                return r;
        record = record_new();
        if (record) {
                record_string(record, PEERAUTH_KEY_USER, "Account", account.user);
                record_uint(record, "codes", "Recovery codes left", account.codes, NULL);
                record_bool(record, "totp", "One-time passwords", account.totp);
        }
        if (!record || output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "cannot print it: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
