/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One login is brought before the broker, from the PAM items to the outcome.
 *
 * MUST 1: whatever fails on the way ends in an outcome that lets nobody in (attack A1).
 * MUST 2: a request that nobody decided is taken back before this returns.
 * MUST 3: while a person types a reason, no connection to the bus is held: the bus allows uid 0 few of them,
 *         and every login that stops at the question would keep one.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdint.h>

#include "pam_peerauth/options.h"
#include "pam_peerauth/origin.h"
#include "pam_peerauth/outcome.h"

/* Made by the caller with pamh, account and the parsed options; freed with attempt_done(). */
typedef struct Attempt {
        pam_handle_t *pamh;
        bool account; /* the account stage: nothing can be asked or shown before the decision */
        Options options;
        Origin origin;
        uint64_t end_usec; /* CLOCK_BOOTTIME: when the module must return */
} Attempt;

void attempt_done(Attempt *attempt);

/* The authentication stage: holds the login until it is decided. */
Outcome attempt_hold(Attempt *attempt);

/* The account stage of a login that did not pass ours: exempt, or refused. */
Outcome attempt_account(Attempt *attempt);
