/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the client_*.c files share: bounded calls on the broker and a table-driven reader of a{sv}.
 * Not for programs: they use common/client.h.
 *
 * What arrives is foreign: unknown keys are skipped, a value of another type than the table says is
 * -EBADMSG, and a missing value stays zero.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "common/cleanup.h"
#include "common/client.h"

PEERAUTH_DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref);
#define _cleanup_message_ PEERAUTH_CLEANUP(sd_bus_message_unref_p)

/* Longer than any answer of a healthy broker takes, short enough for a person at a prompt. */
#define CLIENT_TIMEOUT_USEC (25 * PEERAUTH_USEC_PER_SEC)

enum {
        CLIENT_TEXT_MAX = 4096,   /* bytes kept of one string from the broker */
        CLIENT_STRINGS_MAX = 256, /* strings kept of one array from the broker */
};

typedef struct ClientField {
        const char *key;
        char type; /* 's' char *, 'S' char ** (as), 'u' uint32_t, 't' uint64_t, 'b' bool, 'c' char[7] code */
        size_t offset; /* of the member in the struct that is filled */
} ClientField;

/* A method call on the broker's object. */
int client_message_new(sd_bus *bus, const char *interface, const char *member, sd_bus_message **ret_message);

/*
 * Sends a call and waits for its answer, connection set-up included, for at most timeout_usec. Returns 0
 * and *ret_reply, -EREMOTEIO and *ret_error (which may be NULL), or a negative errno.
 */
int client_message_call(sd_bus *bus, sd_bus_message *call, uint64_t timeout_usec, sd_bus_message **ret_reply,
                        sd_bus_error *ret_error);

/* Both of the above for a call without arguments. */
int client_message_ask(sd_bus *bus, const char *interface, const char *member, uint64_t timeout_usec,
                       sd_bus_message **ret_reply, sd_bus_error *ret_error);

/* Processes the connection until it is usable: 0, -ETIMEDOUT, or why it never will be. */
int client_message_wait_ready(sd_bus *bus, uint64_t timeout_usec);

/* Reads one a{sv} into *target, whose earlier strings are replaced. fields ends with a NULL key. On an
 * error target may be half filled, and is still what its destructor expects. */
int client_message_read_dict(sd_bus_message *message, const ClientField *fields, void *target);

/* Reads one as; the caller frees with strv_free(). */
int client_message_read_strings(sd_bus_message *message, char ***ret_strings);

/* Turns every NULL string of target into "". 0 or -ENOMEM. */
int client_message_fill_empty(const ClientField *fields, void *target);

/* Frees every string of target and wipes its codes. */
void client_message_done(const ClientField *fields, void *target);

/* The error of a reading call, as this client reports it: 0 stays 0, out of memory stays itself, all else
 * is the sender's fault and -EBADMSG. */
int client_message_read_error(int r);
