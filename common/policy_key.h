/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keys of a rule: one table that drives parsing, messages, defaults and the printed help.
 *
 * Pure. Errors are those of policy_value.h.
 */
#pragma once

#include <stdio.h>

#include "common/policy.h"

/* A rule while its keys come in, zero-initialised. */
typedef struct PolicyDraft {
        PolicyRule rule; /* owned by the draft; policy_rule_done() */
        unsigned seen;   /* bit i: the key in row i of the table was written */
} PolicyDraft;

/* Takes one Key=value. */
int policy_key_apply(PolicyDraft *draft, const char *key, const char *value, char **ret_problem);

/* To be called after the last key: fills in the defaults and refuses a rule that says too little or
 * contradicts itself. */
int policy_key_finish(PolicyDraft *draft, char **ret_problem);

/* A row a key: name, type, default and help, separated by tabs. */
void policy_key_print(FILE *out);
