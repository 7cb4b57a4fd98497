/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Back-off and cap of consecutive failures. */
#include "broker/limit.h"

#include "common/protocol.h"

uint64_t limit_backoff_usec(unsigned count) {
        uint64_t wait = LIMIT_BACKOFF_FIRST_SEC;

        if (count <= LIMIT_FREE_FAILURES)
                return 0;
        if (count >= LIMIT_FAILURES_MAX)
                return LIMIT_FOREVER;
        for (unsigned n = LIMIT_FREE_FAILURES + 1; n < count && wait < LIMIT_BACKOFF_MAX_SEC; n++)
                wait *= 2;
        return (wait < LIMIT_BACKOFF_MAX_SEC ? wait : LIMIT_BACKOFF_MAX_SEC) * PEERAUTH_USEC_PER_SEC;
}

uint64_t limit_until_usec(const LimitFailures *failures) {
        uint64_t wait = limit_backoff_usec(failures->count);

        if (wait == 0)
                return 0;
        return failures->last_usec < LIMIT_FOREVER - wait ? failures->last_usec + wait : LIMIT_FOREVER;
}

bool limit_is_locked(const LimitFailures *failures, uint64_t now_usec) {
        uint64_t until = limit_until_usec(failures);

        return until == LIMIT_FOREVER || now_usec < until;
}

void limit_fail(LimitFailures *failures, uint64_t now_usec) {
        if (failures->count < LIMIT_FAILURES_MAX)
                failures->count++;
        else
                failures->count = LIMIT_FAILURES_MAX;
        if (failures->last_usec < now_usec)
                failures->last_usec = now_usec;
}
