/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether people can be given parts so that all are filled: a matching of people and places, found by
 * augmenting paths (Kuhn 1955). There are at most 16 parts, so a path is at most that long.
 */
#include "common/quorum.h"

typedef struct Seating {
        const Quorum *quorum;
        QuorumParts parts;         /* of the alternative that is looked at */
        const QuorumParts *people; /* what each person can be */
        unsigned n_seated[QUORUM_PARTS_MAX];
        uint16_t seated[QUORUM_PARTS_MAX][PEERAUTH_APPROVALS_MAX];
} Seating;

static unsigned open_alternatives(const Quorum *quorum, bool escalated) {
        return escalated ? quorum->n_alternatives : quorum->n_first;
}

static unsigned places(const Quorum *quorum, QuorumParts parts) {
        unsigned n = 0;

        for (unsigned part = 0; part < quorum->n_parts; part++)
                if (parts & 1U << part)
                        n += quorum->needed[part];
        return n;
}

/* Seats a person, moving others to parts that they can fill as well. *tried are the parts that are known to
 * lead nowhere. */
static bool seat(Seating *seating, uint16_t person, QuorumParts *tried) {
        for (unsigned part = 0; part < seating->quorum->n_parts; part++) {
                QuorumParts bit = 1U << part;

                if (!(seating->people[person] & seating->parts & bit & ~*tried))
                        continue;
                *tried |= bit;
                if (seating->n_seated[part] < seating->quorum->needed[part]) {
                        seating->seated[part][seating->n_seated[part]++] = person;
                        return true;
                }
                for (unsigned i = 0; i < seating->n_seated[part]; i++)
                        if (seat(seating, seating->seated[part][i], tried)) {
                                seating->seated[part][i] = person;
                                return true;
                        }
        }
        return false;
}

/* Places of an alternative that stay empty. */
static unsigned empty_places(const Quorum *quorum, QuorumParts parts, const QuorumParts *people, size_t n) {
        Seating seating = {.quorum = quorum, .parts = parts, .people = people};
        unsigned empty = places(quorum, parts);

        for (size_t person = 0; person < n && person < QUORUM_PEOPLE_MAX; person++) {
                QuorumParts tried = 0;

                empty -= seat(&seating, (uint16_t)person, &tried);
        }
        return empty;
}

QuorumParts quorum_open_parts(const Quorum *quorum, bool escalated) {
        QuorumParts parts = 0;

        for (unsigned i = 0; i < open_alternatives(quorum, escalated); i++)
                parts |= quorum->alternatives[i];
        return parts;
}

unsigned quorum_missing(const Quorum *quorum, bool escalated, const QuorumParts *people, size_t n) {
        unsigned fewest = QUORUM_NEVER; /* MUST 2 */

        for (unsigned i = 0; i < open_alternatives(quorum, escalated); i++) {
                unsigned empty = empty_places(quorum, quorum->alternatives[i], people, n);

                /* An alternative without parts asks for nobody; no policy has one, and it must not count. */
                if (quorum->alternatives[i] != 0 && empty < fewest)
                        fewest = empty;
        }
        return fewest;
}

unsigned quorum_size(const Quorum *quorum, bool escalated) {
        return quorum_missing(quorum, escalated, NULL, 0);
}
