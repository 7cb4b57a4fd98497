/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every part of the broker that speaks D-Bus shares: scope-bound cleanup and bounded calls. */
#pragma once

#include <systemd/sd-bus.h>

#include "common/cleanup.h"

PEERAUTH_DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref);
#define _cleanup_message_   PEERAUTH_CLEANUP(sd_bus_message_unref_p)
#define _cleanup_bus_error_ PEERAUTH_CLEANUP(sd_bus_error_free)

/* How long the bus daemon and logind may take to answer before that is a failed look-up: a denial. */
enum { BUS_LOOKUP_TIMEOUT_USEC = 2000000 };

/* Sends a method call whose answer, or error, comes to callback; types and what follows are as for
 * sd_bus_message_append(). Starts no service. 0 or a negative errno. */
int bus_call(sd_bus *bus, sd_bus_slot **ret_slot, const char *destination, const char *path,
             const char *interface, const char *member, sd_bus_message_handler_t callback, void *userdata,
             const char *types, ...);

/* Enters the next entry of an a{sv}: 1 and its key (the variant is entered, its type in *ret_type), 0 at
 * the end. The caller reads the value and calls bus_dict_exit(). */
int bus_dict_next(sd_bus_message *m, const char **ret_key, const char **ret_type);
int bus_dict_exit(sd_bus_message *m);
/* Skips the value instead. */
int bus_dict_skip(sd_bus_message *m, const char *type);

/* Reads a whole a{sv} that strangers send, of at most max entries: take reads each value, and refuses what it
 * does not know. 0 or a negative errno, also through error (which may be NULL). */
typedef int (*BusDictTake)(sd_bus_message *m, const char *key, const char *type, void *target,
                           sd_bus_error *error);
int bus_dict_read(sd_bus_message *m, unsigned max, BusDictTake take, void *target, sd_bus_error *error);

/* Adds one entry to the a{sv} that is open; a NULL string adds nothing. */
int bus_dict_add_string(sd_bus_message *m, const char *key, const char *value);
int bus_dict_add(sd_bus_message *m, const char *key, const char *type, ...);
int bus_dict_add_strings(sd_bus_message *m, const char *key, char *const *values);
