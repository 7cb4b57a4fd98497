/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which human is behind a process: su and sudo change the uid, not the person (attack B10).
 *
 * The uid that the bus daemon states is the identity; what is found here can only take rights away, or
 * name the person behind root. A pid is no identity: it is held by a pidfd while /proc is read, and the
 * process must have the uid that the bus stated.
 */
#pragma once

#include <sys/types.h>

/*
 * The person is the audit login uid, else the owner of the systemd user slice that the process runs in,
 * else uid itself. 0 and *ret_person, or a negative errno: the process is gone (-ESRCH), is not uid's
 * (-EPERM), login uid and slice name different people for a uid other than root (-EPERM), or /proc could
 * not be read.
 */
int person_of_process(pid_t pid, uid_t uid, uid_t *ret_person);
