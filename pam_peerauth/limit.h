/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long the program that runs this login lets it last: sshd ends one after LoginGraceTime, login(1)
 * after LOGIN_TIMEOUT. A wait that outlives that limit is cut off without a word to the person, while a
 * reviewer still believes that the decision counts.
 */
#pragma once

#include <stdint.h>

#include "pam_peerauth/options.h"

#define LIMIT_NONE UINT64_MAX

/* Microseconds from now in which the module must have returned, a margin for the front end's own work
 * already taken off; 0: too late; LIMIT_NONE: as long as it likes. */
uint64_t limit_left_usec(const char *service, const Options *options);

/* The same for a call that waits for nobody: what a running alarm allows and nothing else. */
uint64_t limit_alarm_usec(void);
