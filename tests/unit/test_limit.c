/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/limit.c: every count up to the cap and beyond, and the edges of the clock (attacks C3, C4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>

#include "broker/limit.h"

#define SECOND 1000000ULL
#define NOW    (1700000000 * SECOND)

static void the_wait_doubles_from_half_a_minute_to_an_hour(void **unused) {
        static const uint64_t seconds[] = {0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600};
        const unsigned n = sizeof(seconds) / sizeof(seconds[0]);

        (void)unused;
        for (unsigned count = 0; count < n; count++)
                assert_int_equal(limit_backoff_usec(count), seconds[count] * SECOND);
        for (unsigned count = n; count < 100; count++)
                assert_int_equal(limit_backoff_usec(count), 3600 * SECOND);
}

static void from_the_hundredth_failure_on_there_is_no_end(void **unused) {
        (void)unused;
        for (unsigned count = 100; count < 100000; count++)
                assert_int_equal(limit_backoff_usec(count), UINT64_MAX);
        assert_int_equal(limit_backoff_usec(INT_MAX), UINT64_MAX);
        assert_int_equal(limit_backoff_usec((unsigned)INT_MAX + 1), UINT64_MAX);
        assert_int_equal(limit_backoff_usec(UINT_MAX), UINT64_MAX);
}

static void more_failures_never_mean_a_shorter_wait(void **unused) {
        (void)unused;
        for (unsigned count = 0; count < 1000; count++)
                assert_true(limit_backoff_usec(count) <= limit_backoff_usec(count + 1));
}

static void a_lock_ends_at_its_moment_and_not_before(void **unused) {
        (void)unused;
        for (unsigned count = 3; count < 100; count++) {
                LimitFailures failures = {.count = count, .last_usec = NOW};
                uint64_t end = NOW + limit_backoff_usec(count);

                assert_int_equal(limit_until_usec(&failures), end);
                assert_true(limit_is_locked(&failures, 0));
                assert_true(limit_is_locked(&failures, NOW));
                assert_true(limit_is_locked(&failures, end - 1));
                assert_false(limit_is_locked(&failures, end));
                assert_false(limit_is_locked(&failures, UINT64_MAX));
        }
}

static void nothing_wrong_locks_nothing(void **unused) {
        (void)unused;
        for (unsigned count = 0; count < 3; count++) {
                LimitFailures failures = {.count = count, .last_usec = NOW};

                assert_int_equal(limit_until_usec(&failures), 0);
                assert_false(limit_is_locked(&failures, 0));
                assert_false(limit_is_locked(&failures, NOW));
        }
}

static void the_cap_is_never_passed_by_waiting(void **unused) {
        LimitFailures failures = {0};

        (void)unused;
        for (unsigned n = 1; n <= 250; n++) {
                limit_fail(&failures, NOW + n);
                assert_int_equal(failures.count, n < 100 ? n : 100);
                assert_int_equal(failures.last_usec, NOW + n);
                assert_int_equal(limit_is_locked(&failures, UINT64_MAX), n >= 100);
        }
        assert_int_equal(limit_until_usec(&failures), UINT64_MAX);
        failures.count = UINT_MAX; /* as no file of ours would say */
        limit_fail(&failures, NOW);
        assert_int_equal(failures.count, 100);
}

static void an_earlier_clock_does_not_bring_the_end_nearer(void **unused) {
        LimitFailures failures = {.count = 5, .last_usec = NOW};

        (void)unused;
        limit_fail(&failures, NOW - 1000 * SECOND);
        assert_int_equal(failures.count, 6);
        assert_int_equal(limit_until_usec(&failures), NOW + 240 * SECOND);
}

static void times_that_do_not_fit_lock_for_good(void **unused) {
        LimitFailures failures = {.count = 3, .last_usec = UINT64_MAX - 30 * SECOND - 1};

        (void)unused;
        assert_int_equal(limit_until_usec(&failures), UINT64_MAX - 1);
        assert_false(limit_is_locked(&failures, UINT64_MAX - 1));
        failures.last_usec++;
        assert_int_equal(limit_until_usec(&failures), UINT64_MAX);
        assert_true(limit_is_locked(&failures, UINT64_MAX));
        failures.last_usec = UINT64_MAX;
        assert_true(limit_is_locked(&failures, UINT64_MAX));
}

/* What 100 guesses cost whoever waits as told: 2 x 0 + 30 ... 1920 s + 90 hours. */
static void guessing_to_the_cap_takes_days(void **unused) {
        LimitFailures failures = {0};
        uint64_t now = NOW;

        (void)unused;
        for (unsigned n = 0; n < 100; n++) {
                if (now < limit_until_usec(&failures))
                        now = limit_until_usec(&failures);
                assert_false(limit_is_locked(&failures, now));
                limit_fail(&failures, now);
        }
        assert_int_equal(now - NOW, (3810 + 90 * 3600) * SECOND);
        assert_true(limit_is_locked(&failures, UINT64_MAX));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_wait_doubles_from_half_a_minute_to_an_hour),
                cmocka_unit_test(from_the_hundredth_failure_on_there_is_no_end),
                cmocka_unit_test(more_failures_never_mean_a_shorter_wait),
                cmocka_unit_test(a_lock_ends_at_its_moment_and_not_before),
                cmocka_unit_test(nothing_wrong_locks_nothing),
                cmocka_unit_test(the_cap_is_never_passed_by_waiting),
                cmocka_unit_test(an_earlier_clock_does_not_bring_the_end_nearer),
                cmocka_unit_test(times_that_do_not_fit_lock_for_good),
                cmocka_unit_test(guessing_to_the_cap_takes_days),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
