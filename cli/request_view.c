/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests as records. The code is a field only if the broker sent it, which it does under Code=compare.
 */
#include "cli/request_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/text.h"

/* Less time than a person needs to read, call back and type. */
#define HURRY_USEC (30 * PEERAUTH_USEC_PER_SEC)

enum { WORD_BYTES = PEERAUTH_USER_MAX };

/* "4 min 10 s", "38 s" */
static const char *span_text(uint64_t usec, char ret[REQUEST_VIEW_SPAN]) {
        uint64_t s = usec / PEERAUTH_USEC_PER_SEC;

        if (s < 60)
                (void)snprintf(ret, REQUEST_VIEW_SPAN, "%" PRIu64 " s", s);
        else if (s < 3600)
                (void)snprintf(ret, REQUEST_VIEW_SPAN, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
        else if (s < 86400)
                (void)snprintf(ret, REQUEST_VIEW_SPAN, "%" PRIu64 " h %" PRIu64 " min", s / 3600,
                               s / 60 % 60);
        else
                (void)snprintf(ret, REQUEST_VIEW_SPAN, "%" PRIu64 " d %" PRIu64 " h", s / 86400,
                               s / 3600 % 24);
        return ret;
}

const char *request_view_time(uint64_t realtime_usec, char ret[REQUEST_VIEW_SPAN]) {
        time_t seconds = (time_t)(realtime_usec / PEERAUTH_USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, REQUEST_VIEW_SPAN, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
                (void)snprintf(ret, REQUEST_VIEW_SPAN, "?");
        return ret;
}

static uint64_t until(uint64_t from, uint64_t to) {
        return to > from ? to - from : 0;
}

char *request_view_word(const char *text) {
        _cleanup_free_ char *safe = text_safe(*text ? text : "?", WORD_BYTES);

        return safe ? output_word(safe) : NULL;
}

static const char *where(const ClientRequest *request) {
        if (*request->rhost)
                return request->rhost;
        return *request->tty ? request->tty : "this-host";
}

static void add_facts(Record *record, const ClientRequest *request) {
        char uid[16];

        (void)snprintf(uid, sizeof(uid), "%" PRIu32, request->uid);
        record_string(record, PEERAUTH_KEY_USER, "Account", request->user);
        record_uint(record, PEERAUTH_KEY_UID, "UID", request->uid,
                    request->uid == UINT32_MAX ? "none: there is no such account" : uid);
        record_string(record, PEERAUTH_KEY_SERVICE, "Service", request->service);
        record_string(record, PEERAUTH_KEY_RHOST, "From host", request->rhost);
        record_string(record, PEERAUTH_KEY_TTY, "Terminal", request->tty);
        record_string(record, PEERAUTH_KEY_RUSER, "Remote account", request->ruser);
        record_bool(record, PEERAUTH_KEY_VERIFIED, NULL, request->verified);
        record_text(record, "source", "Source",
                    request->verified ? "a login service"
                                      : "NOT VERIFIED: a program of that account says so");
}

static void add_times(Record *record, const ClientRequest *request) {
        uint64_t age = until(request->created_usec, clock_realtime_usec());
        uint64_t left = until(clock_boottime_usec(), request->deadline_usec);
        char text[REQUEST_VIEW_SPAN];

        record_uint(record, PEERAUTH_KEY_CREATED, "Since", request->created_usec,
                    request_view_time(request->created_usec, text));
        record_text(record, "age", NULL, span_text(age, text));
        record_uint(record, PEERAUTH_KEY_DEADLINE, NULL, request->deadline_usec, NULL);
        record_uint(record, "time-left", "Time left", left, span_text(left, text));
        if (left < HURRY_USEC)
                record_alert(record);
}

/* NULL: the number says it. Nothing missing and still held: those who approved before an escalation are
 * enough now, and the next approval finds that out. */
static const char *missing_text(uint32_t missing) {
        if (missing == UINT32_MAX)
                return "an administrator";
        return missing == 0 ? "one more approval" : NULL;
}

/* "1/2", "1/2, 1 against", and "0/admin" where no number of reviewers is enough. */
static void add_votes(Record *record, const ClientRequest *request) {
        char text[64], against[32] = "";

        if (request->denials > 0)
                (void)snprintf(against, sizeof(against), ", %" PRIu32 " against", request->denials);
        (void)snprintf(text, sizeof(text), "%" PRIu32 "/%" PRIu32 "%s", request->approvals, request->needed,
                       against);
        if (request->missing == UINT32_MAX)
                (void)snprintf(text, sizeof(text), "%" PRIu32 "/admin%s", request->approvals, against);
        record_uint(record, PEERAUTH_KEY_APPROVALS, NULL, request->approvals, NULL);
        record_uint(record, PEERAUTH_KEY_NEEDED, NULL, request->needed, NULL);
        record_uint(record, PEERAUTH_KEY_DENIALS, NULL, request->denials, NULL);
        record_text(record, "votes", "Approvals", text);
        record_uint(record, PEERAUTH_KEY_MISSING, "Still missing", request->missing,
                    missing_text(request->missing));
        record_strings(record, PEERAUTH_KEY_VOTERS, "Approved by", request->voters);
}

static void add_rule(Record *record, const ClientRequest *request) {
        char text[PEERAUTH_USER_MAX];

        record_string(record, PEERAUTH_KEY_RULE, "Rule", request->rule);
        (void)snprintf(text, sizeof(text), "%s%s%s", request->rule, request->escalated ? " (escalated)" : "",
                       request->self ? " (your own login)" : "");
        record_text(record, "rule-text", NULL, text);
        record_bool(record, PEERAUTH_KEY_ESCALATED, "Escalated", request->escalated);
        record_bool(record, PEERAUTH_KEY_SELF, "Your own login", request->self);
        record_string(record, PEERAUTH_KEY_REASON, "Reason given", request->reason);
        record_string(record, PEERAUTH_KEY_NOTE_MODE, "Note", request->note_mode);
        record_string(record, PEERAUTH_KEY_NOTE_PATTERN, "Form of the note", request->note_pattern);
}

static void add_decision(Record *record, const ClientRequest *request) {
        char grouped[8];

        add_rule(record, request);
        record_string(record, PEERAUTH_KEY_REVIEWERS, "Decided by", request->reviewers);
        add_votes(record, request);
        record_string(record, PEERAUTH_KEY_STATE, "State", request->state);
        record_string(record, PEERAUTH_KEY_CODE_MODE, NULL, request->code_mode);
        record_bool(record, PEERAUTH_KEY_CAN_DECIDE, "You may decide", request->can_decide);
        record_string(record, PEERAUTH_KEY_WHY_NOT, "Because", request->why_not);
        if (text_group_code(request->code, grouped) == 0) {
                record_string(record, PEERAUTH_KEY_CODE, NULL, request->code);
                record_text(record, "code-text", "Code", grouped);
                explicit_bzero(grouped, sizeof(grouped));
        }
}

Record *request_view(const ClientRequest *request, size_t short_id) {
        Record *record = record_new();
        char text[PEERAUTH_ID_HEX + 1];

        if (!record)
                return NULL;
        record_string(record, PEERAUTH_KEY_ID, "Request", request->id);
        (void)snprintf(text, sizeof(text), "%.*s", (int)short_id, request->id);
        record_text(record, "short-id", NULL, text);
        add_facts(record, request);
        record_text(record, "from", NULL, where(request));
        add_times(record, request);
        add_decision(record, request);
        return record;
}

Record *request_view_ended(const ClientRequest *request, Verdict verdict) {
        Record *record = record_new();

        if (!record)
                return NULL;
        record_string(record, PEERAUTH_KEY_ID, "Request", request->id);
        add_facts(record, request);
        record_string(record, PEERAUTH_KEY_STATE, "State", verdict_to_string(verdict));
        return record;
}

char *request_view_line(const ClientRequest *request) {
        _cleanup_free_ char *user = request_view_word(request->user);
        _cleanup_free_ char *service = request_view_word(request->service);
        _cleanup_free_ char *from = request_view_word(where(request));
        const char *source = request->verified ? "" : " (not verified)";
        char *line;

        if (!user || !service || !from)
                return NULL;
        if (asprintf(&line, "%s, %s %s %s%s", user, service, *request->rhost ? "from" : "on", from, source) <
            0)
                return NULL;
        return line;
}
