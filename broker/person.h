/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which human is behind a process: su and sudo change the uid, not the person (attack B10).
 *
 * The uid that the bus daemon states is the identity; what is found here can only take rights away, or
 * name the person behind root. A pid is no identity: it is held by a pidfd while /proc is read, and the
 * process must have the uid that the bus stated.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/logind.h"

enum { PERSON_BEHIND_MAX = 3 };

typedef struct Person {
        uid_t uid; /* the human */
        /* Everybody who may be behind it: by the real uid, the audit login uid and the slice, which differ
         * where a login was not recorded, or somebody chose a login uid. 0: nobody more, for root is behind
         * all services. */
        uid_t behind[PERSON_BEHIND_MAX];
        pid_t parent;
        char session[LOGIND_ID_SIZE]; /* of logind, that the process runs in; "" if it runs in none */
        bool user_manager;            /* it was started by systemd --user of that person: in no session */
} Person;

/*
 * The person is the audit login uid, else the owner of the systemd user slice that the process runs in,
 * else uid itself. Session and manager come from the control group, which only root can change from outside
 * user@UID.service. 0 and *ret_person, or a negative errno: the process is gone (-ESRCH), is not uid's
 * (-EPERM), login uid and slice name different people for a uid other than root (-EPERM), or /proc could
 * not be read.
 */
int person_look(pid_t pid, uid_t uid, Person *ret_person);

/*
 * When a process began, in clock ticks since boot: with the pid, it names one process and no later one. Its
 * parent goes to ret_parent unless that is NULL. 0 or a negative errno.
 */
int person_process_start(pid_t pid, pid_t *ret_parent, uint64_t *ret_start);
