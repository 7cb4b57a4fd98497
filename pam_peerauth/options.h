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
        const char *skip; /* services with commas between, besides the built-in ones; NULL: none */
        const char *bus;  /* address; NULL: the system bus; belongs to argv */
} Options;

/* Returns 0, or -EINVAL and the offending argument in *ret_bad (it belongs to argv). */
int options_parse(int argc, const char **argv, Options *ret_options, const char **ret_bad);

/*
 * Whether the account stage and the sessions of this service pass without the broker. The built-in ones
 * authenticate nobody, or pass their authentication by only for root and for a ticket that a full one gave:
 * su and sudo, the starters of jobs and service managers, and the login screens' own sessions. Without a
 * broker, at boot say, these must go on: they are what an administrator repairs the machine with.
 */
bool options_skips(const Options *options, const char *service);

/* Writes the table of arguments: name, type, default and help, one a line. */
void options_print(FILE *out);
