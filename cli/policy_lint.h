/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Warnings about a policy that is legal and surely not what its author meant.
 *
 * Asks the name service about the groups and accounts that the policy names.
 */
#pragma once

#include <stddef.h>

#include "common/policy.h"

typedef struct LintWarning {
        const PolicyRule *rule; /* owned by the policy; NULL: it is about all of it */
        char *text;
} LintWarning;

typedef struct Lint {
        LintWarning *warnings; /* in the order of the rules */
        size_t n;
} Lint;

/* vendor: the folder of shipped rules, which may name accounts that only some machines have. 0 or -ENOMEM. */
int policy_lint(const Policy *policy, const char *vendor, Lint *ret_lint);
void policy_lint_done(Lint *lint);
