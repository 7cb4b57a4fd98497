/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* logind says who is there, a worker thread which groups they are in, the rule what that makes them. */
#include "broker/reach.h"

#include <errno.h>
#include <stdlib.h>

#include "common/account.h"
#include "broker/bus.h"
#include "broker/presence.h"
#include "common/cleanup.h"
#include "common/strv.h"

enum { REACH_PEOPLE_MAX = 64 }; /* look-ups for one request; with more people there, "at least" so many */

typedef struct ReachPerson {
        uid_t uid;
        bool local;
        Account account;
} ReachPerson;

/* What the thread works on. It outlives a Reach that was cancelled. */
typedef struct ReachJob {
        Reach *reach;
        char **group_names;
        ReachPerson people[REACH_PEOPLE_MAX];
        unsigned n;
        bool group_missing;
} ReachJob;

struct Reach {
        Worker *worker;
        PolicyRule *rule;
        uid_t requester, asker;
        ReachDone done;
        void *userdata;
        PresenceQuery *presence;
        ReachJob *job;
};

Reach *reach_free(Reach *reach) {
        if (!reach)
                return NULL;
        presence_query_free(reach->presence);
        if (reach->job)
                reach->job->reach = NULL;
        policy_rule_free(reach->rule);
        free(reach);
        return NULL;
}

static ReachJob *reach_job_free(ReachJob *job) {
        if (!job)
                return NULL;
        for (unsigned i = 0; i < job->n; i++)
                account_done(&job->people[i].account);
        strv_free(job->group_names);
        free(job);
        return NULL;
}

static void job_run(void *userdata) {
        ReachJob *job = userdata;

        job->group_missing = true;
        for (char **name = job->group_names; *name; name++)
                if (account_group_exists(*name) != 0) /* a look-up that fails proves nothing */
                        job->group_missing = false;
        for (unsigned i = 0; i < job->n; i++)
                if (account_by_uid(job->people[i].uid, job->group_names, &job->people[i].account) < 0)
                        job->people[i].account = (Account){.uid = (uid_t)-1}; /* counts as nobody */
}

static bool reach_counts(const Reach *reach, const ReachPerson *person) {
        PolicyRole role = policy_role(reach->rule, person->uid, person->account.groups);

        return role.admin || (role.reviewer && (person->local || reach->rule->remote_reviewers));
}

static void job_done(void *userdata) {
        ReachJob *job = userdata;
        Reach *reach = job->reach;
        unsigned count = 0;

        if (reach) {
                reach->job = NULL;
                for (unsigned i = 0; i < job->n; i++)
                        count += reach_counts(reach, &job->people[i]);
                reach->done(0, count, job->group_missing, reach->userdata);
        }
        reach_job_free(job);
}

static void reach_add_person(ReachJob *job, const PresenceSession *session) {
        unsigned i = 0;

        while (i < job->n && job->people[i].uid != session->uid)
                i++;
        if (i == REACH_PEOPLE_MAX)
                return;
        if (i == job->n)
                job->people[job->n++] = (ReachPerson){.uid = session->uid, .account.uid = (uid_t)-1};
        job->people[i].local |= !session->remote;
}

/* An asker of 0 is a service, and root who is logged in is somebody else. */
static bool reach_is_self(const Reach *reach, uid_t uid) {
        return uid == reach->requester || (reach->asker != 0 && uid == reach->asker);
}

static int reach_start_job(Reach *reach, const PresenceList *list) {
        ReachJob *job = calloc(1, sizeof(*job));
        int r = 0;

        if (!job)
                return -ENOMEM;
        job->reach = reach;
        job->group_names = calloc(1, sizeof(char *));
        if (!job->group_names)
                r = -ENOMEM;
        if (r >= 0 && reach->rule->reviewers_group)
                r = strv_append(&job->group_names, reach->rule->reviewers_group);
        if (r >= 0 && reach->rule->admins_group)
                r = strv_append(&job->group_names, reach->rule->admins_group);
        for (size_t i = 0; i < list->n; i++)
                if (!reach_is_self(reach, list->sessions[i].uid))
                        reach_add_person(job, &list->sessions[i]);
        if (r >= 0)
                r = worker_submit(reach->worker, job_run, job_done, job);
        if (r < 0) {
                reach_job_free(job);
                return r;
        }
        reach->job = job;
        return 0;
}

static void on_presence(int r, const PresenceList *list, void *userdata) {
        Reach *reach = userdata;

        if (r >= 0)
                r = reach_start_job(reach, list);
        reach->presence = presence_query_free(reach->presence);
        if (r < 0)
                reach->done(r, 0, false, reach->userdata);
}

int reach_count(sd_bus *bus, Worker *worker, const PolicyRule *rule, uid_t requester, uid_t asker,
                ReachDone done, void *userdata, Reach **ret_reach) {
        Reach *reach = calloc(1, sizeof(*reach));
        int r;

        if (!reach)
                return -ENOMEM;
        *reach = (Reach){.worker = worker,
                         .requester = requester,
                         .asker = asker,
                         .done = done,
                         .userdata = userdata,
                         .rule = policy_rule_copy(rule)};
        r = reach->rule ? presence_query(bus, false, on_presence, reach, &reach->presence) : -ENOMEM;
        if (r < 0) {
                reach_free(reach);
                return r;
        }
        *ret_reach = reach;
        return 0;
}
