/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function a kind of mistake. */
#include "cli/policy_lint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/group_people.h"
#include "cli/policy_cover.h"
#include "common/account.h"
#include "common/cleanup.h"
#include "common/strv.h"

/* The name service is asked once for a group, however many rules name it. */
typedef struct LintGroup {
        const char *name;
        char **people;
        int found; /* of group_people() */
} LintGroup;

typedef struct Linter {
        const Policy *policy;
        const char *vendor;
        const PolicyRule *rule; /* that is looked at */
        LintGroup *groups;
        size_t n_groups;
        Lint lint;
        bool failed; /* no memory */
} Linter;

void policy_lint_done(Lint *lint) {
        for (size_t i = 0; i < lint->n; i++)
                free(lint->warnings[i].text);
        free(lint->warnings);
        *lint = (Lint){0};
}

static void linter_done(Linter *linter) {
        for (size_t i = 0; i < linter->n_groups; i++)
                strv_free(linter->groups[i].people);
        free(linter->groups);
        policy_lint_done(&linter->lint);
}

__attribute__((format(printf, 2, 3))) static void warn(Linter *linter, const char *format, ...) {
        LintWarning *grown = reallocarray(linter->lint.warnings, linter->lint.n + 1, sizeof(*grown));
        char *text = NULL;
        va_list ap;

        if (grown)
                linter->lint.warnings = grown;
        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (!grown || !text) {
                free(text);
                linter->failed = true;
                return;
        }
        grown[linter->lint.n++] = (LintWarning){linter->rule, text};
}

static const LintGroup *look_up(Linter *linter, const char *name) {
        static const LintGroup unknown = {.found = -ENOMEM};
        LintGroup *grown;

        for (size_t i = 0; i < linter->n_groups; i++)
                if (strcmp(linter->groups[i].name, name) == 0)
                        return &linter->groups[i];
        grown = reallocarray(linter->groups, linter->n_groups + 1, sizeof(*grown));
        if (!grown) {
                linter->failed = true;
                return &unknown;
        }
        linter->groups = grown;
        grown += linter->n_groups++;
        *grown = (LintGroup){.name = name};
        grown->found = group_people(name, &grown->people);
        return grown;
}

static bool holds(const PolicyRule *rule) {
        return rule->action == POLICY_REQUIRE || rule->action == POLICY_MONITOR;
}

/* ---- names that are not there ---- */

static bool is_shipped(const Linter *linter) {
        size_t size = strlen(linter->vendor);

        return strncmp(linter->rule->file, linter->vendor, size) == 0 && linter->rule->file[size] == '/';
}

static void check_account(Linter *linter, const char *key, const char *name) {
        Account account = {.uid = (uid_t)-1};
        int r = account_by_name(name, NULL, &account);

        if (r < 0)
                warn(linter, "%s: the name service cannot say whether there is an account '%s': %s", key,
                     name, strerror(-r));
        else if (!account.exists && !is_shipped(linter))
                warn(linter, "%s: there is no account '%s'", key, name);
        else if (account.exists && strcmp(account.name, name) != 0)
                warn(linter, "%s: '%s' is another name of '%s', and only that one is compared; write '%s'",
                     key, name, account.name, account.name);
        account_done(&account);
}

/* Whether there is such a group; warns with the rest of the sentence if not. */
static bool check_group(Linter *linter, const char *key, const char *name, const char *consequence) {
        const LintGroup *group = look_up(linter, name);

        if (group->found == 0)
                warn(linter, "%s: there is no group '%s'%s", key, name, consequence);
        else if (group->found < 0)
                warn(linter, "%s: the name service cannot say whether there is a group '%s': %s", key, name,
                     strerror(-group->found));
        return group->found > 0;
}

static void check_login_names(Linter *linter) {
        const PolicyRule *rule = linter->rule;

        for (char **user = rule->users; user && *user; user++)
                check_account(linter, "User=", *user);
        for (char **group = rule->groups; group && *group; group++)
                (void)check_group(linter, "Group=", *group,
                                  ", and until there is, every login that depends on groups is denied");
}

/* ---- rules that nobody can fulfil ---- */

static void check_part(Linter *linter, unsigned i) {
        const PolicyPart *part = &linter->rule->parts[i];
        const char *key = quorum_open_parts(&linter->rule->quorum, false) & 1U << i ? "Reviewers="
                                                                                    : "EscalateTo=";
        unsigned needed = linter->rule->quorum.needed[i];

        for (char **user = part->users; user && *user; user++)
                check_account(linter, key, *user);
        if (!part->group || !check_group(linter, key, part->group, "") ||
            group_people_suffice(look_up(linter, part->group)->people, needed, NULL))
                return;
        if (needed == 1)
                warn(linter, "%s: group '%s' has no members", key, part->group);
        else
                warn(linter, "%s: group '%s' has fewer than %u members", key, part->group, needed);
}

static void check_reviewers(Linter *linter) {
        const PolicyRule *rule = linter->rule;

        for (unsigned i = 0; i < rule->quorum.n_parts; i++)
                check_part(linter, i);
        if (rule->admins_group && check_group(linter, "Admins=", rule->admins_group, "; only root counts") &&
            !group_people_suffice(look_up(linter, rule->admins_group)->people, 1, NULL))
                warn(linter, "Admins=: group '%s' has no members; only root counts", rule->admins_group);
}

/* Whether some alternative has, part by part, enough people who are not except. */
static bool can_be_reached(Linter *linter, const char *except) {
        const PolicyRule *rule = linter->rule;

        for (unsigned a = 0; a < rule->quorum.n_alternatives; a++) {
                bool enough = true;

                for (unsigned i = 0; i < rule->quorum.n_parts && enough; i++) {
                        const PolicyPart *part = &rule->parts[i];
                        char *const *people = part->group ? look_up(linter, part->group)->people
                                                          : part->users;

                        if (rule->quorum.alternatives[a] & 1U << i)
                                enough = group_people_suffice(people, rule->quorum.needed[i], except);
                }
                if (enough)
                        return true;
        }
        return false;
}

/* Nobody's own approval counts, so a rule for the only reviewer is a rule that locks them out. */
static void check_own_reviewers(Linter *linter) {
        const PolicyRule *rule = linter->rule;

        if (rule->admins_group || rule->self_review || !rule->users || !can_be_reached(linter, NULL))
                return;
        for (char **user = rule->users; *user; user++)
                if (!can_be_reached(linter, *user))
                        warn(linter,
                             "nobody can approve the login of '%s': without '%s' there are too few reviewers, and "
                             "nobody approves their own login",
                             *user, *user);
}

/* ---- rules that decide more or less than they look ---- */

static void check_reached(Linter *linter) {
        for (const PolicyRule *earlier = linter->policy->rules; earlier < linter->rule; earlier++)
                if (policy_cover(earlier, linter->rule)) {
                        warn(linter,
                             "rule '%s' is never reached: rule '%s' at %s:%u comes before and decides all "
                             "of its logins",
                             linter->rule->name, earlier->name, earlier->file, earlier->line);
                        return;
                }
}

static void check_match(Linter *linter) {
        const PolicyRule *rule = linter->rule;

        if (rule->action == POLICY_EXEMPT && !rule->services)
                warn(linter,
                     "Action=exempt without Service= lets these logins pass at every service, sshd and sudo among "
                     "them");
        if (rule->location == POLICY_LOCAL && rule->networks)
                warn(linter,
                     "Location=local and Address= never fit together: no login from this machine has an "
                     "address");
}

static void check_end(Linter *linter) {
        static const PolicyRule everything = {0};

        linter->rule = NULL;
        for (size_t i = 0; i < linter->policy->n_rules; i++)
                if (policy_cover(&linter->policy->rules[i], &everything))
                        return;
        warn(linter,
             "no rule covers every login, so what no rule matches is denied; if that is meant, say so with a "
             "last rule that has Action=deny and no keys to match");
}

int policy_lint(const Policy *policy, const char *vendor, Lint *ret_lint) {
        PEERAUTH_CLEANUP(linter_done) Linter linter = {.policy = policy, .vendor = vendor};

        for (size_t i = 0; i < policy->n_rules; i++) {
                linter.rule = &policy->rules[i];
                check_reached(&linter);
                check_match(&linter);
                check_login_names(&linter);
                if (holds(linter.rule)) {
                        check_reviewers(&linter);
                        check_own_reviewers(&linter);
                }
        }
        check_end(&linter);
        if (linter.failed)
                return -ENOMEM;
        *ret_lint = linter.lint;
        linter.lint = (Lint){0}; /* handed over */
        return 0;
}
