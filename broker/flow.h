/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of things. Read this file and flow.c first: an event changes a request (request.c), the rule
 * says what that means (policy.c), the ledger makes it durable (record.c, ledger.c), and only then is
 * anybody told (reply.c, subscribers.c).
 *
 * MUST 1: nobody is told of a decision before its ledger entry is durable.
 * MUST 2: if the entry cannot be written, the answer is denial.
 * MUST 3: whoever may not see a request gets the same error as for one that does not exist (B8).
 *
 * Every function that takes a Reply takes it over and answers it, now or after the next commit.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "broker/caller.h"
#include "broker/ledger.h"
#include "broker/registry.h"
#include "broker/verify.h"
#include "broker/worker.h"
#include "common/policy.h"

typedef struct Flow Flow;

typedef void (*FlowReload)(void *userdata);

typedef struct FlowParts {
        sd_event *event;
        sd_bus *bus;
        Worker *worker;
        Verify *verify;
        const char *state_dir; /* of the ledger; outlives the flow */
        const char *origin;    /* of a ledger that is created; outlives the flow */
        FlowReload reload;     /* reads the policy and calls flow_set_policy() */
        void *reload_userdata;
} FlowParts;

int flow_new(const FlowParts *parts, Flow **ret_flow);

/* Denies what still waits, and records that. */
Flow *flow_free(Flow *flow);

/* Puts a policy in force (taken over) with a NULL message; or, with a NULL policy, keeps the old one and
 * remembers why the new one was refused (message is copied). */
void flow_set_policy(Flow *flow, Policy *policy, const char *message);

/* Opens the ledger if it is not open; at most every few seconds. Returns NULL while it is unavailable. */
Ledger *flow_ledger(Flow *flow);
const char *flow_ledger_message(const Flow *flow);

/* Records the start, so that a reader sees which requests a restart made void. */
void flow_started(Flow *flow);

/* Groups whose membership caller.c looks up: of a reviewer or auditor, and of an account that logs in. */
char *const *flow_group_names(const Flow *flow);
char *const *flow_login_groups(const Flow *flow);
Callers *flow_callers(Flow *flow);

/* Text as the front end gave it; NULL for what it did not give. */
typedef struct FlowLogin {
        const char *user, *service, *tty, *rhost, *ruser;
        const char *reason;      /* why the requester wants in; "": was asked, and said nothing */
        uint64_t time_left_usec; /* 0: no limit */
        bool account_stage;      /* PAM's account stage: nobody was asked before, and nothing can be shown */
        bool can_ask;            /* the front end can ask for a reason */
} FlowLogin;

/* Whether every login through this service is exempt, whoever it is. Then nothing is looked up: the answer
 * depends on no identity, creates nothing, and tells only what the policy says of background services. */
bool flow_exempts_service(const Flow *flow, const char *service);
/* For such a service only. */
void flow_exempt(Flow *flow, Reply *reply, const char *service);

/* caller was identified with login->user as the account asked about. */
void flow_create(Flow *flow, Reply *reply, const Caller *caller, const FlowLogin *login);
void flow_wait(Flow *flow, Reply *reply, const char *id);
void flow_cancel(Flow *flow, Reply *reply, const char *id);

/* Whether such a request waits, and whose login to what it is, for polkit's rules; else both are NULL. It
 * tells the caller nothing, who need not even be known yet. */
bool flow_name_login(const Flow *flow, const char *id, const char **ret_user, const char **ret_service);

typedef struct FlowApproval {
        const char *id, *code, *note; /* in the message that reply answers */
        bool authenticated;           /* polkit was satisfied a moment ago */
        CallerDone again; /* reads the message once more and calls flow_approve(), authenticated */
} FlowApproval;

void flow_approve(Flow *flow, Reply *reply, const Caller *caller, const FlowApproval *approval);
void flow_deny(Flow *flow, Reply *reply, const Caller *caller, const char *id, const char *note);

/* Makes what is staged durable and answers whoever waits for it. To be called before a request or the ledger
 * is shown, so that nothing is seen that may still be lost. */
void flow_commit(Flow *flow);
/* The next request after `after` (NULL: the first) that caller may see. */
const Request *flow_next_visible(Flow *flow, const Caller *caller, const Request *after);
/* NULL if there is none, or caller may not see it. */
const Request *flow_get_visible(Flow *flow, const Caller *caller, const char *id);
/* NULL if caller may decide the request, else why not, for people; *ret_error is the bus error name. */
const char *flow_why_not(const Flow *flow, const Caller *caller, const Request *request,
                         const char **ret_error);
/* Whether the request is caller's own, or by su on the way to be. */
bool flow_is_own(const Caller *caller, const Request *request);

/* The owner of a request gives a recovery code or a one-time password; what was typed is in the message. */
void flow_redeem(Flow *flow, Reply *reply, const char *id, const char *typed);

/* Root's: caller was identified with the account in question as requester. Secrets are answered once, as an
 * array of texts: ten codes; or the secret of an app and its otpauth URI. */
void flow_generate_recovery(Flow *flow, Reply *reply, const Caller *caller);
void flow_remove_recovery(Flow *flow, Reply *reply, const Caller *caller);
void flow_enroll_totp(Flow *flow, Reply *reply, const Caller *caller, const char *host);
void flow_confirm_totp(Flow *flow, Reply *reply, const Caller *caller, const char *typed);
void flow_remove_totp(Flow *flow, Reply *reply, const Caller *caller);
void flow_get_recovery(Flow *flow, Reply *reply, const Caller *caller);

/* A session of the sender's user began or ended, as root says; what it is, logind is asked. */
void flow_session_opened(Flow *flow, Reply *reply, const Caller *caller, const char *session);
void flow_session_closed(Flow *flow, Reply *reply, const Caller *caller, const char *session);

/* Root and administrators: reads the policy again, and answers with its hash and number of rules, or with
 * what is wrong; then the old one stays in force. */
void flow_reload_policy(Flow *flow, Reply *reply, const Caller *caller);

/* As subscribers_add() and subscribers_remove(); name is a unique bus name. */
int flow_subscribe(Flow *flow, const char *name, const Caller *caller);
void flow_unsubscribe(Flow *flow, const char *name);

/* What caller is under any rule, and whether they may read the ledger: root, auditors, and administrators
 * of any rule. */
typedef struct FlowRoles {
        bool reviewer, admin, auditor;
} FlowRoles;
FlowRoles flow_roles(const Flow *flow, const Caller *caller);

/* Copies the ledger in a worker thread, then calls done, which takes over reply; the snapshot and its
 * descriptor are valid during the call. At most FLOW_SNAPSHOTS_MAX at once. */
enum { FLOW_SNAPSHOTS_MAX = 2 };
typedef void (*FlowSnapshotDone)(int r, const LedgerSnapshot *snapshot, Reply *reply, void *userdata);
void flow_snapshot(Flow *flow, Reply *reply, FlowSnapshotDone done, void *userdata);

typedef struct FlowStatistics {
        uint64_t ledger_size, started_usec; /* entries; usec since the Unix epoch */
        unsigned pending, subscribers;
        bool policy_valid;
        const char *policy_hash;                     /* "" if there is none in force */
        const char *policy_message, *ledger_message; /* "" if all is well */
} FlowStatistics;
void flow_statistics(Flow *flow, FlowStatistics *ret_statistics);
