/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which sessions of logind began with an approval: what self-review rests on.
 *
 * When a request is approved, the process that asked for it is remembered, and its parent (sshd asks in a
 * child of the process that opens the session). A session that is reported as opened counts if logind says
 * that one of these two leads it.
 *
 * MUST 1: a report only names a session; whose it is, who leads it and since when, logind says.
 * MUST 2: a process is its pid and its start time: pids are used again.
 * MUST 3: an approval serves one session, which began after it and within APPROVED_WAIT_USEC.
 * MUST 4: everything is in memory and bounded. After a restart no session counts, and self-review is refused.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "broker/presence.h"

enum {
        APPROVED_MAX = 256, /* approvals that wait for their session, and sessions; the oldest is forgotten */
        APPROVED_OPENING_MAX = 16,
        APPROVED_WAIT_USEC = 300000000,
};

typedef struct Approved Approved;

int approved_new(sd_bus *bus, Approved **ret_approved);
/* Ends every look-up under way with -ECANCELED. */
Approved *approved_free(Approved *approved);

/* A request of owner, a privileged process that still waits for the answer, for a session of uid has been
 * approved. Logs and forgets it if the processes cannot be told apart from later ones. */
void approved_expect(Approved *approved, uid_t uid, pid_t owner, pid_t parent);

/* r: 1 the session counts from now on, 0 it did not begin with an approval, or a negative errno: it could not
 * be found out. */
typedef void (*ApprovedDone)(int r, void *userdata);

/* The session of that id has begun. 0, and done is called later, or a negative errno, and it is not; -ENOBUFS
 * when APPROVED_OPENING_MAX are being looked at. */
int approved_open(Approved *approved, const char *id, ApprovedDone done, void *userdata);

/* It has ended. */
void approved_close(Approved *approved, const char *id);

/* Whether the session, as logind shows it now, began with an approval and before that time, which is since
 * the Unix epoch. */
bool approved_has(const Approved *approved, const LogindSession *session, uint64_t before_usec);
