/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the flow_*.c files share, and nobody else includes. */
#pragma once

#include "broker/approved.h"
#include "broker/flow.h"
#include "broker/quota.h"
#include "broker/reach.h"
#include "broker/record.h"
#include "broker/state.h"
#include "broker/subscribers.h"
#include "broker/verify.h"
#include "broker/voter.h"

/* Group whose members may read the ledger through the bus. */
#define FLOW_AUDITORS "peerauth-auditors"

enum { FLOW_HELD_MAX = 64 }; /* answers that wait for one commit */

typedef struct FlowCreate FlowCreate;
typedef struct FlowVoting FlowVoting;
typedef struct FlowRedeem FlowRedeem;
typedef struct FlowEnroll FlowEnroll;

struct Flow {
        sd_event *event;
        sd_bus *bus;
        Worker *worker;
        Callers *callers;
        Codes *codes;
        Registry *registry;
        Subscribers *subscribers;
        Approved *approved; /* sessions that began with an approval */

        Policy *policy;       /* NULL: every request is denied */
        char *policy_message; /* why the newest files were refused; NULL if they were not */
        char **group_names;
        FlowReload reload;
        void *reload_userdata;

        const char *state_dir, *origin;
        Ledger *ledger;
        char *ledger_message;
        uint64_t ledger_tried_usec;
        State *state; /* NULL: cannot be opened, so that no way of recovery works */
        uint64_t state_tried_usec;
        Verify *verify;
        uint64_t started_usec;
        Quota quota; /* of logins that no privileged program vouches for */

        sd_event_source *commit_source, *commit_limit, *save_source;
        Reply *held[FLOW_HELD_MAX];
        unsigned n_held;
        uint64_t staged_since_usec;
        FlowCreate *creating;     /* logins that are not requests yet */
        FlowVoting *voting;       /* votes that wait for a look-up */
        FlowRedeem *redeeming;    /* recovery codes that are compared */
        FlowEnroll *enrolling;    /* recovery codes that are made */
        struct FlowAudit *audits; /* snapshots under way */
        unsigned n_audits;
};

/* ---- flow.c ---- */

/* Keeps an answer until the staged entries are durable; sends it at once if there are none. */
void flow_hold(Flow *flow, Reply *reply);

/* Something was staged: commit soon. */
void flow_schedule_commit(Flow *flow);

/* Who acted, for the ledger; word is "approve", "deny" or, for a wrong code, NULL. */
typedef struct FlowVote {
        const Voter *voter;
        const char *word, *note;
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

/* ---- flow_create.c ---- */

/* A login on its way to becoming a request. */
struct FlowCreate {
        Flow *flow;
        FlowCreate *next, **link;
        Reply *reply;
        Request *request; /* filled in, not yet in the registry */
        Reach *reach;
        uint64_t time_left_usec;
        bool unsure;        /* whether the rule matches cannot be told */
        bool unknown_group; /* which rule decides depends on a group that was not found */
        bool account_stage; /* nothing can be shown, and nobody was asked before */
        bool can_ask, reason_given;
};

/* Unlinks it; a reply that it still has denies. Takes NULL; returns NULL. */
FlowCreate *flow_create_free(FlowCreate *create);
/* Ends look-ups for logins that are not requests yet. */
void flow_create_abandon(Flow *flow);

/* ---- flow_admit.c: each answers the login, now or later, and frees create ---- */

void flow_admit_fail(FlowCreate *create, const char *error, const char *message);
void flow_admit_refuse(FlowCreate *create, const char *message); /* denied, with a ledger entry */
void flow_admit_pass(FlowCreate *create);                        /* exempt */
/* Exempt because the rule only watches; pass is what is recorded, NULL if it cannot be. */
void flow_admit_pass_watched(FlowCreate *create, const RecordPass *pass);
/* Finds out who is there, then holds the login or does what the rule says otherwise. */
void flow_admit_begin(FlowCreate *create);

/* ---- flow_review.c ---- */

/* What a person who is there, with these sessions, could be under a request's rule. */
PolicyRole flow_role_for(const Flow *flow, const Request *request, const ReachPerson *person,
                         const PresenceList *sessions);

/* Whether uid has a live, unlocked session that began with an approval, and before the request. */
bool flow_vouches(const Flow *flow, const Request *request, uid_t uid, const PresenceList *list);

/* What caller is when it comes to a vote: role, and whether they may vouch for themselves. */
PolicyRole flow_voting_role(const Flow *flow, const Caller *caller, const Request *request,
                            bool *ret_self_vouched);

/* The request that the caller may decide, or NULL with the reply answered and freed. */
Request *flow_find_reviewable(Flow *flow, Reply *reply, const Caller *caller, const char *id);

/* Answers a vote that was refused, recorded or decided something; reply is not freed. */
void flow_answer_vote(Reply *reply, const Request *request, RequestEventKind kind, int r);

/* ---- flow_session.c ---- */

/* An approved login will open a session. */
void flow_expect_session(Flow *flow, const Request *request);

/* ---- flow_recovery.c ---- */

/* Opens state.db if it is not open, at most every few seconds, and tells it the time. NULL while it cannot be
 * used. */
State *flow_state(Flow *flow);

/* Whether the requester could recover: a code that is left, or one-time passwords. */
bool flow_has_recovery(Flow *flow, const Request *request);

/* Opens state.db before the first login needs it, and removes what is out of date. */
void flow_recovery_started(Flow *flow);

/* Checks under way find nobody when they end. */
void flow_recovery_abandon(Flow *flow);

/* ---- flow_enroll.c ---- */

void flow_enroll_abandon(Flow *flow);

/* ---- flow_wait.c ---- */

/* The sender's own live request, or NULL with the reply answered: foreign and unknown ids are alike (B8). */
Request *flow_own_request(Flow *flow, Reply **reply, const char *id);

/* ---- flow_vote.c ---- */

/* Votes under way end without effect: their calls are denied. */
void flow_vote_abandon(Flow *flow);

/* ---- flow_audit.c ---- */

/* Snapshots under way end without an answer: their calls are denied. */
void flow_audit_abandon(Flow *flow);
