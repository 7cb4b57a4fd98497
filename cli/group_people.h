/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who belongs to a group, for warnings about rules that nobody could fulfil. Never for a decision: that asks
 * what groups a person is in.
 */
#pragma once

#include <stdbool.h>

/* The names that the group lists, and the accounts that have it as their own where the name service lists its
 * accounts. 1 and *ret_names (caller frees with strv_free(); names need not exist), 0 if there is no such
 * group, or a negative errno. */
int group_people(const char *group, char ***ret_names);

/* Whether at least needed of names are accounts, different ones, and none of them is except (NULL: nobody is
 * left out). A name that cannot be looked up counts. */
bool group_people_suffice(char *const *names, unsigned needed, const char *except);
