/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many logins without privileges (screen lockers) a user may start in a while: each one leaves ledger
 * entries that stay for ever, so a loop in a shell must not fill the disk.
 *
 * Pure: time is a parameter, CLOCK_BOOTTIME in microseconds. Logins that root reports are not counted: their
 * front ends have limits of their own, and a full count must never keep root out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        QUOTA_WINDOW_SEC = 600,
        QUOTA_PER_UID = 20, /* in one window: a person who unlocks a screen every half minute */
        QUOTA_ALL = 200,    /* of all users together */
};

typedef struct QuotaEntry {
        uid_t uid;
        uint64_t usec; /* 0: never used */
} QuotaEntry;

/* Zero-initialised, nobody has started anything. */
typedef struct Quota {
        QuotaEntry entries[QUOTA_ALL]; /* a ring, oldest at next */
        unsigned next;
} Quota;

/* Counts one more; false, and nothing is counted, if that would be too many. */
bool quota_take(Quota *quota, uid_t uid, uint64_t now_usec);
