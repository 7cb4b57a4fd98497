/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * totp enroll: the secret goes to an app, and counts after one password has come back.
 *
 * MUST 1: the secret goes to the standard output and nowhere else, and is wiped after that.
 * MUST 2: whoever does not bring a right password is told that nothing counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/prompt.h"
#include "cli/qr.h"
#include "cli/recovery_account.h"

enum { TRIES = 3, HOST_SIZE = 256 };

static void password_wipe(char (*password)[PEERAUTH_CODE_DIGITS + 1]) {
        explicit_bzero(*password, sizeof(*password));
}

static int print_json(const Cli *cli, const RecoveryAccount *account, const ClientTotp *totp) {
        _cleanup_record_ Record *record = record_new();

        if (!record)
                return -ENOMEM;
        record_string(record, PEERAUTH_KEY_USER, NULL, account->user);
        record_secret(record, "secret", totp->secret);
        record_secret(record, "uri", totp->uri);
        return output_record(&cli->style, record);
}

/* The question comes below the code, so whatever else there is to say stands above it: a terminal of 24 lines
 * has room for both. */
static int print_text(const ClientTotp *totp) {
        QrPlace place;

        qr_place(STDOUT_FILENO, &place);
        if (place.columns > 0 && place.blocks)
                (void)printf("Without a camera, type into the app: %s\n", totp->secret);
        return qr_print(stdout, &place, totp->uri, totp->secret);
}

/* In a process of its own, which ends: libqrencode wipes nothing of what it worked with (MUST 1). */
static int print(const Cli *cli, const RecoveryAccount *account, const ClientTotp *totp) {
        int r, status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                r = cli->style.json == JSON_OFF ? print_text(totp) : print_json(cli, account, totp);
                _exit(r < 0 || fflush(stdout) != 0 ? CLIENT_EXIT_ERROR : CLIENT_EXIT_OK);
        }
        do
                r = pid < 0 ? -1 : (int)waitpid(pid, &status, 0);
        while (r < 0 && pid > 0 && errno == EINTR);
        if (r < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != CLIENT_EXIT_OK)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "the secret could not be printed, so it does not count; check the standard "
                                "output, then try again");
        return CLIENT_EXIT_OK;
}

static int give_up(const RecoveryAccount *account, int status) {
        return cli_fail(
                status,
                "not confirmed, so these one-time passwords of '%s' do not count; begin again with "
                "`peerauthctl totp enroll`, or take the enrolment away with `peerauthctl totp remove`",
                account->user);
}

static int confirm(Cli *cli, const RecoveryAccount *account) {
        for (int tries = TRIES; tries > 0; tries--) {
                PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                PEERAUTH_CLEANUP(password_wipe) char password[PEERAUTH_CODE_DIGITS + 1] = "";
                int r = prompt_code("Password that the app shows: ", password);

                if (r < 0)
                        return give_up(account, CLIENT_EXIT_USAGE);
                r = client_confirm_totp(cli->bus, account->user, password, &error);
                if (r >= 0)
                        return CLIENT_EXIT_OK;
                if (r != -EREMOTEIO || !sd_bus_error_has_name(&error, PEERAUTH_ERROR_CODE_MISMATCH))
                        return cli_fail_call(r, &error, "cannot confirm the one-time passwords of '%s'",
                                             account->user);
                if (tries > 1)
                        (void)fprintf(stderr,
                                      "That is not the password of this moment. Check that the clocks of "
                                      "the device and of this host are right, then try the next one.\n");
        }
        return give_up(account, CLIENT_EXIT_REFUSED);
}

/* Begins it on the broker and shows the secret. */
static int begin(Cli *cli, const RecoveryAccount *account) {
        PEERAUTH_CLEANUP(client_totp_wipe) ClientTotp totp = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char host[HOST_SIZE] = "";
        int r;

        if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
                (void)snprintf(host, sizeof(host), "peerauth");
        r = client_enroll_totp(cli->bus, account->user, host, &totp, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot begin the one-time passwords of '%s'", account->user);
        return print(cli, account, &totp);
}

int cmd_totp_enroll(Cli *cli, char **words) {
        RecoveryAccount account;
        int r;

        (void)words;
        r = recovery_account_get(cli, &account);
        if (r == CLIENT_EXIT_OK && account.totp)
                return cli_fail(CLIENT_EXIT_REFUSED,
                                "'%s' has one-time passwords already; take them away first with `peerauthctl "
                                "totp remove`",
                                account.user);
        if (r == CLIENT_EXIT_OK)
                r = begin(cli, &account);
        if (r == CLIENT_EXIT_OK)
                r = confirm(cli, &account);
        if (r == CLIENT_EXIT_OK && cli->style.json == JSON_OFF)
                cli_say(cli, "Confirmed: one-time passwords of %s count from now on, each once.",
                        account.user);
        return r;
}
