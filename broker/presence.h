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
#include <sys/types.h>
#include <systemd/sd-bus.h>

enum { PRESENCE_SESSIONS_MAX = 256 }; /* more are not looked at */

typedef struct PresenceSession {
        uid_t uid;
        bool remote;
} PresenceSession;

typedef struct PresenceList {
        PresenceSession sessions[PRESENCE_SESSIONS_MAX];
        size_t n;
} PresenceList;

typedef struct PresenceQuery PresenceQuery;

/* Called once with 0 and the sessions that count, or with a negative errno: logind could not be asked,
 * so nobody is known to be there. The list is valid during the call, in which the owner frees the query:
 * after an error further answers may be on their way to it. */
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
