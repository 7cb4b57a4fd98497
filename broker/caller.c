/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One look-up is three questions: the bus daemon (uid, pid) and logind (which sessions there are) at the
 * same time, then logind (the person's own) beside the name service in a worker thread. No name is looked
 * up for a caller whose uid is not known yet.
 */
#include "broker/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/person.h"
#include "broker/presence.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/strv.h"

enum {
        /* The uid is known only after the first answer, so what keeps one user from filling the whole is the
         * bound of a connection: dbus-daemon gives a user 256 of them. */
        CALLER_OPEN_PER_SENDER = 8,
        CALLER_OPEN_MAX = 2 * 256 * CALLER_OPEN_PER_SENDER,
        CALLER_OPEN_PER_UID = 128,
};

typedef struct CallerQuery CallerQuery;

/* Whose account a worker thread looks up. */
typedef enum CallerJobKind {
        JOB_CALLER,
        JOB_REQUESTER, /* the account that the caller asked about */
        JOB_PERSON,    /* the human behind root, by name only */
        JOB_KINDS,
} CallerJobKind;

/* It outlives a query that was cancelled. */
typedef struct CallerJob {
        CallerQuery *query; /* NULL once nobody waits for it; touched only by the loop */
        CallerJobKind kind;
        uid_t uid;
        char *name; /* of the requester, as root asked for it, instead of uid; else NULL */
        char **group_names;
        Account account;
        int result;
} CallerJob;

struct CallerQuery {
        Callers *callers;
        CallerQuery *next, **link;
        Reply *reply;
        CallerWant want;
        CallerDone done;
        void *userdata;
        char *requester;
        char **group_names;
        Caller caller;
        bool uid_known;
        unsigned open; /* answers that are still missing */
        sd_bus_slot *slot;
        PresenceQuery *presence;
        CallerJob *jobs[JOB_KINDS];
};

struct Callers {
        sd_bus *bus;
        Worker *worker;
        CallerQuery *queries;
};

bool caller_is_borrowed(const Caller *caller) {
        return caller->uid != 0 && caller->person != caller->uid;
}

static CallerJob *caller_job_free(CallerJob *job) {
        if (!job)
                return NULL;
        free(job->name);
        strv_free(job->group_names);
        account_done(&job->account);
        free(job);
        return NULL;
}

static CallerQuery *caller_query_free(CallerQuery *query) {
        if (!query)
                return NULL;
        *query->link = query->next;
        if (query->next)
                query->next->link = query->link;
        for (unsigned i = 0; i < JOB_KINDS; i++)
                if (query->jobs[i])
                        query->jobs[i]->query = NULL;
        sd_bus_slot_unref(query->slot);
        presence_query_free(query->presence);
        account_done(&query->caller.account);
        account_done(&query->caller.requester);
        free(query->caller.person_name);
        free(query->requester);
        strv_free(query->group_names);
        reply_free(query->reply);
        free(query);
        return NULL;
}

/* MUST 1: every failure comes through here. */
static void caller_fail(CallerQuery *query, int r, const char *what) {
        log_warning("a caller was denied: %s: %s", what, strerror(-r));
        reply_prepare_error(query->reply, SD_BUS_ERROR_ACCESS_DENIED,
                            "It could not be established who is calling (%s: %s).", what, strerror(-r));
        caller_query_free(query);
}

static void caller_answered(CallerQuery *query) {
        if (--query->open > 0)
                return;
        query->done(STEAL_PTR(query->reply), &query->caller, query->userdata);
        caller_query_free(query);
}

static void job_run(void *userdata) {
        CallerJob *job = userdata;

        job->result = job->name ? account_by_name(job->name, job->group_names, &job->account)
                                : account_by_uid(job->uid, job->group_names, &job->account);
}

static int take_text(char **target, const char *text) {
        *target = text ? strdup(text) : NULL;
        return *target ? 0 : -ENOENT;
}

/* Moves what was found into the caller. The person is known by now: jobs end in the loop. */
static int job_take(CallerQuery *query, CallerJob *job) {
        Caller *caller = &query->caller;
        Account *target = job->kind == JOB_REQUESTER ? &caller->requester : &caller->account;
        int r = job->result;

        if (r < 0)
                return r;
        if (job->kind == JOB_PERSON)
                return take_text(&caller->person_name, job->account.name);
        if (job->kind == JOB_CALLER && !job->account.exists)
                return -ENOENT;
        if (job->kind == JOB_CALLER && caller->person == caller->uid)
                r = take_text(&caller->person_name, job->account.name);
        if (job->kind == JOB_REQUESTER && caller->uid != 0 &&
            (!job->account.exists || strcmp(job->account.name, query->requester) != 0))
                account_done(&job->account); /* somebody else, or nobody: not theirs to ask about */
        *target = job->account;
        job->account = (Account){.uid = (uid_t)-1};
        return r;
}

static void job_done(void *userdata) {
        CallerJob *job = userdata;
        CallerQuery *query = job->query;
        int r;

        if (query) {
                query->jobs[job->kind] = NULL;
                r = job_take(query, job);
                if (r < 0)
                        caller_fail(query, r, "name service");
                else
                        caller_answered(query);
        }
        caller_job_free(job);
}

/* Root may ask about any name. Others may ask only about themselves: a name of their choice, for which the
 * name service perhaps hangs, is never looked up for them (attacks B15, B17). */
static int caller_start_job(CallerQuery *query, CallerJobKind kind) {
        bool by_name = kind == JOB_REQUESTER && query->caller.uid == 0;
        CallerJob *job = calloc(1, sizeof(*job));
        int r;

        if (!job)
                return -ENOMEM;
        *job = (CallerJob){.query = query,
                           .kind = kind,
                           .uid = kind == JOB_PERSON ? query->caller.person : query->caller.uid,
                           .name = by_name ? strdup(query->requester) : NULL,
                           .group_names = kind == JOB_PERSON ? NULL : strv_concat(query->group_names, NULL),
                           .account.uid = (uid_t)-1};
        r = (job->group_names || kind == JOB_PERSON) && (job->name || !by_name)
                    ? worker_submit(query->callers->worker, job_run, job_done, job)
                    : -ENOMEM;
        if (r < 0) {
                caller_job_free(job);
                return r;
        }
        query->jobs[kind] = job;
        query->open++;
        return 0;
}

static void on_presence(int r, const PresenceList *list, void *userdata) {
        CallerQuery *query = userdata;
        Caller *caller = &query->caller;

        if (r < 0) {
                caller_fail(query, r, "logind");
                return;
        }
        caller->local_session = presence_has(list, caller->person, false);
        caller->remote_session = presence_has(list, caller->person, true) && !caller->local_session;
        query->presence = presence_query_free(query->presence);
        caller_answered(query);
}

static int read_credentials(sd_bus_message *m, uid_t *ret_uid, pid_t *ret_pid) {
        uint32_t uid = (uint32_t)-1, pid = 0;
        const char *key, *type;
        int r;

        if (sd_bus_message_is_method_error(m, NULL))
                return -sd_bus_message_get_errno(m);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = bus_dict_next(m, &key, &type)) > 0) {
                if (strcmp(type, "u") == 0 && strcmp(key, "UnixUserID") == 0)
                        r = sd_bus_message_read(m, "u", &uid);
                else if (strcmp(type, "u") == 0 && strcmp(key, "ProcessID") == 0)
                        r = sd_bus_message_read(m, "u", &pid);
                else
                        r = sd_bus_message_skip(m, type);
                if (r >= 0)
                        r = bus_dict_exit(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (uid == (uint32_t)-1 || pid == 0)
                return -ENODATA;
        *ret_uid = uid;
        *ret_pid = (pid_t)pid;
        return 0;
}

static unsigned caller_open_of_uid(const Callers *callers, uid_t uid) {
        unsigned n = 0;

        for (const CallerQuery *q = callers->queries; q; q = q->next)
                n += q->uid_known && q->caller.uid == uid;
        return n;
}

/* The uid is known: asks the rest. The name service is asked first, for it runs while /proc is read. */
static int caller_continue(CallerQuery *query, pid_t pid) {
        Caller *caller = &query->caller;
        int r = 0;

        if (query->requester)
                r = caller_start_job(query, JOB_REQUESTER);
        if (r >= 0 && query->want >= CALLER_ACCOUNT)
                r = caller_start_job(query, JOB_CALLER);
        if (r >= 0 && query->want >= CALLER_PERSON)
                r = person_of_process(pid, caller->uid, &caller->person);
        if (r >= 0 && query->want >= CALLER_ACCOUNT && caller->person != caller->uid)
                r = caller_start_job(query, JOB_PERSON);
        if (r >= 0 && query->want >= CALLER_SESSIONS)
                r = presence_narrow(query->presence, caller->person);
        return r;
}

static int on_credentials(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        CallerQuery *query = userdata;
        pid_t pid = 0;
        int r;

        (void)ret_error;
        r = read_credentials(m, &query->caller.uid, &pid);
        if (r < 0) {
                caller_fail(query, r, "message bus");
                return 0;
        }
        if (query->caller.uid != 0 &&
            caller_open_of_uid(query->callers, query->caller.uid) >= CALLER_OPEN_PER_UID) {
                reply_prepare_error(query->reply, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                    "Too many calls of one user at once; try again in a moment.");
                caller_query_free(query);
                return 0;
        }
        query->uid_known = true;
        query->caller.person = query->caller.uid;
        r = caller_continue(query, pid);
        if (r < 0)
                caller_fail(query, r, "process");
        else
                caller_answered(query);
        return 0;
}

/* MUST 3. Root is not exempt here: one greeter has one connection. */
static bool caller_too_many(const Callers *callers, const char *sender) {
        unsigned all = 0, own = 0;

        for (const CallerQuery *q = callers->queries; q; q = q->next) {
                const char *other = q->reply ? sd_bus_message_get_sender(reply_call(q->reply)) : NULL;

                all++;
                own += other && strcmp(other, sender) == 0;
        }
        return all >= CALLER_OPEN_MAX || own >= CALLER_OPEN_PER_SENDER;
}

static CallerQuery *caller_query_new(Callers *callers, sd_bus_message *call, const CallerQuestion *question) {
        CallerQuery *query = calloc(1, sizeof(*query));

        if (!query)
                return NULL;
        *query = (CallerQuery){.callers = callers,
                               .next = callers->queries,
                               .link = &callers->queries,
                               .want = question->want,
                               .done = question->done,
                               .userdata = question->userdata,
                               .caller = {.uid = (uid_t)-1,
                                          .person = (uid_t)-1,
                                          .account.uid = (uid_t)-1,
                                          .requester.uid = (uid_t)-1}};
        if (query->next)
                query->next->link = &query->next;
        callers->queries = query;
        query->group_names = strv_concat(question->group_names, NULL);
        query->caller.group_names = query->group_names;
        query->requester = question->requester ? strdup(question->requester) : NULL;
        if (query->group_names && (query->requester || !question->requester))
                query->reply = reply_new(call);
        return query->reply ? query : caller_query_free(query);
}

int caller_identify(Callers *callers, sd_bus_message *call, const CallerQuestion *question) {
        const char *sender = sd_bus_message_get_sender(call);
        CallerQuery *query;
        int r;

        if (!sender)
                return -EBADMSG;
        if (caller_too_many(callers, sender))
                return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                                  "Too many calls at once; try again in a moment.");
        query = caller_query_new(callers, call, question);
        if (!query)
                return -ENOMEM;
        query->open = 1;
        r = bus_call(callers->bus, &query->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                     "org.freedesktop.DBus", "GetConnectionCredentials", on_credentials, query, "s", sender);
        if (r >= 0 && query->want == CALLER_SESSIONS) {
                r = presence_query(callers->bus, true, on_presence, query, &query->presence);
                query->open++;
        }
        if (r < 0)
                caller_fail(query, r, "look-up");
        return 1;
}

int callers_new(sd_bus *bus, Worker *worker, Callers **ret_callers) {
        Callers *callers = calloc(1, sizeof(*callers));

        if (!callers)
                return -ENOMEM;
        callers->bus = sd_bus_ref(bus);
        callers->worker = worker;
        *ret_callers = callers;
        return 0;
}

Callers *callers_free(Callers *callers) {
        if (!callers)
                return NULL;
        while (callers->queries)
                caller_query_free(callers->queries);
        sd_bus_unref(callers->bus);
        free(callers);
        return NULL;
}
