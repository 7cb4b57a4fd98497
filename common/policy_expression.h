/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads who must approve: "ops:1 and security:1 or managers:2 or {mum dad}".
 *
 * Alternatives are joined by "or", their parts by "and", which binds tighter; there are no parentheses. A
 * part is GROUP, GROUP:N, {NAME NAME ...} or {NAME NAME ...}:N, and N is 1 if absent.
 *
 * Pure. Errors are those of policy_value.h.
 */
#pragma once

#include "common/policy.h"

/* Zero-initialised it has no alternative. */
typedef struct PolicyExpression {
        Quorum quorum; /* all alternatives are open from the start */
        PolicyPart parts[QUORUM_PARTS_MAX];
} PolicyExpression;

int policy_expression_parse(const char *value, PolicyExpression *ret_expression, char **ret_problem);

/* Moves both into rule->quorum and ->parts: first is open from the start, later after escalation. Either may
 * be zeroed. -EINVAL if they are too much together; they and the rule are then as before. */
int policy_expression_join(PolicyExpression *first, PolicyExpression *later, PolicyRule *rule,
                           char **ret_problem);

/* Frees what an expression holds; safe on a zeroed struct. */
void policy_expression_done(PolicyExpression *expression);
