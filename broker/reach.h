/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many people could decide a request right now: logged in, unlocked, with a role under its rule, and
 * neither the requester nor the asker, who wants to become the requester. A figure for the person who waits;
 * whether a vote counts is decided when it is cast.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "common/policy.h"
#include "broker/worker.h"

typedef struct Reach Reach;

/* r is 0, or a negative errno if it could not be found out; then count is 0. group_missing: neither of the
 * rule's groups exists, so that nobody can ever decide. The owner frees the Reach. */
typedef void (*ReachDone)(int r, unsigned count, bool group_missing, void *userdata);

/* 0, and done is called later, or a negative errno, and it is not. Freeing cancels. */
int reach_count(sd_bus *bus, Worker *worker, const PolicyRule *rule, uid_t requester, uid_t asker,
                ReachDone done, void *userdata, Reach **ret_reach);
Reach *reach_free(Reach *reach);
