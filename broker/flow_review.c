/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reviewer acts: may this person see the request, decide it, and is the code right.
 *
 * Rights are worked out from what caller.c found out a moment ago, never from what the request or an
 * earlier call said.
 */
#include <errno.h>

#include "broker/flow_internal.h"
#include "common/clock.h"
#include "common/log.h"

/* The requester, by whatever name or through su or sudo; and who asks to become the requester by su, for it
 * is that person who knows the code (attack B10). */
static bool review_is_self(const Caller *caller, const Request *request) {
        return caller->uid == request->state.requester || caller->person == request->state.requester ||
               (request->asker != 0 && caller->person == request->asker);
}

/* Group membership alone: enough to see that a request waits. */
static PolicyRole review_role(const Caller *caller, const Request *request) {
        /* Nobody can vouch for an account that does not exist; the request stays, so that guessing names
         * at a login prompt tells nothing (attack A7). */
        if (request->state.requester == REQUEST_UID_INVALID)
                return (PolicyRole){0};
        return policy_role(request->rule, caller->uid, caller->account.groups);
}

/* The role that counts for a vote: it also takes a session of the right kind. */
static PolicyRole review_voting_role(const Caller *caller, const Request *request) {
        PolicyRole role = review_role(caller, request);
        bool here = caller->local_session || (caller->remote_session && request->rule->remote_reviewers);

        role.reviewer = role.reviewer && here;
        role.admin = role.admin && (caller->local_session || caller->remote_session);
        return role;
}

static bool review_may_see(const Caller *caller, const Request *request) {
        PolicyRole role = review_role(caller, request);

        return role.reviewer || role.admin;
}

const Request *flow_next_visible(Flow *flow, const Caller *caller, const Request *after) {
        const Request *request = after;

        while ((request = registry_next(flow->registry, request)))
                if (request->state.verdict == VERDICT_PENDING && review_may_see(caller, request))
                        return request;
        return NULL;
}

const Request *flow_get_visible(Flow *flow, const Caller *caller, const char *id) {
        const Request *request = registry_find(flow->registry, id);

        return request && review_may_see(caller, request) ? request : NULL;
}

const char *flow_why_not(const Caller *caller, const Request *request, const char **ret_error) {
        PolicyRole role = review_voting_role(caller, request);

        *ret_error = PEERAUTH_ERROR_SELF_REVIEW;
        if (review_is_self(caller, request))
                return "Nobody may review their own login.";
        *ret_error = PEERAUTH_ERROR_NOT_ELIGIBLE;
        if (caller_is_borrowed(caller))
                return "You act as another account through su; review under your own account.";
        if (!caller->local_session && !caller->remote_session)
                return "You have no unlocked login session on this machine.";
        if (!role.reviewer && !role.admin)
                return "Reviewers must be logged in at this machine itself, not remotely "
                       "(RemoteReviewers=no).";
        return NULL;
}

/* ---- votes ---- */

typedef struct ReviewVote {
        const char *id, *code, *note; /* code is NULL for a denial */
} ReviewVote;

static void review_refuse(Reply *reply, const char *error, const char *message) {
        reply_prepare_error(reply, error, "%s", message);
        reply_free(reply);
}

/* How a request that is over answers. */
static void review_answer_decided(Reply *reply, const Request *request) {
        const char *by = request->decided_by && request->decided_by[0] ? request->decided_by[0] : NULL;

        if (request->state.verdict == VERDICT_EXPIRED)
                reply_prepare_error(reply, PEERAUTH_ERROR_EXPIRED, "The request has expired.");
        else if (request->state.verdict == VERDICT_CANCELLED)
                reply_prepare_error(reply, PEERAUTH_ERROR_ALREADY_DECIDED,
                                    "The requester cancelled the login.");
        else
                reply_prepare_error(reply, PEERAUTH_ERROR_ALREADY_DECIDED, "The request is already %s%s%s.",
                                    verdict_to_string(request->state.verdict), by ? " by " : "",
                                    by ? by : "");
}

static void review_answer_accepted(Reply *reply, const Request *request) {
        sd_bus_message *m = NULL;

        if (reply_begin(reply, &m) >= 0 &&
            sd_bus_message_append(m, "su", verdict_to_string(request->state.verdict),
                                  (uint32_t)request_missing(&request->state)) >= 0)
                reply_prepare(reply, m);
        else
                sd_bus_message_unref(m);
}

static void review_answer_wrong_code(Reply *reply, const Request *request) {
        unsigned left = PEERAUTH_WRONG_CODES_MAX - request->state.wrong_codes;

        if (verdict_is_final(request->state.verdict))
                reply_prepare_error(
                        reply, PEERAUTH_ERROR_CODE_MISMATCH,
                        "This is not the code of this request. It was the last try: the login is denied.");
        else
                reply_prepare_error(reply, PEERAUTH_ERROR_CODE_MISMATCH,
                                    "This is not the code of this request (%s). Ask the requester again.",
                                    left == 1 ? "one more wrong one ends it" : "two more wrong ones end it");
}

static void review_answer(Reply *reply, const Request *request, const RequestEvent *event, int r) {
        if (r == -EALREADY || r == -EKEYEXPIRED)
                review_answer_decided(reply, request);
        else if (r == -EIO)
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The decision could not be recorded; the login is denied.");
        else if (r == -EEXIST)
                reply_prepare_error(reply, PEERAUTH_ERROR_ALREADY_DECIDED,
                                    "You have approved this request already; it waits for another person.");
        else if (r < 0)
                reply_prepare_error(reply, PEERAUTH_ERROR_NOT_ELIGIBLE, "You may not decide this request.");
        else if (event->kind == REQUEST_EVENT_WRONG_CODE)
                review_answer_wrong_code(reply, request);
        else
                review_answer_accepted(reply, request);
}

/* The request that the caller may decide, or NULL with the reply answered. */
static Request *review_find(Flow *flow, Reply *reply, const Caller *caller, const char *id) {
        const char *error, *why_not;
        Request *request;

        flow_commit(flow);
        request = registry_find(flow->registry, id);
        if (!request || (!review_may_see(caller, request) && !review_is_self(caller, request))) {
                review_refuse(reply, PEERAUTH_ERROR_NO_SUCH_REQUEST, "There is no such request.");
                return NULL;
        }
        why_not = flow_why_not(caller, request, &error);
        if (why_not) {
                log_info("uid %u (person %u) was not allowed to review request %.8s: %s", caller->uid,
                         caller->person, request->id, why_not);
                review_refuse(reply, error, why_not);
                return NULL;
        }
        return request;
}

static void review_vote(Flow *flow, Reply *reply, const Caller *caller, const ReviewVote *vote) {
        Request *request = review_find(flow, reply, caller, vote->id);
        FlowVote who = {.caller = caller};
        RequestEvent event = {.now_usec = clock_boottime_usec(), .person = caller->person};
        PolicyRole role;
        int r;

        if (!request) /* the strings of vote went with the call that was answered */
                return;
        who.note = vote->note && *vote->note ? vote->note : NULL;
        role = review_voting_role(caller, request);
        event.as_reviewer = role.reviewer;
        event.as_admin = role.admin;
        who.role = role.admin ? "admin" : "reviewer";
        if (!vote->code)
                event.kind = REQUEST_EVENT_DENY;
        else if (verdict_is_final(request->state.verdict) || registry_code_matches(request, vote->code))
                event.kind = REQUEST_EVENT_APPROVE; /* a decided request has no code; it answers as decided */
        else
                event.kind = REQUEST_EVENT_WRONG_CODE;
        if (event.kind != REQUEST_EVENT_WRONG_CODE)
                who.word = vote->code ? "approve" : "deny";
        r = flow_event(flow, request, &event, &who);
        review_answer(reply, request, &event, r);
        flow_hold(flow, reply);
}

void flow_approve(Flow *flow, Reply *reply, const Caller *caller, const char *id, const char *code,
                  const char *note) {
        review_vote(flow, reply, caller, &(ReviewVote){.id = id, .code = code, .note = note});
}

void flow_deny(Flow *flow, Reply *reply, const Caller *caller, const char *id, const char *note) {
        review_vote(flow, reply, caller, &(ReviewVote){.id = id, .note = note});
}

/* ---- subscriptions ---- */

int flow_subscribe(Flow *flow, const char *name, const Caller *caller) {
        return subscribers_add(flow->subscribers, name, caller);
}

void flow_unsubscribe(Flow *flow, const char *name) {
        subscribers_remove(flow->subscribers, name);
}
