/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What quorum.h says, by trying every way of giving people their parts: for companies of a few people. */
#pragma once

#include "common/quorum.h"

/* Gives the first of n people each part that they can be, or none, and then the others: the most places of
 * the parts that anybody filled. MUST 1 by construction: one part a person. */
static inline unsigned most_filled(const Quorum *quorum, QuorumParts parts, const QuorumParts *people,
                                   size_t n, unsigned *filled) {
        unsigned best;

        if (n == 0)
                return 0;
        best = most_filled(quorum, parts, people + 1, n - 1, filled);
        for (unsigned part = 0; part < quorum->n_parts; part++) {
                unsigned with;

                if (!(people[0] & parts & 1U << part) || filled[part] == quorum->needed[part])
                        continue;
                filled[part]++;
                with = 1 + most_filled(quorum, parts, people + 1, n - 1, filled);
                filled[part]--;
                if (with > best)
                        best = with;
        }
        return best;
}

/* quorum_missing(). */
static inline unsigned slow_missing(const Quorum *quorum, bool escalated, const QuorumParts *people,
                                    size_t n) {
        unsigned fewest = QUORUM_NEVER;

        for (unsigned i = 0; i < (escalated ? quorum->n_alternatives : quorum->n_first); i++) {
                unsigned filled[QUORUM_PARTS_MAX] = {0}, places = 0, empty;

                for (unsigned part = 0; part < quorum->n_parts; part++)
                        if (quorum->alternatives[i] & 1U << part)
                                places += quorum->needed[part];
                empty = places - most_filled(quorum, quorum->alternatives[i], people, n, filled);
                if (places > 0 && empty < fewest)
                        fewest = empty;
        }
        return fewest;
}
