/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See decide.h. Nothing is remembered from when the request was shown: what is approved is asked for at
 * the moment of the click.
 */
#include "notifier/decide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/client.h"
#include "common/text.h"

enum { REASON_MAX = 200 };

/* Longer than any request lives, so that the broker's own answer comes first. */
#define ANSWER_TIMEOUT_USEC (PEERAUTH_EXPIRES_MAX_USEC + 30 * PEERAUTH_USEC_PER_SEC)

struct Decision {
        sd_bus_slot *slot;
        DecisionAnswered answered;
        void *userdata;
};

static const struct {
        const char *error, *reason;
} reasons[] = {
        {PEERAUTH_ERROR_ALREADY_DECIDED, "It was already decided."},
        {PEERAUTH_ERROR_NO_SUCH_REQUEST,
         "It no longer waits: it was decided, ran out of time, or the person left."},
        {PEERAUTH_ERROR_EXPIRED, "Its time was over."},
        {PEERAUTH_ERROR_NOT_ELIGIBLE, "You may not decide it now: see peerauthctl list."},
        {PEERAUTH_ERROR_SELF_REVIEW, "It is your own login, which you may not decide from here."},
        {PEERAUTH_ERROR_NOTE_NEEDED, "The rule asks for a note, which can be typed on a terminal only: see "
                                     "peerauthctl list."},
        {PEERAUTH_ERROR_CODE_MISMATCH, "The code did not match."},
        {PEERAUTH_ERROR_RATE_LIMITED, "Too many attempts: wait a little, then try again."},
        {PEERAUTH_ERROR_LOCKED, "The account is locked after too many wrong codes."},
        {PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
         "The decision could not be recorded, so it does not count: tell the "
         "administrator."},
        {SD_BUS_ERROR_ACCESS_DENIED,
         "You were not authenticated, or the system does not let you decide logins."},
        {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
         "You have to authenticate again, and nothing in this session can ask you to: see peerauthctl list."},
        {SD_BUS_ERROR_NO_REPLY, "The broker gave no answer, so it is not known whether it counts: see "
                                "peerauthctl list."},
};

static char *reason_text(int r, const sd_bus_error *error) {
        _cleanup_free_ char *message = NULL;
        char *text;

        if (r == -ENOKEY)
                return strdup("Its code has to be typed: peerauthctl approve");
        if (r == -EBADMSG)
                return strdup("The broker's answer was not understood.");
        for (size_t i = 0; r == -EREMOTEIO && i < sizeof(reasons) / sizeof(reasons[0]); i++)
                if (sd_bus_error_has_name(error, reasons[i].error))
                        return strdup(reasons[i].reason);
        message = text_safe(error->message ? error->message : strerror(-r), REASON_MAX);
        if (!message || asprintf(&text, "The broker did not take it: %s", message) < 0)
                return NULL;
        return text;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *reason = NULL;
        Decision *decision = userdata;
        int r = client_approve_parse(reply, NULL, NULL, &error);

        (void)ret_error;
        if (r < 0)
                reason = reason_text(r, &error);
        decision->answered(r >= 0 ? NULL : reason ? reason : strerror(-r), decision->userdata);
        return 0;
}

typedef int (*Send)(sd_bus *bus, const char *id, Decision *decision, sd_bus_error *error);

static int send_approval(sd_bus *bus, const char *id, Decision *decision, sd_bus_error *error) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        int r;

        r = client_get_request(bus, id, &request, error);
        if (r < 0)
                return r;
        if (strcmp(request.code_mode, PEERAUTH_CODE_COMPARE) != 0 || !request.code[0])
                return -ENOKEY;
        return client_approve_async(bus, id, request.code, NULL, ANSWER_TIMEOUT_USEC, &decision->slot,
                                    on_answer, decision);
}

static int send_denial(sd_bus *bus, const char *id, Decision *decision, sd_bus_error *error) {
        (void)error;
        return client_deny_async(bus, id, NULL, ANSWER_TIMEOUT_USEC, &decision->slot, on_answer, decision);
}

static int start(sd_bus *bus, const char *id, Send send, const Decision *as, Decision **ret_decision,
                 char **ret_reason) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Decision *decision = malloc(sizeof(*decision));
        int r = -ENOMEM;

        if (decision) {
                *decision = *as;
                r = send(bus, id, decision, &error);
        }
        if (r < 0) {
                *ret_reason = reason_text(r, &error);
                decision_free(decision);
                return r;
        }
        *ret_decision = decision;
        return 0;
}

int decision_approve(sd_bus *bus, const char *id, DecisionAnswered answered, void *userdata,
                     Decision **ret_decision, char **ret_reason) {
        const Decision as = {.answered = answered, .userdata = userdata};

        return start(bus, id, send_approval, &as, ret_decision, ret_reason);
}

int decision_deny(sd_bus *bus, const char *id, DecisionAnswered answered, void *userdata,
                  Decision **ret_decision, char **ret_reason) {
        const Decision as = {.answered = answered, .userdata = userdata};

        return start(bus, id, send_denial, &as, ret_decision, ret_reason);
}

Decision *decision_free(Decision *decision) {
        if (!decision)
                return NULL;
        sd_bus_slot_unref(decision->slot);
        free(decision);
        return NULL;
}
