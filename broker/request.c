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

static bool may_decide_alone(const RequestState *state, const RequestEvent *event) {
        return event->as_admin && state->terms.admins_decide;
}

/* MUST 4. A look-up that failed must not count as a person either. */
static bool may_vote(const RequestState *state, const RequestEvent *event) {
        if (event->person == state->requester || event->person == REQUEST_UID_INVALID)
                return false;
        return may_decide_alone(state, event) || (event->as_reviewer && state->terms.needed > 0);
}

/* Index of the person's vote, or n_votes if there is none. */
static unsigned find_vote(const RequestState *state, uid_t person) {
        unsigned i = 0;

        while (i < state->n_votes && state->votes[i].person != person)
                i++;
        return i;
}

static int approve(RequestState *state, const RequestEvent *event) {
        if (!may_vote(state, event))
                return -EPERM;
        if (find_vote(state, event->person) < state->n_votes)
                return -EEXIST;

        /* There is room: whoever may vote either ends the request here, or is one of needed, which is at
         * most REQUEST_VOTERS_MAX, and fewer than needed have voted. */
        state->votes[state->n_votes++] = (RequestVote){
                .person = event->person,
                .as_admin = may_decide_alone(state, event),
        };
        if (!may_decide_alone(state, event) && state->n_votes < state->terms.needed)
                return 0;
        return finish(state, VERDICT_APPROVED); /* MUST 1: the only line that approves */
}

static int deny(RequestState *state, const RequestEvent *event) {
        if (!may_vote(state, event))
                return -EPERM;
        return finish(state, VERDICT_DENIED);
}

/* MUST 5. Only those who could decide are counted: anybody else could end every request with it. */
static int wrong_code(RequestState *state, const RequestEvent *event) {
        if (!may_vote(state, event))
                return -EPERM;
        if (++state->wrong_codes < PEERAUTH_WRONG_CODES_MAX)
                return 0;
        return finish(state, VERDICT_DENIED);
}

static int unvote(RequestState *state, uid_t person) {
        unsigned i = find_vote(state, person);

        if (i == state->n_votes)
                return -ENOENT;
        state->n_votes--;
        for (; i < state->n_votes; i++)
                state->votes[i] = state->votes[i + 1];
        return 0;
}

void request_init(RequestState *state, uid_t requester, const RequestTerms *terms, uint64_t now_usec,
                  uint64_t deadline_usec) {
        bool decidable = terms->needed <= REQUEST_VOTERS_MAX && (terms->needed > 0 || terms->admins_decide);

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
        if (event->kind <= REQUEST_EVENT_NONE || event->kind > REQUEST_EVENT_UNVOTE)
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
        case REQUEST_EVENT_UNVOTE:
                return unvote(state, event->person);
        default: /* a tick before the deadline */
                return 0;
        }
}

unsigned request_missing(const RequestState *state) {
        if (verdict_is_final(state->verdict))
                return 0;
        /* Fewer than needed have voted, or the request would be decided; with needed 0 nobody can vote. */
        return state->terms.needed - state->n_votes;
}
