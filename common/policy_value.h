/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the simple values of the policy: names, lists of names, numbers, durations, yes and no.
 *
 * Pure. Stricter than needed on purpose: what cannot be an account, group or service is refused rather
 * than never matched, since a rule that matches less than its author believes is a hole.
 *
 * Every function returns 0 and writes its result, or -EINVAL and *ret_problem: what is wrong and the
 * remedy, with the value made safe to show (caller frees), or -ENOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Makes *ret_problem by printf rules. Always returns a negative errno: -EINVAL, or -ENOMEM. */
int policy_problem(char **ret_problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for "'VALUE' REST", VALUE being made safe and cut if it is long. */
int policy_problem_value(char **ret_problem, const char *value, const char *rest);

/* One account, group or service name. */
int policy_value_name(const char *value, char **ret_name, char **ret_problem);

/* Names separated by spaces, tabs or commas, at least one. */
int policy_value_names(const char *value, char ***ret_names, char **ret_problem);

/* From 1 to max; what is counted, for the message: "approvals". */
int policy_value_number(const char *value, unsigned max, const char *what, unsigned *ret_number,
                        char **ret_problem);

/* A sum like "5min" or "1min 30s"; units s, sec, min, h; from min to max, in microseconds. max_reason says
 * where the upper limit comes from. */
typedef struct PolicyLimits {
        uint64_t min_usec, max_usec;
        const char *max_reason;
} PolicyLimits;
int policy_value_duration(const char *value, const PolicyLimits *limits, uint64_t *ret_usec,
                          char **ret_problem);

/* "yes" or "no". */
int policy_value_boolean(const char *value, bool *ret_boolean, char **ret_problem);

/* The index of value in words (n of them). */
int policy_value_word(const char *value, const char *const *words, unsigned n, unsigned *ret_index,
                      char **ret_problem);
