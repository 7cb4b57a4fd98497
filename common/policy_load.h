/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads rules with libeconf into a Policy, and is strict about it: a file that others could have
 * written, an unknown key or a malformed value refuses the whole policy.
 */
#pragma once

#include "common/policy.h"

typedef struct PolicyDirs {
        const char *vendor; /* "/usr/lib/peerauth" */
        const char *etc;    /* "/etc/peerauth" */
} PolicyDirs;

/*
 * Loads vendor/peerauth.conf, etc/peerauth.conf and etc/peerauth.conf.d (files ending in .conf, in the
 * order of their names). Precedence is vendor < etc < drop-ins, a later drop-in over an earlier one:
 * rules of a higher level are asked first, and a rule takes the place of one with the same name below.
 *
 * policy->hash is over every file in the order of reading, the lowest first: its path, a NUL, its size in
 * decimal, a NUL, and the bytes that were parsed.
 *
 * Returns 0 and *ret_policy (owned by the caller), or a negative errno and *ret_message: one line
 * "FILE:LINE: what is wrong, and the remedy" (owned by the caller; may be NULL if memory ran out).
 *   -ENOENT  there is no file at all; -EPERM  a file that is not root's alone, or not a regular file;
 *   -EINVAL  a key or value; -ENOMEM
 */
int policy_load(const PolicyDirs *dirs, Policy **ret_policy, char **ret_message);
