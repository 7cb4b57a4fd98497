/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table of fields a kind. */
#include "broker/record.h"

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/policy_key.h"

#define FIELD_STRING(k, v)  ((LedgerField){.key = (k), .type = LEDGER_STRING, .string = (v)})
#define FIELD_UINT(k, v)    ((LedgerField){.key = (k), .type = LEDGER_UINT, .uint = (v)})
#define FIELD_STRINGS(k, v) ((LedgerField){.key = (k), .type = LEDGER_STRINGS, .strings = (v)})
#define FIELD_END           ((LedgerField){.type = LEDGER_END})

static int record(Ledger *ledger, const char *kind, const LedgerField *fields) {
        return ledger_stage(ledger, kind, clock_realtime_usec(), fields, NULL);
}

int record_created(Ledger *ledger, const Request *request) {
        const PolicyRule *rule = request->rule;
        _cleanup_free_ char *reviewers = policy_reviewers_text(rule, true);
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_UINT("uid", request->state.requester),
                FIELD_STRING("service", request->service),
                FIELD_STRING("tty", request->tty),
                FIELD_STRING("rhost", request->rhost),
                FIELD_STRING("ruser", request->ruser),
                FIELD_UINT("verified", request->verified),
                FIELD_STRING("rule", rule->name),
                FIELD_STRING("policy", request->policy->hash),
                FIELD_STRING("reviewers", reviewers),
                FIELD_STRING("code", policy_key_code(rule->code)),
                FIELD_STRING("reason", request->stated_reason),
                FIELD_END,
        };

        return reviewers ? record(ledger, "request-created", fields) : -ENOMEM;
}

int record_refused(Ledger *ledger, const Request *login, const char *reason) {
        const LedgerField fields[] = {
                FIELD_STRING("user", login->user),
                FIELD_UINT("uid", login->state.requester),
                FIELD_STRING("service", login->service),
                FIELD_STRING("tty", login->tty),
                FIELD_STRING("rhost", login->rhost),
                FIELD_UINT("verified", login->verified),
                FIELD_STRING("rule", login->rule ? login->rule->name : NULL),
                FIELD_STRING("reason", reason),
                FIELD_END,
        };

        return record(ledger, "refused", fields);
}

int record_passed(Ledger *ledger, const Request *login, const RecordPass *pass) {
        _cleanup_free_ char *reviewers = policy_reviewers_text(login->rule, true);
        const LedgerField fields[] = {
                FIELD_STRING("user", login->user),
                FIELD_UINT("uid", login->state.requester),
                FIELD_STRING("service", login->service),
                FIELD_STRING("tty", login->tty),
                FIELD_STRING("rhost", login->rhost),
                FIELD_UINT("verified", login->verified),
                FIELD_STRING("rule", login->rule->name),
                FIELD_STRING("policy", login->policy->hash),
                FIELD_STRING("reviewers", reviewers),
                FIELD_UINT("reachable", pass->reachable),
                FIELD_UINT("enough", pass->enough),
                FIELD_STRING("reason", login->stated_reason),
                FIELD_END,
        };

        return reviewers ? record(ledger, pass->nobody ? "allowed-nobody" : "monitored", fields) : -ENOMEM;
}

int record_vote(Ledger *ledger, const Request *request, const Voter *voter, const char *vote,
                const char *note) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_STRING("vote", vote),
                FIELD_STRING("by", voter->account),
                FIELD_UINT("by_uid", voter->uid),
                FIELD_STRING("person", voter->name),
                FIELD_UINT("person_uid", voter->person),
                FIELD_STRING("role", voter->role.admin ? "admin" : "reviewer"),
                FIELD_STRING("session", voter->local ? "local" : "remote"),
                FIELD_STRING("note", note),
                FIELD_END,
        };

        return record(ledger, voter->person == request->state.requester ? "self-vote" : "vote", fields);
}

int record_vote_void(Ledger *ledger, const Request *request, uid_t person, const char *name,
                     const char *reason) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id), FIELD_STRING("user", request->user),
                FIELD_STRING("person", name),         FIELD_UINT("person_uid", person),
                FIELD_STRING("reason", reason),       FIELD_END,
        };

        return record(ledger, "vote-void", fields);
}

int record_wrong_code(Ledger *ledger, const Request *request, const Voter *voter) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_STRING("by", voter->account),
                FIELD_UINT("by_uid", voter->uid),
                FIELD_STRING("person", voter->name),
                FIELD_UINT("person_uid", voter->person),
                FIELD_UINT("wrong_codes", request->state.wrong_codes),
                FIELD_END,
        };

        return record(ledger, "wrong-code", fields);
}

int record_recovery(Ledger *ledger, const Request *request, bool right) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_UINT("uid", request->state.requester),
                FIELD_STRING("service", request->service),
                FIELD_STRING("tty", request->tty),
                FIELD_STRING("rhost", request->rhost),
                FIELD_STRING("way", request->way),
                FIELD_UINT("wrong_codes", request->state.wrong_codes),
                FIELD_END,
        };

        return record(ledger, right ? "recovery" : "recovery-wrong", fields);
}

int record_enrolment(Ledger *ledger, const char *kind, const char *user, uid_t uid, const char *by) {
        const LedgerField fields[] = {
                FIELD_STRING("user", user),
                FIELD_UINT("uid", uid),
                FIELD_STRING("by", by),
                FIELD_END,
        };

        return record(ledger, kind, fields);
}

int record_escalated(Ledger *ledger, const Request *request) {
        _cleanup_free_ char *reviewers = policy_reviewers_text(request->rule, true);
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_STRING("reviewers", reviewers),
                FIELD_END,
        };

        return reviewers ? record(ledger, "escalated", fields) : -ENOMEM;
}

static const char *record_end_kind(Verdict verdict) {
        switch (verdict) {
        case VERDICT_EXPIRED:
                return "expired";
        case VERDICT_CANCELLED:
                return "cancelled";
        default:
                return "decision";
        }
}

int record_end(Ledger *ledger, const Request *request) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_UINT("uid", request->state.requester),
                FIELD_STRING("service", request->service),
                FIELD_STRING("outcome", verdict_to_string(request->state.verdict)),
                FIELD_STRINGS("by", request->decided_by),
                FIELD_STRING("reason", request->reason),
                FIELD_STRING("note", request->note),
                FIELD_END,
        };

        return record(ledger, record_end_kind(request->state.verdict), fields);
}

int record_policy_changed(Ledger *ledger, const Policy *policy, const char *previous) {
        const LedgerField fields[] = {
                FIELD_STRING("policy", policy->hash),
                FIELD_STRING("previous", previous),
                FIELD_UINT("rules", policy->n_rules),
                FIELD_END,
        };

        return record(ledger, "policy-changed", fields);
}

int record_broker_started(Ledger *ledger, const Policy *policy, const char *policy_message) {
        const LedgerField fields[] = {
                FIELD_STRING("version", PEERAUTH_VERSION),
                FIELD_STRING("vkey", ledger_vkey(ledger)),
                FIELD_STRING("policy", policy ? policy->hash : NULL),
                FIELD_STRING("policy_error", policy_message),
                FIELD_STRING("ledger_warning",
                             ledger_anchor_missing(ledger) ? "no checkpoint was found beside it" : NULL),
                FIELD_END,
        };

        return record(ledger, "broker-started", fields);
}

int record_broker_stopped(Ledger *ledger) {
        const LedgerField fields[] = {FIELD_END};

        return record(ledger, "broker-stopped", fields);
}
