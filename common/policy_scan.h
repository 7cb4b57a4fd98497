/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar of a policy file, line by line: what a file must look like before libeconf may read it.
 *
 * Pure. libeconf 0.5.1 is lenient where a rule must not be: a line without '=' continues the value above it
 * or is dropped, "=value" is dropped, the second of two equal keys is ignored, sections of the same name are
 * mixed, an empty section vanishes, a NUL ends the line, a line of more than 8191 bytes becomes two, '#' ends
 * a value anywhere, and CR and quotes are cut off. Here each of these is an error (equal keys in
 * policy_key.c, which knows the keys).
 */
#pragma once

#include <stddef.h>

enum {
        POLICY_FILE_MAX = 256 * 1024, /* bytes */
        POLICY_LINE_MAX = 4096,       /* bytes of one line */
        POLICY_RULES_MAX = 1000,      /* in one file, and in all of them together */
        POLICY_RULE_NAME_MAX = 64,
};

typedef struct PolicyLine {
        unsigned number;
        const char *rule;  /* the NAME of the [Rule NAME] that it belongs to */
        const char *key;   /* NULL: this is the line [Rule NAME] */
        const char *value; /* NULL likewise; else not empty, no space around it */
} PolicyLine;

typedef struct PolicyScan {
        PolicyLine *lines; /* without comments and empty lines; the strings point into text */
        size_t n_lines;
        size_t n_rules;
        char *text;
} PolicyScan;

/* Returns 0, or a negative errno as policy_value.h says, with the line in *ret_line. */
int policy_scan(const char *bytes, size_t size, PolicyScan *ret_scan, unsigned *ret_line, char **ret_problem);

/* Frees what a scan holds; safe on a zeroed struct. */
void policy_scan_done(PolicyScan *scan);
