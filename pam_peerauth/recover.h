/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way out for a login that nobody can approve: a recovery code or a one-time password, typed at the
 * prompt.
 *
 * MUST 1: nothing here lets anybody in. A code that is right approves the request in the broker, and only
 *         the verdict on the held call says so: the answer to Redeem is not it.
 * MUST 2: what is typed is read only to tell the two forms of codes from everything else. Only what has such
 *         a form is sent, to the broker alone; never the password, never the code that is for the colleague.
 * MUST 3: what is typed is wiped, in each form that it takes, and never logged.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdint.h>

#include "common/client.h"
#include "pam_peerauth/origin.h"
#include "pam_peerauth/wait.h"

typedef struct Recover {
        pam_handle_t *pamh;
        const Origin *origin;
        const ClientCreated *created;
        Wait *wait;             /* begun, and not watching: the front end minds the person at its prompts */
        uint64_t deadline_usec; /* CLOCK_BOOTTIME: nothing is sent or asked later */
} Recover;

/*
 * Asks for a code if there is reason to, and again while the answer is none. typed is what the person
 * answered when the code was shown, NULL if that was no question; it is wiped and freed. Returns as
 * wait_until() does: 1: decided; 0: nothing more is asked, so wait; -ECANCELED: also at a prompt.
 */
int recover_offer(const Recover *recover, char *typed);
