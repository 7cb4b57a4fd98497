/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks polkit whether the sender of a message may review, so that an administrator can say in one rule file
 * who has to authenticate again, and when.
 *
 * MUST 1: polkit can only take away: what it grants is no role, which flow.c still asks the rule for.
 * MUST 2: a question that fails, hangs or is answered with nonsense is a denial. Only a host without polkit
 *         goes without: the bus daemon itself says that there is no such service.
 * MUST 3: the subject is the sender's unique bus name, never a pid, which may be somebody else's by now
 *         (CVE-2013-4288).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

enum { AUTHORITY_QUICK_USEC = 5000000 }; /* polkitd may have to start first */

typedef enum AuthorityAnswer {
        AUTHORITY_DENIED = 0,
        AUTHORITY_GRANTED,
        AUTHORITY_CHALLENGE, /* the person would have to authenticate, and was not asked to */
        AUTHORITY_ABSENT,    /* polkit is not installed */
} AuthorityAnswer;

typedef struct Authority Authority;

/* why is half a sentence for people, and valid during the call; "" when granted or absent. The owner frees
 * the Authority. */
typedef void (*AuthorityDone)(AuthorityAnswer answer, const char *why, void *userdata);

typedef struct AuthorityQuestion {
        const char *sender;         /* unique bus name */
        const char *user, *service; /* whose login to what, for rules and for the agent's window; or NULL */
        bool interactive;           /* the person may be asked to authenticate */
        uint64_t timeout_usec;      /* how long that may take; 0, or not interactive: AUTHORITY_QUICK_USEC */
        AuthorityDone done;
        void *userdata;
} AuthorityQuestion;

/* 0, and done is called later, or a negative errno, and it is not. Freeing cancels: a window that asks for a
 * password goes away. */
int authority_check(sd_bus *bus, const AuthorityQuestion *question, Authority **ret_authority);
Authority *authority_free(Authority *authority);
