/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts, decision, people: in the order of the broker. */
#include "cli/trial.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/protocol.h"
#include "common/text.h"

void trial_done(Trial *trial) {
        account_done(&trial->account);
        for (size_t i = 0; i < trial->n_people; i++)
                account_done(&trial->people[i].account);
        free(trial->people);
        *trial = (Trial){0};
}

PolicyFit trial_fit(const Trial *trial, size_t rule) {
        return policy_fit(&trial->policy->rules[rule], &trial->query);
}

/* ---- what the module never asks about ---- */

static const char *ignored(const TrialLogin *login) {
        if (strcmp(login->service, PEERAUTH_SERVICE_POLKIT) == 0)
                return "the module takes no part in polkit-1: a review could ask polkit again";
        if (login->account_stage && text_lists(PEERAUTH_SERVICES_SKIPPED, login->service))
                return "the account stage of this service passes without the broker, see skip= in "
                       "pam_peerauth(8)";
        return NULL;
}

/* ---- what the rule says ---- */

static void settle(Trial *trial, TrialOutcome outcome, const char *why) {
        trial->outcome = trial->now = outcome;
        trial->why = why;
}

static void settle_by_action(Trial *trial) {
        switch (trial->decision.rule->action) {
        case POLICY_EXEMPT:
                settle(trial, TRIAL_PASSES, "the rule exempts it");
                return;
        case POLICY_MONITOR:
                settle(trial, TRIAL_PASSES, "the rule only records what require would have done");
                return;
        case POLICY_REQUIRE:
                if (trial->account_stage)
                        settle(trial, TRIAL_DENIED,
                               "it was authenticated without peerauth (a key, a fingerprint, autologin), where "
                               "no code can be shown");
                else
                        settle(trial, TRIAL_HELD, "the rule requires a review");
                return;
        case POLICY_DENY:
                break;
        }
        settle(trial, TRIAL_DENIED, "the rule denies it");
}

/* Where the service alone decides, the broker does not look the account up. */
static void settle_by_rule(Trial *trial) {
        if (trial->account.unknown_groups && policy_rests_on_groups(trial->policy, &trial->query))
                settle(trial, TRIAL_DENIED,
                       "the policy names a group with Group= that is not found: it does not exist, or the "
                       "directory that has it does not answer");
        else if (!trial->decision.rule)
                settle(trial, TRIAL_DENIED, "no rule matches");
        else if (trial->decision.unsure)
                settle(trial, TRIAL_DENIED,
                       "only the name of the remote host is known, the rule's Address= needs its address, and "
                       "names are never resolved");
        else
                settle_by_action(trial);
}

static size_t count_earlier(const Trial *trial) {
        if (!trial->decision.rule)
                return trial->policy->n_rules;
        return (size_t)(trial->decision.rule - trial->policy->rules);
}

int trial_decide(const Policy *policy, const TrialLogin *login, Trial *ret_trial) {
        PEERAUTH_CLEANUP(trial_done) Trial trial = {.policy = policy, .account.uid = (uid_t)-1};
        char own_name[HOST_NAME_MAX + 1] = "";
        const char *ignored_because = ignored(login);
        int r = account_by_name(login->user, policy->login_groups, &trial.account);

        if (r < 0)
                return r;
        (void)gethostname(own_name, sizeof(own_name) - 1);
        trial.account_stage = login->account_stage;
        trial.query = (PolicyQuery){.service = login->service,
                                    .user = trial.account.name,
                                    .groups = trial.account.groups,
                                    .tty = login->tty,
                                    .origin = policy_origin(login->rhost, own_name),
                                    .moment = login->moment};
        trial.decision = policy_decide(policy, &trial.query);
        trial.n_earlier = count_earlier(&trial);
        if (ignored_because) {
                trial.decision = (PolicyDecision){0};
                trial.n_earlier = 0;
                settle(&trial, TRIAL_IGNORED, ignored_because);
        } else
                settle_by_rule(&trial);
        *ret_trial = trial;
        trial = (Trial){0}; /* handed over */
        return 0;
}

/* ---- who is there ---- */

/* As the broker counts: nobody reviews their own login, and remote sessions only where the rule says so. */
static PolicyRole role_of(const Trial *trial, const TrialPerson *person) {
        const PolicyRule *rule = trial->decision.rule;
        const PolicyPerson who = {person->account.uid, person->account.name, person->account.groups};
        PolicyRole role = policy_role(rule, &who);

        if (!person->account.exists || person->requester)
                return (PolicyRole){0};
        if (!person->local && !rule->remote_reviewers)
                role.parts = 0;
        return role;
}

static int add_person(Trial *trial, const PresencePerson *there) {
        TrialPerson *person = &trial->people[trial->n_people];
        int r;

        *person = (TrialPerson){.local = there->local, .account.uid = (uid_t)-1};
        r = account_by_uid(there->uid, trial->policy->group_names, &person->account);
        if (r < 0)
                return r;
        trial->n_people++;
        person->requester = trial->account.exists && there->uid == trial->account.uid;
        person->role = role_of(trial, person);
        return 0;
}

static TrialReach measure(const Trial *trial, bool escalated) {
        const Quorum *quorum = &trial->decision.rule->quorum;
        QuorumParts parts[QUORUM_PEOPLE_MAX] = {0}, open = quorum_open_parts(quorum, escalated);
        TrialReach reach = {0};
        size_t n = 0;

        for (size_t i = 0; i < trial->n_people; i++) {
                PolicyRole role = trial->people[i].role;

                reach.reachable += role.admin || role.parts & open;
                reach.enough |= role.admin;
                if (role.parts & open && n < QUORUM_PEOPLE_MAX)
                        parts[n++] = role.parts;
        }
        reach.missing = quorum_missing(quorum, escalated, parts, n);
        reach.enough |= reach.missing == 0;
        return reach;
}

static bool groups_are_missing(const PolicyRule *rule) {
        for (unsigned i = 0; i < rule->quorum.n_parts; i++)
                if (rule->parts[i].users || account_group_exists(rule->parts[i].group) != 0)
                        return false;
        return !rule->admins_group || account_group_exists(rule->admins_group) == 0;
}

static void settle_with_nobody(Trial *trial) {
        if (trial->group_missing) {
                trial->now = TRIAL_DENIED;
                trial->why_now = "the group that should approve does not exist";
                return;
        }
        switch (trial->decision.rule->when_nobody) {
        case POLICY_NOBODY_WAIT:
                trial->why_now = "nobody who could approve is logged in; it is held all the same";
                return;
        case POLICY_NOBODY_ALLOW:
                trial->now = TRIAL_PASSES;
                trial->why_now = "nobody who could approve is logged in, and then the rule lets it pass";
                return;
        case POLICY_NOBODY_RECOVERY_ONLY:
                trial->now = TRIAL_DENIED;
                trial->why_now = "nobody who could approve is logged in; only a way of recovery helps";
                return;
        case POLICY_NOBODY_DENY:
                break;
        }
        trial->now = TRIAL_DENIED;
        trial->why_now = "nobody who could approve is logged in, and then the rule denies it";
}

int trial_add_people(Trial *trial, const Presence *presence, int r) {
        trial->has_people = true;
        trial->people_error = presence ? 0 : r;
        if (!presence)
                return 0;
        trial->people = calloc(presence->n + 1, sizeof(*trial->people));
        if (!trial->people)
                return -ENOMEM;
        for (size_t i = 0; i < presence->n && trial->people_error == 0; i++)
                trial->people_error = add_person(trial, &presence->people[i]);
        if (trial->people_error < 0)
                return 0;
        trial->first = measure(trial, false);
        trial->later = measure(trial, true);
        if (trial->later.reachable > 0)
                return 0;
        trial->group_missing = groups_are_missing(trial->decision.rule);
        if (trial->outcome == TRIAL_HELD)
                settle_with_nobody(trial);
        return 0;
}
