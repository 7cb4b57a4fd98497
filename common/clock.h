/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two clocks: deadlines use CLOCK_BOOTTIME (it counts suspend and never jumps), people and the
 * ledger use wall time. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_usec(clockid_t clock) {
        struct timespec ts = {0};

        (void)clock_gettime(clock, &ts); /* cannot fail for the two clocks below */
        return (uint64_t)ts.tv_sec * 1000000ULL + (uint64_t)ts.tv_nsec / 1000ULL;
}

/* The earlier of two times, or the shorter of two spans. */
static inline uint64_t clock_earlier(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static inline uint64_t clock_boottime_usec(void) {
        return clock_usec(CLOCK_BOOTTIME);
}

static inline uint64_t clock_realtime_usec(void) {
        return clock_usec(CLOCK_REALTIME);
}
