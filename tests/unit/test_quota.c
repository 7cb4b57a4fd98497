/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often a user without privileges may start a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "broker/quota.h"

enum { SECOND = 1000000 };

static void test_one_user_gets_so_many_in_a_window(void **unused) {
        (void)unused;
        Quota quota = {0};

        for (unsigned i = 0; i < QUOTA_PER_UID; i++)
                assert_true(quota_take(&quota, 1000, 1 + i));
        assert_false(quota_take(&quota, 1000, SECOND));
        assert_true(quota_take(&quota, 1001, SECOND));
}

static void test_the_window_moves(void **unused) {
        (void)unused;
        const uint64_t window = (uint64_t)QUOTA_WINDOW_SEC * SECOND;
        Quota quota = {0};

        for (unsigned i = 0; i < QUOTA_PER_UID; i++)
                assert_true(quota_take(&quota, 1000, 5 * SECOND));
        assert_false(quota_take(&quota, 1000, 5 * SECOND + window - 1));
        assert_true(quota_take(&quota, 1000, 5 * SECOND + window));
}

/* A refused start does not push the end of the window away. */
static void test_trying_on_costs_nothing(void **unused) {
        (void)unused;
        const uint64_t window = (uint64_t)QUOTA_WINDOW_SEC * SECOND;
        Quota quota = {0};

        for (unsigned i = 0; i < QUOTA_PER_UID; i++)
                assert_true(quota_take(&quota, 1000, SECOND));
        for (unsigned i = 2; i < 500; i++)
                assert_false(quota_take(&quota, 1000, i * (uint64_t)SECOND));
        assert_true(quota_take(&quota, 1000, SECOND + window));
}

static void test_all_users_together_are_bounded(void **unused) {
        (void)unused;
        Quota quota = {0};

        for (unsigned i = 0; i < QUOTA_ALL; i++)
                assert_true(quota_take(&quota, 1000 + i, SECOND));
        assert_false(quota_take(&quota, 5000, 2 * SECOND));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_user_gets_so_many_in_a_window),
                cmocka_unit_test(test_the_window_moves),
                cmocka_unit_test(test_trying_on_costs_nothing),
                cmocka_unit_test(test_all_users_together_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
