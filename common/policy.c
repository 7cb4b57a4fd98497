/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Matching of rules, roles under a rule, and the life of rules. See policy.h for the requirements.
 *
 * Names are compared byte by byte: whoever asks has already made them canonical (attack A7).
 */
#include "common/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strv.h"

static bool any_in_common(char *const *a, char *const *b) {
        for (; a && *a; a++)
                if (strv_contains(b, *a))
                        return true;
        return false;
}

static bool lists(char *const *list, const char *item) {
        return !list || (item && strv_contains(list, item));
}

static bool rule_matches(const PolicyRule *rule, const PolicyQuery *query) {
        return lists(rule->services, query->service) && lists(rule->users, query->user) &&
               (!rule->groups || any_in_common(rule->groups, query->groups));
}

const PolicyRule *policy_decide(const Policy *policy, const PolicyQuery *query) {
        for (size_t i = 0; i < policy->n_rules; i++)
                if (rule_matches(&policy->rules[i], query))
                        return &policy->rules[i]; /* MUST 1 */
        return NULL;
}

const PolicyRule *policy_decide_by_service(const Policy *policy, const char *service) {
        for (size_t i = 0; i < policy->n_rules; i++) {
                const PolicyRule *rule = &policy->rules[i];

                if (lists(rule->services, service))
                        return rule->users || rule->groups ? NULL : rule;
        }
        return NULL;
}

PolicyRole policy_role(const PolicyRule *rule, uid_t uid, char *const *groups) {
        return (PolicyRole){
                .reviewer = rule->reviewers_group && strv_contains(groups, rule->reviewers_group),
                .admin = rule->admins_group && (uid == 0 || strv_contains(groups, rule->admins_group)),
        };
}

static int add_group(char ***names, const char *name) {
        return !name || strv_contains(*names, name) ? 0 : strv_append(names, name);
}

int policy_name_groups(Policy *policy) {
        int r = 0;

        for (size_t i = 0; i < policy->n_rules; i++) {
                const PolicyRule *rule = &policy->rules[i];

                for (char **group = rule->groups; group && *group && r == 0; group++) {
                        r = add_group(&policy->group_names, *group);
                        if (r == 0)
                                r = add_group(&policy->login_groups, *group);
                }
                if (r == 0)
                        r = add_group(&policy->group_names, rule->reviewers_group);
                if (r == 0)
                        r = add_group(&policy->group_names, rule->admins_group);
        }
        return r;
}

/* Copies one field; absence stays absence, which is "everything" for a list. Clears *ok without memory. */
static char *copy_text(const char *text, bool *ok) {
        char *copy = text ? strdup(text) : NULL;

        *ok = *ok && (copy || !text);
        return copy;
}

static char **copy_list(char *const *list, bool *ok) {
        char **copy = list ? strv_concat(list, NULL) : NULL;

        *ok = *ok && (copy || !list);
        return copy;
}

PolicyRule *policy_rule_copy(const PolicyRule *rule) {
        PolicyRule *copy = malloc(sizeof(*copy));
        bool ok = true;

        if (!copy)
                return NULL;
        *copy = *rule;
        copy->name = copy_text(rule->name, &ok);
        copy->file = copy_text(rule->file, &ok);
        copy->services = copy_list(rule->services, &ok);
        copy->users = copy_list(rule->users, &ok);
        copy->groups = copy_list(rule->groups, &ok);
        copy->reviewers_group = copy_text(rule->reviewers_group, &ok);
        copy->admins_group = copy_text(rule->admins_group, &ok);
        return ok ? copy : policy_rule_free(copy);
}

void policy_rule_done(PolicyRule *rule) {
        free(rule->name);
        free(rule->file);
        strv_free(rule->services);
        strv_free(rule->users);
        strv_free(rule->groups);
        free(rule->reviewers_group);
        free(rule->admins_group);
        *rule = (PolicyRule){0};
}

PolicyRule *policy_rule_free(PolicyRule *rule) {
        if (rule)
                policy_rule_done(rule);
        free(rule);
        return NULL;
}

Policy *policy_free(Policy *policy) {
        if (!policy)
                return NULL;
        for (size_t i = 0; i < policy->n_rules; i++)
                policy_rule_done(&policy->rules[i]);
        free(policy->rules);
        strv_free(policy->group_names);
        strv_free(policy->login_groups);
        free(policy);
        return NULL;
}

char *policy_rule_reviewers_text(const PolicyRule *rule) {
        char *text = NULL;
        int r;

        if (rule->reviewers_group && rule->admins_group)
                r = asprintf(&text, "%u of %s, or 1 of %s", rule->reviewers_needed, rule->reviewers_group,
                             rule->admins_group);
        else if (rule->reviewers_group)
                r = asprintf(&text, "%u of %s", rule->reviewers_needed, rule->reviewers_group);
        else
                r = asprintf(&text, "%s%s", rule->admins_group ? "1 of " : "nobody",
                             rule->admins_group ? rule->admins_group : "");
        return r < 0 ? NULL : text;
}
