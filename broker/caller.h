/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is calling: what the bus daemon, the kernel, the name service and logind say of the sender of a
 * message, asked for now and never taken from an argument.
 *
 * MUST 1: a look-up that fails ends in a denial, never in uid 0 (attack B1).
 * MUST 2: uid (uid_t)-1 is rejected; all others are unsigned numbers (attack B3).
 * MUST 3: the number of look-ups under way is bounded in all and for each sender and uid (attack B15).
 */
#pragma once

#include <stdbool.h>

#include "broker/authority.h"
#include "broker/person.h"
#include "broker/presence.h"
#include "broker/reply.h"
#include "broker/worker.h"
#include "common/account.h"

typedef struct Callers Callers;

typedef enum CallerWant {
        CALLER_UID = 0,  /* the uid */
        CALLER_PERSON,   /* and the person */
        CALLER_ACCOUNT,  /* and the account and its groups */
        CALLER_SESSIONS, /* and the person's sessions */
} CallerWant;

typedef struct Caller {
        uid_t uid;
        uid_t person;                    /* the human: differs from uid after su or sudo */
        uid_t behind[PERSON_BEHIND_MAX]; /* as in Person */
        pid_t pid, parent; /* of the sender and its parent, when they were looked at; 0 below CALLER_PERSON */
        bool local_session;           /* the person has a live, unlocked local session */
        bool remote_session;          /* ... a remote one */
        char session[LOGIND_ID_SIZE]; /* that the sender runs in, whether it counts or not; "": none */
        bool user_manager;            /* it was started by systemd --user of the person: in no session */
        const PresenceList *sessions; /* all of the person's that count; NULL below CALLER_SESSIONS */
        Account account;              /* of uid, and which of the asked-for groups it belongs to */
        char *person_name;            /* account name of person; NULL below CALLER_ACCOUNT */
        Account requester;            /* the account that was asked about by name */
        char *const *group_names;  /* the memberships that were looked up; any other is unknown, not absent */
        AuthorityAnswer authority; /* what polkit says without asking the person; GRANTED for root */
        const char *authority_why; /* for people, if it did not grant; else "" */
} Caller;

/* Takes over reply (frees it, which answers it). caller is valid during the call. */
typedef void (*CallerDone)(Reply *reply, const Caller *caller, void *userdata);

typedef struct CallerQuestion {
        CallerWant want;
        const char *requester;    /* look this account up too, or NULL; for others than root it exists only if
                                   * it is their own, by its canonical name */
        char *const *group_names; /* memberships to look up, of every account that is looked up */
        bool authority;           /* ask polkit too, which is no slower than the rest */
        const char *about_user, *about_service; /* ... with this login, for its rules; or NULL */
        CallerDone done;
        void *userdata;
} CallerQuestion;

int callers_new(sd_bus *bus, Worker *worker, Callers **ret_callers);
/* Ends every look-up under way: their calls are denied. */
Callers *callers_free(Callers *callers);

/*
 * Finds out who sent call, then calls question->done. If it cannot be found out, the call is answered
 * with AccessDenied and done is not called; too many at once are answered with LimitsExceeded.
 * For use as the body of a method handler: returns 1 (handled) or a negative errno.
 */
int caller_identify(Callers *callers, sd_bus_message *call, const CallerQuestion *question);

/* The same for a call that was identified before, which time has passed since. Takes over reply. */
void caller_identify_again(Callers *callers, Reply *reply, const CallerQuestion *question);

/* Whether the caller acts as somebody else through su, which no approval may rest on. */
bool caller_is_borrowed(const Caller *caller);
