/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the rules of one policy file with libeconf, after policy_scan.c has passed its every line.
 */
#pragma once

#include <stddef.h>

#include "common/policy.h"

typedef struct PolicyRules {
        PolicyRule *rules;
        size_t n_rules;
} PolicyRules;

/* Parses the bytes of a file; path is for messages and for rule->file. 0 and *ret_rules in the order of
 * the file, or -EINVAL and *ret_message "PATH:LINE: ...", or another negative errno. */
int policy_parse(const char *bytes, size_t size, const char *path, PolicyRules *ret_rules,
                 char **ret_message);

/* Frees what the list holds; safe on a zeroed struct. */
void policy_rules_done(PolicyRules *rules);
