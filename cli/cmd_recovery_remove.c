/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recovery remove: the codes of an account are void. */
#include "cli/recovery_account.h"

int cmd_recovery_remove(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        RecoveryAccount account;
        int r;

        (void)words;
        r = recovery_account_get(cli, &account);
        if (r == CLIENT_EXIT_OK && account.codes > 0)
                r = recovery_account_confirm(cli, "Void the %u recovery code%s of %s?", account.codes,
                                             account.codes == 1 ? "" : "s", account.user);
        if (r != CLIENT_EXIT_OK)
                return r;
        if (account.codes > 0) {
                r = client_remove_recovery(cli->bus, account.user, &error);
                if (r < 0)
                        return cli_fail_call(r, &error, "cannot void the recovery codes of '%s'",
                                             account.user);
        }
        return recovery_account_report_removed(cli, &account, account.codes > 0, "recovery codes");
}
