/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * approve --all and deny --all: one decision for many requests, for administrators.
 *
 * MUST 1: the person sees every request that is meant before any is decided.
 * MUST 2: only under Code=compare does it approve: a code that must be typed is nobody's to skip.
 * MUST 3: each request is decided by a call of its own, so each has its own entry in the ledger.
 */
#pragma once

#include "cli/cli.h"

/* One request is named, or --all is given, and only with that its filters. CLIENT_EXIT_OK, or
 * CLIENT_EXIT_USAGE after saying what is wrong. */
int bulk_check_usage(const Cli *cli, const char *name, const char *verb);

/* Decides all that wait and that --user, --service and --rhost fit. Returns the exit status. */
int bulk_decide(Cli *cli, bool approve);
