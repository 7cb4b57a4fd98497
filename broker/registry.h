/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests that are alive: their facts, owner, deadline and place in the quotas.
 *
 * A request lives as long as its owner's bus connection. It knows nothing of policy or ledger; flow.c
 * moves it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "broker/code.h"
#include "broker/person.h"
#include "broker/presence.h"
#include "broker/reply.h"
#include "broker/request.h"
#include "common/policy.h"

enum {
        REGISTRY_PER_USER = 4,     /* live requests of one account name */
        REGISTRY_PER_SOURCE = 16,  /* live requests from one remote host or terminal */
        REGISTRY_UNVERIFIED = 16,  /* live requests that no privileged program vouches for */
        REGISTRY_RETIRED_MAX = 64, /* decided ones that are remembered, to say how they ended */
};

typedef struct Registry Registry;

typedef struct RegistryVoter {
        uid_t person;
        char *name;
} RegistryVoter;

typedef struct Request {
        char id[PEERAUTH_ID_HEX + 1];
        RequestState state;
        Policy *policy;         /* kept, because a new policy does not change this request */
        const PolicyRule *rule; /* of it; NULL: none matches */
        char *user, *service, *tty, *rhost, *ruser; /* as they came; "" if not known */
        bool verified;                              /* created by root */
        char *stated_reason;                /* why the requester wants in; NULL: not asked, or nothing said */
        uid_t askers[PERSON_BEHIND_MAX];    /* in whose session su or the like asks, by whatever says so; 0:
                                               nobody */
        pid_t owner_pid, owner_parent;      /* who asked, to know the session that follows from it */
        char owner_session[LOGIND_ID_SIZE]; /* that it asked from; "" if none */
        uint64_t created_usec;              /* since the Unix epoch */
        unsigned code_slot;
        RegistryVoter *voters; /* everybody who voted */
        size_t n_voters;
        char **decided_by;   /* names behind the decision */
        const char *way;     /* of recovery that was used or tried last; NULL: none */
        char *note, *reason; /* the deciding reviewer's note; why, for people; NULL if none */
        bool gone;           /* its owner has disconnected: nobody will fetch the verdict */
        bool stopped;        /* the broker ends: nobody decided */
        bool published;      /* its end was told */
        bool failed;         /* the decision could not be recorded: nobody may learn it */
        bool uncommitted;    /* has staged ledger entries */
        Reply *created;      /* the held answer to CreateRequest, until its entry is durable */
        Reply *waiter;       /* the held answer to WaitDecision */

        Registry *registry;
        struct Request *next;
        char *owner; /* unique bus name */
        sd_bus_track *track;
        sd_event_source *timer, *escalation;
} Request;

/* Called when the owner disconnects (CANCEL), the deadline passes (TICK) or the time to ask more people has
 * come (ESCALATE). */
typedef void (*RegistryEvent)(Request *request, RequestEventKind kind, void *userdata);

int registry_new(sd_event *event, sd_bus *bus, Codes *codes, RegistryEvent on_event, void *userdata,
                 Registry **ret_registry);
/* Frees every request, which denies whoever waits for it. */
Registry *registry_free(Registry *registry);

/* Why this request, which is not in the registry yet, is not taken now, or NULL if there is room. */
const char *registry_quota(const Registry *registry, const Request *request);

/*
 * Adds a pending request: id, code place, owner tracking and deadline timer are set here; facts are filled
 * in by the caller beforehand. Takes over request on success only. ret_code is wiped by the caller.
 * 0, -ENOBUFS, or a negative errno.
 */
int registry_add(Registry *registry, Request *request, const char *owner, char ret_code[CODE_SIZE]);

/* Live or retired; NULL if there is none. */
Request *registry_find(const Registry *registry, const char *id);
/* All live requests, oldest first: start with NULL. */
Request *registry_next(const Registry *registry, const Request *after);
unsigned registry_pending(const Registry *registry);

/* Remembers the name of somebody who votes; once is enough. 0 or -ENOMEM. */
int registry_name_voter(Request *request, uid_t person, const char *name);
/* "?" if it could not be remembered. */
const char *registry_voter_name(const Request *request, uid_t person);
/* The names of those who approve, or who deny, as the votes stand. Caller frees; NULL: no memory. */
char **registry_voters(const Request *request, bool approve);

/* The digits that a reviewer may see under Code=compare, or NULL; and whether typed is the code. */
const char *registry_digits(const Request *request);
bool registry_code_matches(const Request *request, const char *typed);

/* Stops the timers and wipes the code: for a request that is decided. */
void registry_settle(Request *request);

/* Keeps a decided request for its owner to fetch the verdict until a while after its deadline; then TICK. */
void registry_linger(Request *request, uint64_t now_usec);

/* For a request that is over: lets go of its owner and of whoever waits (which denies an unanswered call),
 * and remembers how it ended until REGISTRY_RETIRED_MAX others have ended. */
void registry_retire(Request *request);

/* Removes it from its registry, if it is in one, and frees it. Takes NULL; returns NULL. */
Request *registry_drop(Request *request);
