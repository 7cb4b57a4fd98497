/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One login attempt that waits for its reviewers: its states, and the one function that changes
 * them.
 *
 * Pure: no bus, no clock, no ledger, no randomness. Time is CLOCK_BOOTTIME in microseconds and a
 * parameter. The caller has already established who acts (caller.c) and whether the code matched
 * (code.c); what is decided here is what that means for the request.
 *
 * MUST 1: only an approval event that reaches the threshold leads to VERDICT_APPROVED.
 * MUST 2: a final state never changes.
 * MUST 3: an event at or after the deadline cannot approve; it expires the request (attack T2).
 * MUST 4: a person (human uid) counts once (B11); the requester's own uid never counts (B10).
 * MUST 5: the third wrong code denies the request (C3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"
#include "common/verdict.h"

enum { REQUEST_VOTERS_MAX = 32 };

/* What the rule that matched asks for; copied, so a later policy does not change this request. */
typedef struct RequestTerms {
        unsigned needed;    /* approvals by distinct people; 0 is never satisfied by reviewers */
        bool admins_decide; /* one administrator's approval is enough */
} RequestTerms;

typedef enum RequestEventKind {
        REQUEST_EVENT_NONE = 0,
        REQUEST_EVENT_APPROVE,    /* the code matched; person set */
        REQUEST_EVENT_DENY,       /* person set */
        REQUEST_EVENT_WRONG_CODE, /* person set */
        REQUEST_EVENT_CANCEL,     /* the requester's connection ended, or it asked */
        REQUEST_EVENT_TICK,       /* time passed */
        REQUEST_EVENT_VOID,       /* the broker cannot go on with it (ledger, shutdown): denied */
        REQUEST_EVENT_UNVOTE,     /* person no longer qualifies: the vote is taken back */
} RequestEventKind;

typedef struct RequestEvent {
        RequestEventKind kind;
        uint64_t now_usec; /* CLOCK_BOOTTIME */
        uid_t person;      /* the human behind the caller */
        bool as_reviewer;  /* the person belongs to the rule's reviewer group */
        bool as_admin;     /* ... to the rule's administrators */
} RequestEvent;

typedef struct RequestVote {
        uid_t person;
        bool as_admin;
} RequestVote;

typedef struct RequestState {
        Verdict verdict;        /* zero-initialised: denied */
        uid_t requester;        /* REQUEST_UID_INVALID for an account that does not exist */
        uint64_t deadline_usec; /* CLOCK_BOOTTIME */
        RequestTerms terms;
        unsigned wrong_codes;
        unsigned n_votes;
        RequestVote votes[REQUEST_VOTERS_MAX];
} RequestState;

#define REQUEST_UID_INVALID ((uid_t)-1)

/* Starts a pending request. needed above REQUEST_VOTERS_MAX and a deadline not after now make it
 * denied or expired at once rather than undecidable. */
void request_init(RequestState *state, uid_t requester, const RequestTerms *terms, uint64_t now_usec,
                  uint64_t deadline_usec);

/*
 * Applies one event.
 *
 * Returns 1 if the verdict became final by this event, 0 if it was recorded and the request still
 * waits, or a negative errno that left everything as it was:
 *   -EALREADY     the request is already decided
 *   -EKEYEXPIRED  the event came too late; the request is now VERDICT_EXPIRED (the one exception:
 *                 this error changes the verdict)
 *   -EPERM        the person may not vote: the requester itself, or neither reviewer nor admin
 *   -EEXIST       this person has already approved
 *   -ENOENT       UNVOTE of a person who has no vote
 *   -EINVAL       no such event
 */
int request_apply(RequestState *state, const RequestEvent *event);

/* Approvals still missing from reviewers; 0 once decided. */
unsigned request_missing(const RequestState *state);
