/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a failed call means for the person who made it: an exit status and what to do next.
 *
 * Pure: one table, for the command line tool. The notifier has words of its own, which fit a click.
 */
#pragma once

#include <systemd/sd-bus.h>

/* Exit statuses of peerauthctl; part of its interface, documented in peerauthctl(1). */
typedef enum ClientExit {
        CLIENT_EXIT_OK = 0,
        CLIENT_EXIT_ERROR = 1,
        CLIENT_EXIT_USAGE = 2,
        CLIENT_EXIT_GONE = 3,        /* not found, expired, already decided */
        CLIENT_EXIT_REFUSED = 4,     /* the broker said no */
        CLIENT_EXIT_BAD_LEDGER = 5,  /* does not verify */
        CLIENT_EXIT_UNREACHABLE = 6, /* no broker, no bus */
        CLIENT_EXIT_PRIVILEGE = 7,   /* other people may do this */
} ClientExit;

typedef struct ClientError {
        const char *name; /* of the D-Bus error */
        ClientExit status;
        const char *remedy; /* what to do next: an imperative without a full stop */
} ClientError;

/* Explains what a client_ function returned: r < 0, and error if r is -EREMOTEIO (else it is not looked at).
 * Never NULL; unknown names are CLIENT_EXIT_ERROR. */
const ClientError *client_error_explain(int r, const sd_bus_error *error);
