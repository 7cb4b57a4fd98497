/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is logged in, as logind knows it at this moment.
 *
 * Which sessions count, logind_read_session() says (attack B13). Answers are never cached: somebody who
 * locked the screen a second ago is not there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "common/logind.h"

enum { PRESENCE_SESSIONS_MAX = 256 }; /* more are not looked at */

typedef struct PresenceList {
        LogindSession sessions[PRESENCE_SESSIONS_MAX];
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

/* Only sessions of these uids (not copied, and needed until done is called), so that nobody else's sessions
 * fill the list. To be called at once, for a query about everybody. */
void presence_limit(PresenceQuery *query, const uid_t *uids, size_t n);
PresenceQuery *presence_query_free(PresenceQuery *query);

/* NULL if there is none of that id among them. */
const LogindSession *presence_find(const PresenceList *list, const char *id);

/* Whether uid has a session that counts; remote ones only if allow_remote. */
bool presence_has(const PresenceList *list, uid_t uid, bool allow_remote);

/* Asks logind for the properties of one session, of whatever kind and state; the answer is for
 * logind_read_session(). As bus_call(). */
int presence_ask_session(sd_bus *bus, const char *id, sd_bus_slot **ret_slot,
                         sd_bus_message_handler_t callback, void *userdata);
