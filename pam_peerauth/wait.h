/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wait for a decision: the held call, its deadline, and every way in which waiting ends early.
 *
 * MUST 1: only the reply to our own call is a decision; signals are not listened to (attack B5).
 * MUST 2: the wait ends at its deadline of CLOCK_BOOTTIME even if the broker and the bus are stopped
 *         (attack A2); an approval that comes later does not count.
 * MUST 3: the request is taken back when the person is gone (attacks A5, A14).
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "pam_peerauth/hangup.h"
#include "pam_peerauth/interrupt.h"
#include "pam_peerauth/outcome.h"

typedef struct Wait {
        sd_bus *bus;       /* borrowed */
        sd_bus_slot *slot; /* the held call */
        Hangup hangup;
        Interrupt interrupt;
        uint64_t end_usec; /* CLOCK_BOOTTIME: an approval that comes later does not count */
        bool answered;
        bool woken;      /* set by the callback of another call that somebody waits for */
        Outcome outcome; /* once answered */
} Wait;

#define WAIT_INIT ((Wait){.hangup = HANGUP_NONE, .interrupt = INTERRUPT_NONE})

/*
 * Sends the held call, before the person sees the code: the answer may come while a prompt still waits
 * for Enter. The object must stay where it is until wait_done(). end_usec is of CLOCK_BOOTTIME.
 */
int wait_begin(Wait *wait, sd_bus *bus, const char *id, uint64_t end_usec);

/* From now on hang-ups of rhost's connection and caught signals end the wait; until wait_unwatch(), which a
 * prompt needs, as the front end must get the signals again. */
void wait_watch(Wait *wait, const char *rhost);
void wait_unwatch(Wait *wait);

/*
 * Waits until until_usec of CLOCK_BOOTTIME, and long enough to read what has come already. 1: answered, see
 * wait->outcome; 0: that time came, or woken was set meanwhile; -ECANCELED: a signal; -EPIPE: the other end
 * is gone; another negative errno: the connection to the bus is.
 */
int wait_until(Wait *wait, uint64_t until_usec);

void wait_done(Wait *wait);
