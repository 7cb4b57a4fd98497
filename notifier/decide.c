/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See decide.h. Nothing is remembered from when the request was shown: what is approved is asked for at
 * the moment of the click.
 */
#include "notifier/decide.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/client.h"
#include "common/text.h"

enum { REASON_MAX = 200 };

static const struct {
        const char *error, *reason;
} reasons[] = {
        {PEERAUTH_ERROR_ALREADY_DECIDED, "It was already decided."},
        {PEERAUTH_ERROR_NO_SUCH_REQUEST,
         "It no longer waits: it was decided, ran out of time, or the person left."},
        {PEERAUTH_ERROR_EXPIRED, "Its time was over."},
        {PEERAUTH_ERROR_NOT_ELIGIBLE, "You may not decide it now: see peerauthctl list."},
        {PEERAUTH_ERROR_SELF_REVIEW, "Nobody decides a login of their own."},
        {PEERAUTH_ERROR_CODE_MISMATCH, "The code did not match."},
        {PEERAUTH_ERROR_RATE_LIMITED, "Too many attempts: wait a little, then try again."},
        {PEERAUTH_ERROR_LOCKED, "The account is locked after too many wrong codes."},
        {PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
         "The decision could not be recorded, so it does not count: tell the "
         "administrator."},
        {SD_BUS_ERROR_ACCESS_DENIED, "The system does not let you decide logins."},
};

static char *reason_text(int r, const sd_bus_error *error) {
        _cleanup_free_ char *message = NULL;
        char *text;

        if (r == -ENOKEY)
                return strdup("Its code has to be typed: peerauthctl approve");
        for (size_t i = 0; r == -EREMOTEIO && i < sizeof(reasons) / sizeof(reasons[0]); i++)
                if (sd_bus_error_has_name(error, reasons[i].error))
                        return strdup(reasons[i].reason);
        message = text_safe(error->message ? error->message : strerror(-r), REASON_MAX);
        if (!message || asprintf(&text, "The broker did not take it: %s", message) < 0)
                return NULL;
        return text;
}

static int approve_with_its_code(sd_bus *bus, const char *id, sd_bus_error *error) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        int r;

        r = client_get_request(bus, id, &request, error);
        if (r < 0)
                return r;
        if (strcmp(request.code_mode, PEERAUTH_CODE_COMPARE) != 0 || !request.code[0])
                return -ENOKEY;
        r = client_approve(bus, id, request.code, NULL, NULL, NULL, error);
        explicit_bzero(request.code, sizeof(request.code));
        return r;
}

int decide_approve(sd_bus *bus, const char *id, char **ret_reason) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = approve_with_its_code(bus, id, &error);

        if (r < 0)
                *ret_reason = reason_text(r, &error);
        return r;
}

int decide_deny(sd_bus *bus, const char *id, char **ret_reason) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = client_deny(bus, id, NULL, NULL, &error);

        if (r < 0)
                *ret_reason = reason_text(r, &error);
        return r;
}
