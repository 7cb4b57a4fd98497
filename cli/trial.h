/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A login that nobody makes: what the policy would do with it now, and who could approve it.
 *
 * The same policy functions as the broker's, over facts that are looked up here; nothing is asked of the
 * broker and nothing is recorded.
 */
#pragma once

#include "cli/presence.h"
#include "common/account.h"
#include "common/policy.h"

typedef enum TrialOutcome {
        TRIAL_DENIED = 0,
        TRIAL_HELD,
        TRIAL_PASSES,
        TRIAL_IGNORED, /* the module takes no part */
} TrialOutcome;

/* Somebody who is logged in. */
typedef struct TrialPerson {
        Account account;
        bool local;
        bool requester;  /* whose own login it is */
        PolicyRole role; /* what counts of it from where the person is */
} TrialPerson;

/* How far the people who are there would come. */
typedef struct TrialReach {
        unsigned reachable; /* people who could have a say */
        unsigned missing;   /* reviewers who must join them; QUORUM_NEVER: only an administrator helps */
        bool enough;
} TrialReach;

typedef struct Trial {
        const Policy *policy;
        PolicyQuery query;
        bool account_stage;
        Account account; /* that logs in */
        PolicyDecision decision;
        size_t n_earlier;     /* rules that were asked before, and did not fit */
        TrialOutcome outcome; /* if somebody is there to review */
        TrialOutcome now;     /* with the people who are there, as far as is known */
        const char *why;      /* in a sentence without its full stop; a constant */
        const char *why_now;

        bool has_people;  /* trial_add_people() was called */
        int people_error; /* negative errno: it is not known who is there */
        TrialPerson *people;
        size_t n_people;
        bool group_missing;      /* of the groups that the rule names, none exists */
        TrialReach first, later; /* from the start, and after escalation */
} Trial;

typedef struct TrialLogin {
        const char *user, *service, *tty, *rhost; /* tty and rhost: NULL or "" for none */
        PolicyMoment moment;
        bool account_stage;
} TrialLogin;

/* Which rule decides, and what it does. policy and the strings of login stay the caller's. 0, or a negative
 * errno: the name service could not answer. */
int trial_decide(const Policy *policy, const TrialLogin *login, Trial *ret_trial);

/* Who is there (presence NULL: not known, and r says why) and what follows from it; for rules that hold
 * logins, or would. */
int trial_add_people(Trial *trial, const Presence *presence, int r);

/* How a rule does not fit the login. */
PolicyFit trial_fit(const Trial *trial, size_t rule);

void trial_done(Trial *trial);
