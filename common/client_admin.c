/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of an administrator: the policy is read again; ways of recovery are given and taken away.
 *
 * Must wipe every message and struct that a recovery code or the secret of one-time passwords passes through.
 */
#include "common/client.h"

#include <errno.h>
#include <string.h>

#include "common/client_message.h"

/* The broker first asks the name service who calls, then compiles every pattern of up to a thousand rules. */
#define RELOAD_TIMEOUT_USEC (60 * PEERAUTH_USEC_PER_SEC)
/* Ten slow hashes, which may have to wait for those of logins. */
#define GENERATE_TIMEOUT_USEC (60 * PEERAUTH_USEC_PER_SEC)

enum { HASH_HEX = 64 };

int client_reload_policy(sd_bus *bus, char **ret_hash, uint32_t *ret_rules, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *hash = NULL;
        const char *text;
        uint32_t rules;
        int r;

        r = client_message_ask(bus, PEERAUTH_IFACE_ADMIN, "ReloadPolicy", RELOAD_TIMEOUT_USEC, &reply,
                               ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "su", &text, &rules);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        if (strlen(text) != HASH_HEX || strspn(text, "0123456789abcdef") != HASH_HEX)
                return -EBADMSG;
        hash = strdup(text);
        if (!hash)
                return -ENOMEM;
        *ret_hash = STEAL_PTR(hash);
        *ret_rules = rules;
        return 0;
}

/* ---- ways of recovery ---- */

/* Calls with the account and, if second is not NULL, one more string. Both messages are wiped. */
static int ask_about(sd_bus *bus, const char *member, const char *user, const char *second,
                     uint64_t timeout_usec, sd_bus_message **ret_reply, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_ADMIN, member, &call);
        if (r >= 0)
                r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", user);
        if (r >= 0 && second)
                r = sd_bus_message_append(call, "s", second);
        if (r >= 0)
                r = client_message_call(bus, call, timeout_usec, ret_reply, ret_error);
        return r < 0 ? r : sd_bus_message_sensitive(*ret_reply);
}

static int tell_about(sd_bus *bus, const char *member, const char *user, const char *second,
                      sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = ask_about(bus, member, user, second, CLIENT_TIMEOUT_USEC, &reply, ret_error);

        return r < 0 ? r : 0;
}

int client_get_recovery(sd_bus *bus, const char *user, uint32_t *ret_codes, bool *ret_totp,
                        sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        uint32_t codes;
        int r, totp;

        r = ask_about(bus, "GetRecovery", user, NULL, CLIENT_TIMEOUT_USEC, &reply, ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "ub", &codes, &totp);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        *ret_codes = codes;
        *ret_totp = totp;
        return 0;
}

void client_recovery_codes_wipe(ClientRecoveryCodes *codes) {
        explicit_bzero(codes, sizeof(*codes));
}

/* In the form in which recovery_show() writes it, so nothing else is ever printed as one. */
static int read_code(sd_bus_message *reply, char ret[RECOVERY_SHOWN_SIZE]) {
        _cleanup_recovery_ RecoveryCode code = {0};
        const char *text;
        int r;

        r = sd_bus_message_read_basic(reply, 's', &text);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        if (recovery_parse(text, &code) < 0)
                return -EBADMSG;
        recovery_show(&code, ret);
        return 0;
}

int client_generate_recovery(sd_bus *bus, const char *user, ClientRecoveryCodes *ret_codes,
                             sd_bus_error *ret_error) {
        PEERAUTH_CLEANUP(client_recovery_codes_wipe) ClientRecoveryCodes codes = {0};
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = ask_about(bus, "GenerateRecoveryCodes", user, NULL, GENERATE_TIMEOUT_USEC, &reply, ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "s");
        if (r < 0)
                return client_message_read_error(r);
        for (unsigned i = 0; i < RECOVERY_CODES; i++) {
                r = read_code(reply, codes.shown[i]);
                if (r < 0)
                        return r;
        }
        if (sd_bus_message_at_end(reply, false) <= 0)
                return -EBADMSG;
        *ret_codes = codes;
        return 0;
}

int client_remove_recovery(sd_bus *bus, const char *user, sd_bus_error *ret_error) {
        return tell_about(bus, "RemoveRecoveryCodes", user, NULL, ret_error);
}

void client_totp_wipe(ClientTotp *totp) {
        explicit_bzero(totp, sizeof(*totp));
}

static int copy_text(char *to, size_t size, const char *text, const char *alphabet) {
        size_t length = strlen(text);

        if (length == 0 || length >= size || strspn(text, alphabet) != length)
                return -EBADMSG;
        memcpy(to, text, length + 1);
        return 0;
}

/* Base32 in groups, and what RFC 3986 lets stand in a URI: both go to a terminal as they are. */
#define BASE32_GROUPS "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567 "
#define URI                                                              \
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
        "-._~:/?#[]@!$&'()*+,;=%"

int client_enroll_totp(sd_bus *bus, const char *user, const char *host, ClientTotp *ret_totp,
                       sd_bus_error *ret_error) {
        PEERAUTH_CLEANUP(client_totp_wipe) ClientTotp totp = {0};
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *secret, *uri;
        int r;

        r = ask_about(bus, "EnrollTotp", user, host, CLIENT_TIMEOUT_USEC, &reply, ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "as", 2, &secret, &uri);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        r = copy_text(totp.secret, sizeof(totp.secret), secret, BASE32_GROUPS);
        if (r >= 0)
                r = copy_text(totp.uri, sizeof(totp.uri), uri, URI);
        if (r < 0)
                return r;
        *ret_totp = totp;
        return 0;
}

int client_confirm_totp(sd_bus *bus, const char *user, const char *password, sd_bus_error *ret_error) {
        return tell_about(bus, "ConfirmTotp", user, password, ret_error);
}

int client_remove_totp(sd_bus *bus, const char *user, sd_bus_error *ret_error) {
        return tell_about(bus, "RemoveTotp", user, NULL, ret_error);
}
