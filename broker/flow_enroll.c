/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Root gives an account its ways of recovery, and takes them away. Each act has its ledger entry, and secrets
 * are told once, when that is durable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/flow_internal.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/text.h"
#include "common/totp.h"

struct FlowEnroll {
        Flow *flow; /* NULL once nobody waits for it */
        FlowEnroll *next;
        Reply *reply;
        char *user;
        uid_t uid;
        char *by;
};

enum { SECRETS_MAX = RECOVERY_CODES, SECRET_SIZE = TOTP_URI_SIZE };

/*
 * Answers with an array of secrets. libsystemd moves a message while it grows and does not wipe where it was,
 * so it grows with placeholders, and the secrets are written when it has found its place.
 */
static int enroll_answer(Reply *reply, const char *const *secrets, unsigned n) {
        _cleanup_message_ sd_bus_message *m = NULL;
        char filler[SECRET_SIZE];
        int r;

        r = reply_begin(reply, &m);
        if (r >= 0)
                r = sd_bus_message_sensitive(m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (unsigned i = 0; r >= 0 && i < n; i++) {
                memset(filler, '0', sizeof(filler));
                filler[strlen(secrets[i])] = '\0';
                r = sd_bus_message_append(m, "s", filler);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_seal(m, 1, 0);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        for (unsigned i = 0; r >= 0 && i < n; i++) {
                const char *place;

                r = sd_bus_message_read(m, "s", &place);
                if (r > 0)
                        memcpy((char *)place, secrets[i], strlen(secrets[i]));
        }
        if (r >= 0)
                reply_prepare(reply, STEAL_PTR(m));
        return r;
}

static StateAccount enroll_account(const Account *account) {
        return (StateAccount){.user = account->name, .uid = account->uid};
}

/* Whether this may be asked, and there is such an account; otherwise it was answered. */
static bool enroll_allowed(Flow *flow, Reply *reply, const Caller *caller) {
        if (caller->uid != 0)
                reply_prepare_error(reply, SD_BUS_ERROR_ACCESS_DENIED,
                                    "Only root gives out ways of recovery.");
        else if (!caller->requester.exists)
                reply_prepare_error(reply, SD_BUS_ERROR_INVALID_ARGS, "There is no account of this name.");
        else if (!flow_state(flow) || !flow_ledger(flow))
                reply_prepare_error(
                        reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                        "The state or the ledger of the broker is not available; see the journal.");
        else
                return true;
        reply_free(reply);
        return false;
}

/* Answers once the entry is durable; r < 0: what was done could not be stored or recorded. */
static void enroll_finish(Flow *flow, Reply *reply, int r, const char *kind, const char *user, uid_t uid,
                          const char *by) {
        if (r >= 0)
                r = record_enrolment(flow->ledger, kind, user, uid, by);
        if (r < 0)
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE, "Not done: %s.", strerror(-r));
        else
                flow_schedule_commit(flow);
        flow_hold(flow, reply);
}

/* ---- recovery codes ---- */

static FlowEnroll *enroll_free(FlowEnroll *enroll) {
        if (!enroll)
                return NULL;
        reply_free(enroll->reply);
        free(enroll->user);
        free(enroll->by);
        free(enroll);
        return NULL;
}

void flow_enroll_abandon(Flow *flow) {
        while (flow->enrolling) {
                FlowEnroll *enroll = flow->enrolling;

                flow->enrolling = enroll->next;
                enroll->flow = NULL;
                enroll->reply = reply_free(enroll->reply);
        }
}

static void enroll_unlink(FlowEnroll *enroll) {
        FlowEnroll **link = &enroll->flow->enrolling;

        while (*link != enroll)
                link = &(*link)->next;
        *link = enroll->next;
}

static int enroll_store(FlowEnroll *enroll, const VerifySet *set) {
        char texts[RECOVERY_CODES][CRYPTO_PASSWORD_TEXT_SIZE];
        const char *hashes[RECOVERY_CODES];

        for (unsigned i = 0; i < RECOVERY_CODES; i++) {
                verify_set_text(set, i, texts[i]);
                hashes[i] = texts[i];
        }
        return state_recovery_replace(enroll->flow->state,
                                      (StateAccount){.user = enroll->user, .uid = enroll->uid}, hashes,
                                      RECOVERY_CODES, clock_realtime_usec());
}

static int enroll_tell(FlowEnroll *enroll, const RecoveryCode codes[RECOVERY_CODES]) {
        char shown[RECOVERY_CODES][RECOVERY_SHOWN_SIZE];
        const char *secrets[RECOVERY_CODES];
        int r;

        for (unsigned i = 0; i < RECOVERY_CODES; i++) {
                recovery_show(&codes[i], shown[i]);
                secrets[i] = shown[i];
        }
        r = enroll_answer(enroll->reply, secrets, RECOVERY_CODES);
        crypto_wipe(shown, sizeof(shown));
        return r;
}

static void on_made(int r, const RecoveryCode codes[RECOVERY_CODES], const VerifySet *set, void *userdata) {
        FlowEnroll *enroll = userdata;
        Flow *flow = enroll->flow;

        if (flow) {
                enroll_unlink(enroll);
                if (r >= 0)
                        r = flow_state(flow) && flow_ledger(flow) ? enroll_store(enroll, set) : -ENOTCONN;
                if (r >= 0)
                        r = enroll_tell(enroll, codes);
                enroll_finish(flow, STEAL_PTR(enroll->reply), r, "recovery-generated", enroll->user,
                              enroll->uid, enroll->by);
        }
        enroll_free(enroll);
}

void flow_generate_recovery(Flow *flow, Reply *reply, const Caller *caller) {
        FlowEnroll *enroll;
        int r;

        if (!enroll_allowed(flow, reply, caller))
                return;
        enroll = calloc(1, sizeof(*enroll));
        if (!enroll) {
                reply_free(reply);
                return;
        }
        *enroll = (FlowEnroll){.flow = flow,
                               .next = flow->enrolling,
                               .reply = reply,
                               .user = strdup(caller->requester.name),
                               .uid = caller->requester.uid,
                               .by = strdup(caller->person_name)};
        r = enroll->user && enroll->by ? verify_make(flow->verify, enroll->user, on_made, enroll) : -ENOMEM;
        if (r < 0) {
                reply_prepare_error(reply, PEERAUTH_ERROR_RATE_LIMITED,
                                    "Codes cannot be made now (%s); try again in a moment.", strerror(-r));
                enroll_free(enroll);
                return;
        }
        flow->enrolling = enroll;
}

void flow_remove_recovery(Flow *flow, Reply *reply, const Caller *caller) {
        int r;

        if (!enroll_allowed(flow, reply, caller))
                return;
        r = state_recovery_replace(flow->state, enroll_account(&caller->requester), NULL, 0,
                                   clock_realtime_usec());
        reply_prepare_empty(reply);
        enroll_finish(flow, reply, r, "recovery-removed", caller->requester.name, caller->requester.uid,
                      caller->person_name);
}

/* ---- one-time passwords ---- */

void flow_enroll_totp(Flow *flow, Reply *reply, const Caller *caller, const char *host) {
        _cleanup_totp_secret_ TotpSecret secret;
        char text[TOTP_TEXT_SIZE], uri[TOTP_URI_SIZE];
        const char *const secrets[] = {text, uri};
        int r;

        if (!enroll_allowed(flow, reply, caller))
                return;
        totp_secret_generate(&secret);
        r = totp_secret_text(&secret, text);
        if (r >= 0)
                r = totp_uri(&secret, host, caller->requester.name, uri);
        if (r >= 0)
                r = state_totp_enroll(flow->state, enroll_account(&caller->requester), secret.bytes,
                                      sizeof(secret.bytes), clock_realtime_usec());
        if (r >= 0)
                r = enroll_answer(reply, secrets, 2);
        crypto_wipe(text, sizeof(text));
        crypto_wipe(uri, sizeof(uri));
        if (r == -EEXIST) {
                reply_prepare_error(reply, SD_BUS_ERROR_INVALID_ARGS,
                                    "This account is enrolled already; remove that first.");
                reply_free(reply);
                return;
        }
        enroll_finish(flow, reply, r, "totp-begun", caller->requester.name, caller->requester.uid,
                      caller->person_name);
}

/* A secret counts only after one password of it was right: an app that was set up wrongly is noticed now. */
void flow_confirm_totp(Flow *flow, Reply *reply, const Caller *caller, const char *typed) {
        StateAccount account = enroll_account(&caller->requester);
        _cleanup_totp_secret_ TotpSecret secret = {0};
        char digits[PEERAUTH_CODE_DIGITS + 1] = "";
        StateTotp totp = {0};
        uint64_t step = 0;
        int r;

        if (!enroll_allowed(flow, reply, caller))
                return;
        r = state_totp_get(flow->state, account, &totp);
        if (r > 0 && !totp.confirmed && totp.secret_size == sizeof(secret.bytes) &&
            text_parse_code(typed, digits) >= 0) {
                memcpy(secret.bytes, totp.secret, sizeof(secret.bytes));
                r = totp_match(&secret, digits, clock_realtime_usec() / PEERAUTH_USEC_PER_SEC, totp.step,
                               &step);
                if (r > 0)
                        r = state_totp_confirm(flow->state, account, step);
        } else
                r = r < 0 ? r : 0;
        state_totp_wipe(&totp);
        crypto_wipe(digits, sizeof(digits));
        if (r == 0) {
                reply_prepare_error(reply, PEERAUTH_ERROR_CODE_MISMATCH,
                                    "This is not the password of this moment, or nothing waits to be "
                                    "confirmed. Check the time of the device.");
                reply_free(reply);
                return;
        }
        reply_prepare_empty(reply);
        enroll_finish(flow, reply, r, "totp-enrolled", caller->requester.name, caller->requester.uid,
                      caller->person_name);
}

void flow_remove_totp(Flow *flow, Reply *reply, const Caller *caller) {
        int r;

        if (!enroll_allowed(flow, reply, caller))
                return;
        r = state_totp_remove(flow->state, enroll_account(&caller->requester));
        if (r >= 0)
                r = state_failure_clear(flow->state, caller->requester.name, STATE_WAY_TOTP);
        reply_prepare_empty(reply);
        enroll_finish(flow, reply, r, "totp-removed", caller->requester.name, caller->requester.uid,
                      caller->person_name);
}

/* ---- what there is ---- */

void flow_get_recovery(Flow *flow, Reply *reply, const Caller *caller) {
        StateAccount account = enroll_account(&caller->requester);
        _cleanup_message_ sd_bus_message *m = NULL;
        StateTotp totp = {0};
        unsigned left = 0;
        bool enrolled;

        if (!enroll_allowed(flow, reply, caller))
                return;
        enrolled = state_totp_get(flow->state, account, &totp) > 0 && totp.confirmed;
        state_totp_wipe(&totp);
        if (state_recovery_left(flow->state, account, &left) >= 0 && reply_begin(reply, &m) >= 0 &&
            sd_bus_message_append(m, "ub", left, (int)enrolled) >= 0)
                reply_prepare(reply, STEAL_PTR(m));
        reply_free(reply);
}
