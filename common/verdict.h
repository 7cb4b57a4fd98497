/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words for how a request stands, and their one mapping to and from the bus.
 *
 * Denial is the zero value: memory that nobody filled, a word that nobody knows and a reply that
 * never came all read as "denied".
 */
#pragma once

#include <stdbool.h>

typedef enum Verdict {
        VERDICT_DENIED = 0,
        VERDICT_PENDING, /* waits for reviewers */
        VERDICT_EXEMPT,  /* a rule lets this login pass without review */
        VERDICT_APPROVED,
        VERDICT_EXPIRED,   /* the deadline passed without a decision */
        VERDICT_CANCELLED, /* the requester went away */
} Verdict;

/* Returns the protocol's word; a value outside the enum reads as "denied". Never NULL. */
const char *verdict_to_string(Verdict verdict);

/* Returns the verdict that a word stands for; NULL and unknown words are VERDICT_DENIED. */
Verdict verdict_from_string(const char *word);

/* Whether no later event can change this verdict. */
bool verdict_is_final(Verdict verdict);
