/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy as it stands in the files, and whether it is the one that the broker has in force.
 *
 * Reading it needs no broker: a policy can be tried out while the broker cannot start.
 */
#pragma once

#include "cli/cli.h"
#include "common/policy.h"

PEERAUTH_DEFINE_CLEANUP(Policy *, policy_unref);
#define _cleanup_policy_ PEERAUTH_CLEANUP(policy_unref_p)

/* The folder of shipped rules. */
const char *policy_source_vendor(const Cli *cli);

/* Reads the folders of --conf-dir and --vendor-dir. 0, or a negative errno and *ret_message (never NULL),
 * which the caller frees. */
int policy_source_load(const Cli *cli, Policy **ret_policy, char **ret_message);

/* The same; CLIENT_EXIT_OK, or an exit status after it was told why. */
int policy_source_get(const Cli *cli, Policy **ret_policy);

/* Connects to the bus, if there is one, and starts nothing on it: 0 and cli->bus, or a negative errno. */
int policy_source_connect(Cli *cli);

/* Adds "in-force" to record: whether the broker, if one runs, has this very policy. Never starts one. */
void policy_source_add_in_force(Cli *cli, const Policy *policy, Record *record);
