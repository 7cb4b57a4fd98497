/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each kind of ledger entry says: which facts, in which order, under which names.
 *
 * The names are part of the ledger's format and never change their meaning. No code can get here: none of
 * the structs it reads holds one. Every function stages one entry and returns 0 or a negative errno.
 */
#pragma once

#include "broker/ledger.h"
#include "broker/registry.h"
#include "broker/voter.h"

/* "request-created": a login waits. */
int record_created(Ledger *ledger, const Request *request);

/* A login that became no request passed. */
typedef struct RecordPass {
        bool nobody; /* nobody was there who could have approved it, rather than: the rule only watches */
        unsigned reachable; /* people who could have had a say */
        bool enough;        /* together they could have approved it */
} RecordPass;

/* "refused": a login that became no request was denied (a rule, no rule, no policy); login->rule may be NULL.
 */
int record_refused(Ledger *ledger, const Request *login, const char *reason);

/* "monitored": it passed because the rule only watches; "allowed-nobody": because nobody was there. */
int record_passed(Ledger *ledger, const Request *login, const RecordPass *pass);

/* "vote", or "self-vote" on one's own login: one person's "approve" or "deny". */
int record_vote(Ledger *ledger, const Request *request, const Voter *voter, const char *vote,
                const char *note);

/* "vote-void": an earlier approval does not count any more. */
int record_vote_void(Ledger *ledger, const Request *request, uid_t person, const char *name,
                     const char *reason);

/* "wrong-code": a reviewer typed another code; how many of them the request has now. */
int record_wrong_code(Ledger *ledger, const Request *request, const Voter *voter);

/* "recovery" or "recovery-wrong": the requester gave a way of recovery instead; request->way says which. */
int record_recovery(Ledger *ledger, const Request *request, bool right);

/* What root does with an account's ways of recovery; kind is the entry's. */
int record_enrolment(Ledger *ledger, const char *kind, const char *user, uid_t uid, const char *by);

/* "escalated": more people are asked. */
int record_escalated(Ledger *ledger, const Request *request);

/* "decision" (approved, denied), "expired" or "cancelled": how the request ended. */
int record_end(Ledger *ledger, const Request *request);

/* "policy-changed": other rules are in force. previous is "" if there were none. */
int record_policy_changed(Ledger *ledger, const Policy *policy, const char *previous);

/* "broker-started" and "broker-stopped". policy_message is NULL while the policy is valid; policy NULL if
 * there is none. */
int record_broker_started(Ledger *ledger, const Policy *policy, const char *policy_message);
int record_broker_stopped(Ledger *ledger);
