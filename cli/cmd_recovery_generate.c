/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recovery generate: ten codes, told once.
 *
 * MUST 1: the codes go to the standard output and nowhere else, and are wiped after that.
 * MUST 2: earlier codes become void only after a yes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/recovery_account.h"
#include "cli/request_view.h"

/* The buffer of the standard output, so that it can be wiped. */
static char buffer[1024];

static int print(const Cli *cli, const RecoveryAccount *account, const ClientRecoveryCodes *codes) {
        _cleanup_record_ Record *record = NULL;
        const char *values[RECOVERY_CODES];

        for (unsigned i = 0; i < RECOVERY_CODES; i++)
                values[i] = codes->shown[i];
        if (cli->style.json != JSON_OFF) {
                record = record_new();
                if (!record)
                        return -ENOMEM;
                record_string(record, PEERAUTH_KEY_USER, NULL, account->user);
                record_secrets(record, "codes", values, RECOVERY_CODES);
                return output_record(&cli->style, record);
        }
        for (unsigned i = 0; i < RECOVERY_CODES; i++)
                (void)printf("%s\n", values[i]);
        return 0;
}

static void explain(const RecoveryAccount *account) {
        _cleanup_free_ char *user = request_view_word(account->user);

        (void)fprintf(
                stderr,
                "Recovery codes of %s. Each lets one login pass when nobody can approve it; each use is "
                "recorded.\n"
                "They are shown this once: print them, and keep them where only %s can reach them.\n",
                user ? user : "?", user ? user : "?");
        if (account->codes > 0)
                (void)fprintf(stderr, "The earlier ones are void.\n");
}

int cmd_recovery_generate(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(client_recovery_codes_wipe) ClientRecoveryCodes codes = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        RecoveryAccount account;
        bool written;
        int r;

        (void)words;
        r = recovery_account_get(cli, &account);
        if (r == CLIENT_EXIT_OK && account.codes > 0)
                r = recovery_account_confirm(cli,
                                             "The %u recovery code%s that %s has left become void. Go on?",
                                             account.codes, account.codes == 1 ? "" : "s", account.user);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_generate_recovery(cli->bus, account.user, &codes, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot make recovery codes of '%s'", account.user);
        if (!cli->args.quiet)
                explain(&account);
        (void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
        written = print(cli, &account, &codes) >= 0 && fflush(stdout) == 0;
        explicit_bzero(buffer, sizeof(buffer));
        if (!written)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "the new codes could not be printed and cannot be shown again; make others: "
                                "peerauthctl recovery generate --user='%s'",
                                account.user);
        return CLIENT_EXIT_OK;
}
