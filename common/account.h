/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accounts and group memberships from the name service.
 *
 * Every look-up may block for as long as a directory server does, so these functions are called only
 * from worker threads. They keep no state. A look-up that fails is an error, never "no such account" and
 * never uid 0 (attacks B1, B3).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

typedef struct Account {
        bool exists;
        char *name;          /* the canonical name: what the uid resolves to */
        uid_t uid;           /* (uid_t)-1 if it does not exist */
        char **groups;       /* those of the asked-for groups that it belongs to */
        bool unknown_groups; /* some of them do not exist, or the directory that has them does not answer */
} Account;

/*
 * Looks an account up by name or by uid, and which of group_names it belongs to. An account that does
 * not exist gives 0 with exists false and, by name, that name. Two names of one uid give the same
 * canonical name (attack A7). 0 or a negative errno: the name service could not answer.
 */
int account_by_name(const char *name, char *const *group_names, Account *ret_account);
int account_by_uid(uid_t uid, char *const *group_names, Account *ret_account);

/* 1 if there is such a group, 0 if not, or a negative errno. */
int account_group_exists(const char *name);

void account_done(Account *account);
