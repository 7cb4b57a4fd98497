/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which rule decides a login, and what role a person has under it.
 *
 * Pure: rules and facts in, an answer out. Rules are read by policy_load.c; memberships are looked
 * up by account.c, at the moment of the decision, for the groups that the policy names. Groups and accounts
 * are compared by name.
 *
 * MUST 1: the first rule that matches decides; none matching is a denial.
 * MUST 2: the zero value of a rule denies.
 * MUST 3: a rule of which it cannot be told whether it matches decides too, and denies: to pass it over could
 * let in whom it forbids.
 */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/policy_match.h"
#include "common/quorum.h"

typedef enum PolicyAction {
        POLICY_DENY = 0,
        POLICY_REQUIRE, /* hold the login for review */
        POLICY_EXEMPT,  /* let it pass without review */
        POLICY_MONITOR, /* let it pass, and record what REQUIRE would have done */
} PolicyAction;

typedef enum CodeMode {
        CODE_ENTER = 0, /* the reviewer types what the requester says */
        CODE_COMPARE,   /* the reviewer is shown the code */
} CodeMode;

typedef enum PolicyLocation {
        POLICY_ANYWHERE = 0,
        POLICY_LOCAL,
        POLICY_REMOTE,
} PolicyLocation;

/* What happens to a login that nobody who is logged in could approve. */
typedef enum PolicyNobody {
        POLICY_NOBODY_DENY = 0,
        POLICY_NOBODY_WAIT,          /* hold it: somebody may log in */
        POLICY_NOBODY_RECOVERY_ONLY, /* deny it, unless the requester has a way of recovery */
        POLICY_NOBODY_ALLOW,         /* let it pass, and record that: "allow-and-record" */
} PolicyNobody;

typedef enum PolicyTextMode {
        POLICY_TEXT_OFF = 0,
        POLICY_TEXT_OPTIONAL,
        POLICY_TEXT_REQUIRED, /* at least one character that is not a space */
        POLICY_TEXT_PATTERN,  /* required, and all of it must match */
} PolicyTextMode;

typedef struct PolicyText {
        PolicyTextMode mode;
        char *pattern;     /* as written; NULL without POLICY_TEXT_PATTERN */
        regex_t *compiled; /* POSIX extended, anchored at both ends; NULL likewise */
} PolicyText;

/* One part of the quorum: the members of a group, or the accounts of a list. Exactly one is set. */
typedef struct PolicyPart {
        char *group;
        char **users;
} PolicyPart;

/* Lists are NULL-terminated arrays of strings; a NULL list matches everything. */
typedef struct PolicyRule {
        char *name;
        char *file; /* where it was read from, and in which line it begins */
        unsigned line;

        char **services, **users, **groups, **ttys;
        PolicyLocation location;
        PolicyNetwork *networks; /* NULL: every origin */
        size_t n_networks;
        PolicyTime *times; /* NULL: always */
        size_t n_times;

        PolicyAction action;
        Quorum quorum; /* of reviewers; without alternatives only administrators decide */
        PolicyPart parts[QUORUM_PARTS_MAX];
        char *admins_group; /* NULL: nobody decides alone */
        unsigned deny_threshold;
        bool self_review;
        bool remote_reviewers; /* reviewers in remote sessions count; administrators always do */
        CodeMode code;
        PolicyText note;   /* the reviewer's */
        PolicyText reason; /* the requester's */
        PolicyNobody when_nobody;
        uint64_t expires_usec;
        uint64_t escalate_usec; /* after so long the later alternatives are open; 0: there are none */
} PolicyRule;

enum { POLICY_HASH_SIZE = 65 };

typedef struct Policy {
        PolicyRule *rules;
        size_t n_rules;
        char **group_names;  /* every group named in any rule, once; NULL-terminated */
        char **login_groups; /* those of them that a Group= names: who logs in matters, not who reviews */
        char hash[POLICY_HASH_SIZE]; /* hex SHA-256 of the files: their names and bytes, in order */
        unsigned n_refs;             /* further owners; one loop only, no threads */
} Policy;

/* The facts a rule is matched against. */
typedef struct PolicyQuery {
        const char *service;
        const char *user;    /* canonical account name, or the name as typed if unknown */
        char *const *groups; /* those of policy->login_groups that the account belongs to */
        const char *tty;     /* "" or NULL: none */
        PolicyOrigin origin;
        PolicyMoment moment;
} PolicyQuery;

/* How a rule fits a login: it does, or which key says that it does not. */
typedef enum PolicyFit {
        POLICY_FIT_UNSURE = 0, /* only the name of the remote host is known, and Address= needs its address */
        POLICY_FIT_YES,
        POLICY_FIT_NOT_SERVICE,
        POLICY_FIT_NOT_USER,
        POLICY_FIT_NOT_GROUP,
        POLICY_FIT_NOT_TTY,
        POLICY_FIT_NOT_LOCATION,
        POLICY_FIT_NOT_ADDRESS,
        POLICY_FIT_NOT_TIME,
} PolicyFit;

/* UNSURE only if everything else fits. */
PolicyFit policy_fit(const PolicyRule *rule, const PolicyQuery *query);

typedef struct PolicyDecision {
        const PolicyRule *rule; /* owned by the policy; NULL: no rule matches, which is a denial */
        bool unsure;            /* MUST 3: denied, whatever the rule says */
} PolicyDecision;

PolicyDecision policy_decide(const Policy *policy, const PolicyQuery *query);

/* Whether that answer could be another one if the account belonged to other groups than query says: for a
 * query some of whose groups could not be found out. */
bool policy_rests_on_groups(const Policy *policy, const PolicyQuery *query);

/* The rule that decides every login through service, whoever it is and wherever from, or NULL if that depends
 * on more. It saves background services a look-up of the account. Owned by the policy. */
const PolicyRule *policy_decide_by_service(const Policy *policy, const char *service);

/* Somebody who may have a role. */
typedef struct PolicyPerson {
        uid_t uid;
        const char *name;    /* canonical */
        char *const *groups; /* of policy->group_names, those that they belong to; NULL-terminated or NULL */
} PolicyPerson;

typedef struct PolicyRole {
        QuorumParts parts; /* of the rule's, those that the person belongs to, whether open yet or not */
        bool admin;        /* root counts where the rule has administrators */
} PolicyRole;
PolicyRole policy_role(const PolicyRule *rule, const PolicyPerson *person);

/* Whether a note or reason (NULL: none) is as the rule asks, and what is wrong if it is not. */
typedef enum PolicyTextVerdict {
        POLICY_TEXT_WRONG = 0, /* does not match the pattern */
        POLICY_TEXT_MISSING,
        POLICY_TEXT_UNWANTED, /* the rule takes none */
        POLICY_TEXT_FINE,
} PolicyTextVerdict;
PolicyTextVerdict policy_text_check(const PolicyText *rule, const char *text);

/* "2 of peerauth-reviewers, or 1 of peerauth-admins": for people. Caller frees; NULL: no memory. */
char *policy_reviewers_text(const PolicyRule *rule, bool escalated);

/* Frees what a rule holds, not the rule itself, which is zeroed: it denies. */
void policy_rule_done(PolicyRule *rule);

/* Collects policy->group_names and ->login_groups from the rules; called once, by who builds a policy. 0 or
 * -ENOMEM. */
int policy_name_groups(Policy *policy);

/* A policy is freed with its last owner; both take NULL, unref returns NULL. */
Policy *policy_ref(Policy *policy);
Policy *policy_unref(Policy *policy);
