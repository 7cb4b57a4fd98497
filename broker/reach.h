/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is logged in and unlocked now, and what a rule makes of them: for the person who waits (how many could
 * decide), and for the votes that were cast earlier (are they still good?).
 */
#pragma once

#include <systemd/sd-bus.h>

#include "broker/presence.h"
#include "broker/worker.h"
#include "common/account.h"
#include "common/policy.h"

enum {
        REACH_PEOPLE_MAX = 128,    /* look-ups for one question; with more people there, "at least" so many */
        REACH_WAIT_USEC = 2000000, /* for the name service: a directory that hangs holds nobody up longer */
};

typedef struct ReachPerson {
        uid_t uid;
        bool local; /* has a local session that counts; else only remote ones */
        Account account;
        PolicyRole role; /* what counts of it from where the person is; all zero: nothing */
} ReachPerson;

typedef struct ReachResult {
        const ReachPerson *people;
        size_t n;
        const PresenceList *sessions;
        bool incomplete;    /* the name service did not answer in time for somebody, who is left out */
        bool more;          /* there may be others: more than were looked at, or whom no directory knows */
        bool group_missing; /* the rule names groups only, and none of them exists: nobody can ever decide */
} ReachResult;

typedef struct Reach Reach;

/* r is 0, or a negative errno if it could not be found out; then result is NULL. result is valid during the
 * call. The owner frees the Reach. */
typedef void (*ReachDone)(int r, const ReachResult *result, void *userdata);

typedef struct ReachQuestion {
        Policy *policy; /* that holds rule; kept until the answer */
        const PolicyRule *rule;
        const uid_t *only; /* ask about these only; NULL: everybody who is there */
        size_t n_only;
        ReachDone done;
        void *userdata;
} ReachQuestion;

/* 0, and done is called later, or a negative errno, and it is not. Freeing cancels. */
int reach_ask(sd_bus *bus, Worker *worker, const ReachQuestion *question, Reach **ret_reach);
Reach *reach_free(Reach *reach);

/* NULL if the person is not there. */
const ReachPerson *reach_find(const ReachResult *result, uid_t uid);
