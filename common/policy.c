/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Matching of rules, roles under a rule, and the life of rules. See policy.h for the requirements.
 *
 * Names are compared byte by byte: whoever asks has already made them canonical (attack A7).
 */
#include "common/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strv.h"

/* ---- matching ---- */

static bool any_in_common(char *const *a, char *const *b) {
        for (; *a; a++)
                if (strv_contains(b, *a))
                        return true;
        return false;
}

static bool lists(char *const *list, const char *item) {
        return !list || (item && strv_contains(list, item));
}

static bool fits_tty(const PolicyRule *rule, const char *tty) {
        for (char *const *pattern = rule->ttys; pattern && *pattern; pattern++)
                if (policy_match_tty(*pattern, tty ? tty : ""))
                        return true;
        return !rule->ttys;
}

static bool fits_time(const PolicyRule *rule, const PolicyMoment *moment) {
        for (size_t i = 0; i < rule->n_times; i++)
                if (policy_match_time(&rule->times[i], moment))
                        return true;
        return !rule->times;
}

static bool fits_location(const PolicyRule *rule, const PolicyOrigin *origin) {
        PolicyLocation here = origin->kind == POLICY_ORIGIN_LOCAL ? POLICY_LOCAL : POLICY_REMOTE;

        return rule->location == POLICY_ANYWHERE || rule->location == here;
}

static PolicyFit fit_address(const PolicyRule *rule, const PolicyOrigin *origin) {
        if (!rule->networks)
                return POLICY_FIT_YES;
        if (origin->kind == POLICY_ORIGIN_NAME)
                return POLICY_FIT_UNSURE;
        if (origin->kind == POLICY_ORIGIN_ADDRESS)
                for (size_t i = 0; i < rule->n_networks; i++)
                        if (policy_match_network(&rule->networks[i], origin))
                                return POLICY_FIT_YES;
        return POLICY_FIT_NOT_ADDRESS;
}

PolicyFit policy_fit(const PolicyRule *rule, const PolicyQuery *query) {
        if (!lists(rule->services, query->service))
                return POLICY_FIT_NOT_SERVICE;
        if (!lists(rule->users, query->user))
                return POLICY_FIT_NOT_USER;
        if (rule->groups && !any_in_common(rule->groups, query->groups))
                return POLICY_FIT_NOT_GROUP;
        if (!fits_tty(rule, query->tty))
                return POLICY_FIT_NOT_TTY;
        if (!fits_location(rule, &query->origin))
                return POLICY_FIT_NOT_LOCATION;
        if (!fits_time(rule, &query->moment))
                return POLICY_FIT_NOT_TIME;
        return fit_address(rule, &query->origin); /* last, for only it can be unsure */
}

PolicyDecision policy_decide(const Policy *policy, const PolicyQuery *query) {
        for (size_t i = 0; i < policy->n_rules; i++) {
                PolicyFit fit = policy_fit(&policy->rules[i], query);

                if (fit == POLICY_FIT_YES || fit == POLICY_FIT_UNSURE) /* MUST 1, MUST 3 */
                        return (PolicyDecision){&policy->rules[i], fit == POLICY_FIT_UNSURE};
        }
        return (PolicyDecision){0};
}

bool policy_rests_on_groups(const Policy *policy, const PolicyQuery *query) {
        for (size_t i = 0; i < policy->n_rules; i++) {
                PolicyFit fit = policy_fit(&policy->rules[i], query);

                if (fit == POLICY_FIT_NOT_GROUP) {
                        PolicyRule rest = policy->rules[i]; /* nothing of it is freed */

                        rest.groups = NULL;
                        fit = policy_fit(&rest, query);
                        if (fit == POLICY_FIT_YES || fit == POLICY_FIT_UNSURE)
                                return true;
                } else if (fit == POLICY_FIT_YES || fit == POLICY_FIT_UNSURE)
                        return false;
        }
        return false;
}

static bool depends_on_service_only(const PolicyRule *rule) {
        return !rule->users && !rule->groups && !rule->ttys && !rule->networks && !rule->times &&
               rule->location == POLICY_ANYWHERE;
}

const PolicyRule *policy_decide_by_service(const Policy *policy, const char *service) {
        for (size_t i = 0; i < policy->n_rules; i++) {
                const PolicyRule *rule = &policy->rules[i];

                if (lists(rule->services, service))
                        return depends_on_service_only(rule) ? rule : NULL;
        }
        return NULL;
}

/* ---- roles ---- */

static bool belongs(const PolicyPart *part, const PolicyPerson *person) {
        if (part->group)
                return strv_contains(person->groups, part->group);
        return person->name && strv_contains(part->users, person->name);
}

PolicyRole policy_role(const PolicyRule *rule, const PolicyPerson *person) {
        PolicyRole role = {
                .admin = rule->admins_group &&
                         (person->uid == 0 || strv_contains(person->groups, rule->admins_group)),
        };

        for (unsigned i = 0; i < rule->quorum.n_parts; i++)
                if (belongs(&rule->parts[i], person))
                        role.parts |= 1U << i;
        return role;
}

/* ---- notes and reasons ---- */

static bool is_blank(const char *text) {
        return !text || text[strspn(text, " \t")] == '\0';
}

PolicyTextVerdict policy_text_check(const PolicyText *rule, const char *text) {
        if (rule->mode == POLICY_TEXT_OFF)
                return is_blank(text) ? POLICY_TEXT_FINE : POLICY_TEXT_UNWANTED;
        if (rule->mode == POLICY_TEXT_OPTIONAL)
                return POLICY_TEXT_FINE;
        if (is_blank(text))
                return POLICY_TEXT_MISSING;
        if (rule->mode == POLICY_TEXT_REQUIRED)
                return POLICY_TEXT_FINE;
        return regexec(rule->compiled, text, 0, NULL, 0) == 0 ? POLICY_TEXT_FINE : POLICY_TEXT_WRONG;
}

/* ---- who approves, in words ---- */

/* A text that grows; failed once memory ran out. */
typedef struct Words {
        char *text;
        bool failed;
} Words;

__attribute__((format(printf, 2, 3))) static void add(Words *words, const char *format, ...) {
        char *more = NULL, *longer = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&more, format, ap) < 0)
                more = NULL;
        va_end(ap);
        if (more && asprintf(&longer, "%s%s", words->text ? words->text : "", more) < 0)
                longer = NULL;
        words->failed |= !longer;
        free(more);
        free(words->text);
        words->text = longer;
}

static void add_part(Words *words, const PolicyPart *part, unsigned needed) {
        add(words, "%u of ", needed);
        if (part->group)
                add(words, "%s", part->group);
        for (char **user = part->users; user && *user; user++)
                add(words, "%s%s%s", user == part->users ? "{" : " ", *user, user[1] ? "" : "}");
}

static void add_alternative(Words *words, const PolicyRule *rule, QuorumParts parts) {
        const char *separator = words->text ? ", or " : "";

        for (unsigned i = 0; i < rule->quorum.n_parts; i++) {
                if (!(parts & 1U << i))
                        continue;
                add(words, "%s", separator);
                add_part(words, &rule->parts[i], rule->quorum.needed[i]);
                separator = " and ";
        }
}

char *policy_reviewers_text(const PolicyRule *rule, bool escalated) {
        unsigned n = escalated ? rule->quorum.n_alternatives : rule->quorum.n_first;
        Words words = {0};

        for (unsigned i = 0; i < n; i++)
                add_alternative(&words, rule, rule->quorum.alternatives[i]);
        if (rule->admins_group)
                add(&words, "%s1 of %s", words.text ? ", or " : "", rule->admins_group);
        if (!words.text)
                add(&words, "nobody");
        if (!words.failed)
                return words.text;
        free(words.text);
        return NULL;
}

/* ---- the life of rules ---- */

static void text_done(PolicyText *text) {
        if (text->compiled)
                regfree(text->compiled);
        free(text->compiled);
        free(text->pattern);
}

void policy_rule_done(PolicyRule *rule) {
        free(rule->name);
        free(rule->file);
        strv_free(rule->services);
        strv_free(rule->users);
        strv_free(rule->groups);
        strv_free(rule->ttys);
        free(rule->networks);
        free(rule->times);
        for (unsigned i = 0; i < QUORUM_PARTS_MAX; i++) {
                free(rule->parts[i].group);
                strv_free(rule->parts[i].users);
        }
        free(rule->admins_group);
        text_done(&rule->note);
        text_done(&rule->reason);
        *rule = (PolicyRule){0};
}

static int name_groups_of(Policy *policy, const PolicyRule *rule) {
        int r = strv_append_new(&policy->group_names, rule->admins_group);

        for (char **group = rule->groups; r == 0 && group && *group; group++) {
                r = strv_append_new(&policy->group_names, *group);
                if (r == 0)
                        r = strv_append_new(&policy->login_groups, *group);
        }
        for (unsigned i = 0; r == 0 && i < rule->quorum.n_parts; i++)
                r = strv_append_new(&policy->group_names, rule->parts[i].group);
        return r;
}

int policy_name_groups(Policy *policy) {
        int r = 0;

        for (size_t i = 0; i < policy->n_rules && r == 0; i++)
                r = name_groups_of(policy, &policy->rules[i]);
        return r;
}

Policy *policy_ref(Policy *policy) {
        if (policy)
                policy->n_refs++;
        return policy;
}

Policy *policy_unref(Policy *policy) {
        if (!policy)
                return NULL;
        if (policy->n_refs > 0) {
                policy->n_refs--;
                return NULL;
        }
        for (size_t i = 0; i < policy->n_rules; i++)
                policy_rule_done(&policy->rules[i]);
        free(policy->rules);
        strv_free(policy->group_names);
        strv_free(policy->login_groups);
        free(policy);
        return NULL;
}
