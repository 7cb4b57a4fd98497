/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A method call that waits for its answer.
 *
 * MUST: it is answered exactly once. Whoever frees it unanswered has denied it.
 */
#pragma once

#include <systemd/sd-bus.h>

typedef struct Reply Reply;

/* Keeps the call. NULL when memory ran out. */
Reply *reply_new(sd_bus_message *call);

/* Sends the prepared answer, or else an AccessDenied error. Takes NULL; returns NULL. */
Reply *reply_free(Reply *reply);

/* The call itself, for reading its arguments; owned by the reply. */
sd_bus_message *reply_call(const Reply *reply);

/* Prepares an answer, to be sent by reply_free(). The last one prepared counts. The message's reference
 * is taken over; NULL or a failure in building it leaves denial. */
void reply_prepare(Reply *reply, sd_bus_message *answer);

/* Prepares a named error with a text for people. */
void reply_prepare_error(Reply *reply, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* An empty method return to be filled and given to reply_prepare(). 0 or a negative errno. */
int reply_begin(const Reply *reply, sd_bus_message **ret_answer);

/* Prepares an empty success. */
void reply_prepare_empty(Reply *reply);
