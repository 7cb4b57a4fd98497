/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may see a request, and who may decide it.
 *
 * Rights are worked out from what caller.c found out a moment ago, never from what the request or an
 * earlier call said.
 */
#include <errno.h>
#include <string.h>

#include "broker/flow_internal.h"
#include "common/log.h"

/* ---- the requester itself ---- */

static bool review_asks(const Request *request, uid_t uid) {
        for (unsigned i = 0; i < PERSON_BEHIND_MAX; i++)
                if (uid != 0 && request->askers[i] == uid)
                        return true;
        return false;
}

/* Nobody asks but uid, or a service. */
static bool review_asks_alone(const Request *request, uid_t uid) {
        for (unsigned i = 0; i < PERSON_BEHIND_MAX; i++)
                if (request->askers[i] != 0 && request->askers[i] != uid)
                        return false;
        return true;
}

/* By whatever name or through su or sudo; and who asks to become the requester by su, for it is that person
 * who knows the code (attack B10). */
static bool review_is_self(const Caller *caller, const Request *request) {
        return caller->uid == request->state.requester || caller->person == request->state.requester ||
               review_asks(request, caller->uid) || review_asks(request, caller->person);
}

/* Whether a rule with SelfReview=yes can mean this person: the requester, under their own account and not on
 * the way to somebody else's. A terminal below the service manager tells no session, so that for what is
 * asked from there "another session" cannot be told. */
static bool review_is_self_reviewable(const Request *request, uid_t uid) {
        return request->rule->self_review && uid == request->state.requester &&
               review_asks_alone(request, uid) &&
               (!review_asks(request, uid) || request->owner_session[0] != '\0');
}

/* only: the session that the person acts from; NULL: any of theirs. */
static bool review_vouches(const Flow *flow, const Request *request, uid_t uid, const PresenceList *list,
                           const char *only) {
        if (!review_is_self_reviewable(request, uid))
                return false;
        for (size_t i = 0; i < list->n; i++) {
                const LogindSession *session = &list->sessions[i];

                if (session->uid == uid && strcmp(session->id, request->owner_session) != 0 &&
                    (!only || strcmp(session->id, only) == 0) &&
                    approved_has(flow->approved, session, request->created_usec))
                        return true;
        }
        return false;
}

bool flow_vouches(const Flow *flow, const Request *request, uid_t uid, const PresenceList *list) {
        return review_vouches(flow, request, uid, list, NULL);
}

static bool review_caller_vouches(const Flow *flow, const Caller *caller, const Request *request) {
        const char *only = caller->session[0] != '\0' ? caller->session : NULL;

        return caller->person == caller->uid && caller->sessions && (only || caller->user_manager) &&
               review_vouches(flow, request, caller->uid, caller->sessions, only);
}

/* ---- roles ---- */

/* Group membership alone: enough to see that a request waits. */
static PolicyRole review_role(const Caller *caller, const Request *request) {
        const PolicyPerson person = {
                .uid = caller->uid, .name = caller->account.name, .groups = caller->account.groups};

        /* Nobody can vouch for an account that does not exist; the request stays, so that guessing names
         * at a login prompt tells nothing (attack A7). */
        if (request->state.requester == REQUEST_UID_INVALID)
                return (PolicyRole){0};
        return policy_role(request->rule, &person);
}

static QuorumParts review_open_parts(const Request *request) {
        return quorum_open_parts(&request->rule->quorum, request->state.escalated);
}

/* It also takes a session of the right kind. */
PolicyRole flow_voting_role(const Flow *flow, const Caller *caller, const Request *request,
                            bool *ret_self_vouched) {
        PolicyRole role = review_role(caller, request);
        bool here = caller->local_session || (caller->remote_session && request->rule->remote_reviewers);

        role.parts = here ? role.parts : 0;
        role.admin = role.admin && (caller->local_session || caller->remote_session) &&
                     !review_is_self(caller, request);
        *ret_self_vouched = review_caller_vouches(flow, caller, request);
        return role;
}

PolicyRole flow_role_for(const Flow *flow, const Request *request, const ReachPerson *person,
                         const PresenceList *sessions) {
        bool asks = review_asks(request, person->uid);

        if (request->state.requester == REQUEST_UID_INVALID)
                return (PolicyRole){0};
        if (person->uid != request->state.requester)
                return asks ? (PolicyRole){0} : person->role;
        return (PolicyRole){.parts = flow_vouches(flow, request, person->uid, sessions) ? person->role.parts
                                                                                        : 0};
}

static bool review_may_see(const Caller *caller, const Request *request) {
        PolicyRole role = review_role(caller, request);

        return role.admin || (role.parts & review_open_parts(request)) != 0;
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

bool flow_is_own(const Caller *caller, const Request *request) {
        return review_is_self(caller, request);
}

const char *flow_why_not(const Flow *flow, const Caller *caller, const Request *request,
                         const char **ret_error) {
        bool vouched = false, self = review_is_self(caller, request);
        PolicyRole role = flow_voting_role(flow, caller, request, &vouched);

        *ret_error = PEERAUTH_ERROR_SELF_REVIEW;
        if (self && !review_is_self_reviewable(request, caller->uid))
                return "Nobody may review their own login.";
        if (self && !vouched)
                return "Your own login counts only from another session of yours that was itself approved, is "
                       "unlocked and began before it.";
        *ret_error = PEERAUTH_ERROR_NOT_ELIGIBLE;
        if (caller_is_borrowed(caller))
                return "You act as another account through su; review under your own account.";
        if (!caller->local_session && !caller->remote_session)
                return caller->session[0] != '\0'
                               ? "The session that this runs in is locked, is ending, or is no login of yours; "
                                 "review from one that is not."
                               : "You have no unlocked login session on this machine.";
        if (!role.admin && !role.parts)
                return "Reviewers must be logged in at this machine itself, not remotely "
                       "(RemoteReviewers=no).";
        if (!role.admin && !(role.parts & review_open_parts(request)))
                return "You are asked only if nobody else has decided for a while.";
        return NULL;
}

/* ---- answers ---- */

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

void flow_answer_vote(Reply *reply, const Request *request, RequestEventKind kind, int r) {
        if (r == -EALREADY || r == -EKEYEXPIRED)
                review_answer_decided(reply, request);
        else if (r == -EIO)
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The decision could not be recorded; the login is denied.");
        else if (r == -EEXIST)
                reply_prepare_error(reply, PEERAUTH_ERROR_ALREADY_DECIDED,
                                    "You have voted on this request already; it waits for other people. An "
                                    "approval can still be turned into a denial.");
        else if (r == -ENOBUFS)
                reply_prepare_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                    "Too many people have voted on this request.");
        else if (r < 0)
                reply_prepare_error(reply, PEERAUTH_ERROR_NOT_ELIGIBLE, "You may not decide this request.");
        else if (kind == REQUEST_EVENT_WRONG_CODE)
                review_answer_wrong_code(reply, request);
        else
                review_answer_accepted(reply, request);
}

Request *flow_find_reviewable(Flow *flow, Reply *reply, const Caller *caller, const char *id) {
        const char *error = PEERAUTH_ERROR_NO_SUCH_REQUEST, *why_not = "There is no such request.";
        Request *request;

        flow_commit(flow);
        request = registry_find(flow->registry, id);
        if (request && (review_may_see(caller, request) || review_is_self(caller, request))) {
                why_not = flow_why_not(flow, caller, request, &error);
                if (!why_not)
                        return request;
                log_info("uid %u (person %u) was not allowed to review request %.8s: %s", caller->uid,
                         caller->person, request->id, why_not);
        }
        reply_prepare_error(reply, error, "%s", why_not);
        reply_free(reply);
        return NULL;
}

/* ---- subscriptions ---- */

int flow_subscribe(Flow *flow, const char *name, const Caller *caller) {
        return subscribers_add(flow->subscribers, name, caller);
}

void flow_unsubscribe(Flow *flow, const char *name) {
        subscribers_remove(flow->subscribers, name);
}
