/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long an account waits after wrong codes: the arithmetic, and nothing else.
 *
 * Pure: times are parameters, microseconds of one clock that the caller chooses. Failures never expire by
 * themselves: only a success or an administrator sets the count back, so the cap holds for guesses that
 * are spread over years too (attacks C3, C4; NIST SP 800-63B-4, 3.2.2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
        LIMIT_FAILURES_MAX = 100, /* consecutive; then only an administrator helps */
        LIMIT_FREE_FAILURES = 2,  /* mistyped codes that cost no time; a request ends with the third */
        LIMIT_BACKOFF_FIRST_SEC = 30,
        LIMIT_BACKOFF_MAX_SEC = 3600,
};

#define LIMIT_FOREVER UINT64_MAX

/* Zero-initialised, nothing went wrong. */
typedef struct LimitFailures {
        unsigned count; /* consecutive; never above LIMIT_FAILURES_MAX */
        uint64_t last_usec;
} LimitFailures;

/* The wait after so many consecutive failures: 0, then 30 s doubling to 1 h, LIMIT_FOREVER from the cap on.
 */
uint64_t limit_backoff_usec(unsigned count);

/* The first moment at which another try is allowed: 0 if there was no reason to wait, LIMIT_FOREVER at
 * the cap. A sum that does not fit is LIMIT_FOREVER too. */
uint64_t limit_until_usec(const LimitFailures *failures);

/* Whether a try is refused now. */
bool limit_is_locked(const LimitFailures *failures, uint64_t now_usec);

/* Counts one more. The time of the last failure never moves back. */
void limit_fail(LimitFailures *failures, uint64_t now_usec);
