/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --user, GetRecovery, and the words for what they say. */
#include "cli/recovery_account.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/prompt.h"
#include "common/text.h"

enum { QUESTION_MAX = 512 };

static int fail_get(const char *user, int r, const sd_bus_error *error) {
        if (r == -EREMOTEIO && sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
                return cli_fail(
                        CLIENT_EXIT_PRIVILEGE,
                        "only root sees and changes the ways of recovery of '%s'; run this as root, for "
                        "example with sudo",
                        user);
        /* -EINVAL: sd-bus sends no text that is not UTF-8 */
        if (r == -EINVAL || (r == -EREMOTEIO && sd_bus_error_has_name(error, SD_BUS_ERROR_INVALID_ARGS)))
                return cli_fail(CLIENT_EXIT_GONE, "there is no account '%s'; see `getent passwd`", user);
        return cli_fail_call(r, error, "cannot ask for the ways of recovery of '%s'", user);
}

int recovery_account_get(Cli *cli, RecoveryAccount *ret_account) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        RecoveryAccount account = {.user = cli->args.user};
        int r;

        if (!account.user || !*account.user)
                return cli_fail(CLIENT_EXIT_USAGE, "whose? name the account with --user=ACCOUNT");
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_get_recovery(cli->bus, account.user, &account.codes, &account.totp, &error);
        if (r < 0)
                return fail_get(account.user, r, &error);
        *ret_account = account;
        return CLIENT_EXIT_OK;
}

int recovery_account_confirm(const Cli *cli, const char *format, ...) {
        _cleanup_free_ char *question = NULL, *safe = NULL;
        va_list ap;
        int n;

        if (cli->args.yes)
                return CLIENT_EXIT_OK;
        if (!prompt_has_terminal())
                return cli_fail(CLIENT_EXIT_USAGE,
                                "nobody can be asked without a terminal; give --yes to do it unasked");
        va_start(ap, format);
        n = vasprintf(&question, format, ap);
        va_end(ap);
        if (n < 0)
                question = NULL;
        safe = question ? text_safe(question, QUESTION_MAX) : NULL;
        if (!safe)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return prompt_yes(safe) ? CLIENT_EXIT_OK : cli_fail(CLIENT_EXIT_REFUSED, "nothing was changed");
}

int recovery_account_report_removed(const Cli *cli, const RecoveryAccount *account, bool removed,
                                    const char *what) {
        _cleanup_record_ Record *record = NULL;

        if (cli->style.json == JSON_OFF) {
                cli_say(cli, removed ? "The %s of %s are void." : "There are no %s of %s.", what,
                        account->user);
                return CLIENT_EXIT_OK;
        }
        record = record_new();
        if (record) {
                record_string(record, PEERAUTH_KEY_USER, NULL, account->user);
                record_bool(record, "removed", NULL, removed);
        }
        if (!record || output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return CLIENT_EXIT_OK;
}
