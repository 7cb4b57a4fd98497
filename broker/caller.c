/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One look-up is several questions: the bus daemon (uid, pid), logind (which sessions there are) and polkit
 * at the same time, then logind (the person's own) beside the name service in a worker thread. No name is
 * looked up for a caller whose uid is not known yet.
 */
#include "broker/caller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/strv.h"

enum {
        /* The uid is known only after the first answer, so what keeps one user from filling the whole is the
         * bound of a connection: dbus-daemon gives a user 256 of them. */
        CALLER_OPEN_PER_SENDER = 8,
        CALLER_OPEN_MAX = 2 * 256 * CALLER_OPEN_PER_SENDER,
        /* dbus-daemon lets a connection wait for 128 answers, and logind's are needed for every login: so the
         * bounds from here on, and no question to logind before the uid is known while many are open. */
        CALLER_OPEN_PER_UID = 32,
        CALLER_EARLY_MAX = 16,
        CALLER_AUTHORITY_MAX = 32,
        CALLER_AUTHORITY_PER_UID = 4,
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
        bool ask_authority;
        char *about_user, *about_service;
        Caller caller;
        unsigned open; /* answers that are still missing */
        sd_bus_slot *slot;
        PresenceQuery *presence;
        Authority *authority;
        char *authority_why;
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
        authority_free(query->authority);
        free(query->authority_why);
        free(query->about_user);
        free(query->about_service);
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

/* NULL stays NULL. */
static int copy_text(char **target, const char *text) {
        *target = text ? strdup(text) : NULL;
        return *target || !text ? 0 : -ENOMEM;
}

/* Moves what was found into the caller. The person is known by now: jobs end in the loop. */
static int job_take(CallerQuery *query, CallerJob *job) {
        Caller *caller = &query->caller;
        Account *target = job->kind == JOB_REQUESTER ? &caller->requester : &caller->account;
        int r = job->result;

        if (r < 0)
                return r;
        if (job->kind != JOB_REQUESTER && !job->account.exists)
                return -ENOENT;
        if (job->kind == JOB_PERSON)
                return copy_text(&caller->person_name, job->account.name);
        if (job->kind == JOB_CALLER && caller->person == caller->uid)
                r = copy_text(&caller->person_name, job->account.name);
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

/* The account that logs in must not wait for reviewers' accounts, nor they for it. A key names the account,
 * by which the worker tells one that hangs from the others. */
static int job_submit(Worker *worker, CallerJob *job) {
        WorkerLane lane = job->kind == JOB_REQUESTER ? WORKER_LOGIN : WORKER_REVIEW;
        _cleanup_free_ char *key = NULL;

        if (job->name ? asprintf(&key, "name:%s", job->name) < 0 : asprintf(&key, "uid:%u", job->uid) < 0) {
                key = NULL;
                return -ENOMEM;
        }
        return worker_submit(worker, lane, key, job_run, job_done, job);
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
                    ? job_submit(query->callers->worker, job)
                    : -ENOMEM;
        if (r < 0) {
                caller_job_free(job);
                return r;
        }
        query->jobs[kind] = job;
        query->open++;
        return 0;
}

/* Whoever acts from a session acts from that one, and not from a better one of the same person's. A program
 * in no session (of systemd --user, or root's) counts as the person does. */
static void caller_take_place(Caller *caller, const PresenceList *list) {
        const LogindSession *session = presence_find(list, caller->session);

        if (caller->session[0] != '\0') {
                caller->local_session = session && session->uid == caller->person && !session->remote;
                caller->remote_session = session && session->uid == caller->person && session->remote;
        } else {
                caller->local_session = presence_has(list, caller->person, false);
                caller->remote_session = presence_has(list, caller->person, true) && !caller->local_session;
        }
}

/* The list stays where it is: in the presence query. */
static void on_presence(int r, const PresenceList *list, void *userdata) {
        CallerQuery *query = userdata;
        Caller *caller = &query->caller;

        if (r < 0) {
                caller_fail(query, r, "logind");
                return;
        }
        caller->sessions = list;
        caller_take_place(caller, list);
        caller_answered(query);
}

static void on_authority(AuthorityAnswer answer, const char *why, void *userdata) {
        CallerQuery *query = userdata;

        query->caller.authority = answer;
        query->authority_why = strdup(why);
        if (query->authority_why)
                query->caller.authority_why = query->authority_why;
        query->authority = authority_free(query->authority);
        caller_answered(query);
}

static bool caller_authority_is_busy(const CallerQuery *query) {
        unsigned all = 0, own = 0;

        for (const CallerQuery *q = query->callers->queries; q; q = q->next) {
                all += q->authority != NULL;
                own += q->authority && q->caller.uid == query->caller.uid;
        }
        return all >= CALLER_AUTHORITY_MAX || own >= CALLER_AUTHORITY_PER_UID;
}

/* Root is not held up by polkit, nor asked about: it may do everything that polkit could take away. */
static int caller_ask_authority(CallerQuery *query) {
        const AuthorityQuestion question = {.sender = sd_bus_message_get_sender(reply_call(query->reply)),
                                            .user = query->about_user,
                                            .service = query->about_service,
                                            .done = on_authority,
                                            .userdata = query};
        int r;

        if (query->caller.uid == 0) {
                query->caller.authority = AUTHORITY_GRANTED;
                return 0;
        }
        if (caller_authority_is_busy(query)) {
                query->caller.authority_why = "polkit has not answered earlier questions yet";
                return 0;
        }
        r = authority_check(query->callers->bus, &question, &query->authority);
        query->open += r >= 0;
        return r;
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

/* Those that are open, of one sender or one uid if that is known; NULL and -1: all. */
static unsigned callers_open(const Callers *callers, const char *sender, uid_t uid) {
        unsigned n = 0;

        for (const CallerQuery *q = callers->queries; q; q = q->next) {
                const char *other = q->reply ? sd_bus_message_get_sender(reply_call(q->reply)) : NULL;

                if (sender ? other && strcmp(other, sender) == 0 : uid == (uid_t)-1 || q->caller.uid == uid)
                        n++;
        }
        return n;
}

static int caller_ask_presence(CallerQuery *query) {
        query->open++;
        return presence_query(query->callers->bus, true, on_presence, query, &query->presence);
}

static int caller_look_at_process(CallerQuery *query, pid_t pid) {
        Caller *caller = &query->caller;
        Person person;
        int r = person_look(pid, caller->uid, &person);

        if (r < 0)
                return r;
        caller->person = person.uid;
        caller->pid = pid;
        caller->parent = person.parent;
        memcpy(caller->behind, person.behind, sizeof(caller->behind));
        caller->user_manager = person.user_manager;
        memcpy(caller->session, person.session, sizeof(caller->session));
        return 0;
}

/* The uid is known: asks the rest. The name service is asked first, for it runs while /proc is read. */
static int caller_continue(CallerQuery *query, pid_t pid) {
        Caller *caller = &query->caller;
        int r = 0;

        if (query->requester)
                r = caller_start_job(query, JOB_REQUESTER);
        if (r >= 0 && query->want >= CALLER_ACCOUNT)
                r = caller_start_job(query, JOB_CALLER);
        if (r >= 0 && query->ask_authority)
                r = caller_ask_authority(query);
        if (r >= 0 && query->want >= CALLER_PERSON)
                r = caller_look_at_process(query, pid);
        if (r >= 0 && query->want >= CALLER_ACCOUNT && caller->person != caller->uid)
                r = caller_start_job(query, JOB_PERSON);
        if (r >= 0 && query->want >= CALLER_SESSIONS)
                r = query->presence ? 0 : caller_ask_presence(query);
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
            callers_open(query->callers, NULL, query->caller.uid) > CALLER_OPEN_PER_UID) {
                reply_prepare_error(query->reply, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                    "Too many calls of one user at once; try again in a moment.");
                caller_query_free(query);
                return 0;
        }
        query->caller.person = query->caller.uid;
        r = caller_continue(query, pid);
        if (r < 0)
                caller_fail(query, r, "process");
        else
                caller_answered(query);
        return 0;
}

/* Takes over reply. */
static CallerQuery *caller_query_new(Callers *callers, Reply *reply, const CallerQuestion *question) {
        CallerQuery *query = calloc(1, sizeof(*query));

        if (!query) {
                reply_free(reply);
                return NULL;
        }
        *query = (CallerQuery){.callers = callers,
                               .next = callers->queries,
                               .link = &callers->queries,
                               .reply = reply,
                               .want = question->want,
                               .ask_authority = question->authority,
                               .done = question->done,
                               .userdata = question->userdata,
                               .group_names = strv_concat(question->group_names, NULL),
                               .caller = {.authority_why = "",
                                          .uid = (uid_t)-1,
                                          .person = (uid_t)-1,
                                          .account.uid = (uid_t)-1,
                                          .requester.uid = (uid_t)-1}};
        if (query->next)
                query->next->link = &query->next;
        callers->queries = query;
        query->caller.group_names = query->group_names;
        if (query->group_names && copy_text(&query->requester, question->requester) >= 0 &&
            copy_text(&query->about_user, question->about_user) >= 0 &&
            copy_text(&query->about_service, question->about_service) >= 0)
                return query;
        return caller_query_free(query);
}

static void caller_start(Callers *callers, Reply *reply, const CallerQuestion *question) {
        CallerQuery *query = caller_query_new(callers, reply, question);
        int r;

        if (!query)
                return;
        query->open = 1;
        r = bus_call(callers->bus, &query->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                     "org.freedesktop.DBus", "GetConnectionCredentials", on_credentials, query, "s",
                     sd_bus_message_get_sender(reply_call(query->reply)));
        if (r >= 0 && query->want == CALLER_SESSIONS &&
            callers_open(callers, NULL, (uid_t)-1) <= CALLER_EARLY_MAX)
                r = caller_ask_presence(query);
        if (r < 0)
                caller_fail(query, r, "look-up");
}

void caller_identify_again(Callers *callers, Reply *reply, const CallerQuestion *question) {
        /* MUST 3. Root is not exempt here: one greeter has one connection. */
        if (callers_open(callers, NULL, (uid_t)-1) < CALLER_OPEN_MAX &&
            callers_open(callers, sd_bus_message_get_sender(reply_call(reply)), 0) < CALLER_OPEN_PER_SENDER) {
                caller_start(callers, reply, question);
                return;
        }
        reply_prepare_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED,
                            "Too many calls at once; try again in a moment.");
        reply_free(reply);
}

int caller_identify(Callers *callers, sd_bus_message *call, const CallerQuestion *question) {
        Reply *reply = sd_bus_message_get_sender(call) ? reply_new(call) : NULL;

        if (!reply)
                return -ENOMEM;
        caller_identify_again(callers, reply, question);
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
