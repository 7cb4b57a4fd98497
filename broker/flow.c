/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Event, transition, ledger, replies: in this order. What waits for the same commit is made durable
 * together; flow_create.c, flow_wait.c and flow_vote.c bring the events of the two sides.
 */
#include "broker/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/flow_internal.h"
#include "broker/ledger_dir.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/strv.h"

enum {
        /* Bus messages that are already there are handled before a commit, so that they share it... */
        FLOW_COMMIT_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10,
        FLOW_SAVE_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 20,
        /* ... but nobody can put it off for longer than this by sending more. */
        FLOW_COMMIT_DELAY_USEC = 2000,
        FLOW_LEDGER_RETRY_USEC = 5000000,
        /* The checkpoint outside the database may lag, so that entries in a row share one write of it. */
        FLOW_SAVE_DELAY_USEC = 100000,
};

/* The answer to WaitDecision. MUST 1 and 2 hold because only flow_publish() calls it. */
static void flow_answer_waiter(Request *request) {
        _cleanup_message_ sd_bus_message *answer = NULL;
        int r;

        if (request->failed) {
                reply_prepare_error(request->waiter, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The decision could not be recorded, so the login is denied.");
                request->waiter = reply_free(request->waiter);
                return;
        }
        if (request->stopped) {
                /* An error, so that the module answers "unavailable" rather than "denied by a person". */
                reply_prepare_error(request->waiter, SD_BUS_ERROR_FAILED,
                                    "The approval service was stopped.");
                request->waiter = reply_free(request->waiter);
                return;
        }
        r = reply_begin(request->waiter, &answer);
        if (r >= 0)
                r = sd_bus_message_append(answer, "s", verdict_to_string(request->state.verdict));
        if (r >= 0)
                r = sd_bus_message_open_container(answer, 'a', "{sv}");
        if (r >= 0)
                r = bus_dict_add_strings(answer, PEERAUTH_KEY_BY, request->decided_by);
        if (r >= 0)
                r = bus_dict_add_string(answer, PEERAUTH_KEY_NOTE, request->note);
        if (r >= 0)
                r = bus_dict_add_string(answer, PEERAUTH_KEY_REASON, request->reason);
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        if (r >= 0)
                reply_prepare(request->waiter, STEAL_PTR(answer));
        request->waiter = reply_free(request->waiter);
}

void flow_publish(Flow *flow, Request *request) {
        bool final = verdict_is_final(request->state.verdict);

        if (request->created && request->failed)
                reply_prepare_error(request->created, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The login could not be recorded, so it is denied.");
        request->created = reply_free(request->created);
        if (request->state.verdict == VERDICT_APPROVED && !request->failed && !request->published)
                flow_expect_session(flow, request);
        request->published = final;
        if (final && request->waiter) {
                flow_answer_waiter(request);
                subscribers_tell(flow->subscribers, request);
                registry_retire(request);
                return;
        }
        subscribers_tell(flow->subscribers, request);
        if (!final)
                return;
        if (request->failed || request->gone || request->state.verdict == VERDICT_CANCELLED)
                registry_retire(request);
        else
                registry_linger(request, clock_boottime_usec());
}

static void flow_fail(Flow *flow, Request *request, int error) {
        log_error("the ledger cannot take an entry for request %.8s: %s; the login is denied", request->id,
                  strerror(-error));
        request->state.verdict = VERDICT_DENIED;
        request->failed = true;
        registry_settle(request);
        flow_schedule_commit(flow);
}

static void flow_release_held(Flow *flow, int r) {
        for (unsigned i = 0; i < flow->n_held; i++) {
                if (r < 0)
                        reply_prepare_error(flow->held[i], PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                            "The decision could not be recorded (%s); nothing was decided.",
                                            strerror(-r));
                reply_free(flow->held[i]);
        }
        flow->n_held = 0;
}

static void flow_schedule_save(Flow *flow) {
        int enabled = SD_EVENT_OFF;

        (void)sd_event_source_get_enabled(flow->save_source, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        (void)sd_event_source_set_time_relative(flow->save_source, FLOW_SAVE_DELAY_USEC);
        (void)sd_event_source_set_enabled(flow->save_source, SD_EVENT_ONESHOT);
}

static int on_save(sd_event_source *source, uint64_t usec, void *userdata) {
        Flow *flow = userdata;
        int r = flow->ledger ? ledger_save_checkpoint(flow->ledger) : 0;

        (void)source;
        (void)usec;
        if (r < 0)
                log_error("cannot write the ledger's checkpoint beside it: %s", strerror(-r));
        return 0;
}

/* What `peerauthctl status` says of the ledger, until an entry gets in again. */
static void flow_note_ledger(Flow *flow, int error) {
        char *message = NULL;

        if (error < 0)
                (void)ledger_dir_failed(&message, error, flow->state_dir, "", "write to the ledger");
        free(flow->ledger_message);
        flow->ledger_message = message;
}

void flow_commit(Flow *flow) {
        Request *request, *next;
        bool wrote;
        int r;

        if (flow->staged_since_usec == 0)
                return;
        flow->staged_since_usec = 0;
        (void)sd_event_source_set_enabled(flow->commit_source, SD_EVENT_OFF);
        (void)sd_event_source_set_enabled(flow->commit_limit, SD_EVENT_OFF);
        wrote = flow->ledger && ledger_staged(flow->ledger) > 0;
        r = flow->ledger ? ledger_commit(flow->ledger) : -ENOTCONN;
        if (wrote)
                flow_note_ledger(flow, r);
        for (request = registry_next(flow->registry, NULL); request; request = next) {
                next = registry_next(flow->registry, request);
                if (!request->uncommitted && !request->failed)
                        continue;
                request->uncommitted = false;
                if (r < 0 && !request->failed)
                        flow_fail(flow, request, r);
                flow_publish(flow, request);
        }
        flow_release_held(flow, r);
        if (r >= 0)
                flow_schedule_save(flow);
}

static int on_commit(sd_event_source *source, void *userdata) {
        (void)source;
        flow_commit(userdata);
        return 0;
}

static int on_commit_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        flow_commit(userdata);
        return 0;
}

void flow_schedule_commit(Flow *flow) {
        /* Not from here: the caller has not finished with its request. */
        (void)sd_event_source_set_enabled(flow->commit_source, SD_EVENT_ONESHOT);
        if (flow->staged_since_usec != 0)
                return;
        flow->staged_since_usec = clock_boottime_usec();
        (void)sd_event_source_set_time_relative(flow->commit_limit, FLOW_COMMIT_DELAY_USEC);
        (void)sd_event_source_set_enabled(flow->commit_limit, SD_EVENT_ONESHOT);
}

void flow_hold(Flow *flow, Reply *reply) {
        if (flow->staged_since_usec == 0) {
                reply_free(reply);
                return;
        }
        flow->held[flow->n_held++] = reply;
        if (flow->n_held == FLOW_HELD_MAX)
                flow_commit(flow);
}

static void set_text(char **text, const char *value) {
        free(*text);
        *text = value ? strdup(value) : NULL;
}

static const char *flow_denial_reason(const Request *request, const FlowVote *vote, RequestEventKind kind) {
        if (kind == REQUEST_EVENT_WRONG_CODE || kind == REQUEST_EVENT_RECOVER_WRONG)
                return "Too many wrong codes were entered.";
        if (!vote)
                return "The broker stopped.";
        return strv_length(request->decided_by) > 1 ? "Reviewers denied it." : "A reviewer denied it.";
}

/* Who and why, for the requester and the ledger. */
static void flow_explain(Request *request, const FlowVote *vote, RequestEventKind kind) {
        if (vote && vote->word)
                (void)registry_name_voter(request, vote->voter->person, vote->voter->name);
        if (!verdict_is_final(request->state.verdict))
                return;
        set_text(&request->note, vote ? vote->note : NULL);
        switch (request->state.verdict) {
        case VERDICT_APPROVED:
                if (kind == REQUEST_EVENT_RECOVER)
                        (void)strv_append(&request->decided_by, request->way);
                else
                        request->decided_by = registry_voters(request, true);
                break;
        case VERDICT_EXPIRED:
                set_text(&request->reason, "Nobody decided in time.");
                break;
        case VERDICT_CANCELLED:
                set_text(&request->reason, "The requester went away.");
                break;
        default:
                if (vote && vote->word)
                        request->decided_by = registry_voters(request, false);
                else if (vote)
                        (void)strv_append(&request->decided_by, vote->voter->name);
                set_text(&request->reason, flow_denial_reason(request, vote, kind));
        }
}

/* What nobody did by a vote. lost: the person's earlier approval was taken back. */
static int flow_stage_other(Ledger *ledger, const Request *request, const RequestEvent *event, bool lost) {
        if (event->kind == REQUEST_EVENT_ESCALATE)
                return record_escalated(ledger, request);
        if (event->kind == REQUEST_EVENT_RECOVER || event->kind == REQUEST_EVENT_RECOVER_WRONG)
                return record_recovery(ledger, request, event->kind == REQUEST_EVENT_RECOVER);
        if (event->kind == REQUEST_EVENT_RECHECK && lost)
                return record_vote_void(ledger, request, event->person,
                                        registry_voter_name(request, event->person),
                                        "not logged in and unlocked, or no longer a reviewer");
        return 0;
}

static int flow_stage(Flow *flow, const Request *request, const RequestEvent *event, const FlowVote *vote,
                      bool lost) {
        Ledger *ledger = flow->ledger;
        int r;

        if (!ledger)
                return -ENOTCONN;
        if (!vote)
                r = flow_stage_other(ledger, request, event, lost);
        else
                r = vote->word ? record_vote(ledger, request, vote->voter, vote->word, vote->note)
                               : record_wrong_code(ledger, request, vote->voter);
        if (r >= 0 && verdict_is_final(request->state.verdict))
                r = record_end(ledger, request);
        return r;
}

int flow_event(Flow *flow, Request *request, const RequestEvent *event, const FlowVote *vote) {
        const RequestEvent too_late = {.kind = REQUEST_EVENT_TICK};
        RequestState next = request->state;
        int outcome, r;
        bool lost;

        outcome = request_apply(&next, event);
        if (outcome < 0 && outcome != -EKEYEXPIRED)
                return outcome;
        if (outcome == 0 && event->kind == REQUEST_EVENT_TICK)
                return 0;
        if (outcome < 0) {
                event = &too_late;
                vote = NULL;
        }
        lost = next.n_votes < request->state.n_votes;
        request->state = next;
        flow_explain(request, vote, event->kind);
        r = flow_stage(flow, request, event, vote, lost);
        if (r < 0) {
                flow_fail(flow, request, r);
                return -EIO;
        }
        if (verdict_is_final(next.verdict))
                registry_settle(request);
        request->uncommitted = true;
        flow_schedule_commit(flow);
        return outcome;
}

void flow_record_created(Flow *flow, Request *request) {
        int r = record_created(flow->ledger, request);

        if (r < 0) {
                flow_fail(flow, request, r);
                return;
        }
        request->uncommitted = true;
        flow_schedule_commit(flow);
}

/* The owner disconnected, the deadline passed, or it is time to ask more people. */
static void on_request_event(Request *request, RequestEventKind kind, void *userdata) {
        const RequestEvent event = {.kind = kind, .now_usec = clock_boottime_usec()};
        Flow *flow = userdata;

        request->gone |= kind == REQUEST_EVENT_CANCEL;
        if (flow_event(flow, request, &event, NULL) != -EALREADY || kind == REQUEST_EVENT_ESCALATE)
                return;
        /* Decided: it is retired now, or when what was decided is durable. */
        if (request->uncommitted)
                flow_commit(flow);
        else
                registry_retire(request);
}

/* ---- the ledger's life ---- */

Ledger *flow_ledger(Flow *flow) {
        uint64_t now = clock_boottime_usec();
        char *message = NULL;
        int r;

        if (flow->ledger)
                return flow->ledger;
        if (flow->ledger_tried_usec != 0 && now - flow->ledger_tried_usec < FLOW_LEDGER_RETRY_USEC)
                return NULL;
        flow->ledger_tried_usec = now;
        r = ledger_open(flow->state_dir, flow->origin, &flow->ledger, &message);
        free(flow->ledger_message);
        flow->ledger_message = NULL;
        if (r < 0) {
                flow->ledger_message = message ? message : strdup(strerror(-r));
                log_error("the ledger cannot be used, so every login under review is denied: %s",
                          flow->ledger_message ? flow->ledger_message : strerror(-r));
                return NULL;
        }
        log_info("ledger opened with %ju entries, verifier key %s", (uintmax_t)ledger_size(flow->ledger),
                 ledger_vkey(flow->ledger));
        if (ledger_anchor_missing(flow->ledger))
                log_warning(
                        "there was no checkpoint beside the ledger: compare it with an export, for nothing "
                        "here tells whether its last entries are still there");
        return flow->ledger;
}

const char *flow_ledger_message(const Flow *flow) {
        return flow->ledger_message ? flow->ledger_message : "";
}

void flow_started(Flow *flow) {
        Ledger *ledger = flow_ledger(flow);

        flow_recovery_started(flow);
        if (!ledger)
                return;
        if (record_broker_started(ledger, flow->policy, flow->policy_message) >= 0)
                flow_schedule_commit(flow);
}

/* ---- construction ---- */

int flow_new(const FlowParts *parts, Flow **ret_flow) {
        Flow *flow = calloc(1, sizeof(*flow));
        int r;

        if (!flow)
                return -ENOMEM;
        *flow = (Flow){.event = sd_event_ref(parts->event),
                       .bus = sd_bus_ref(parts->bus),
                       .worker = parts->worker,
                       .verify = parts->verify,
                       .state_dir = parts->state_dir,
                       .origin = parts->origin,
                       .reload = parts->reload,
                       .reload_userdata = parts->reload_userdata,
                       .started_usec = clock_realtime_usec()};
        r = strv_append(&flow->group_names, FLOW_AUDITORS);
        if (r >= 0)
                r = callers_new(parts->bus, parts->worker, &flow->callers);
        if (r >= 0)
                r = approved_new(parts->bus, &flow->approved);
        if (r >= 0)
                r = codes_new(&flow->codes);
        if (r >= 0)
                r = registry_new(parts->event, parts->bus, flow->codes, on_request_event, flow,
                                 &flow->registry);
        if (r >= 0)
                r = subscribers_new(parts->bus, &flow->subscribers);
        if (r >= 0)
                r = sd_event_add_defer(parts->event, &flow->commit_source, on_commit, flow);
        if (r >= 0)
                r = sd_event_add_time_relative(parts->event, &flow->save_source, CLOCK_MONOTONIC,
                                               FLOW_SAVE_DELAY_USEC, 0, on_save, flow);
        if (r >= 0)
                r = sd_event_add_time_relative(parts->event, &flow->commit_limit, CLOCK_MONOTONIC,
                                               FLOW_COMMIT_DELAY_USEC, 1, on_commit_limit, flow);
        if (r >= 0)
                r = sd_event_source_set_enabled(flow->commit_limit, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(flow->commit_limit, SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_source_set_enabled(flow->commit_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_enabled(flow->save_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(flow->commit_source, FLOW_COMMIT_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_priority(flow->save_source, FLOW_SAVE_PRIORITY);
        if (r < 0) {
                flow_free(flow);
                return r;
        }
        *ret_flow = flow;
        return 0;
}

static void flow_stop(Flow *flow) {
        const RequestEvent event = {.kind = REQUEST_EVENT_VOID, .now_usec = clock_boottime_usec()};

        for (Request *q = registry_next(flow->registry, NULL); q; q = registry_next(flow->registry, q)) {
                q->stopped = !verdict_is_final(q->state.verdict);
                (void)flow_event(flow, q, &event, NULL);
        }
        if (flow->ledger && record_broker_stopped(flow->ledger) >= 0)
                flow_schedule_commit(flow);
        flow_commit(flow);
        if (flow->ledger)
                (void)ledger_save_checkpoint(flow->ledger);
}

Flow *flow_free(Flow *flow) {
        if (!flow)
                return NULL;
        flow_create_abandon(flow);
        flow_vote_abandon(flow);
        flow_recovery_abandon(flow);
        flow_enroll_abandon(flow);
        flow_audit_abandon(flow);
        flow->approved = approved_free(flow->approved);
        callers_free(flow->callers);
        if (flow->registry && flow->commit_source && flow->commit_limit && flow->save_source)
                flow_stop(flow);
        registry_free(flow->registry);
        subscribers_free(flow->subscribers);
        codes_free(flow->codes);
        ledger_close(flow->ledger);
        state_close(flow->state);
        policy_unref(flow->policy);
        sd_event_source_disable_unref(flow->commit_source);
        sd_event_source_disable_unref(flow->commit_limit);
        sd_event_source_disable_unref(flow->save_source);
        strv_free(flow->group_names);
        free(flow->policy_message);
        free(flow->ledger_message);
        sd_bus_unref(flow->bus);
        sd_event_unref(flow->event);
        free(flow);
        return NULL;
}

Callers *flow_callers(Flow *flow) {
        return flow->callers;
}

void flow_statistics(Flow *flow, FlowStatistics *ret_statistics) {
        *ret_statistics = (FlowStatistics){
                .ledger_size = flow->ledger ? ledger_size(flow->ledger) : 0,
                .started_usec = flow->started_usec,
                .pending = registry_pending(flow->registry),
                .subscribers = subscribers_count(flow->subscribers),
                .policy_valid = flow->policy && !flow->policy_message,
                .policy_hash = flow->policy ? flow->policy->hash : "",
                .policy_message = flow->policy_message ? flow->policy_message : "",
                .ledger_message = flow_ledger_message(flow),
        };
}
