/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the pattern of a note or a reason: a POSIX extended regular expression which all of the text must
 * match.
 *
 * Pure. Errors are those of policy_value.h.
 *
 * MUST 1: it is anchored at both ends, whatever stands in it.
 * MUST 2: compiling and matching it stay cheap.
 * MUST 3: it means the same in every locale: that of a command line must not accept what the broker refuses.
 */
#pragma once

#include <regex.h>

enum {
        POLICY_PATTERN_MAX = 200,  /* bytes */
        POLICY_PATTERN_HEIGHT = 2, /* repetitions in one another, as in ([a-z]+,)* */
        POLICY_PATTERN_COST = 500, /* characters, after repetitions like {2,5} are written out */
};

/* *ret_compiled is the caller's: regfree() and free(). */
int policy_pattern_parse(const char *pattern, regex_t **ret_compiled, char **ret_problem);
