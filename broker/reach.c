/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logind says who is there, worker threads which groups they are in, the rule what that makes them.
 *
 * One job a person, so that somebody whose directory hangs does not hide the others (attack B17).
 */
#include "broker/reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "common/cleanup.h"
#include "common/strv.h"

/* What a thread works on. It outlives a Reach that was cancelled, or does not wait any more. */
typedef struct ReachJob {
        Reach *reach;    /* NULL once nobody waits for it; touched only by the loop */
        unsigned person; /* index of reach->people, if it is about a person */
        uid_t uid;
        char **group_names;
        Account account;
        int result;
        bool group_missing;
} ReachJob;

struct Reach {
        sd_bus *bus;
        Worker *worker;
        Policy *policy;
        const PolicyRule *rule;
        uid_t *only;
        size_t n_only;
        ReachDone done;
        void *userdata;
        PresenceQuery *presence;
        PresenceList *sessions;
        char **group_names;
        sd_event_source *timer;
        ReachPerson people[REACH_PEOPLE_MAX];
        ReachJob *jobs[REACH_PEOPLE_MAX]; /* NULL: answered */
        ReachJob *group_job;
        unsigned n, open;
        bool incomplete, more;
};

Reach *reach_free(Reach *reach) {
        if (!reach)
                return NULL;
        presence_query_free(reach->presence);
        sd_event_source_disable_unref(reach->timer);
        for (unsigned i = 0; i < reach->n; i++) {
                if (reach->jobs[i])
                        reach->jobs[i]->reach = NULL;
                account_done(&reach->people[i].account);
        }
        if (reach->group_job)
                reach->group_job->reach = NULL;
        policy_unref(reach->policy);
        strv_free(reach->group_names);
        free(reach->sessions);
        free(reach->only);
        sd_bus_unref(reach->bus);
        free(reach);
        return NULL;
}

static ReachJob *job_free(ReachJob *job) {
        if (!job)
                return NULL;
        account_done(&job->account);
        strv_free(job->group_names);
        free(job);
        return NULL;
}

static ReachJob *job_new(Reach *reach) {
        ReachJob *job = calloc(1, sizeof(*job));

        if (!job)
                return NULL;
        *job = (ReachJob){.reach = reach, .account.uid = (uid_t)-1};
        job->group_names = strv_concat(reach->group_names, NULL);
        return job->group_names ? job : job_free(job);
}

/* ---- what a rule makes of somebody who is there ---- */

static PolicyRole reach_role(const Reach *reach, const ReachPerson *person) {
        const PolicyPerson who = {
                .uid = person->uid, .name = person->account.name, .groups = person->account.groups};
        PolicyRole role = policy_role(reach->rule, &who);

        if (!person->account.exists)
                return (PolicyRole){0};
        if (!person->local && !reach->rule->remote_reviewers)
                role.parts = 0;
        return role;
}

const ReachPerson *reach_find(const ReachResult *result, uid_t uid) {
        for (size_t i = 0; i < result->n; i++)
                if (result->people[i].uid == uid)
                        return &result->people[i];
        return NULL;
}

static void reach_finish(Reach *reach, bool group_missing) {
        const ReachResult result = {.people = reach->people,
                                    .n = reach->n,
                                    .sessions = reach->sessions,
                                    .incomplete = reach->incomplete,
                                    .more = reach->more,
                                    .group_missing = group_missing};

        reach->timer = sd_event_source_disable_unref(reach->timer);
        reach->done(0, &result, reach->userdata); /* may free reach */
}

/* ---- does anybody belong to the rule at all ---- */

static void groups_run(void *userdata) {
        ReachJob *job = userdata;

        job->group_missing = true;
        for (char **name = job->group_names; *name && job->group_missing; name++)
                if (account_group_exists(*name) != 0) /* a look-up that fails proves nothing */
                        job->group_missing = false;
}

static void groups_done(void *userdata) {
        ReachJob *job = userdata;

        if (job->reach) {
                job->reach->group_job = NULL;
                reach_finish(job->reach, job->group_missing);
        }
        job_free(job);
}

static bool reach_names_accounts(const Reach *reach) {
        for (unsigned i = 0; i < reach->rule->quorum.n_parts; i++)
                if (reach->rule->parts[i].users)
                        return true;
        return false;
}

/* Everybody has answered, or the time is over. With nobody there the groups themselves are looked at. */
static void reach_people_known(Reach *reach) {
        bool nobody = !reach->only && !reach_names_accounts(reach);
        ReachJob *job;

        for (unsigned i = 0; i < reach->n; i++) {
                reach->people[i].role = reach_role(reach, &reach->people[i]);
                nobody = nobody && !reach->people[i].role.parts && !reach->people[i].role.admin;
        }
        job = nobody && !reach->incomplete ? job_new(reach) : NULL;
        if (job && worker_submit(reach->worker, WORKER_PRESENCE, reach->group_names[0], groups_run,
                                 groups_done, job) >= 0) {
                reach->group_job = job;
                return;
        }
        job_free(job);
        reach_finish(reach, false);
}

/* ---- the people ---- */

static void person_run(void *userdata) {
        ReachJob *job = userdata;

        job->result = account_by_uid(job->uid, job->group_names, &job->account);
}

static void person_done(void *userdata) {
        ReachJob *job = userdata;
        Reach *reach = job->reach;

        if (reach) {
                reach->jobs[job->person] = NULL;
                if (job->result >= 0) {
                        /* Somebody with a session and without an account, or a group that is not found: a
                         * directory that is away looks like that, so nobody may be said to be absent. */
                        reach->more |= !job->account.exists || job->account.unknown_groups;
                        reach->people[job->person].account = job->account;
                        job->account = (Account){.uid = (uid_t)-1};
                } else
                        reach->incomplete = true;
                if (--reach->open == 0)
                        reach_people_known(reach);
        }
        job_free(job);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        Reach *reach = userdata;

        (void)source;
        (void)usec;
        reach->timer = sd_event_source_disable_unref(reach->timer);
        reach->incomplete |= reach->open > 0;
        for (unsigned i = 0; i < reach->n; i++) {
                if (reach->jobs[i])
                        reach->jobs[i]->reach = NULL;
                reach->jobs[i] = NULL;
        }
        if (reach->group_job) {
                reach->group_job->reach = NULL;
                reach->group_job = NULL;
                reach_finish(reach, false);
        } else
                reach_people_known(reach);
        return 0;
}

static int reach_look_up(Reach *reach, unsigned person) {
        ReachJob *job = job_new(reach);
        char key[32];
        int r;

        if (!job)
                return -ENOMEM;
        job->person = person;
        job->uid = reach->people[person].uid;
        (void)snprintf(key, sizeof(key), "uid:%u", job->uid);
        r = worker_submit(reach->worker, WORKER_PRESENCE, key, person_run, person_done, job);
        if (r < 0) {
                job_free(job);
                return r;
        }
        reach->jobs[person] = job;
        reach->open++;
        return 0;
}

static bool reach_wants(const Reach *reach, uid_t uid) {
        for (size_t i = 0; i < reach->n_only; i++)
                if (reach->only[i] == uid)
                        return true;
        return !reach->only;
}

static void reach_add_person(Reach *reach, const LogindSession *session) {
        unsigned i = 0;

        while (i < reach->n && reach->people[i].uid != session->uid)
                i++;
        if (i == REACH_PEOPLE_MAX) {
                reach->more = true;
                return;
        }
        if (i == reach->n)
                reach->people[reach->n++] = (ReachPerson){.uid = session->uid, .account.uid = (uid_t)-1};
        reach->people[i].local |= !session->remote;
}

static int reach_look_up_all(Reach *reach, const PresenceList *list) {
        int r;

        reach->sessions = malloc(sizeof(*list));
        if (!reach->sessions)
                return -ENOMEM;
        memcpy(reach->sessions, list, sizeof(*list));
        if (reach->only)
                reach->incomplete = list->incomplete;
        else
                reach->more = list->incomplete;
        for (size_t i = 0; i < list->n; i++)
                if (reach_wants(reach, list->sessions[i].uid))
                        reach_add_person(reach, &list->sessions[i]);
        r = sd_event_add_time_relative(sd_bus_get_event(reach->bus), &reach->timer, CLOCK_MONOTONIC,
                                       REACH_WAIT_USEC, 0, on_late, reach);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < reach->n; i++)
                if (reach_look_up(reach, i) < 0)
                        reach->incomplete = true;
        if (reach->open == 0)
                reach_people_known(reach);
        return 0;
}

static void on_presence(int r, const PresenceList *list, void *userdata) {
        Reach *reach = userdata;
        PresenceQuery *query = STEAL_PTR(reach->presence);

        if (r >= 0)
                r = reach_look_up_all(reach, list);
        if (r < 0)
                reach->done(r, NULL, reach->userdata);
        presence_query_free(query); /* last: list is in it */
}

/* ---- the question ---- */

static int reach_name_groups(Reach *reach) {
        const PolicyRule *rule = reach->rule;
        int r;

        reach->group_names = strv_concat(NULL, NULL);
        if (!reach->group_names)
                return -ENOMEM;
        r = strv_append_new(&reach->group_names, rule->admins_group);
        for (unsigned i = 0; r >= 0 && i < rule->quorum.n_parts; i++)
                r = strv_append_new(&reach->group_names, rule->parts[i].group);
        return r;
}

int reach_ask(sd_bus *bus, Worker *worker, const ReachQuestion *question, Reach **ret_reach) {
        Reach *reach = calloc(1, sizeof(*reach));
        int r;

        if (!reach)
                return -ENOMEM;
        *reach = (Reach){.bus = sd_bus_ref(bus),
                         .worker = worker,
                         .policy = policy_ref(question->policy),
                         .rule = question->rule,
                         .n_only = question->n_only,
                         .done = question->done,
                         .userdata = question->userdata};
        r = reach_name_groups(reach);
        if (r >= 0 && question->only) {
                reach->only = reallocarray(NULL, question->n_only + 1, sizeof(uid_t));
                if (reach->only)
                        memcpy(reach->only, question->only, question->n_only * sizeof(uid_t));
                else
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = presence_query(bus, false, on_presence, reach, &reach->presence);
        if (r < 0) {
                reach_free(reach);
                return r;
        }
        if (reach->only)
                presence_limit(reach->presence, reach->only, reach->n_only);
        *ret_reach = reach;
        return 0;
}
