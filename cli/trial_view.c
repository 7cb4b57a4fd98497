/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a trial. */
#include "cli/trial_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/rule_text.h"
#include "common/policy_key.h"
#include "common/protocol.h"
#include "common/strv.h"

static const char *or_none(const char *text) {
        return text && *text ? text : "none";
}

/* "a b c"; NULL: no memory. */
static char *join(char *const *names) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (char *const *name = names; name && *name; name++)
                (void)fprintf(f, "%s%s", name == names ? "" : " ", *name);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static bool is_local(const Trial *trial) {
        return trial->query.origin.kind == POLICY_ORIGIN_LOCAL;
}

/* What the login has where a rule wants something else. */
static char *what_it_has(const Trial *trial, const TrialLogin *login, PolicyFit fit) {
        _cleanup_free_ char *groups = NULL;
        char moment[MOMENT_TEXT];

        switch (fit) {
        case POLICY_FIT_NOT_SERVICE:
                return strdup(trial->query.service);
        case POLICY_FIT_NOT_USER:
                return strdup(trial->query.user);
        case POLICY_FIT_NOT_GROUP:
                groups = join(trial->query.groups);
                return groups ? strdup(or_none(groups)) : NULL;
        case POLICY_FIT_NOT_TTY:
                return strdup(or_none(trial->query.tty));
        case POLICY_FIT_NOT_LOCATION:
                return strdup(is_local(trial) ? "local" : "remote");
        case POLICY_FIT_NOT_TIME:
                return strdup(moment_text(&trial->query.moment, moment));
        default: /* Address= */
                return strdup(is_local(trial) ? "local" : or_none(login->rhost));
        }
}

Record *trial_view_earlier(const Trial *trial, const TrialLogin *login, size_t rule) {
        const PolicyRule *r = &trial->policy->rules[rule];
        PolicyFit fit = trial_fit(trial, rule);
        _cleanup_free_ char *key = rule_text_key(r, fit), *has = what_it_has(trial, login, fit),
                            *where = NULL;
        Record *record = NULL;

        if (asprintf(&where, "%s:%u", r->file, r->line) < 0)
                where = NULL;
        if (key && has && where)
                record = record_new();
        if (!record)
                return NULL;
        record_string(record, "rule", NULL, r->name);
        record_string(record, "file", NULL, r->file);
        record_uint(record, "line", NULL, r->line, NULL);
        record_text(record, "where", NULL, where);
        record_string(record, "wants", NULL, key);
        record_string(record, "has", NULL, has);
        return record;
}

/* ---- people ---- */

/* Why somebody who is there does not count, or what as. */
static const char *remark(const Trial *trial, const TrialPerson *person) {
        const PolicyRule *rule = trial->decision.rule;
        const PolicyPerson who = {person->account.uid, person->account.name, person->account.groups};
        PolicyRole role = policy_role(rule, &who);

        if (!person->account.exists)
                return "has no account";
        if (person->requester)
                return rule->self_review && role.parts
                               ? "own login: only from a session that was itself approved"
                               : "own login: does not count";
        if (person->role.admin)
                return "administrator";
        if (role.parts && !person->role.parts)
                return "remote session: does not count (RemoteReviewers=no)";
        if (person->role.parts & quorum_open_parts(&rule->quorum, false))
                return "reviewer";
        return person->role.parts ? "reviewer after escalation" : "-";
}

static int add_parts(char ***names, const PolicyRule *rule, QuorumParts parts) {
        int r = 0;

        for (unsigned i = 0; i < rule->quorum.n_parts && r >= 0; i++) {
                _cleanup_free_ char *text = NULL, *users = NULL;

                if (!(parts & 1U << i))
                        continue;
                users = rule->parts[i].group ? strdup(rule->parts[i].group) : join(rule->parts[i].users);
                if (!users || asprintf(&text, rule->parts[i].group ? "%s" : "{%s}", users) < 0) {
                        text = NULL;
                        return -ENOMEM;
                }
                r = strv_append_new(names, text);
        }
        return r;
}

Record *trial_view_person(const Trial *trial, const TrialPerson *person) {
        _cleanup_strv_ char **parts = NULL;
        Record *record;

        if (add_parts(&parts, trial->decision.rule, person->role.parts) < 0)
                return NULL;
        record = record_new();
        if (!record)
                return NULL;
        record_string(record, "user", NULL, person->account.name ? person->account.name : "");
        record_uint(record, "uid", NULL, person->account.uid, NULL);
        record_bool(record, "local", NULL, person->local);
        record_text(record, "session", NULL, person->local ? "local" : "remote");
        record_bool(record, "administrator", NULL, person->role.admin);
        record_strings(record, "parts", NULL, parts);
        record_string(record, "counts-as", NULL, remark(trial, person));
        return record;
}

/* ---- the rest ---- */

static void add_login(Record *record, const Trial *trial, const TrialLogin *login) {
        char moment[MOMENT_TEXT], uid[64];

        (void)snprintf(uid, sizeof(uid), "%" PRIu32, (uint32_t)trial->account.uid);
        record_string(record, "user", "Account", trial->query.user);
        record_bool(record, "exists", NULL, trial->account.exists);
        record_uint(record, "uid", "UID", trial->account.uid,
                    trial->account.exists ? uid : "none: there is no such account");
        record_string(record, "service", "Service", trial->query.service);
        record_string(record, "rhost", "From host", login->rhost ? login->rhost : "");
        record_string(record, "location", "Location", is_local(trial) ? "local" : "remote");
        record_string(record, "tty", "Terminal", login->tty ? login->tty : "");
        record_string(record, "time", "Time", moment_text(&trial->query.moment, moment));
        record_string(record, "stage", "Stage",
                      trial->account_stage ? PEERAUTH_STAGE_ACCOUNT : PEERAUTH_STAGE_AUTH);
}

static const char *outcome_word(TrialOutcome outcome) {
        switch (outcome) {
        case TRIAL_HELD:
                return "held";
        case TRIAL_PASSES:
                return "passes";
        case TRIAL_IGNORED:
                return "ignored";
        case TRIAL_DENIED:
                break;
        }
        return "denied";
}

static void add_reach(Record *record, const TrialReach *reach, bool later) {
        char text[128];

        if (reach->enough)
                (void)snprintf(text, sizeof(text), "can be reached by those who are there (%u)",
                               reach->reachable);
        else if (reach->missing == QUORUM_NEVER)
                (void)snprintf(text, sizeof(text), "cannot be reached: an administrator is missing");
        else
                (void)snprintf(text, sizeof(text), "cannot be reached: %u more needed", reach->missing);
        record_uint(record, later ? "later-reachable" : "reachable", NULL, reach->reachable, NULL);
        if (reach->missing == QUORUM_NEVER)
                record_null(record, later ? "later-missing" : "missing", NULL, "");
        else
                record_uint(record, later ? "later-missing" : "missing", NULL, reach->missing, NULL);
        record_bool(record, later ? "later-enough" : "enough", NULL, reach->enough);
        record_text(record, later ? "later-quorum" : "quorum", later ? "Later" : "Quorum", text);
}

static void add_people(Record *record, const Trial *trial) {
        char text[PEERAUTH_USER_MAX];

        record_bool(record, "people-known", NULL, trial->people_error == 0);
        if (trial->people_error < 0) {
                (void)snprintf(text, sizeof(text), "not known who is there: logind cannot be asked: %s",
                               strerror(-trial->people_error));
                record_text(record, "quorum", "Quorum", text);
                return;
        }
        add_reach(record, &trial->first, false);
        if (trial->decision.rule->escalate_usec > 0)
                add_reach(record, &trial->later, true);
}

static void add_rule(Record *record, const Trial *trial) {
        const PolicyRule *rule = trial->decision.rule;
        _cleanup_free_ char *reviewers = rule_text_reviewers(rule), *reason = rule_text_text(&rule->reason),
                            *note = rule_text_text(&rule->note);
        char text[4096], span[RULE_TEXT_SPAN];

        (void)snprintf(text, sizeof(text), "%s, %s:%u", rule->name, rule->file, rule->line);
        record_string(record, "rule", NULL, rule->name);
        record_string(record, "file", NULL, rule->file);
        record_uint(record, "line", NULL, rule->line, NULL);
        record_text(record, "decides", "Decides", text);
        record_string(record, "action", "Action", policy_key_action(rule->action));
        record_bool(record, "unsure", NULL, trial->decision.unsure);
        if (rule->action != POLICY_REQUIRE && rule->action != POLICY_MONITOR)
                return;
        record_string(record, "reviewers", "Who approves", reviewers ? reviewers : "");
        record_string(record, "reason", "Reason", reason ? reason : "");
        record_string(record, "note", "Note", note ? note : "");
        record_uint(record, "expires", "Waits for", rule->expires_usec,
                    rule_text_span(rule->expires_usec, span));
        record_string(record, "when-nobody", "If nobody is there", policy_key_nobody(rule->when_nobody));
}

Record *trial_view(const Trial *trial, const TrialLogin *login) {
        Record *record = record_new();
        char text[512];

        if (!record)
                return NULL;
        add_login(record, trial, login);
        if (trial->decision.rule)
                add_rule(record, trial);
        record_string(record, "outcome", NULL, outcome_word(trial->outcome));
        record_string(record, "why", NULL, trial->why);
        (void)snprintf(text, sizeof(text), "%s: %s", outcome_word(trial->outcome), trial->why);
        record_text(record, "outcome-text", "Outcome", text);
        if (!trial->has_people)
                return record;
        add_people(record, trial);
        record_string(record, "now", NULL, outcome_word(trial->now));
        if (trial->why_now) {
                (void)snprintf(text, sizeof(text), "%s: %s", outcome_word(trial->now), trial->why_now);
                record_text(record, "now-text", "Now", text);
        }
        return record;
}
