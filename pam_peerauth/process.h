/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that runs this login, and its parent, as /proc shows them.
 *
 * sshd asks PAM in a child of the process that holds the connection and the grace alarm, so the
 * parent's age and life matter as much as our own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Microseconds since a process began. 0 and *ret_usec, or a negative errno. */
int process_age_usec(pid_t pid, uint64_t *ret_usec);

/* Whether this process is a child of an sshd ("sshd", since 9.8 "sshd-session"). False if unknown. */
bool process_parent_is_sshd(void);

/*
 * Whether the parent is the sshd process of this one connection, as old as the connection. It is not where
 * sshd asks PAM in that process itself (the account stage, the method "password"): there the parent is the
 * listener, or what started an sshd for one connection. False if unknown.
 */
bool process_parent_is_monitor(void);
