/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many people of which kind must approve: "one of ops and one of security, or two of managers".
 *
 * Pure. A part is a kind of people and a number ("two of managers"); an alternative is a set of parts which
 * are all needed; any one alternative is enough. Who belongs to which part is said by the caller.
 *
 * MUST 1: a person counts once, and for one part at a time.
 * MUST 2: a quorum without alternatives is never reached.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"

enum { QUORUM_PARTS_MAX = 16, QUORUM_ALTERNATIVES_MAX = 8 };

#define QUORUM_NEVER ((unsigned)-1)

/* A set of parts: bit i is part i. Of a person: the parts that they belong to. */
typedef uint32_t QuorumParts;

/* Zero-initialised it is never reached. */
typedef struct Quorum {
        unsigned n_parts;
        unsigned needed[QUORUM_PARTS_MAX]; /* different people of each part, 1 to PEERAUTH_APPROVALS_MAX */
        unsigned n_alternatives;
        QuorumParts alternatives[QUORUM_ALTERNATIVES_MAX];
        unsigned n_first; /* that many alternatives are open from the start, the others after escalation */
} Quorum;

/* Every part of an alternative that is open. */
QuorumParts quorum_open_parts(const Quorum *quorum, bool escalated);

/* The fewest people who can reach it; QUORUM_NEVER if nobody can. */
unsigned quorum_size(const Quorum *quorum, bool escalated);

/* The fewest people who must join these n for it to be reached: 0 if it is. At most QUORUM_PEOPLE_MAX are
 * counted. */
enum { QUORUM_PEOPLE_MAX = 256 };
unsigned quorum_missing(const Quorum *quorum, bool escalated, const QuorumParts *people, size_t n);
