/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Says in words what waits for a decision. Pure: no bus, no desktop, no clock.
 *
 * MUST 1: the code is never part of the text (attack C7).
 * MUST 2: what a stranger chose passes text_safe() (attack B18), and is part of a command to type only if
 *         it means nothing to a shell (attack B19). The requester's reason has a line of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/client.h"

typedef struct Description {
        char *summary, *body;
} Description;
void description_done(Description *description);

/* buttons: whether there are any to press, or only commands to type. decide_before_usec: the deadline in
 * wall time since the Unix epoch. 0 or -ENOMEM. */
int describe_request(const ClientRequest *request, bool buttons, uint64_t decide_before_usec,
                     Description *ret_description);
/* For those that are not shown one by one. 0 or -ENOMEM. */
int describe_more(unsigned count, Description *ret_description);
/* Whether a click is enough to approve it: there is no code to type, and no note. */
bool describe_one_click(const ClientRequest *request);
/* The account as people may see it; caller frees. NULL: no memory. */
char *describe_user(const ClientRequest *request);
