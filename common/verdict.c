/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of verdict words. */
#include "common/verdict.h"

#include <string.h>

#include "common/protocol.h"

static const char *const verdict_words[] = {
        [VERDICT_DENIED] = PEERAUTH_DENIED,   [VERDICT_PENDING] = PEERAUTH_PENDING,
        [VERDICT_EXEMPT] = PEERAUTH_EXEMPT,   [VERDICT_APPROVED] = PEERAUTH_APPROVED,
        [VERDICT_EXPIRED] = PEERAUTH_EXPIRED, [VERDICT_CANCELLED] = PEERAUTH_CANCELLED,
};

enum { VERDICT_COUNT = sizeof(verdict_words) / sizeof(verdict_words[0]) };

const char *verdict_to_string(Verdict verdict) {
        if ((unsigned)verdict >= VERDICT_COUNT)
                return verdict_words[VERDICT_DENIED];
        return verdict_words[verdict];
}

Verdict verdict_from_string(const char *word) {
        if (!word)
                return VERDICT_DENIED;
        for (unsigned i = 0; i < VERDICT_COUNT; i++)
                if (strcmp(word, verdict_words[i]) == 0)
                        return (Verdict)i;
        return VERDICT_DENIED;
}

bool verdict_is_final(Verdict verdict) {
        return verdict != VERDICT_PENDING;
}
