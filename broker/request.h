/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One login attempt that waits for its reviewers: its states, and the one function that changes
 * them.
 *
 * Pure: no bus, no clock, no ledger, no randomness. Time is CLOCK_BOOTTIME in microseconds and a
 * parameter. The caller has already established who acts (caller.c) and whether the code matched
 * (code.c); what is decided here is what that means for the request.
 *
 * MUST 1: only an approval event that reaches the quorum, or an administrator's, or a way of recovery that
 * was used up for this request, leads to VERDICT_APPROVED. Time alone never does: an escalation asks more
 *         people, and approves nothing.
 * MUST 2: a final state never changes.
 * MUST 3: an event at or after the deadline cannot approve; it expires the request (attack T2).
 * MUST 4: a person (human uid) counts once (B11). The requester's own uid counts only where the rule allows
 *         self-review and the caller vouches for the session, and never as an administrator (B10).
 * MUST 5: the third wrong code denies the request, whoever gave it (C3).
 * MUST 6: a person may turn an approval into a denial, never a denial into an approval.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"
#include "common/quorum.h"
#include "common/verdict.h"

enum { REQUEST_VOTES_MAX = 128 }; /* people; more than any quorum asks for */

/* What the rule that matched asks for; copied, so a later policy does not change this request. */
typedef struct RequestTerms {
        Quorum quorum;           /* of reviewers; without alternatives they cannot approve */
        bool admins_decide;      /* one administrator's word is enough, either way */
        unsigned deny_threshold; /* denials by different reviewers that end it; 0 counts as 1 */
        bool self_review;
} RequestTerms;

typedef enum RequestEventKind {
        REQUEST_EVENT_NONE = 0,
        REQUEST_EVENT_APPROVE,    /* the code matched; person set */
        REQUEST_EVENT_DENY,       /* person set */
        REQUEST_EVENT_WRONG_CODE, /* person set */
        REQUEST_EVENT_CANCEL,     /* the requester's connection ended, or it asked */
        REQUEST_EVENT_TICK,       /* time passed */
        REQUEST_EVENT_VOID,       /* the broker cannot go on with it (ledger, shutdown): denied */
        REQUEST_EVENT_RECHECK,  /* what an earlier voter is now: parts, or nothing: the vote is taken back */
        REQUEST_EVENT_ESCALATE, /* nobody decided for a while: later alternatives open */
        REQUEST_EVENT_RECOVER,  /* the requester gave a recovery code or one-time password that was right */
        REQUEST_EVENT_RECOVER_WRONG, /* ... or one that was not */
        REQUEST_EVENT_KINDS,
} RequestEventKind;

typedef struct RequestEvent {
        RequestEventKind kind;
        uint64_t now_usec; /* CLOCK_BOOTTIME */
        uid_t person;      /* the human behind the caller */
        QuorumParts parts; /* of the quorum's, those that the person belongs to, open or not */
        bool as_admin;     /* the person is one of the rule's administrators */
        bool self_vouched; /* the person acts from a session of their own that was fully approved */
} RequestEvent;

typedef struct RequestVote {
        uid_t person;
        QuorumParts parts;
        bool approves;
        bool as_admin;
} RequestVote;

typedef struct RequestState {
        Verdict verdict;        /* zero-initialised: denied */
        uid_t requester;        /* REQUEST_UID_INVALID for an account that does not exist */
        uint64_t deadline_usec; /* CLOCK_BOOTTIME */
        RequestTerms terms;
        bool escalated;
        unsigned wrong_codes;
        unsigned n_votes;
        RequestVote votes[REQUEST_VOTES_MAX];
} RequestState;

#define REQUEST_UID_INVALID ((uid_t)-1)

/* Starts a pending request. Terms that nobody could ever fulfil and a deadline not after now make it
 * denied or expired at once rather than undecidable. */
void request_init(RequestState *state, uid_t requester, const RequestTerms *terms, uint64_t now_usec,
                  uint64_t deadline_usec);

/*
 * Applies one event.
 *
 * APPROVE by somebody who has approved already is looked at again, for what the person is, or what is open,
 * may be enough by now; if it is not, nothing changes. DENY by somebody who has denied already counts only if
 * the person has become an administrator since. RECHECK keeps an approval, with what the person is now, if
 * the person could vote now, and takes it back otherwise; so it carries parts, as_admin and self_vouched like
 * a vote.
 *
 * Returns 1 if the verdict became final by this event, 0 if it was recorded and the request still
 * waits, or a negative errno that left everything as it was:
 *   -EALREADY     the request is already decided
 *   -EKEYEXPIRED  the event came too late; the request is now VERDICT_EXPIRED (the one exception:
 *                 this error changes the verdict)
 *   -EPERM        the person may not vote: the requester, or neither reviewer nor administrator
 *   -EEXIST       this person has already voted so
 *   -ENOENT       RECHECK of a person who has not approved; ESCALATE where nothing opens
 *   -ENOBUFS      REQUEST_VOTES_MAX people have voted
 *   -EINVAL       no such event
 */
int request_apply(RequestState *state, const RequestEvent *event);

/* The fewest reviewers whose approval is still missing; 0 once decided, QUORUM_NEVER where only
 * administrators decide. It may be 0 for a request that waits, when an escalation made earlier approvals
 * enough: it still takes one more approval, by anybody who may vote, for time alone approves nothing. */
unsigned request_missing(const RequestState *state);

/* People who have approved so far, and who have denied. */
unsigned request_approvals(const RequestState *state);
unsigned request_denials(const RequestState *state);
