/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turns answers and failures into outcomes. */
#include "pam_peerauth/outcome.h"

#include <errno.h>
#include <security/pam_modules.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/text.h"

#define TEXT_UNAVAILABLE                              \
        "This login needs a colleague's approval,\n"  \
        "and the approval service does not answer.\n" \
        "Please call an administrator."
#define TEXT_EXPIRED "Nobody decided in time. Please try again\nwhen a colleague can answer."
#define TEXT_LIMITED "Too many attempts. Please wait before\nyou try again."

enum { NAMES_MAX = 100, NOTE_SHOWN_MAX = 200 };

int outcome_to_pam(OutcomeKind kind) {
        switch (kind) {
        case OUTCOME_APPROVED:
                return PAM_SUCCESS;
        case OUTCOME_EXEMPT:
                return PAM_IGNORE;
        case OUTCOME_EXPIRED:
                return PAM_AUTH_ERR;
        case OUTCOME_LIMITED:
                return PAM_MAXTRIES;
        case OUTCOME_UNAVAILABLE:
                return PAM_AUTHINFO_UNAVAIL;
        case OUTCOME_CANCELLED:
                return PAM_CONV_ERR;
        case OUTCOME_DENIED:
                break;
        }
        return PAM_PERM_DENIED;
}

int outcome_priority(OutcomeKind kind) {
        switch (kind) {
        case OUTCOME_UNAVAILABLE:
                return LOG_ERR;
        case OUTCOME_EXEMPT:
                return LOG_DEBUG; /* every cron job of an exempt service comes by here */
        default:
                return LOG_NOTICE;
        }
}

Outcome outcome_make(OutcomeKind kind, const char *text, const char *format, ...) {
        Outcome outcome = {.kind = kind};
        va_list ap;

        if (text)
                (void)snprintf(outcome.text, sizeof(outcome.text), "%s", text);
        va_start(ap, format);
        (void)vsnprintf(outcome.log, sizeof(outcome.log), format, ap);
        va_end(ap);
        return outcome;
}

void outcome_append_log(Outcome *outcome, const char *more) {
        size_t size = strlen(outcome->log);

        (void)snprintf(outcome->log + size, sizeof(outcome->log) - size, "%s", more);
}

/* Errors by which the broker refuses this login; every other error means that it cannot be asked. */
static const struct {
        const char *name;
        OutcomeKind kind;
        const char *text;
} refusals[] = {
        {PEERAUTH_ERROR_RATE_LIMITED, OUTCOME_LIMITED, TEXT_LIMITED},
        {PEERAUTH_ERROR_LOCKED, OUTCOME_LIMITED, TEXT_LIMITED},
        {PEERAUTH_ERROR_EXPIRED, OUTCOME_EXPIRED, TEXT_EXPIRED},
        /* Asked for again with a reason given, or where it cannot be asked for. */
        {PEERAUTH_ERROR_REASON_NEEDED, OUTCOME_DENIED, OUTCOME_NOT_ALLOWED},
        {SD_BUS_ERROR_ACCESS_DENIED, OUTCOME_DENIED, OUTCOME_NOT_ALLOWED},
};

/* How many bytes of text fit into max without cutting a UTF-8 character. */
static int clip(const char *text, size_t max) {
        size_t size = strnlen(text, max + 1);

        if (size > max)
                for (size = max; size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80; size--)
                        ;
        return (int)size;
}

/* Adds a line for the person; why is already safe to show, and may be NULL or empty. */
static Outcome outcome_explain(Outcome outcome, const char *label, const char *why) {
        size_t size = strlen(outcome.text);

        if (why && *why)
                (void)snprintf(outcome.text + size, sizeof(outcome.text) - size, "\n%s%.*s", label,
                               clip(why, NOTE_SHOWN_MAX), why);
        return outcome;
}

Outcome outcome_from_error(const char *step, int r, const sd_bus_error *error) {
        _cleanup_free_ char *message = NULL;

        if (r != -EREMOTEIO || !error || !error->name)
                return outcome_make(OUTCOME_UNAVAILABLE, TEXT_UNAVAILABLE, "cannot %s: %s", step,
                                    strerror(-r));
        message = text_safe(error->message, NOTE_SHOWN_MAX);
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
                if (strcmp(error->name, refusals[i].name) == 0)
                        return outcome_explain(outcome_make(refusals[i].kind, refusals[i].text,
                                                            "the broker would not %s: %s", step,
                                                            message ? message : error->name),
                                               "", message);
        return outcome_make(OUTCOME_UNAVAILABLE, TEXT_UNAVAILABLE, "cannot %s: %s: %s", step, error->name,
                            message ? message : "");
}

Outcome outcome_from_created(const ClientCreated *created) {
        _cleanup_free_ char *rule = text_safe(created->rule, NAMES_MAX);
        _cleanup_free_ char *message = text_safe(created->message, NOTE_SHOWN_MAX);

        if (created->outcome == VERDICT_EXEMPT)
                return outcome_make(OUTCOME_EXEMPT, NULL, "exempt by rule \"%s\"", rule ? rule : "");
        return outcome_explain(outcome_make(OUTCOME_DENIED, OUTCOME_NOT_ALLOWED, "denied by rule \"%s\": %s",
                                            rule ? rule : "", message ? message : ""),
                               "", message);
}

/* "Approved by bob." and the note, or the broker's reason. The log is spared the note: the ledger has it. */
static Outcome outcome_decided(OutcomeKind kind, const char *word, const ClientDecision *decision) {
        const char *by = decision->by ? decision->by : "", *reason = decision->reason;
        char text[OUTCOME_TEXT_MAX];
        Outcome outcome;

        (void)snprintf(text, sizeof(text), "%s%s%.*s.", word, *by ? " by " : "", clip(by, NAMES_MAX), by);
        outcome = outcome_make(kind, text, "%s%s%s", text, reason ? " " : "", reason ? reason : "");
        if (decision->note && *decision->note)
                return outcome_explain(outcome, "Note: ", decision->note);
        return outcome_explain(outcome, "", reason);
}

Outcome outcome_from_reply(sd_bus_message *reply) {
        PEERAUTH_CLEANUP(client_decision_done) ClientDecision decision = {0};
        int r;

        r = client_decision_parse(reply, &decision);
        if (r < 0)
                return outcome_from_error("learn the decision", r, sd_bus_message_get_error(reply));
        switch (decision.verdict) {
        case VERDICT_APPROVED:
                return outcome_decided(OUTCOME_APPROVED, "Approved", &decision);
        case VERDICT_DENIED:
                return outcome_decided(OUTCOME_DENIED, "Denied", &decision);
        case VERDICT_CANCELLED:
                return outcome_decided(OUTCOME_DENIED, "Cancelled", &decision);
        case VERDICT_EXPIRED:
                return outcome_make(OUTCOME_EXPIRED, TEXT_EXPIRED, "expired: nobody decided in time");
        case VERDICT_PENDING:
        case VERDICT_EXEMPT:
                break;
        }
        return outcome_make(OUTCOME_UNAVAILABLE, TEXT_UNAVAILABLE,
                            "cannot learn the decision: \"%s\" is none", verdict_to_string(decision.verdict));
}
