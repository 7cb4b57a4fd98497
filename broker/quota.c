/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring of the last starts. */
#include "broker/quota.h"

#include "common/protocol.h"

static bool quota_recent(const QuotaEntry *entry, uint64_t now_usec) {
        const uint64_t window = QUOTA_WINDOW_SEC * PEERAUTH_USEC_PER_SEC;

        return entry->usec != 0 && now_usec - entry->usec < window;
}

bool quota_take(Quota *quota, uid_t uid, uint64_t now_usec) {
        unsigned own = 0;

        for (unsigned i = 0; i < QUOTA_ALL; i++)
                own += quota->entries[i].uid == uid && quota_recent(&quota->entries[i], now_usec);
        if (own >= QUOTA_PER_UID || quota_recent(&quota->entries[quota->next], now_usec))
                return false;
        quota->entries[quota->next] = (QuotaEntry){.uid = uid, .usec = now_usec};
        quota->next = (quota->next + 1) % QUOTA_ALL;
        return true;
}
