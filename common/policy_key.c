/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of keys. A new key is a row, a parser of three lines and a paragraph of the manual page. */
#include "common/policy_key.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_value.h"
#include "common/cleanup.h"
#include "common/protocol.h"
#include "common/text.h"

typedef struct PolicyKey {
        const char *name, *type;
        const char *fallback; /* the value that an absent key stands for; NULL: none */
        const char *absent;   /* what absence means, where there is no such value */
        const char *help;
        int (*parse)(PolicyRule *rule, const char *value, char **ret_problem);
        bool require_only; /* says something only where logins are held */
} PolicyKey;

static int parse_service(PolicyRule *rule, const char *value, char **ret_problem) {
        return policy_value_names(value, &rule->services, ret_problem);
}

static int parse_user(PolicyRule *rule, const char *value, char **ret_problem) {
        return policy_value_names(value, &rule->users, ret_problem);
}

static int parse_group(PolicyRule *rule, const char *value, char **ret_problem) {
        return policy_value_names(value, &rule->groups, ret_problem);
}

static int parse_action(PolicyRule *rule, const char *value, char **ret_problem) {
        static const char *const words[] = {
                [POLICY_DENY] = "deny",
                [POLICY_REQUIRE] = "require",
                [POLICY_EXEMPT] = "exempt",
        };
        unsigned i;
        int r = policy_value_word(value, words, 3, &i, ret_problem);

        if (r == 0)
                rule->action = (PolicyAction)i;
        return r;
}

static int parse_reviewers(PolicyRule *rule, const char *value, char **ret_problem) {
        return policy_value_threshold(value, PEERAUTH_APPROVALS_MAX, &rule->reviewers_group,
                                      &rule->reviewers_needed, ret_problem);
}

static int parse_admins(PolicyRule *rule, const char *value, char **ret_problem) {
        return policy_value_name(value, &rule->admins_group, ret_problem);
}

static int parse_code(PolicyRule *rule, const char *value, char **ret_problem) {
        static const char *const words[] = {
                [CODE_ENTER] = PEERAUTH_CODE_ENTER,
                [CODE_COMPARE] = PEERAUTH_CODE_COMPARE,
        };
        unsigned i;
        int r = policy_value_word(value, words, 2, &i, ret_problem);

        if (r == 0)
                rule->code = (CodeMode)i;
        return r;
}

static int parse_expires(PolicyRule *rule, const char *value, char **ret_problem) {
        static const PolicyLimits limits = {
                .min_usec = 10 * PEERAUTH_USEC_PER_SEC,
                .max_usec = PEERAUTH_EXPIRES_MAX_USEC,
                .max_reason = "NIST SP 800-63B-4, section 3.1.3.2, lets a code live for at most 10 minutes",
        };

        return policy_value_duration(value, &limits, &rule->expires_usec, ret_problem);
}

static int parse_remote_reviewers(PolicyRule *rule, const char *value, char **ret_problem) {
        return policy_value_boolean(value, &rule->remote_reviewers, ret_problem);
}

enum {
        KEY_SERVICE,
        KEY_USER,
        KEY_GROUP,
        KEY_ACTION,
        KEY_REVIEWERS,
        KEY_ADMINS,
        KEY_CODE,
        KEY_EXPIRES,
        KEY_REMOTE
};

static const PolicyKey policy_keys[] = {
        [KEY_SERVICE] = {"Service", "list of names", NULL, "any", "PAM services that the rule is for",
                         parse_service, false},
        [KEY_USER] = {"User", "list of names", NULL, "any", "accounts that the rule is for", parse_user,
                      false},
        [KEY_GROUP] = {"Group", "list of names", NULL, "any", "groups whose members the rule is for",
                       parse_group, false},
        [KEY_ACTION] = {"Action", "require|exempt|deny", NULL, "must be given", "what happens to the login",
                        parse_action, false},
        [KEY_REVIEWERS] = {"Reviewers", "GROUP[:NUMBER]", NULL, "nobody",
                           "group whose members decide, and how many of them must approve", parse_reviewers,
                           true},
        [KEY_ADMINS] = {"Admins", "GROUP", NULL, "nobody", "group of which one member's approval is enough",
                        parse_admins, true},
        [KEY_CODE] = {"Code", "enter|compare", "enter", NULL,
                      "whether the reviewer types the code or is shown it", parse_code, true},
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

static int parse(PolicyRule *rule, const PolicyKey *row, const char *value, char **ret_problem) {
        _cleanup_free_ char *problem = NULL;
        int r = row->parse(rule, value, &problem);

        return problem ? policy_problem(ret_problem, "%s=: %s", row->name, problem) : r;
}

int policy_key_apply(PolicyDraft *draft, const char *key, const char *value, char **ret_problem) {
        for (unsigned i = 0; i < KEY_COUNT; i++) {
                if (strcmp(policy_keys[i].name, key) != 0)
                        continue;
                if (draft->seen & 1U << i)
                        return policy_problem(ret_problem, "%s= is written twice", key);
                draft->seen |= 1U << i;
                return parse(&draft->rule, &policy_keys[i], value, ret_problem);
        }
        return unknown_key(key, ret_problem);
}

int policy_key_finish(PolicyDraft *draft, char **ret_problem) {
        PolicyRule *rule = &draft->rule;
        int r = 0;

        if (!(draft->seen & 1U << KEY_ACTION))
                return policy_problem(ret_problem, "Action= is missing; write require, exempt or deny");
        if (rule->action == POLICY_REQUIRE && !rule->reviewers_group && !rule->admins_group)
                return policy_problem(ret_problem,
                                      "Action=require needs Reviewers= or Admins=, or nobody could approve");

        for (unsigned i = 0; i < KEY_COUNT && r == 0; i++) {
                const PolicyKey *row = &policy_keys[i];
                bool seen = draft->seen & 1U << i;

                if (seen && row->require_only && rule->action != POLICY_REQUIRE)
                        return policy_problem(ret_problem,
                                              "%s= means nothing without Action=require; remove it",
                                              row->name);
                if (!seen && row->fallback)
                        r = parse(rule, row, row->fallback, ret_problem);
        }
        return r;
}

void policy_key_print(FILE *out) {
        for (const PolicyKey *row = policy_keys; row < policy_keys + KEY_COUNT; row++)
                fprintf(out, "%s\t%s\t%s\t%s\n", row->name, row->type,
                        row->fallback ? row->fallback : row->absent, row->help);
}
