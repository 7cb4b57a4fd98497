/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module's arguments, as they stand on its line in the PAM configuration.
 *
 * MUST 1: an argument that is unknown or malformed refuses the login (attack A3): a typing error never
 *         leaves a login with less protection than the administrator wrote.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Options {
        uint64_t timeout_usec; /* longest wait for a decision */
        uint64_t connect_usec; /* longest wait for the broker's first answer */
        uint64_t grace_usec;   /* sshd's limit for a whole login; 0: none */
        bool debug;
        const char *bus; /* address; NULL: the system bus; belongs to argv */
} Options;

/* Returns 0, or -EINVAL and the offending argument in *ret_bad (it belongs to argv). */
int options_parse(int argc, const char **argv, Options *ret_options, const char **ret_bad);

/* Writes the table of arguments: name, type, default and help, one a line. */
void options_print(FILE *out);
