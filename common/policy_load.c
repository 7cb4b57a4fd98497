/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The levels of the policy, and how a higher one stands over a lower one. See policy_load.h. */
#include "common/policy_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/crypto.h"
#include "common/policy_load_file.h"
#include "common/policy_load_open.h"
#include "common/policy_scan.h"
#include "common/strv.h"
#include "common/text.h"

#define FILE_NAME   "peerauth.conf"
#define DROP_IN_DIR "peerauth.conf.d"

enum { DROP_INS_MAX = 256 };

PEERAUTH_DEFINE_CLEANUP(Policy *, policy_unref);

/* A policy while its files come in, the lowest first. */
typedef struct Loading {
        Policy *policy;
        CryptoSha256 hash;
} Loading;

/* Bytes alone would not do: the same ones in another file can be another policy. */
static void add_to_hash(Loading *loading, const char *path, const char *bytes, size_t size) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%zu", size);

        crypto_sha256_add(&loading->hash, path, strlen(path) + 1);
        crypto_sha256_add(&loading->hash, text, (size_t)n + 1);
        crypto_sha256_add(&loading->hash, bytes, size);
}

static PolicyRule *find_rule(const Policy *policy, const char *name) {
        for (size_t i = 0; i < policy->n_rules; i++)
                if (strcmp(policy->rules[i].name, name) == 0)
                        return &policy->rules[i];
        return NULL;
}

static void move_rule(PolicyRule *to, PolicyRule *from) {
        policy_rule_done(to);
        *to = *from;
        *from = (PolicyRule){0};
}

/*
 * Puts the rules of a higher level over those below: one with a known name takes its place there, so that
 * an administrator's own [Rule default] does not come before the exemptions of the vendor; the others
 * go in front of everything, in their order.
 */
static int put_over(Policy *policy, PolicyRules *upper, const char *path, char **ret_message) {
        PolicyRule *all, *in_front;
        size_t n_new = 0;

        for (size_t i = 0; i < upper->n_rules; i++)
                n_new += !find_rule(policy, upper->rules[i].name);
        if (policy->n_rules + n_new > POLICY_RULES_MAX)
                return policy_message(ret_message, -EINVAL, path, 0,
                                      "together with the files below more than %d rules", POLICY_RULES_MAX);
        all = calloc(policy->n_rules + n_new + 1, sizeof(*all));
        if (!all)
                return -ENOMEM;

        in_front = all;
        for (size_t i = 0; i < upper->n_rules; i++) {
                PolicyRule *below = find_rule(policy, upper->rules[i].name);

                move_rule(below ? below : in_front++, &upper->rules[i]);
        }
        for (size_t i = 0; i < policy->n_rules; i++)
                in_front[i] = policy->rules[i];
        free(policy->rules);
        policy->rules = all;
        policy->n_rules += n_new;
        return 0;
}

/* 1: the file was read, 0: it is not there. */
static int load_file(Loading *loading, int dir_fd, const char *dir, const char *name, char **ret_message) {
        PEERAUTH_CLEANUP(policy_rules_done) PolicyRules rules = {0};
        _cleanup_free_ char *path = NULL, *bytes = NULL;
        size_t size;
        int r;

        if (asprintf(&path, "%s/%s", dir, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = policy_read_file(dir_fd, name, path, &bytes, &size, ret_message);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        add_to_hash(loading, path, bytes, size);
        r = policy_parse(bytes, size, path, &rules, ret_message);
        if (r == 0)
                r = put_over(loading->policy, &rules, path, ret_message);
        return r < 0 ? r : 1;
}

/* Not hidden: editors leave locks like .#10-a.conf behind. */
static bool is_drop_in(const char *name) {
        size_t size = strlen(name);

        return name[0] != '.' && size > strlen(".conf") &&
               strcmp(name + size - strlen(".conf"), ".conf") == 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rules are told by their file, and the bus and JSON carry UTF-8 only. */
static int check_name(const char *dir, const char *name, char **ret_message) {
        _cleanup_free_ char *path = NULL;
        size_t size = strlen(name);
        uint32_t character;
        int length;

        for (size_t i = 0; i < size; i += (size_t)length) {
                length = text_decode_utf8(name + i, size - i, &character);
                if (length >= 0)
                        continue;
                if (asprintf(&path, "%s/%s", dir, name) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                return policy_message(ret_message, -EINVAL, path, 0,
                                      "the name of the file is not UTF-8; rename it");
        }
        return 0;
}

static int list_drop_ins(int dir_fd, const char *path, char ***ret_names, char **ret_message) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_close_ int own_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
        _cleanup_closedir_ DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);
        struct dirent *entry;
        size_t n = 0;
        int r = 0;

        if (!dir)
                return policy_message(ret_message, -errno, path, 0, "%s", strerror(errno));
        (void)steal_fd(&own_fd);
        while (r == 0 && (errno = 0, entry = readdir(dir))) {
                if (!is_drop_in(entry->d_name))
                        continue;
                if (++n > DROP_INS_MAX)
                        return policy_message(ret_message, -EINVAL, path, 0, "more than %d files",
                                              DROP_INS_MAX);
                r = check_name(path, entry->d_name, ret_message);
                if (r == 0)
                        r = strv_append(&names, entry->d_name);
        }
        if (r == 0 && errno != 0)
                return policy_message(ret_message, -errno, path, 0, "%s", strerror(errno));
        if (r < 0)
                return r;
        if (n > 0)
                qsort(names, n, sizeof(*names), compare_names);
        *ret_names = STEAL_PTR(names);
        return 0;
}

/* Number of files read. */
static int load_drop_ins(Loading *loading, int etc_fd, const char *etc, char **ret_message) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *path = NULL;
        int r, n_files = 0;

        if (asprintf(&path, "%s/" DROP_IN_DIR, etc) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = policy_open_dir(etc_fd, DROP_IN_DIR, path, &fd, ret_message);
        if (r == -ENOENT)
                return 0;
        if (r == 0)
                r = list_drop_ins(fd, path, &names, ret_message);
        for (char **name = names; r >= 0 && name && *name; name++) {
                r = load_file(loading, fd, path, *name, ret_message);
                n_files += r > 0;
        }
        return r < 0 ? r : n_files;
}

/* Number of files read. */
static int load_dir(Loading *loading, const char *dir, bool drop_ins, char **ret_message) {
        _cleanup_close_ int fd = -1;
        int r, n_files;

        r = policy_open_dir(AT_FDCWD, dir, dir, &fd, ret_message);
        if (r == -ENOENT)
                return 0;
        if (r == 0)
                r = load_file(loading, fd, dir, FILE_NAME, ret_message);
        if (r < 0 || !drop_ins)
                return r;
        n_files = r;
        r = load_drop_ins(loading, fd, dir, ret_message);
        return r < 0 ? r : n_files + r;
}

/* Number of files read. */
static int load_levels(Loading *loading, const PolicyDirs *dirs, char **ret_message) {
        int n_vendor = load_dir(loading, dirs->vendor, false, ret_message), n_etc;

        if (n_vendor < 0)
                return n_vendor;
        n_etc = load_dir(loading, dirs->etc, true, ret_message);
        return n_etc < 0 ? n_etc : n_vendor + n_etc;
}

int policy_load(const PolicyDirs *dirs, Policy **ret_policy, char **ret_message) {
        PEERAUTH_CLEANUP(policy_unref_p) Policy *policy = calloc(1, sizeof(*policy));
        Loading loading = {.policy = policy};
        uint8_t digest[CRYPTO_SHA256_SIZE];
        int r;

        if (!policy)
                return -ENOMEM;
        r = crypto_init();
        if (r < 0)
                return policy_message(ret_message, r, dirs->etc, 0, "libsodium cannot be used");
        crypto_sha256_begin(&loading.hash);
        r = load_levels(&loading, dirs, ret_message);
        if (r < 0)
                return r;
        if (r == 0)
                return policy_message(ret_message, -ENOENT, dirs->etc, 0,
                                      "no " FILE_NAME " here, in " DROP_IN_DIR
                                      " or in %s; every login that asks is denied",
                                      dirs->vendor);
        if (policy->n_rules == 0)
                return policy_message(ret_message, -EINVAL, dirs->etc, 0,
                                      "no file has a [Rule NAME]; every login that asks is denied");
        crypto_sha256_end(&loading.hash, digest);
        crypto_hex(digest, sizeof(digest), policy->hash);
        r = policy_name_groups(policy);
        if (r < 0)
                return r;
        *ret_policy = STEAL_PTR(policy);
        return 0;
}
