/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which rule decides a login, and what role a person has under it.
 *
 * Pure: rules and facts in, an answer out. Rules are read by policy_load.c; memberships are looked
 * up by account.c, at the moment of the decision, for the groups that the policy names. Groups are
 * compared by name.
 *
 * MUST 1: the first rule that matches decides; none matching is a denial.
 * MUST 2: the zero value of a rule denies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum PolicyAction {
        POLICY_DENY = 0,
        POLICY_REQUIRE, /* hold the login for review */
        POLICY_EXEMPT,  /* let it pass without review */
} PolicyAction;

typedef enum CodeMode {
        CODE_ENTER = 0, /* the reviewer types what the requester says */
        CODE_COMPARE,   /* the reviewer is shown the code */
} CodeMode;

/* Lists are NULL-terminated arrays of strings; a NULL list matches everything. */
typedef struct PolicyRule {
        char *name;
        char *file; /* where it was read from */
        char **services;
        char **users;
        char **groups;
        PolicyAction action;
        char *reviewers_group; /* NULL: only administrators decide */
        unsigned reviewers_needed;
        char *admins_group; /* NULL: nobody decides alone */
        CodeMode code;
        uint64_t expires_usec;
        bool remote_reviewers; /* reviewers in remote sessions count; administrators always do */
} PolicyRule;

typedef struct Policy {
        PolicyRule *rules;
        size_t n_rules;
        char **group_names;  /* every group named in any rule, once; NULL-terminated */
        char **login_groups; /* those of them that a Group= names: who logs in matters, not who reviews */
} Policy;

/* The facts a rule is matched against. */
typedef struct PolicyQuery {
        const char *service;
        const char *user;    /* canonical account name, or the name as typed if unknown */
        char *const *groups; /* those of policy->login_groups that the account belongs to */
} PolicyQuery;

typedef struct PolicyRole {
        bool reviewer;
        bool admin;
} PolicyRole;

/* Frees a policy and everything in it; takes NULL; returns NULL. */
Policy *policy_free(Policy *policy);

/* Collects policy->group_names and ->login_groups from the rules; called once, by who builds a policy. 0 or
 * -ENOMEM. */
int policy_name_groups(Policy *policy);

/* The rule that decides, or NULL: no rule matches, which is a denial. Owned by the policy. */
const PolicyRule *policy_decide(const Policy *policy, const PolicyQuery *query);

/* The rule that decides every login through service, whoever it is, or NULL if that depends on the account.
 * It saves background services a look-up of the account. Owned by the policy. */
const PolicyRule *policy_decide_by_service(const Policy *policy, const char *service);

/* The role under a rule of an account that belongs to groups (NULL-terminated, may be NULL) and
 * has uid: root counts as an administrator where the rule has administrators. */
PolicyRole policy_role(const PolicyRule *rule, uid_t uid, char *const *groups);

/* A deep copy of one rule, for the lifetime of a request; NULL when memory ran out. */
PolicyRule *policy_rule_copy(const PolicyRule *rule);
PolicyRule *policy_rule_free(PolicyRule *rule);
/* Frees what a rule holds, not the rule itself, which is zeroed: it denies. */
void policy_rule_done(PolicyRule *rule);

/* "2 of peerauth-reviewers, or 1 of peerauth-admins": for people. Caller frees; NULL: no memory. */
char *policy_rule_reviewers_text(const PolicyRule *rule);
