/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keys of a rule: one table that drives parsing, messages, defaults and the printed help.
 *
 * Pure. Errors are those of policy_value.h.
 */
#pragma once

#include "common/policy.h"
#include "common/policy_expression.h"

/* A rule while its keys come in, zero-initialised. Keys may come in any order, so what depends on several is
 * put together when all are there. */
typedef struct PolicyDraft {
        PolicyRule rule;
        PolicyExpression reviewers, escalation;
        unsigned seen; /* bit i: the key in row i of the table was written */
} PolicyDraft;

/* Takes one Key=value. */
int policy_key_apply(PolicyDraft *draft, const char *key, const char *value, char **ret_problem);

/* To be called after the last key: fills in the defaults and refuses a rule that says too little or
 * contradicts itself. */
int policy_key_finish(PolicyDraft *draft, char **ret_problem);

/* Frees what a draft holds. Whoever takes the rule out of a finished draft leaves a zeroed one in it. */
void policy_draft_done(PolicyDraft *draft);

/* A row of the table, for people. */
typedef struct PolicyKeyRow {
        const char *name, *type;
        const char *fallback; /* the value that an absent key stands for, or in words what absence means */
        const char *help;
} PolicyKeyRow;

/* The rows in the order of the manual page, i from 0 on. False: there is no such row. */
bool policy_key_get(size_t i, PolicyKeyRow *ret_row);

/* The values of Action=, WhenNobody= and Code=. */
const char *policy_key_action(PolicyAction action);
const char *policy_key_nobody(PolicyNobody nobody);
const char *policy_key_code(CodeMode code);
