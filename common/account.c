/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* getpwnam_r and friends with growing buffers; all of it is thread-safe. */
#include "common/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/strv.h"

enum {
        ACCOUNT_BUFFER_FIRST = 4096,
        ACCOUNT_BUFFER_MAX = 16 * 1024 * 1024, /* a group of 10,000 members takes about 300 KiB */
        ACCOUNT_GROUPS_MAX = 65536,            /* NGROUPS_MAX */
};

void account_done(Account *account) {
        free(account->name);
        strv_free(account->groups);
        *account = (Account){.uid = (uid_t)-1};
}

/* One look-up with a buffer that grows; query is a getpw*_r or getgr*_r in disguise. */
typedef int (*AccountQuery)(const void *key, void *entry, char *buffer, size_t size, void **ret_found);

static int query_pwnam(const void *key, void *entry, char *buffer, size_t size, void **ret_found) {
        return getpwnam_r(key, entry, buffer, size, (struct passwd **)ret_found);
}

static int query_pwuid(const void *key, void *entry, char *buffer, size_t size, void **ret_found) {
        return getpwuid_r(*(const uid_t *)key, entry, buffer, size, (struct passwd **)ret_found);
}

static int query_grnam(const void *key, void *entry, char *buffer, size_t size, void **ret_found) {
        return getgrnam_r(key, entry, buffer, size, (struct group **)ret_found);
}

/* 1 found, 0 no such entry, negative errno. *ret_buffer holds the strings of *entry. */
static int account_query(AccountQuery query, const void *key, void *entry, char **ret_buffer) {
        for (size_t size = ACCOUNT_BUFFER_FIRST; size <= ACCOUNT_BUFFER_MAX; size *= 4) {
                _cleanup_free_ char *buffer = malloc(size);
                void *found = NULL;
                int r;

                if (!buffer)
                        return -ENOMEM;
                do
                        r = query(key, entry, buffer, size, &found);
                while (r == EINTR);
                if (r == ERANGE)
                        continue;
                if (found) {
                        *ret_buffer = STEAL_PTR(buffer);
                        return 1;
                }
                /* getpwnam(3) lists these, beside 0, for "not found"; anything else is a failure. */
                return r == 0 || r == ENOENT || r == ESRCH ? 0 : -r;
        }
        return -ERANGE;
}

static int account_gids(const struct passwd *pw, gid_t **ret_gids, int *ret_n) {
        int n = 64;

        for (;;) {
                gid_t *gids = reallocarray(NULL, (size_t)n, sizeof(gid_t));
                int have = n;

                if (!gids)
                        return -ENOMEM;
                if (getgrouplist(pw->pw_name, pw->pw_gid, gids, &have) >= 0) {
                        *ret_gids = gids;
                        *ret_n = have;
                        return 0;
                }
                free(gids);
                n = have > n ? have : n * 2;
                if (n > ACCOUNT_GROUPS_MAX)
                        return -E2BIG;
        }
}

static int account_add_group(Account *account, const char *name, const gid_t *gids, int n_gids) {
        _cleanup_free_ char *buffer = NULL;
        struct group gr;
        int r;

        r = account_query(query_grnam, name, &gr, &buffer);
        if (r < 0)
                return r;
        if (r == 0)
                account->unknown_groups = true;
        for (int i = 0; r > 0 && i < n_gids; i++)
                if (gids[i] == gr.gr_gid)
                        return strv_append(&account->groups, name);
        return 0;
}

static int account_fill(Account *account, const struct passwd *pw, char *const *group_names) {
        _cleanup_free_ gid_t *gids = NULL;
        int n_gids, r;

        account->exists = true;
        account->uid = pw->pw_uid;
        account->name = strdup(pw->pw_name);
        if (!account->name)
                return -ENOMEM;
        if (!group_names || !*group_names)
                return 0; /* listing all groups of an account is the dearest of the look-ups */
        r = account_gids(pw, &gids, &n_gids);
        for (char *const *name = group_names; r >= 0 && name && *name; name++)
                r = account_add_group(account, *name, gids, n_gids);
        return r;
}

int account_group_exists(const char *name) {
        _cleanup_free_ char *buffer = NULL;
        struct group gr;

        return account_query(query_grnam, name, &gr, &buffer);
}

int account_by_uid(uid_t uid, char *const *group_names, Account *ret_account) {
        _cleanup_free_ char *buffer = NULL;
        Account account = {.uid = (uid_t)-1};
        struct passwd pw;
        int r;

        if (uid == (uid_t)-1)
                return -EINVAL;
        r = account_query(query_pwuid, &uid, &pw, &buffer);
        if (r > 0)
                r = account_fill(&account, &pw, group_names);
        if (r < 0) {
                account_done(&account);
                return r;
        }
        *ret_account = account;
        return 0;
}

int account_by_name(const char *name, char *const *group_names, Account *ret_account) {
        _cleanup_free_ char *buffer = NULL;
        Account account = {.uid = (uid_t)-1};
        struct passwd pw;
        int r;

        r = account_query(query_pwnam, name, &pw, &buffer);
        if (r < 0)
                return r;
        /* The uid is the identity: ask for its own name, so that an alias cannot be somebody else. */
        r = r > 0 ? account_by_uid(pw.pw_uid, group_names, &account) : 0;
        if (r < 0)
                return r;
        if (!account.exists) {
                account_done(&account);
                account.name = strdup(name);
                if (!account.name)
                        return -ENOMEM;
        }
        *ret_account = account;
        return 0;
}
