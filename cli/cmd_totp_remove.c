/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* totp remove: an account has no one-time passwords any more; an enrolment that was never confirmed goes too.
 */
#include "cli/recovery_account.h"

int cmd_totp_remove(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        RecoveryAccount account;
        int r;

        (void)words;
        r = recovery_account_get(cli, &account);
        if (r == CLIENT_EXIT_OK && account.totp)
                r = recovery_account_confirm(cli, "Void the one-time passwords of %s?", account.user);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_remove_totp(cli->bus, account.user, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot void the one-time passwords of '%s'", account.user);
        return recovery_account_report_removed(cli, &account, true, "one-time passwords");
}
