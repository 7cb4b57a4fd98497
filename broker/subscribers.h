/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connections that asked to be told when a request changes.
 *
 * A signal goes to each eligible one by itself and carries an id and a state, never a code, a name or a
 * host: everybody may receive broadcasts (attack B6).
 */
#pragma once

#include "broker/caller.h"
#include "broker/registry.h"

enum { SUBSCRIBERS_MAX = 1024, SUBSCRIBERS_PER_UID = 8 };

typedef struct Subscribers Subscribers;

int subscribers_new(sd_bus *bus, Subscribers **ret_subscribers);
Subscribers *subscribers_free(Subscribers *subscribers);

/* Subscribing twice is once. 0, -ENOBUFS when the caller's uid or the broker has too many, or a negative
 * errno. name is the caller's unique name. */
int subscribers_add(Subscribers *subscribers, const char *name, const Caller *caller);
void subscribers_remove(Subscribers *subscribers, const char *name);

/* Tells each subscriber who may review the request. */
void subscribers_tell(Subscribers *subscribers, const Request *request);

unsigned subscribers_count(const Subscribers *subscribers);
