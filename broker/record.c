/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table of fields a kind. */
#include "broker/record.h"

#include "common/clock.h"

#define FIELD_STRING(k, v)  ((LedgerField){.key = (k), .type = LEDGER_STRING, .string = (v)})
#define FIELD_UINT(k, v)    ((LedgerField){.key = (k), .type = LEDGER_UINT, .uint = (v)})
#define FIELD_STRINGS(k, v) ((LedgerField){.key = (k), .type = LEDGER_STRINGS, .strings = (v)})
#define FIELD_END           ((LedgerField){.type = LEDGER_END})

static int record(Ledger *ledger, const char *kind, const LedgerField *fields) {
        return ledger_stage(ledger, kind, clock_realtime_usec(), fields, NULL);
}

int record_created(Ledger *ledger, const Request *request) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_UINT("uid", request->state.requester),
                FIELD_STRING("service", request->service),
                FIELD_STRING("tty", request->tty),
                FIELD_STRING("rhost", request->rhost),
                FIELD_STRING("ruser", request->ruser),
                FIELD_UINT("verified", request->verified),
                FIELD_STRING("rule", request->rule->name),
                FIELD_UINT("needed", request->rule->reviewers_needed),
                FIELD_STRING("reviewers", request->rule->reviewers_group),
                FIELD_STRING("admins", request->rule->admins_group),
                FIELD_STRING("code", request->rule->code == CODE_COMPARE ? PEERAUTH_CODE_COMPARE
                                                                         : PEERAUTH_CODE_ENTER),
                FIELD_END,
        };

        return record(ledger, "request-created", fields);
}

int record_refused(Ledger *ledger, const RecordLogin *login, const char *rule, const char *reason) {
        const LedgerField fields[] = {
                /* One field a line, because their order is part of the format. */
                /* clang-format off */
                FIELD_STRING("user", login->user),
                FIELD_UINT("uid", login->uid),
                FIELD_STRING("service", login->service),
                FIELD_STRING("tty", login->tty),
                FIELD_STRING("rhost", login->rhost),
                FIELD_STRING("rule", rule),
                FIELD_STRING("reason", reason),
                FIELD_END,
                /* clang-format on */
        };

        return record(ledger, "refused", fields);
}

int record_vote(Ledger *ledger, const Request *request, const Caller *caller, const char *vote,
                const char *role, const char *note) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_STRING("vote", vote),
                FIELD_STRING("by", caller->account.name),
                FIELD_UINT("by_uid", caller->uid),
                FIELD_STRING("person", caller->person_name),
                FIELD_UINT("person_uid", caller->person),
                FIELD_STRING("role", role),
                FIELD_STRING("session", caller->local_session ? "local" : "remote"),
                FIELD_STRING("note", note),
                FIELD_END,
        };

        return record(ledger, "vote", fields);
}

int record_wrong_code(Ledger *ledger, const Request *request, const Caller *caller) {
        const LedgerField fields[] = {
                FIELD_STRING("request", request->id),
                FIELD_STRING("user", request->user),
                FIELD_STRING("by", caller->account.name),
                FIELD_UINT("by_uid", caller->uid),
                FIELD_STRING("person", caller->person_name),
                FIELD_UINT("person_uid", caller->person),
                FIELD_UINT("wrong_codes", request->state.wrong_codes),
                FIELD_END,
        };

        return record(ledger, "wrong-code", fields);
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

int record_broker_started(Ledger *ledger, const char *policy_message) {
        const LedgerField fields[] = {
                FIELD_STRING("version", PEERAUTH_VERSION),
                FIELD_STRING("vkey", ledger_vkey(ledger)),
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
