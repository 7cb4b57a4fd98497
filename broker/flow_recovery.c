/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way out when nobody can approve: the requester gives a recovery code or a one-time password.
 *
 * MUST 1: what was given is used up, durably, before the request learns of it (attacks R1, R2).
 * MUST 2: recovery codes are never locked: 80 random bits cannot be guessed, and whoever could lock them
 * would keep the owner out (C4). One-time passwords have six digits, so wrong ones lock those, for a while.
 * MUST 3: what was given stands in no log, no ledger and no message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/flow_internal.h"
#include "broker/limit.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/log.h"
#include "common/text.h"
#include "common/totp.h"

enum { STATE_RETRY_USEC = 5000000 };

#define WAY_RECOVERY_CODE "a recovery code"
#define WAY_TOTP          "a one-time password"

/* A recovery code that a thread compares. */
struct FlowRedeem {
        Flow *flow;
        FlowRedeem *next, **link;
        Reply *reply;
        char id[PEERAUTH_ID_HEX + 1];
        StateRecoveryHash *hashes;
        size_t n;
};

static FlowRedeem *redeem_free(FlowRedeem *redeem) {
        if (!redeem)
                return NULL;
        *redeem->link = redeem->next;
        if (redeem->next)
                redeem->next->link = redeem->link;
        free(redeem->hashes);
        reply_free(redeem->reply);
        free(redeem);
        return NULL;
}

/* The threads go on with what verify.c keeps for them, and find nobody. */
void flow_recovery_abandon(Flow *flow) {
        while (flow->redeeming) {
                FlowRedeem *redeem = flow->redeeming;

                flow->redeeming = redeem->next;
                redeem->flow = NULL;
                redeem->reply = reply_free(redeem->reply);
        }
}

/* A step of the wall clock moves every time in it along, so that no lock ends early (attack T1). */
static void recovery_tell_time(Flow *flow) {
        int64_t step = 0;
        int r = state_clock(flow->state, clock_realtime_usec(), clock_boottime_usec(), &step);

        if (r > 0)
                log_warning("the clock was set %s by %jd s", step > 0 ? "forward" : "back",
                            (intmax_t)(step / (int64_t)PEERAUTH_USEC_PER_SEC));
        else if (r < 0)
                log_error("a step of the clock could not be dealt with in state.db: %s", strerror(-r));
}

State *flow_state(Flow *flow) {
        uint64_t now = clock_boottime_usec();
        _cleanup_free_ char *message = NULL;
        int r;

        if (!flow->state) {
                if (flow->state_tried_usec != 0 && now - flow->state_tried_usec < STATE_RETRY_USEC)
                        return NULL;
                flow->state_tried_usec = now;
                r = state_open(flow->state_dir, clock_realtime_usec(), &flow->state, &message);
                if (r < 0) {
                        log_error("no way of recovery works: %s", message ? message : strerror(-r));
                        return NULL;
                }
        }
        recovery_tell_time(flow);
        return flow->state;
}

void flow_recovery_started(Flow *flow) {
        State *state = flow_state(flow);
        unsigned removed = 0;
        int r;

        if (!state)
                return;
        if (state_is_new(state))
                log_warning(
                        "state.db was not there and was made: no recovery code or one-time password of before "
                        "counts");
        r = state_clean(state, clock_realtime_usec(), &removed);
        if (r < 0)
                log_error("state.db could not be cleaned: %s", strerror(-r));
}

static StateAccount redeem_account(const Request *request) {
        return (StateAccount){.user = request->user, .uid = request->state.requester};
}

bool flow_has_recovery(Flow *flow, const Request *request) {
        StateAccount account = redeem_account(request);
        State *state = flow_state(flow);
        StateTotp totp = {0};
        unsigned left = 0;
        bool enrolled;

        if (!state || account.uid == REQUEST_UID_INVALID)
                return false;
        enrolled = state_totp_get(state, account, &totp) > 0 && totp.confirmed;
        state_totp_wipe(&totp);
        return (state_recovery_left(state, account, &left) >= 0 && left > 0) || enrolled;
}

/* ---- what follows from it ---- */

static void redeem_answer(Flow *flow, Reply *reply, int r, const char *wrong) {
        if (r == -EALREADY || r == -EKEYEXPIRED)
                reply_prepare_error(reply, PEERAUTH_ERROR_ALREADY_DECIDED, "The request is over.");
        else if (r == -EIO)
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "That could not be recorded, so the login is denied.");
        else if (wrong)
                reply_prepare_error(reply, PEERAUTH_ERROR_CODE_MISMATCH, "%s", wrong);
        else if (r >= 0)
                reply_prepare_empty(reply);
        flow_hold(flow, reply);
}

/* It was right, and is used up. */
static void redeem_accept(Flow *flow, Reply *reply, Request *request, const char *way) {
        const RequestEvent event = {.kind = REQUEST_EVENT_RECOVER, .now_usec = clock_boottime_usec()};
        int r;

        request->way = way;
        log_warning("request %.8s: %s of %s was used instead of an approval; review this login", request->id,
                    way, request->user);
        r = flow_event(flow, request, &event, NULL);
        redeem_answer(flow, reply, r, NULL);
}

static void redeem_refuse(Flow *flow, Reply *reply, Request *request, const char *way) {
        const RequestEvent event = {.kind = REQUEST_EVENT_RECOVER_WRONG, .now_usec = clock_boottime_usec()};
        int r;

        request->way = way;
        r = flow_event(flow, request, &event, NULL);
        redeem_answer(flow, reply, r,
                      r > 0 ? "This is not valid. It was the last try: the login is denied."
                            : "This is not valid, or was used before.");
}

/* ---- recovery codes ---- */

static void on_verified(int result, void *userdata) {
        FlowRedeem *redeem = userdata;
        Flow *flow = redeem->flow;
        Request *request = flow ? registry_find(flow->registry, redeem->id) : NULL;
        int used = 0;

        if (!flow) { /* abandoned: it is in no list any more */
                free(redeem->hashes);
                free(redeem);
                return;
        }
        if (!request || verdict_is_final(request->state.verdict))
                reply_prepare_error(redeem->reply, PEERAUTH_ERROR_ALREADY_DECIDED, "The request is over.");
        else if (result < 0)
                reply_prepare_error(redeem->reply, SD_BUS_ERROR_FAILED,
                                    "The recovery code could not be checked; try again in a moment.");
        else {
                if (result > 0 && (size_t)result <= redeem->n && flow_state(flow)) /* MUST 1 */
                        used = state_recovery_use(flow->state, redeem_account(request),
                                                  redeem->hashes[result - 1].id, clock_realtime_usec());
                if (used > 0)
                        redeem_accept(flow, STEAL_PTR(redeem->reply), request, WAY_RECOVERY_CODE);
                else
                        redeem_refuse(flow, STEAL_PTR(redeem->reply), request, WAY_RECOVERY_CODE);
        }
        redeem_free(redeem);
}

/* An account without codes costs the same (attack A7). */
static int redeem_load(Flow *flow, const Request *request, FlowRedeem *redeem, VerifySet *set) {
        int r;

        if (request->state.requester == REQUEST_UID_INVALID)
                return 0;
        r = state_recovery_hashes(flow->state, redeem_account(request), &redeem->hashes, &redeem->n);
        for (size_t i = 0; r >= 0 && i < redeem->n; i++)
                r = verify_set_add(set, redeem->hashes[i].hash);
        return r;
}

static void redeem_code(Flow *flow, Reply *reply, Request *request, const RecoveryCode *code) {
        FlowRedeem *redeem = calloc(1, sizeof(*redeem));
        VerifySet set = {0};
        int r;

        if (!redeem) {
                reply_free(reply);
                return;
        }
        *redeem = (FlowRedeem){
                .flow = flow, .next = flow->redeeming, .link = &flow->redeeming, .reply = reply};
        memcpy(redeem->id, request->id, sizeof(redeem->id));
        if (redeem->next)
                redeem->next->link = &redeem->next;
        flow->redeeming = redeem;
        r = redeem_load(flow, request, redeem, &set);
        if (r >= 0)
                r = verify_code(flow->verify, request->user, code, &set, on_verified, redeem);
        crypto_wipe(&set, sizeof(set));
        if (r >= 0)
                return;
        reply_prepare_error(reply, PEERAUTH_ERROR_RATE_LIMITED,
                            "Too many recovery codes are being checked; try again in a moment.");
        redeem_free(redeem);
}

/* ---- one-time passwords ---- */

/* Whether one more may be tried; otherwise it was answered. */
static bool totp_may_try(Flow *flow, Reply *reply, const Request *request) {
        StateFailure failure;
        int r = state_failure_get(flow->state, request->user, STATE_WAY_TOTP, clock_realtime_usec(),
                                  &failure);

        if (r == 0)
                return true;
        if (r < 0)
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "One-time passwords cannot be checked on this machine now.");
        else
                reply_prepare_error(
                        reply, PEERAUTH_ERROR_LOCKED,
                        failure.until_usec == LIMIT_FOREVER
                                ? "One-time passwords of this account are locked until an "
                                  "administrator unlocks them. A recovery code still works."
                                : "One-time passwords of this account are locked for a while, because "
                                  "of wrong ones. A recovery code still works.");
        reply_free(reply);
        return false;
}

/* 1 if it is right, and used up now (MUST 1). */
static int totp_use(Flow *flow, const Request *request, const char *digits) {
        StateAccount account = redeem_account(request);
        _cleanup_totp_secret_ TotpSecret secret = {0};
        StateTotp totp = {0};
        uint64_t step = 0;
        int r;

        r = state_totp_get(flow->state, account, &totp);
        if (r > 0 && (!totp.confirmed || totp.secret_size != sizeof(secret.bytes)))
                r = 0;
        if (r > 0) {
                memcpy(secret.bytes, totp.secret, sizeof(secret.bytes));
                r = totp_match(&secret, digits, clock_realtime_usec() / PEERAUTH_USEC_PER_SEC, totp.step,
                               &step);
        }
        state_totp_wipe(&totp);
        return r > 0 ? state_totp_accept(flow->state, account, step) : r;
}

/* Counted before it is looked at: a try that cannot be counted is none. */
static void redeem_totp(Flow *flow, Reply *reply, Request *request, const char *digits) {
        int r;

        if (!totp_may_try(flow, reply, request))
                return;
        r = state_failure_add(flow->state, request->user, STATE_WAY_TOTP, clock_realtime_usec(), NULL);
        if (r >= 0)
                r = totp_use(flow, request, digits);
        if (r > 0) {
                (void)state_failure_clear(flow->state, request->user, STATE_WAY_TOTP);
                redeem_accept(flow, reply, request, WAY_TOTP);
                return;
        }
        if (r < 0)
                log_error("a one-time password of %s could not be checked: %s%s", request->user, strerror(-r),
                          r == -ESTALE ? "; the clock was set back, so enrol it anew" : "");
        redeem_refuse(flow, reply, request, WAY_TOTP);
}

/* ---- the call ---- */

void flow_redeem(Flow *flow, Reply *reply, const char *id, const char *typed) {
        PEERAUTH_CLEANUP(recovery_wipe) RecoveryCode code = {0};
        char digits[PEERAUTH_CODE_DIGITS + 1] = "";
        Request *request;

        flow_commit(flow);
        request = flow_own_request(flow, &reply, id);
        if (!request)
                return;
        if (verdict_is_final(request->state.verdict) || !flow_state(flow)) {
                reply_prepare_error(reply,
                                    flow->state ? PEERAUTH_ERROR_ALREADY_DECIDED
                                                : PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    flow->state ? "The request is over."
                                                : "Ways of recovery cannot be checked on this machine now.");
                reply_free(reply);
        } else if (recovery_parse(typed, &code) >= 0)
                redeem_code(flow, reply, request, &code);
        else if (text_parse_code(typed, digits) >= 0)
                redeem_totp(flow, reply, request, digits);
        else {
                reply_prepare_error(reply, SD_BUS_ERROR_INVALID_ARGS,
                                    "This is neither a recovery code nor a one-time password.");
                reply_free(reply);
        }
        crypto_wipe(digits, sizeof(digits));
}
