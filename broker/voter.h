/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Somebody who acts on a request, as far as the request and the ledger need to know: what caller.c found out
 * and the rule makes of it, kept beyond the call.
 */
#pragma once

#include "broker/caller.h"
#include "broker/registry.h"

typedef struct Voter {
        uid_t uid, person;    /* of the caller, and of the human behind it */
        char *account, *name; /* their account names */
        bool local;           /* has a local session that counts; else a remote one */
        PolicyRole role;      /* that counts for a vote, from where the person is */
        bool self_vouched;    /* acts from a session of their own that was fully approved */
} Voter;

/* 0 or -ENOMEM. */
int voter_from_caller(const Caller *caller, PolicyRole role, bool self_vouched, Voter *ret_voter);
void voter_done(Voter *voter);

/* The event of this person; kind and time are the caller's to choose. */
RequestEvent voter_event(const Voter *voter, RequestEventKind kind, uint64_t now_usec);
