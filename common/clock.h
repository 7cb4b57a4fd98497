/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clocks: deadlines use CLOCK_BOOTTIME (it counts suspend and never jumps), people and the
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

/* Where in the week it is, in the machine's own time zone: *ret_weekday is 0 on Monday, *ret_minute counts
 * from midnight. */
static inline void clock_week(unsigned *ret_weekday, unsigned *ret_minute) {
        time_t now = time(NULL);
        struct tm tm = {0};

        tzset(); /* the zone may have been changed since the program started */
        (void)localtime_r(&now, &tm);
        *ret_weekday = (unsigned)(tm.tm_wday + 6) % 7;
        *ret_minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min);
}
