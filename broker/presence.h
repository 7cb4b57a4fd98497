/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is logged in, as logind knows it at this moment.
 *
 * A session counts if its class is "user", it is not locked and not closing (attack B13). Answers are
 * never cached: somebody who locked the screen a second ago is not there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

enum {
        PRESENCE_SESSIONS_MAX = 256, /* more are not looked at */
        PRESENCE_ID_SIZE = 32,       /* ids of logind are a few characters long */
};

typedef struct PresenceSession {
        char id[PRESENCE_ID_SIZE]; /* never "" */
        uid_t uid;
        bool remote;
        pid_t leader;             /* the process that began it; 0: logind did not say */
        uint64_t since_usec;      /* since the Unix epoch; 0: logind did not say */
        uint64_t since_mono_usec; /* CLOCK_MONOTONIC, which nobody sets; 0: logind did not say */
} PresenceSession;

typedef struct PresenceList {
        PresenceSession sessions[PRESENCE_SESSIONS_MAX];
        size_t n;
        bool incomplete; /* there are more than were looked at: nobody may be said to be absent */
} PresenceList;

typedef struct PresenceQuery PresenceQuery;

/* Called once with 0 and the sessions that count, or with a negative errno: logind could not be asked,
 * so nobody is known to be there. The list is valid until the query is freed. After an error the owner frees
 * it in that call: further answers may be on their way to it. */
typedef void (*PresenceDone)(int r, const PresenceList *list, void *userdata);

/*
 * Asks about everybody; or, with uid_follows, about the one uid that presence_narrow() names later, so that
 * the first question runs while that uid is being found out. 0, and done is called later, or a negative
 * errno, and it is not. Freeing the query first cancels it.
 */
int presence_query(sd_bus *bus, bool uid_follows, PresenceDone done, void *userdata,
                   PresenceQuery **ret_query);

/* 0, and done is called later or at once; or a negative errno, and it is not. Once for each query. */
int presence_narrow(PresenceQuery *query, uid_t only);
PresenceQuery *presence_query_free(PresenceQuery *query);

/* Whether uid has a session that counts; remote ones only if allow_remote. */
bool presence_has(const PresenceList *list, uid_t uid, bool allow_remote);

/* The session of that id, or NULL. */
const PresenceSession *presence_find(const PresenceList *list, const char *id);

/* Asks logind for the properties of one session, of whatever kind and state; the answer is for
 * presence_read_session(). As bus_call(). */
int presence_ask_session(sd_bus *bus, const char *id, sd_bus_slot **ret_slot,
                         sd_bus_message_handler_t callback, void *userdata);

/* Reads them. 1 if the session counts, 0 if not, or a negative errno: logind answered with an error, or what
 * it says is not for us to understand. */
int presence_read_session(sd_bus_message *m, PresenceSession *ret_session);
