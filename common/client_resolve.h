/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a person names a request: by its requester's account name, or by the first hex digits of its id.
 *
 * Pure. Must never pick one of several: a reviewer who decides the wrong login is the attack.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/client.h"

/*
 * Finds the one request that name means. A complete id always wins, so that every ambiguity has a way
 * out; else the requests whose account is name and those whose id begins with name (at least
 * PEERAUTH_ID_PREFIX_MIN hex digits, either case) count alike. Returns 0 and the index in list, or
 *   -EINVAL    name is not an account in the list and looks like a code: it was typed in the wrong place
 *   -ENOENT    no request by that name
 *   -ENOTUNIQ  several; client_resolve_matches() tells which
 */
int client_resolve(const ClientRequestList *list, const char *name, size_t *ret_index);

/* Whether name can mean this request. */
bool client_resolve_matches(const ClientRequest *request, const char *name);

/* How many digits of the id to show so that client_resolve() finds this request by them: unique in the list,
 * not an account name in it, not to be taken for a code. */
size_t client_resolve_short(const ClientRequestList *list, size_t index);
