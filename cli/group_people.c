/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members and primary members. */
#include "cli/group_people.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "common/account.h"
#include "common/strv.h"

/* How many names are worth collecting: more than any rule asks for, with some that do not exist. */
enum { PEOPLE_MAX = 1024 };

static int add(char ***names, size_t *n, const char *name) {
        if (*n == PEOPLE_MAX || strv_contains(*names, name))
                return 0;
        ++*n;
        return strv_append(names, name);
}

static int add_primary(gid_t gid, char ***names, size_t *n) {
        struct passwd *pw;
        int r = 0;

        setpwent();
        while (r >= 0 && (pw = getpwent()))
                if (pw->pw_gid == gid)
                        r = add(names, n, pw->pw_name);
        endpwent();
        return r;
}

int group_people(const char *group, char ***ret_names) {
        _cleanup_strv_ char **names = NULL;
        struct group *gr;
        size_t n = 0;
        int r = 0;

        errno = 0;
        gr = getgrnam(group);
        if (!gr) /* getgrnam(3) lists these for "not found" */
                return errno == 0 || errno == ENOENT || errno == ESRCH ? 0 : -errno;
        for (char **member = gr->gr_mem; r >= 0 && *member; member++)
                r = add(&names, &n, *member);
        if (r >= 0)
                r = add_primary(gr->gr_gid, &names, &n);
        if (r < 0)
                return r;
        *ret_names = names;
        names = NULL;
        return 1;
}

bool group_people_suffice(char *const *names, unsigned needed, const char *except) {
        _cleanup_strv_ char **seen = NULL;
        unsigned n = 0;

        for (; names && *names && n < needed; names++) {
                Account account = {.uid = (uid_t)-1};
                bool counts;

                if (account_by_name(*names, NULL, &account) < 0) {
                        n++;
                        continue;
                }
                counts = account.exists && !strv_contains(seen, account.name) &&
                         (!except || strcmp(account.name, except) != 0);
                if (counts && strv_append(&seen, account.name) >= 0)
                        n++;
                account_done(&account);
        }
        return n >= needed;
}
