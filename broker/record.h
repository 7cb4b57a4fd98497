/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each kind of ledger entry says: which facts, in which order, under which names.
 *
 * The names are part of the ledger's format and never change their meaning. No code can get here: none of
 * the structs it reads holds one. Every function stages one entry and returns 0 or a negative errno.
 */
#pragma once

#include "broker/caller.h"
#include "broker/ledger.h"
#include "broker/registry.h"

/* "request-created": a login waits. */
int record_created(Ledger *ledger, const Request *request);

/* "refused": a login was denied before it became a request (a rule, no rule, no policy). rule may be NULL. */
typedef struct RecordLogin {
        const char *user, *service, *tty, *rhost;
        uid_t uid;
} RecordLogin;
int record_refused(Ledger *ledger, const RecordLogin *login, const char *rule, const char *reason);

/* "vote": one person's approve or deny. role is "reviewer" or "admin". */
int record_vote(Ledger *ledger, const Request *request, const Caller *caller, const char *vote,
                const char *role, const char *note);

/* "wrong-code": a reviewer typed another code; how many of them the request has now. */
int record_wrong_code(Ledger *ledger, const Request *request, const Caller *caller);

/* "decision" (approved, denied), "expired" or "cancelled": how the request ended. */
int record_end(Ledger *ledger, const Request *request);

/* "broker-started" and "broker-stopped". policy_message is NULL while the policy is valid. */
int record_broker_started(Ledger *ledger, const char *policy_message);
int record_broker_stopped(Ledger *ledger);
