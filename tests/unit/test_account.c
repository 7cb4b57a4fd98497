/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accounts and memberships, over a name service that this file plays: the functions of libc below stand in
 * front of the real ones, so that it can be large, slow to fit, interrupted or broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/account.h"
#include "common/strv.h"

#define EXPORT __attribute__((visibility("default")))

static const struct {
        const char *name;
        uid_t uid;
        gid_t gid;
} users[] = {
        {"root", 0, 0},      {"anna", 1000, 100},        {"Anna", 1005, 100},     {"annika", 1000, 100},
        {"bert", 1001, 100}, {"high", 2147483648U, 100}, {"top", 4294967294U, 1}, {"many", 1002, 100},
};

static const struct {
        const char *name;
        gid_t gid;
        const char *members[4];
} groups[] = {
        {"users", 100, {NULL}},          {"reviewers", 200, {"anna", "bert", NULL}},
        {"admins", 201, {"root", NULL}}, {"alias-group", 202, {"annika", NULL}},
        {"large", 203, {"anna", NULL}},  {"empty", 204, {NULL}},
};

enum { LARGE_MEMBERS = 10000, MANY_GROUPS = 500 };
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* What goes wrong: after so many good look-ups, so many return this error. */
static int error_code;
static unsigned good_left, errors_left;
static unsigned calls;

static int trouble(void) {
        calls++;
        if (good_left > 0) {
                good_left--;
                return 0;
        }
        if (errors_left == 0)
                return 0;
        errors_left--;
        return error_code;
}

static char *put(char **buffer, size_t *left, const char *text) {
        size_t size = strlen(text) + 1;
        char *at = *buffer;

        if (size > *left)
                return NULL;
        memcpy(at, text, size);
        *buffer += size;
        *left -= size;
        return at;
}

static int fill_user(size_t i, struct passwd *pw, char *buffer, size_t size, struct passwd **ret) {
        *pw = (struct passwd){.pw_uid = users[i].uid, .pw_gid = users[i].gid};
        pw->pw_name = put(&buffer, &size, users[i].name);
        if (!pw->pw_name)
                return ERANGE;
        *ret = pw;
        return 0;
}

EXPORT int getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size, struct passwd **ret) {
        int r = trouble();

        *ret = NULL;
        for (size_t i = 0; r == 0 && i < N(users); i++)
                if (strcmp(users[i].name, name) == 0)
                        return fill_user(i, pw, buffer, size, ret);
        return r;
}

EXPORT int getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t size, struct passwd **ret) {
        int r = trouble();

        *ret = NULL;
        for (size_t i = 0; r == 0 && i < N(users); i++)
                if (users[i].uid == uid)
                        return fill_user(i, pw, buffer, size, ret);
        return r;
}

/* As libc does it, the whole list of members must fit, though nobody here reads it. */
EXPORT int getgrnam_r(const char *name, struct group *gr, char *buffer, size_t size, struct group **ret) {
        int r = trouble();

        *ret = NULL;
        for (size_t i = 0; r == 0 && i < N(groups); i++) {
                if (strcmp(groups[i].name, name) != 0)
                        continue;
                if (strcmp(name, "large") == 0 && size < LARGE_MEMBERS * (sizeof(char *) + 20))
                        return ERANGE;
                *gr = (struct group){.gr_gid = groups[i].gid, .gr_name = put(&buffer, &size, name)};
                if (!gr->gr_name)
                        return ERANGE;
                *ret = gr;
        }
        return r;
}

EXPORT int getgrouplist(const char *user, gid_t gid, gid_t *list, int *n) {
        int have = 0, room = *n;

        for (size_t i = 0; i < N(groups); i++)
                for (const char *const *m = groups[i].members; *m; m++)
                        if (strcmp(*m, user) == 0 && have++ < room)
                                list[have - 1] = groups[i].gid;
        for (int i = 0; strcmp(user, "many") == 0 && i < MANY_GROUPS; i++)
                if (have++ < room)
                        list[have - 1] = i == MANY_GROUPS - 1 ? 200 : (gid_t)(5000 + i);
        if (have++ < room)
                list[have - 1] = gid;
        *n = have;
        return have > room ? -1 : have;
}

static char *const asked[] = {(char *)"reviewers",
                              (char *)"admins",
                              (char *)"gone",
                              (char *)"alias-group",
                              (char *)"large",
                              (char *)"users",
                              NULL};

static int setup(void **state) {
        (void)state;
        good_left = errors_left = calls = 0;
        return 0;
}

static void assert_list(char *const *list, const char *expected) {
        char text[256] = "";

        for (; list && *list; list++)
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", *list);
        assert_string_equal(text, expected);
}

static void an_account_and_its_groups(void **state) {
        Account account;

        (void)state;
        assert_int_equal(account_by_name("bert", asked, &account), 0);
        assert_true(account.exists);
        assert_int_equal(account.uid, 1001);
        assert_string_equal(account.name, "bert");
        assert_list(account.groups, "reviewers users ");
        assert_int_equal(account_group_exists("reviewers"), 1);
        assert_int_equal(account_group_exists("gone"), 0);
        account_done(&account);
        assert_int_equal(account.uid, (uid_t)-1);
        assert_false(account.exists);
}

/* Attack A7: annika is anna, with what belongs to anna, and not what was given to the other name. */
static void an_alias_is_the_account_of_its_uid(void **state) {
        Account account;

        (void)state;
        assert_int_equal(account_by_name("annika", asked, &account), 0);
        assert_string_equal(account.name, "anna");
        assert_int_equal(account.uid, 1000);
        assert_list(account.groups, "reviewers large users ");
        account_done(&account);
}

static void case_and_spaces_count(void **state) {
        static const char *const unknown[] = {"ANNA", "anna ", " anna", "", "anna\n", "no-such"};
        Account account;

        (void)state;
        assert_int_equal(account_by_name("Anna", NULL, &account), 0);
        assert_int_equal(account.uid, 1005);
        account_done(&account);
        for (size_t i = 0; i < N(unknown); i++) {
                assert_int_equal(account_by_name(unknown[i], asked, &account), 0);
                assert_false(account.exists);
                assert_int_equal(account.uid, (uid_t)-1);
                assert_string_equal(account.name, unknown[i]);
                assert_null(account.groups);
                account_done(&account);
        }
}

/* Attack B3. */
static void uids_are_unsigned(void **state) {
        Account account;

        (void)state;
        assert_int_equal(account_by_uid(2147483648U, asked, &account), 0);
        assert_string_equal(account.name, "high");
        account_done(&account);
        assert_int_equal(account_by_uid(4294967294U, asked, &account), 0);
        assert_true(account.uid == 4294967294U);
        account_done(&account);
        calls = 0;
        assert_int_equal(account_by_uid((uid_t)-1, asked, &account), -EINVAL);
        assert_int_equal(calls, 0);
}

static void no_account_of_a_uid(void **state) {
        Account account;

        (void)state;
        assert_int_equal(account_by_uid(12345, asked, &account), 0);
        assert_false(account.exists);
        assert_int_equal(account.uid, (uid_t)-1);
        assert_null(account.name);
        account_done(&account);
}

static void large_groups_and_many(void **state) {
        Account account;

        (void)state;
        assert_int_equal(account_by_name("anna", asked, &account), 0);
        assert_true(strv_contains(account.groups, "large"));
        account_done(&account);
        assert_int_equal(account_by_name("many", asked, &account), 0);
        assert_list(account.groups, "reviewers users "); /* the last of 500 is among those asked for */
        account_done(&account);
}

/* The name service cannot answer: an error, never "no such account" (attack B1). Nothing is written. */
static void a_failure_is_no_answer(void **state) {
        static const int failures[] = {EIO, EMFILE, ENFILE, ENOMEM, ETIMEDOUT, EPERM};
        Account account = {.uid = 77};

        (void)state;
        for (size_t i = 0; i < N(failures); i++)
                for (unsigned good = 0; good < 8; good++) { /* name, uid, then the six groups */
                        error_code = failures[i];
                        errors_left = 1000;
                        good_left = good;
                        assert_int_equal(account_by_name("anna", asked, &account), -failures[i]);
                        assert_int_equal(account_by_uid(1000, asked, &account), -failures[i]);
                        assert_int_equal(account.uid, 77);
                }
}

static void not_found_by_another_name(void **state) {
        static const int words[] = {ENOENT, ESRCH};
        Account account;

        (void)state;
        for (size_t i = 0; i < N(words); i++) {
                error_code = words[i];
                errors_left = 1;
                assert_int_equal(account_by_name("anna", asked, &account), 0);
                assert_false(account.exists);
                account_done(&account);
        }
}

static void interrupted_look_ups_go_on(void **state) {
        Account account;

        (void)state;
        error_code = EINTR;
        errors_left = 3;
        assert_int_equal(account_by_uid(1001, asked, &account), 0);
        assert_string_equal(account.name, "bert");
        account_done(&account);
}

static void an_answer_that_never_fits_is_an_error(void **state) {
        Account account;

        (void)state;
        error_code = ERANGE;
        errors_left = 1000;
        assert_int_equal(account_by_name("anna", asked, &account), -ERANGE);
        assert_true(calls < 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(an_account_and_its_groups, setup),
                cmocka_unit_test_setup(an_alias_is_the_account_of_its_uid, setup),
                cmocka_unit_test_setup(case_and_spaces_count, setup),
                cmocka_unit_test_setup(uids_are_unsigned, setup),
                cmocka_unit_test_setup(no_account_of_a_uid, setup),
                cmocka_unit_test_setup(large_groups_and_many, setup),
                cmocka_unit_test_setup(a_failure_is_no_answer, setup),
                cmocka_unit_test_setup(not_found_by_another_name, setup),
                cmocka_unit_test_setup(interrupted_look_ups_go_on, setup),
                cmocka_unit_test_setup(an_answer_that_never_fits_is_an_error, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
