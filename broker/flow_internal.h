/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What flow.c, flow_create.c, flow_review.c and flow_audit.c share, and nobody else includes. */
#pragma once

#include "broker/flow.h"
#include "broker/quota.h"
#include "broker/subscribers.h"

/* Group whose members may read the ledger through the bus. */
#define FLOW_AUDITORS "peerauth-auditors"

enum { FLOW_HELD_MAX = 64 }; /* answers that wait for one commit */

typedef struct FlowCreate FlowCreate;

struct Flow {
        sd_event *event;
        sd_bus *bus;
        Worker *worker;
        Callers *callers;
        Codes *codes;
        Registry *registry;
        Subscribers *subscribers;

        Policy *policy;       /* NULL: every request is denied */
        char *policy_message; /* why the newest files were refused; NULL if they were not */
        char **group_names;

        const char *state_dir, *origin;
        Ledger *ledger;
        char *ledger_message;
        uint64_t ledger_tried_usec;
        uint64_t started_usec;
        Quota quota; /* of logins that no privileged program vouches for */

        sd_event_source *commit_source, *commit_limit, *save_source;
        Reply *held[FLOW_HELD_MAX];
        unsigned n_held;
        uint64_t staged_since_usec;
        FlowCreate *creating;
        struct FlowAudit *audits; /* snapshots under way */
        unsigned n_audits;
};

/* Keeps an answer until the staged entries are durable; sends it at once if there are none. */
void flow_hold(Flow *flow, Reply *reply);

/* Something was staged: commit soon. */
void flow_schedule_commit(Flow *flow);

/* Who acted, for the ledger; word is "approve", "deny" or, for a wrong code, NULL. */
typedef struct FlowVote {
        const Caller *caller;
        const char *word, *role, *note;
} FlowVote;

/*
 * Applies an event, stages what it means for the ledger and asks for a commit. vote is NULL for events
 * that nobody caused.
 * Returns as request_apply(); a refused event changes and stages nothing. -EIO: the ledger cannot take it,
 * and the request is denied.
 */
int flow_event(Flow *flow, Request *request, const RequestEvent *event, const FlowVote *vote);

/* Stages the entry of a new request and holds its answer until that is durable. */
void flow_record_created(Flow *flow, Request *request);

/* Tells whoever waits for this request how it stands now; committed ones only. It may be retired by that. */
void flow_publish(Flow *flow, Request *request);

/* Snapshots under way end without an answer: their calls are denied. */
void flow_audit_abandon(Flow *flow);

/* Ends look-ups for logins that are not requests yet. */
void flow_create_abandon(Flow *flow);
