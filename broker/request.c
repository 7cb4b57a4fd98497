/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state machine of one request. See request.h for the requirements that are numbered below.
 *
 * It never asks who somebody is or what time it is: both come with the event.
 */
#include "broker/request.h"

#include <errno.h>

static int finish(RequestState *state, Verdict verdict) {
        state->verdict = verdict;
        return 1;
}

static bool is_requester(const RequestState *state, const RequestEvent *event) {
        return event->person == state->requester;
}

static bool may_decide_alone(const RequestState *state, const RequestEvent *event) {
        return event->as_admin && state->terms.admins_decide && !is_requester(state, event);
}

/* MUST 4. A look-up that failed must not count as a person either. */
static bool may_vote(const RequestState *state, const RequestEvent *event) {
        if (event->person == REQUEST_UID_INVALID)
                return false;
        if (is_requester(state, event) && !(state->terms.self_review && event->self_vouched))
                return false;
        return may_decide_alone(state, event) ||
               (event->parts & quorum_open_parts(&state->terms.quorum, state->escalated)) != 0;
}

/* NULL if the person has not voted. */
static RequestVote *find_vote(RequestState *state, uid_t person) {
        for (unsigned i = 0; i < state->n_votes; i++)
                if (state->votes[i].person == person)
                        return &state->votes[i];
        return NULL;
}

static unsigned count_votes(const RequestState *state, bool approves) {
        unsigned n = 0;

        for (unsigned i = 0; i < state->n_votes; i++)
                n += state->votes[i].approves == approves;
        return n;
}

/* A new vote, or the person's earlier one; the caller fills it in. */
static RequestVote *take_vote(RequestState *state, const RequestEvent *event) {
        RequestVote *vote = find_vote(state, event->person);

        if (!vote && state->n_votes == REQUEST_VOTES_MAX)
                return NULL;
        if (!vote)
                vote = &state->votes[state->n_votes++];
        *vote = (RequestVote){
                .person = event->person,
                .parts = event->parts,
                .as_admin = may_decide_alone(state, event),
        };
        return vote;
}

static unsigned missing_approvals(const RequestState *state) {
        QuorumParts people[REQUEST_VOTES_MAX];
        unsigned n = 0;

        for (unsigned i = 0; i < state->n_votes; i++)
                if (state->votes[i].approves)
                        people[n++] = state->votes[i].parts;
        return quorum_missing(&state->terms.quorum, state->escalated, people, n);
}

/* MUST 1: the only line that approves. */
static int grant(RequestState *state) {
        return finish(state, VERDICT_APPROVED);
}

static int approve(RequestState *state, const RequestEvent *event) {
        RequestVote *vote = find_vote(state, event->person), before;
        bool again = vote != NULL;

        if (!may_vote(state, event))
                return -EPERM;
        if (vote && !vote->approves) /* MUST 6 */
                return -EEXIST;
        before = again ? *vote : (RequestVote){0};
        vote = take_vote(state, event);
        if (!vote)
                return -ENOBUFS;
        vote->approves = true;
        if (vote->as_admin || missing_approvals(state) == 0)
                return grant(state);
        /* Who approved before may try again: what they are, or what is open, may be enough by now. */
        if (!again)
                return 0;
        *vote = before;
        return -EEXIST;
}

static int deny(RequestState *state, const RequestEvent *event) {
        RequestVote *vote = find_vote(state, event->person);

        if (!may_vote(state, event))
                return -EPERM;
        if (vote && !vote->approves && !may_decide_alone(state, event))
                return -EEXIST;
        vote = take_vote(state, event);
        if (!vote)
                return -ENOBUFS;
        if (!vote->as_admin && count_votes(state, false) < state->terms.deny_threshold)
                return 0;
        return finish(state, VERDICT_DENIED);
}

/* MUST 5. */
static int count_wrong_code(RequestState *state) {
        if (++state->wrong_codes < PEERAUTH_WRONG_CODES_MAX)
                return 0;
        return finish(state, VERDICT_DENIED);
}

/* Only those who could decide are counted: anybody else could end every request with it. */
static int wrong_code(RequestState *state, const RequestEvent *event) {
        return may_vote(state, event) ? count_wrong_code(state) : -EPERM;
}

static int recheck(RequestState *state, const RequestEvent *event) {
        RequestVote *vote = find_vote(state, event->person);

        if (!vote || !vote->approves)
                return -ENOENT;
        if (may_vote(state, event))
                vote->parts = event->parts;
        else
                *vote = state->votes[--state->n_votes];
        return 0;
}

static int escalate(RequestState *state) {
        if (state->escalated || state->terms.quorum.n_first == state->terms.quorum.n_alternatives)
                return -ENOENT;
        state->escalated = true;
        return 0;
}

void request_init(RequestState *state, uid_t requester, const RequestTerms *terms, uint64_t now_usec,
                  uint64_t deadline_usec) {
        bool decidable = terms->admins_decide || quorum_size(&terms->quorum, true) <= REQUEST_VOTES_MAX;

        *state = (RequestState){
                .verdict = VERDICT_DENIED,
                .requester = requester,
                .deadline_usec = deadline_usec,
                .terms = *terms,
        };
        if (decidable)
                state->verdict = now_usec < deadline_usec ? VERDICT_PENDING : VERDICT_EXPIRED;
}

int request_apply(RequestState *state, const RequestEvent *event) {
        if (verdict_is_final(state->verdict)) /* MUST 2 */
                return -EALREADY;
        if (event->kind <= REQUEST_EVENT_NONE || event->kind >= REQUEST_EVENT_KINDS)
                return -EINVAL;
        if (event->now_usec >= state->deadline_usec) { /* MUST 3 */
                int r = finish(state, VERDICT_EXPIRED);

                return event->kind == REQUEST_EVENT_TICK ? r : -EKEYEXPIRED;
        }

        switch (event->kind) {
        case REQUEST_EVENT_APPROVE:
                return approve(state, event);
        case REQUEST_EVENT_DENY:
                return deny(state, event);
        case REQUEST_EVENT_WRONG_CODE:
                return wrong_code(state, event);
        case REQUEST_EVENT_CANCEL:
                return finish(state, VERDICT_CANCELLED);
        case REQUEST_EVENT_VOID:
                return finish(state, VERDICT_DENIED);
        case REQUEST_EVENT_RECHECK:
                return recheck(state, event);
        case REQUEST_EVENT_ESCALATE:
                return escalate(state);
        case REQUEST_EVENT_RECOVER:
                return grant(state);
        case REQUEST_EVENT_RECOVER_WRONG:
                return count_wrong_code(state);
        default: /* a tick before the deadline */
                return 0;
        }
}

unsigned request_missing(const RequestState *state) {
        return verdict_is_final(state->verdict) ? 0 : missing_approvals(state);
}

unsigned request_approvals(const RequestState *state) {
        return count_votes(state, true);
}

unsigned request_denials(const RequestState *state) {
        return count_votes(state, false);
}
