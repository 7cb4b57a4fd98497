/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What logind says of a session, and whether somebody who has it is there to review.
 *
 * Broker and command line tool ask in ways of their own, but read the answer here: whoever counts for one
 * counts for the other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define LOGIND_NAME     "org.freedesktop.login1"
#define LOGIND_PATH     "/org/freedesktop/login1"
#define LOGIND_MANAGER  "org.freedesktop.login1.Manager"
#define LOGIND_SESSION  "org.freedesktop.login1.Session"
#define LOGIND_SESSIONS "/org/freedesktop/login1/session"

enum { LOGIND_ID_SIZE = 32 }; /* ids of sessions are a few characters long */

typedef struct LogindSession {
        char id[LOGIND_ID_SIZE]; /* never "" once read */
        uid_t uid;
        bool remote;
        pid_t leader;             /* the process that began it; 0: logind did not say */
        uint64_t since_usec;      /* since the Unix epoch; 0: logind did not say */
        uint64_t since_mono_usec; /* CLOCK_MONOTONIC, which nobody sets; 0: logind did not say */
} LogindSession;

/*
 * Reads the answer to GetAll of LOGIND_SESSION. 1 if the session counts: its class is "user", it is neither
 * locked nor closing; 0 if it does not; or a negative errno: logind answered with an error, or what it says
 * is not for us to understand.
 */
int logind_read_session(sd_bus_message *m, LogindSession *ret_session);
