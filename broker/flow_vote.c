/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Somebody approves or denies.
 *
 * An approval takes up to two detours. Where polkit wants the reviewer to authenticate again, the vote waits
 * for that, and then everything about the reviewer is looked up anew. And before the approval that would be
 * the last one counts, everybody who approved earlier is looked at again (attack B12).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/flow_internal.h"
#include "common/clock.h"

/* A question to polkit holds one of the 128 answers that dbus-daemon lets a connection wait for, until
 * somebody has typed a password; logind's answers must still find room. */
enum { VOTING_MAX = 128, VOTING_PER_PERSON = 4, VOTING_ASKED_MAX = 32, VOTING_ASKED_PER_PERSON = 1 };

/* A vote that waits for polkit or for a look-up. The code is not kept: it was checked, or comes again. */
struct FlowVoting {
        Flow *flow;
        FlowVoting *next, **link;
        Reply *reply;
        char id[PEERAUTH_ID_HEX + 1];
        Voter voter;
        char *note;
        CallerDone again;
        Authority *authority;
        Reach *reach;
        uid_t others[REQUEST_VOTES_MAX]; /* who approved before, and is looked at again */
        unsigned n_others;
};

static FlowVoting *voting_free(FlowVoting *voting) {
        if (!voting)
                return NULL;
        *voting->link = voting->next;
        if (voting->next)
                voting->next->link = voting->link;
        authority_free(voting->authority);
        reach_free(voting->reach);
        voter_done(&voting->voter);
        free(voting->note);
        reply_free(voting->reply);
        free(voting);
        return NULL;
}

void flow_vote_abandon(Flow *flow) {
        while (flow->voting)
                voting_free(flow->voting);
}

/* again: the vote is to wait for polkit. */
static bool voting_too_many(const Flow *flow, uid_t person, CallerDone again) {
        unsigned all = 0, own = 0;

        for (const FlowVoting *v = flow->voting; v; v = v->next) {
                if (again && !v->again)
                        continue;
                all++;
                own += v->voter.person == person;
        }
        return again ? all >= VOTING_ASKED_MAX || own >= VOTING_ASKED_PER_PERSON
                     : all >= VOTING_MAX || own >= VOTING_PER_PERSON;
}

/* again: what to call when polkit is satisfied; NULL for a vote that waits for a look-up. Takes over reply
 * and voter; NULL after it was answered. */
static FlowVoting *voting_new(Flow *flow, Reply *reply, const Request *request, Voter *voter,
                              const char *note, CallerDone again) {
        FlowVoting *voting = voting_too_many(flow, voter->person, again) ? NULL : calloc(1, sizeof(*voting));

        if (!voting) {
                reply_prepare_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                    again ? "You are being asked to authenticate already; answer that first."
                                          : "Too many votes at once; try again in a moment.");
                reply_free(reply);
                voter_done(voter);
                return NULL;
        }
        *voting = (FlowVoting){.flow = flow,
                               .next = flow->voting,
                               .link = &flow->voting,
                               .reply = reply,
                               .voter = *voter,
                               .again = again,
                               .note = note ? strdup(note) : NULL};
        *voter = (Voter){0};
        (void)memcpy(voting->id, request->id, sizeof(voting->id));
        if (voting->next)
                voting->next->link = &voting->next;
        flow->voting = voting;
        return note && !voting->note ? voting_free(voting) : voting;
}

/* ---- the vote itself ---- */

static void vote_cast(Flow *flow, Reply *reply, Request *request, const Voter *voter, RequestEventKind kind,
                      const char *note) {
        const RequestEvent event = voter_event(voter, kind, clock_boottime_usec());
        const FlowVote vote = {.voter = voter,
                               .word = kind == REQUEST_EVENT_APPROVE ? "approve"
                                       : kind == REQUEST_EVENT_DENY  ? "deny"
                                                                     : NULL,
                               .note = note && *note ? note : NULL};
        int r = flow_event(flow, request, &event, &vote);

        flow_answer_vote(reply, request, kind, r);
        flow_hold(flow, reply);
}

/* ---- earlier approvals, looked at again ---- */

/* Everybody but person who approved so far. */
static unsigned vote_others(const Request *request, uid_t person, uid_t ret_others[REQUEST_VOTES_MAX]) {
        unsigned n = 0;

        for (unsigned i = 0; i < request->state.n_votes; i++)
                if (request->state.votes[i].approves && request->state.votes[i].person != person)
                        ret_others[n++] = request->state.votes[i].person;
        return n;
}

static bool vote_would_approve(const Request *request, const Voter *voter) {
        const RequestEvent event = voter_event(voter, REQUEST_EVENT_APPROVE, clock_boottime_usec());
        RequestState copy = request->state;

        return request_apply(&copy, &event) == 1 && copy.verdict == VERDICT_APPROVED;
}

static QuorumParts vote_parts(const Request *request, uid_t person) {
        for (unsigned i = 0; i < request->state.n_votes; i++)
                if (request->state.votes[i].person == person)
                        return request->state.votes[i].parts;
        return 0;
}

/* What somebody who approved before is now. -EAGAIN: a directory that is away may be why it looks less. */
static int vote_look(const Flow *flow, const Request *request, uid_t person, const ReachResult *result,
                     RequestEvent *ret_event) {
        const ReachPerson *found = reach_find(result, person);
        PolicyRole role = found ? flow_role_for(flow, request, found, result->sessions) : (PolicyRole){0};

        if (found && (!found->account.exists || found->account.unknown_groups) &&
            (vote_parts(request, person) & ~role.parts) != 0)
                return -EAGAIN;
        *ret_event = (RequestEvent){.kind = REQUEST_EVENT_RECHECK,
                                    .now_usec = clock_boottime_usec(),
                                    .person = person,
                                    .parts = role.parts,
                                    .as_admin = role.admin,
                                    .self_vouched = flow_vouches(flow, request, person, result->sessions)};
        return 0;
}

/* Those only who were asked about: a vote that was cast meanwhile is new. */
static int vote_recheck(Flow *flow, Request *request, const FlowVoting *voting, const ReachResult *result) {
        RequestEvent events[REQUEST_VOTES_MAX];

        for (unsigned i = 0; i < voting->n_others; i++) {
                int r = vote_look(flow, request, voting->others[i], result, &events[i]);

                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; i < voting->n_others; i++)
                (void)flow_event(flow, request, &events[i], NULL);
        return 0;
}

static void on_recheck(int r, const ReachResult *result, void *userdata) {
        FlowVoting *voting = userdata;
        Flow *flow = voting->flow;
        Request *request = registry_find(flow->registry, voting->id);

        if (r >= 0 && result->incomplete)
                r = -EAGAIN;
        if (r >= 0 && request)
                r = vote_recheck(flow, request, voting, result);
        if (!request)
                reply_prepare_error(voting->reply, PEERAUTH_ERROR_NO_SUCH_REQUEST,
                                    "There is no such request.");
        else if (r < 0)
                reply_prepare_error(voting->reply, SD_BUS_ERROR_FAILED,
                                    "It could not be found out whether the earlier approvals still count, so "
                                    "yours was not taken; approve again in a moment.");
        else
                vote_cast(flow, STEAL_PTR(voting->reply), request, &voting->voter, REQUEST_EVENT_APPROVE,
                          voting->note);
        voting_free(voting);
}

/* The code was right: counts the approval, or first looks at the earlier ones. Takes over reply and voter. */
static void vote_approve(Flow *flow, Reply *reply, Request *request, Voter *voter, const char *note) {
        uid_t others[REQUEST_VOTES_MAX];
        unsigned n = vote_others(request, voter->person, others);
        ReachQuestion question = {.policy = request->policy,
                                  .rule = request->rule,
                                  .only = others,
                                  .n_only = n,
                                  .done = on_recheck};
        FlowVoting *voting;

        if (n == 0 || !vote_would_approve(request, voter)) {
                vote_cast(flow, reply, request, voter, REQUEST_EVENT_APPROVE, note);
                voter_done(voter);
                return;
        }
        voting = voting_new(flow, reply, request, voter, note, NULL);
        if (!voting)
                return;
        question.userdata = voting;
        voting->n_others = n;
        memcpy(voting->others, others, n * sizeof(*others));
        if (reach_ask(flow->bus, flow->worker, &question, &voting->reach) < 0)
                on_recheck(-ENOMEM, NULL, voting);
}

/* ---- polkit ---- */

static void on_authority(AuthorityAnswer answer, const char *why, void *userdata) {
        FlowVoting *voting = userdata;
        Flow *flow = voting->flow;

        if (answer == AUTHORITY_GRANTED)
                /* Groups and sessions may have changed while somebody typed a password. */
                caller_identify_again(flow->callers, STEAL_PTR(voting->reply),
                                      &(CallerQuestion){.want = CALLER_SESSIONS,
                                                        .group_names = flow_group_names(flow),
                                                        .done = voting->again,
                                                        .userdata = flow});
        else
                reply_prepare_error(voting->reply, SD_BUS_ERROR_ACCESS_DENIED,
                                    "You were not authenticated for reviewing (%s); nothing was decided.",
                                    why);
        voting_free(voting);
}

/* Asks the reviewer to authenticate again. Takes over reply and voter. */
static void vote_authenticate(Flow *flow, Reply *reply, const Request *request, Voter *voter,
                              const FlowApproval *approval) {
        uint64_t now = clock_boottime_usec(), deadline = request->state.deadline_usec;
        AuthorityQuestion question = {.sender = sd_bus_message_get_sender(reply_call(reply)),
                                      .user = request->user,
                                      .service = request->service,
                                      .interactive = true,
                                      .timeout_usec = deadline > now ? deadline - now : 1,
                                      .done = on_authority};
        FlowVoting *voting = voting_new(flow, reply, request, voter, NULL, approval->again);
        int r;

        if (!voting)
                return;
        question.userdata = voting;
        r = authority_check(flow->bus, &question, &voting->authority);
        if (r < 0)
                on_authority(AUTHORITY_DENIED, "polkit cannot be asked", voting);
}

/* Whether polkit is satisfied; otherwise the vote waits or was answered, and reply and voter are gone. */
static bool vote_is_authorised(Flow *flow, Reply *reply, const Caller *caller, const Request *request,
                               Voter *voter, const FlowApproval *approval) {
        if (caller->uid == 0 || approval->authenticated)
                return true;
        switch (caller->authority) {
        case AUTHORITY_GRANTED:
        case AUTHORITY_ABSENT:
                return true;
        case AUTHORITY_CHALLENGE:
                if (sd_bus_message_get_allow_interactive_authorization(reply_call(reply)) > 0) {
                        vote_authenticate(flow, reply, request, voter, approval);
                        return false;
                }
                reply_prepare_error(
                        reply, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                        "This machine asks reviewers to authenticate again, and your program does "
                        "not allow for that; use peerauthctl.");
                break;
        case AUTHORITY_DENIED:
                reply_prepare_error(reply, SD_BUS_ERROR_ACCESS_DENIED, "You may not review: %s.",
                                    caller->authority_why);
                break;
        }
        reply_free(reply);
        voter_done(voter);
        return false;
}

bool flow_name_login(const Flow *flow, const char *id, const char **ret_user, const char **ret_service) {
        const Request *request = registry_find(flow->registry, id);
        bool waits = request && !verdict_is_final(request->state.verdict);

        *ret_user = waits ? request->user : NULL;
        *ret_service = waits ? request->service : NULL;
        return waits;
}

/* ---- approve and deny ---- */

/* Whether the note is as the rule asks; otherwise the reply is prepared. */
static bool vote_note_fits(Reply *reply, const PolicyRule *rule, const char *note) {
        switch (policy_text_check(&rule->note, note)) {
        case POLICY_TEXT_FINE:
                return true;
        case POLICY_TEXT_UNWANTED:
                reply_prepare_error(reply, PEERAUTH_ERROR_NOTE_NEEDED,
                                    "The rule for this login takes no note; approve it without one.");
                return false;
        case POLICY_TEXT_MISSING:
                reply_prepare_error(reply, PEERAUTH_ERROR_NOTE_NEEDED,
                                    "The rule for this login asks for a note%s%s.",
                                    rule->note.pattern ? " that matches " : "",
                                    rule->note.pattern ? rule->note.pattern : "");
                return false;
        case POLICY_TEXT_WRONG:
                break;
        }
        reply_prepare_error(reply, PEERAUTH_ERROR_NOTE_NEEDED,
                            "The rule for this login asks for a note that matches %s.", rule->note.pattern);
        return false;
}

void flow_approve(Flow *flow, Reply *reply, const Caller *caller, const FlowApproval *approval) {
        Request *request = flow_find_reviewable(flow, reply, caller, approval->id);
        Voter voter = {0};
        bool vouched;
        PolicyRole role;

        if (!request) /* the strings of approval went with the call that was answered */
                return;
        role = flow_voting_role(flow, caller, request, &vouched);
        if (verdict_is_final(request->state.verdict)) {
                flow_answer_vote(reply, request, REQUEST_EVENT_APPROVE, -EALREADY);
                reply_free(reply);
                return;
        }
        if (!vote_note_fits(reply, request->rule, approval->note) ||
            voter_from_caller(caller, role, vouched, &voter) < 0) {
                reply_free(reply);
                return;
        }
        if (!vote_is_authorised(flow, reply, caller, request, &voter, approval))
                return;
        if (registry_code_matches(request, approval->code)) {
                vote_approve(flow, reply, request, &voter, approval->note);
                return;
        }
        vote_cast(flow, reply, request, &voter, REQUEST_EVENT_WRONG_CODE, NULL);
        voter_done(&voter);
}

/* Denial is the safe side: polkit is not asked, and a note is never in the way (attack C6). */
void flow_deny(Flow *flow, Reply *reply, const Caller *caller, const char *id, const char *note) {
        Request *request = flow_find_reviewable(flow, reply, caller, id);
        Voter voter = {0};
        bool vouched;
        PolicyRole role;

        if (!request)
                return;
        role = flow_voting_role(flow, caller, request, &vouched);
        if (voter_from_caller(caller, role, vouched, &voter) < 0) {
                reply_free(reply);
                return;
        }
        vote_cast(flow, reply, request, &voter, REQUEST_EVENT_DENY, note);
        voter_done(&voter);
}
