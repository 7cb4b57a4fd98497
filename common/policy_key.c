/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of keys. A new key is a row, a parser of three lines and a paragraph of the manual page. */
#include "common/policy_key.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/policy_pattern.h"
#include "common/policy_value.h"
#include "common/protocol.h"
#include "common/text.h"

#define PATTERN_PREFIX "match:"

typedef struct PolicyKey {
        const char *name, *type;
        const char *fallback; /* the value that an absent key stands for; NULL: none */
        const char *absent;   /* what absence means, where there is no such value */
        const char *help;
        int (*parse)(PolicyDraft *draft, const char *value, char **ret_problem);
        bool held_only; /* says something only where logins are held, or would be */
} PolicyKey;

static const char *const action_words[] = {
        [POLICY_DENY] = "deny",
        [POLICY_REQUIRE] = "require",
        [POLICY_EXEMPT] = "exempt",
        [POLICY_MONITOR] = "monitor",
};

static const char *const nobody_words[] = {
        [POLICY_NOBODY_DENY] = "deny",
        [POLICY_NOBODY_WAIT] = "wait",
        [POLICY_NOBODY_RECOVERY_ONLY] = "recovery-only",
        [POLICY_NOBODY_ALLOW] = "allow-and-record",
};

static const char *const code_words[] = {
        [CODE_ENTER] = PEERAUTH_CODE_ENTER,
        [CODE_COMPARE] = PEERAUTH_CODE_COMPARE,
};

static int parse_service(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_names(value, &draft->rule.services, ret_problem);
}

static int parse_user(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_names(value, &draft->rule.users, ret_problem);
}

static int parse_group(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_names(value, &draft->rule.groups, ret_problem);
}

static int parse_tty(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_match_parse_ttys(value, &draft->rule.ttys, ret_problem);
}

static int parse_location(PolicyDraft *draft, const char *value, char **ret_problem) {
        static const char *const words[] = {"local", "remote"};
        unsigned i;
        int r = policy_value_word(value, words, 2, &i, ret_problem);

        if (r == 0)
                draft->rule.location = i == 0 ? POLICY_LOCAL : POLICY_REMOTE;
        return r;
}

static int parse_address(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_match_parse_networks(value, &draft->rule.networks, &draft->rule.n_networks,
                                           ret_problem);
}

static int parse_time(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_match_parse_times(value, &draft->rule.times, &draft->rule.n_times, ret_problem);
}

static int parse_action(PolicyDraft *draft, const char *value, char **ret_problem) {
        unsigned i;
        int r = policy_value_word(value, action_words, 4, &i, ret_problem);

        if (r == 0)
                draft->rule.action = (PolicyAction)i;
        return r;
}

static int parse_reviewers(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_expression_parse(value, &draft->reviewers, ret_problem);
}

static int parse_escalate_to(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_expression_parse(value, &draft->escalation, ret_problem);
}

static int parse_escalate_after(PolicyDraft *draft, const char *value, char **ret_problem) {
        static const PolicyLimits limits = {
                .min_usec = 10 * PEERAUTH_USEC_PER_SEC,
                .max_usec = PEERAUTH_EXPIRES_MAX_USEC,
                .max_reason = "it must be below Expires=",
        };

        return policy_value_duration(value, &limits, &draft->rule.escalate_usec, ret_problem);
}

static int parse_admins(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_name(value, &draft->rule.admins_group, ret_problem);
}

static int parse_deny_threshold(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_number(value, PEERAUTH_APPROVALS_MAX, "denials", &draft->rule.deny_threshold,
                                   ret_problem);
}

static int parse_self_review(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_boolean(value, &draft->rule.self_review, ret_problem);
}

static int parse_code(PolicyDraft *draft, const char *value, char **ret_problem) {
        unsigned i;
        int r = policy_value_word(value, code_words, 2, &i, ret_problem);

        if (r == 0)
                draft->rule.code = (CodeMode)i;
        return r;
}

static int parse_text(PolicyText *text, const char *value, char **ret_problem) {
        static const char *const words[] = {
                [POLICY_TEXT_OFF] = PEERAUTH_TEXT_OFF,
                [POLICY_TEXT_OPTIONAL] = PEERAUTH_TEXT_OPTIONAL,
                [POLICY_TEXT_REQUIRED] = PEERAUTH_TEXT_REQUIRED,
                [POLICY_TEXT_PATTERN] = PATTERN_PREFIX "REGEX",
        };
        unsigned i = POLICY_TEXT_PATTERN;
        const char *pattern;
        int r;

        if (strncmp(value, PATTERN_PREFIX, strlen(PATTERN_PREFIX)) != 0) {
                r = policy_value_word(value, words, 4, &i, ret_problem);
                if (r == 0)
                        text->mode = (PolicyTextMode)i;
                return r;
        }
        pattern = value + strlen(PATTERN_PREFIX);
        r = policy_pattern_parse(pattern, &text->compiled, ret_problem);
        if (r < 0)
                return r;
        text->mode = POLICY_TEXT_PATTERN;
        text->pattern = strdup(pattern);
        return text->pattern ? 0 : -ENOMEM;
}

static int parse_note(PolicyDraft *draft, const char *value, char **ret_problem) {
        return parse_text(&draft->rule.note, value, ret_problem);
}

static int parse_reason(PolicyDraft *draft, const char *value, char **ret_problem) {
        return parse_text(&draft->rule.reason, value, ret_problem);
}

static int parse_when_nobody(PolicyDraft *draft, const char *value, char **ret_problem) {
        unsigned i;
        int r = policy_value_word(value, nobody_words, 4, &i, ret_problem);

        if (r == 0)
                draft->rule.when_nobody = (PolicyNobody)i;
        return r;
}

static int parse_expires(PolicyDraft *draft, const char *value, char **ret_problem) {
        static const PolicyLimits limits = {
                .min_usec = 10 * PEERAUTH_USEC_PER_SEC,
                .max_usec = PEERAUTH_EXPIRES_MAX_USEC,
                .max_reason = "NIST SP 800-63B-4, section 3.1.3.2, lets a code live for at most 10 minutes",
        };

        return policy_value_duration(value, &limits, &draft->rule.expires_usec, ret_problem);
}

static int parse_remote_reviewers(PolicyDraft *draft, const char *value, char **ret_problem) {
        return policy_value_boolean(value, &draft->rule.remote_reviewers, ret_problem);
}

enum {
        KEY_SERVICE,
        KEY_USER,
        KEY_GROUP,
        KEY_TTY,
        KEY_LOCATION,
        KEY_ADDRESS,
        KEY_TIME,
        KEY_ACTION,
        KEY_REVIEWERS,
        KEY_ESCALATE_TO,
        KEY_ESCALATE_AFTER,
        KEY_ADMINS,
        KEY_DENY_THRESHOLD,
        KEY_SELF_REVIEW,
        KEY_CODE,
        KEY_NOTE,
        KEY_REASON,
        KEY_WHEN_NOBODY,
        KEY_EXPIRES,
        KEY_REMOTE,
};

#define TEXT_TYPE "off|optional|required|" PATTERN_PREFIX "REGEX"

static const PolicyKey policy_keys[] = {
        [KEY_SERVICE] = {"Service", "list of names", NULL, "any", "PAM services that the rule is for",
                         parse_service, false},
        [KEY_USER] = {"User", "list of names", NULL, "any", "accounts that the rule is for", parse_user,
                      false},
        [KEY_GROUP] = {"Group", "list of names", NULL, "any", "groups whose members the rule is for",
                       parse_group, false},
        [KEY_TTY] = {"Tty", "list of terminals", NULL, "any", "terminals that the rule is for", parse_tty,
                     false},
        [KEY_LOCATION] = {"Location", "local|remote", NULL, "any", "where the person who logs in is",
                          parse_location, false},
        [KEY_ADDRESS] = {"Address", "list of addresses and networks", NULL, "any",
                         "where a remote login comes from", parse_address, false},
        [KEY_TIME] = {"Time", "list of days and hours", NULL, "any", "when the rule is for", parse_time,
                      false},
        [KEY_ACTION] = {"Action", "require|exempt|deny|monitor", NULL, "must be given",
                        "what happens to the login", parse_action, false},
        [KEY_REVIEWERS] = {"Reviewers", "EXPRESSION", NULL, "nobody",
                           "whose approvals are needed, and how many: ops:2, or {mum dad}", parse_reviewers,
                           true},
        [KEY_ESCALATE_TO] = {"EscalateTo", "EXPRESSION", NULL, "nobody",
                             "whose approvals are enough as well, once EscalateAfter= is over",
                             parse_escalate_to, true},
        [KEY_ESCALATE_AFTER] = {"EscalateAfter", "duration, 10s to below Expires", "1min", NULL,
                                "when those of EscalateTo= are asked as well", parse_escalate_after, true},
        [KEY_ADMINS] = {"Admins", "GROUP", NULL, "nobody", "group of which one member's decision is enough",
                        parse_admins, true},
        [KEY_DENY_THRESHOLD] = {"DenyThreshold", "number, 1 to 32", "1", NULL,
                                "how many reviewers must deny to end it", parse_deny_threshold, true},
        [KEY_SELF_REVIEW] = {"SelfReview", "yes|no", "no", NULL,
                             "whether people may approve their own login from an approved session",
                             parse_self_review, true},
        [KEY_CODE] = {"Code", "enter|compare", "enter", NULL,
                      "whether the reviewer types the code or is shown it", parse_code, true},
        [KEY_NOTE] = {"Note", TEXT_TYPE, "optional", NULL, "what the reviewer writes to a decision",
                      parse_note, true},
        [KEY_REASON] = {"Reason", TEXT_TYPE, "off", NULL, "what the person who logs in is asked for",
                        parse_reason, true},
        [KEY_WHEN_NOBODY] = {"WhenNobody", "wait|deny|recovery-only|allow-and-record", "wait", NULL,
                             "what happens if nobody who could approve is logged in", parse_when_nobody,
                             true},
        [KEY_EXPIRES] = {"Expires", "duration, 10s to 10min", "5min", NULL,
                         "how long a login waits for reviewers", parse_expires, true},
        [KEY_REMOTE] = {"RemoteReviewers", "yes|no", "no", NULL,
                        "whether reviewers who are logged in from elsewhere count", parse_remote_reviewers,
                        true},
};

enum { KEY_COUNT = sizeof(policy_keys) / sizeof(policy_keys[0]), KEY_NAME_MAX = 32 };

static unsigned least(unsigned a, unsigned b) {
        return a < b ? a : b;
}

/* Edits between two names, capital letters aside; b is one of ours. */
static unsigned distance(const char *a, const char *b) {
        unsigned row[KEY_NAME_MAX + 1], size = (unsigned)strlen(b);

        for (unsigned i = 0; i <= size; i++)
                row[i] = i;
        for (; *a; a++) {
                unsigned diagonal = row[0]++;

                for (unsigned i = 1; i <= size; i++) {
                        bool same = tolower((unsigned char)*a) == tolower((unsigned char)b[i - 1]);
                        unsigned above = row[i];

                        row[i] = least(least(above, row[i - 1]) + 1, diagonal + !same);
                        diagonal = above;
                }
        }
        return row[size];
}

static int unknown_key(const char *key, char **ret_problem) {
        _cleanup_free_ char *shown = text_safe(key, KEY_NAME_MAX);
        const PolicyKey *nearest = NULL;
        unsigned best = 3; /* edits from which a word is another word */

        if (!shown)
                return -ENOMEM;
        for (const PolicyKey *row = policy_keys; row < policy_keys + KEY_COUNT; row++)
                if (distance(key, row->name) < best) {
                        best = distance(key, row->name);
                        nearest = row;
                }
        return nearest ? policy_problem(ret_problem, "unknown key '%s'; did you mean '%s'?", shown,
                                        nearest->name)
                       : policy_problem(ret_problem, "unknown key '%s'; see peerauth.conf(5)", shown);
}

static int parse(PolicyDraft *draft, const PolicyKey *row, const char *value, char **ret_problem) {
        _cleanup_free_ char *problem = NULL;
        int r = row->parse(draft, value, &problem);

        return problem ? policy_problem(ret_problem, "%s=: %s", row->name, problem) : r;
}

static bool is_seen(const PolicyDraft *draft, unsigned key) {
        return draft->seen & 1U << key;
}

int policy_key_apply(PolicyDraft *draft, const char *key, const char *value, char **ret_problem) {
        for (unsigned i = 0; i < KEY_COUNT; i++) {
                if (strcmp(policy_keys[i].name, key) != 0)
                        continue;
                if (is_seen(draft, i))
                        return policy_problem(ret_problem, "%s= is written twice", key);
                draft->seen |= 1U << i;
                return parse(draft, &policy_keys[i], value, ret_problem);
        }
        return unknown_key(key, ret_problem);
}

/* Whether the keys that were written make sense together. */
static int check_together(const PolicyDraft *draft, char **ret_problem) {
        PolicyAction action = draft->rule.action;
        bool held = action == POLICY_REQUIRE || action == POLICY_MONITOR;

        if (!is_seen(draft, KEY_ACTION))
                return policy_problem(ret_problem,
                                      "Action= is missing; write require, exempt, deny or monitor");
        for (unsigned i = 0; i < KEY_COUNT; i++)
                if (is_seen(draft, i) && policy_keys[i].held_only && !held)
                        return policy_problem(
                                ret_problem,
                                "%s= means nothing without Action=require or Action=monitor; remove it",
                                policy_keys[i].name);
        if (held && !is_seen(draft, KEY_REVIEWERS) && !is_seen(draft, KEY_ADMINS))
                return policy_problem(
                        ret_problem,
                        action == POLICY_REQUIRE
                                ? "Action=require needs Reviewers= or Admins=, or nobody could approve"
                                : "Action=monitor needs Reviewers= or Admins=, for it records what "
                                  "Action=require would do");
        if (is_seen(draft, KEY_DENY_THRESHOLD) && !is_seen(draft, KEY_REVIEWERS))
                return policy_problem(ret_problem,
                                      "DenyThreshold= means nothing without Reviewers=; remove it");
        if (is_seen(draft, KEY_ESCALATE_AFTER) && !is_seen(draft, KEY_ESCALATE_TO))
                return policy_problem(ret_problem,
                                      "EscalateAfter= means nothing without EscalateTo=; remove it, or say "
                                      "who is asked then");
        return 0;
}

/* Whether the values do, now that all are known. */
static int finish_escalation(PolicyDraft *draft, char **ret_problem) {
        PolicyRule *rule = &draft->rule;

        if (!is_seen(draft, KEY_ESCALATE_TO)) {
                rule->escalate_usec = 0;
                return 0;
        }
        if (rule->escalate_usec >= rule->expires_usec)
                return policy_problem(
                        ret_problem, "EscalateAfter= is %llus%s and must be below Expires=, which is %llus%s",
                        (unsigned long long)(rule->escalate_usec / PEERAUTH_USEC_PER_SEC),
                        is_seen(draft, KEY_ESCALATE_AFTER) ? "" : " if absent",
                        (unsigned long long)(rule->expires_usec / PEERAUTH_USEC_PER_SEC),
                        is_seen(draft, KEY_EXPIRES) ? "" : " if absent");
        return 0;
}

int policy_key_finish(PolicyDraft *draft, char **ret_problem) {
        int r = check_together(draft, ret_problem);

        for (unsigned i = 0; i < KEY_COUNT && r == 0; i++)
                if (!is_seen(draft, i) && policy_keys[i].fallback)
                        r = parse(draft, &policy_keys[i], policy_keys[i].fallback, ret_problem);
        if (r == 0)
                r = finish_escalation(draft, ret_problem);
        return r < 0 ? r
                     : policy_expression_join(&draft->reviewers, &draft->escalation, &draft->rule,
                                              ret_problem);
}

void policy_draft_done(PolicyDraft *draft) {
        policy_rule_done(&draft->rule);
        policy_expression_done(&draft->reviewers);
        policy_expression_done(&draft->escalation);
}

bool policy_key_get(size_t i, PolicyKeyRow *ret_row) {
        if (i >= KEY_COUNT)
                return false;
        *ret_row = (PolicyKeyRow){
                .name = policy_keys[i].name,
                .type = policy_keys[i].type,
                .fallback = policy_keys[i].fallback ? policy_keys[i].fallback : policy_keys[i].absent,
                .help = policy_keys[i].help,
        };
        return true;
}

const char *policy_key_action(PolicyAction action) {
        return action_words[action];
}

const char *policy_key_nobody(PolicyNobody nobody) {
        return nobody_words[nobody];
}

const char *policy_key_code(CodeMode code) {
        return code_words[code];
}
