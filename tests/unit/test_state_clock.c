/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_clock.c: what a wrong clock can free or extend, which is nothing (attack T1). */
#include "tests/unit/state_fixture.h"

#define BOOT (3 * HOUR) /* since boot, when the wall clock says NOW */

static const StateAccount alice = {"alice", 1000};

/* Time passes on both clocks; the wall clock is off by what it was set wrong. */
static int pass(Fixture *f, uint64_t since, int64_t wrong, int64_t *ret_step) {
        return state_clock(f->state, (uint64_t)((int64_t)(NOW + since) + wrong), BOOT + since, ret_step);
}

static void quiet(Fixture *f, uint64_t since, int64_t wrong) {
        int64_t step = 77;

        assert_int_equal(pass(f, since, wrong, &step), 0);
        assert_int_equal(step, 77);
}

static void steps_by(Fixture *f, uint64_t since, int64_t wrong, int64_t expected) {
        int64_t step = 77;

        assert_int_equal(pass(f, since, wrong, &step), 1);
        assert_int_equal(step, expected);
}

static void fill(Fixture *f) {
        static const char *const hash = "h";
        int64_t id;

        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), 0);
        for (unsigned i = 0; i < 5; i++)
                assert_int_equal(state_failure_add(f->state, "alice", STATE_WAY_CODE, NOW, NULL), 0);
        assert_int_equal(state_block_add(f->state, "tty9", NOW + HOUR, "", NOW), 0);
        assert_int_equal(state_recovery_replace(f->state, alice, &hash, 1, NOW), 0);
        assert_int_equal(state_totp_enroll(f->state, alice, "x", 1, NOW), 0);
        assert_int_equal(state_totp_confirm(f->state, alice, 56666666), 1);
}

/* Everything of fill() holds at NOW + since as the wall clock calls it, or not. */
static void assert_holds(Fixture *f, uint64_t since, int64_t wrong, bool attempt, bool locked, bool blocked) {
        uint64_t now = (uint64_t)((int64_t)(NOW + since) + wrong);
        StateFailure failure;
        StateBlock block;
        StateCount count;

        assert_int_equal(state_attempt_count_user(f->state, "alice", now, HOUR, &count), 0);
        assert_int_equal(count.n, attempt);
        assert_int_equal(state_failure_get(f->state, "alice", STATE_WAY_CODE, now, &failure), locked);
        assert_int_equal(failure.count, 5);
        assert_int_equal(state_block_check(f->state, "tty9", now, &block), blocked);
}

/* Five failures lock for two minutes, the window and the block last an hour: with any clock. */
static void assert_lasts_as_long_as_ever(Fixture *f, uint64_t since, int64_t wrong) {
        assert_true(since < 2 * MINUTE);
        assert_holds(f, since, wrong, true, true, true);
        assert_holds(f, 2 * MINUTE - 1, wrong, true, true, true);
        assert_holds(f, 2 * MINUTE, wrong, true, false, true);
        assert_holds(f, HOUR - 1, wrong, true, false, true);
        assert_holds(f, HOUR, wrong, false, false, false);
}

static void without_a_step_nothing_moves(void **state) {
        Fixture *f = *state;

        quiet(f, 0, 0);
        fill(f);
        quiet(f, MINUTE, 0);
        quiet(f, 30 * MINUTE, 30 * (int64_t)SECOND); /* slewed */
        quiet(f, 30 * MINUTE, -30 * (int64_t)SECOND);
        quiet(f, HOUR - 1, 0);
        assert_holds(f, HOUR - 1, 0, true, false, true);
        assert_holds(f, HOUR, 0, false, false, false);
}

static void a_clock_set_forward_frees_nothing(void **state) {
        const int64_t wrong = 10 * (int64_t)YEAR;
        Fixture *f = *state;

        quiet(f, 0, 0);
        fill(f);
        steps_by(f, MINUTE, wrong, wrong);
        quiet(f, MINUTE, wrong);
        assert_lasts_as_long_as_ever(f, MINUTE, wrong);
}

static void a_clock_set_back_extends_nothing(void **state) {
        const int64_t wrong = -10 * (int64_t)YEAR;
        Fixture *f = *state;

        quiet(f, 0, 0);
        fill(f);
        steps_by(f, MINUTE, wrong, wrong);
        quiet(f, MINUTE, wrong);
        assert_lasts_as_long_as_ever(f, MINUTE, wrong);
}

static void there_and_back_again_leaves_no_trace(void **state) {
        const int64_t wrong = 10 * (int64_t)YEAR;
        StateRecovery *codes;
        Fixture *f = *state;
        StateTotp totp;
        size_t n;

        quiet(f, 0, 0);
        fill(f);
        steps_by(f, 10 * SECOND, wrong, wrong);
        steps_by(f, 20 * SECOND, -wrong, -2 * wrong);
        steps_by(f, 30 * SECOND, 0, wrong);
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_int_equal(codes[0].created_usec, NOW);
        free(codes);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_int_equal(totp.created_usec, NOW);
        assert_lasts_as_long_as_ever(f, 30 * SECOND, 0);
}

/* A clock moved in steps that are each too small to notice. */
static void small_steps_add_up_to_one(void **state) {
        Fixture *f = *state;

        quiet(f, 0, 0);
        fill(f);
        quiet(f, 1, 60 * (int64_t)SECOND);
        steps_by(f, 2, 120 * (int64_t)SECOND, 120 * (int64_t)SECOND);
        quiet(f, 3, 180 * (int64_t)SECOND);
        steps_by(f, 4, 240 * (int64_t)SECOND, 120 * (int64_t)SECOND);
        assert_holds(f, 5, 240 * (int64_t)SECOND, true, true, true);
}

static void an_earlier_time_reads_as_the_newest_known(void **state) {
        Fixture *f = *state;
        StateFailure failure;
        int64_t id;

        fill(f);
        assert_holds(f, HOUR - 1, 0, true, false, true);
        assert_holds(f, 0, 0, true, false, true);              /* the lock has been seen to end */
        assert_holds(f, 0, -(int64_t)YEAR, true, false, true); /* nobody told state_clock() */
        assert_int_equal(state_failure_add(f->state, "alice", STATE_WAY_CODE, NOW - YEAR, &failure), 0);
        assert_int_equal(failure.last_usec, NOW + HOUR - 1);
        assert_int_equal(failure.until_usec, NOW + HOUR - 1 + 4 * MINUTE);
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW - YEAR, &id), 0);
        assert_int_equal(fixture_integer(f, "SELECT max(time) FROM attempt"), NOW + HOUR - 1);
}

static void a_clock_set_back_while_we_were_away_is_noticed(void **state) {
        const int64_t wrong = -10 * (int64_t)YEAR;
        Fixture *f = *state;

        fill(f);
        fixture_reopen(f, NOW - 10 * YEAR);
        steps_by(f, 0, wrong, wrong);
        quiet(f, 0, wrong);
        assert_lasts_as_long_as_ever(f, 0, wrong);
}

/* A machine without a battery starts in 1970 and is set right by the network after the broker came up. */
static void a_clock_that_starts_in_1970_is_survived(void **state) {
        const int64_t wrong = -(int64_t)NOW + 20 * (int64_t)SECOND;
        Fixture *f = *state;
        StateTotp totp;

        fill(f);
        fixture_reopen(f, 20 * SECOND);
        steps_by(f, 0, wrong, wrong);
        assert_holds(f, 0, wrong, true, true, true);
        steps_by(f, 10 * SECOND, 0, -wrong);
        assert_lasts_as_long_as_ever(f, 10 * SECOND, 0);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_int_equal(totp.created_usec, NOW);
}

static void a_little_back_over_a_restart_is_no_step(void **state) {
        Fixture *f = *state;

        fill(f);
        fixture_reopen(f, NOW - MINUTE);
        quiet(f, 0, -(int64_t)MINUTE);
        assert_holds(f, 0, -(int64_t)MINUTE, true, true, true);
}

/* A machine that was off: back-offs and windows have passed, counts have not. */
static void forward_over_a_restart_is_time_that_passed(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(state_failure_add(f->state, "bob", STATE_WAY_CODE, NOW, NULL), 0);
        fill(f);
        fixture_reopen(f, NOW + 10 * YEAR);
        quiet(f, 10 * YEAR, 0);
        assert_holds(f, 10 * YEAR, 0, false, false, false);
        assert_int_equal(
                state_failure_get(f->state, "bob", STATE_WAY_CODE, NOW + 10 * YEAR, &(StateFailure){0}), 1);
}

static void no_step_revives_a_totp_code_or_a_recovery_code(void **state) {
        const int64_t wrong = -10 * (int64_t)YEAR;
        StateRecovery *codes;
        Fixture *f = *state;
        size_t n;

        quiet(f, 0, 0);
        fill(f);
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_int_equal(state_recovery_use(f->state, alice, codes[0].id, NOW), 1);
        steps_by(f, 1, wrong, wrong);
        assert_int_equal(state_totp_accept(f->state, alice, 56666666), 0);
        assert_int_equal(state_recovery_use(f->state, alice, codes[0].id, NOW - 10 * YEAR), 0);
        steps_by(f, 2, (int64_t)-NOW + 3, (int64_t)-NOW + 1 + 10 * (int64_t)YEAR + 2);
        assert_int_equal(state_recovery_use(f->state, alice, codes[0].id, 5), 0);
        free(codes);
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_true(codes[0].used_usec > 0); /* also where its time lies before 1970 */
        free(codes);
}

static void times_beyond_all_use_are_refused(void **state) {
        Fixture *f = *state;
        char *message = NULL;
        State *other = NULL;
        int64_t step = 77;

        assert_int_equal(state_clock(f->state, STATE_TIME_MAX + 1, BOOT, &step), -EINVAL);
        assert_int_equal(state_clock(f->state, NOW, UINT64_MAX, &step), -EINVAL);
        quiet(f, 0, 0);
        fill(f);
        assert_int_equal(state_clock(f->state, STATE_TIME_MAX, BOOT, &step), 1);
        assert_int_equal(state_clock(f->state, 0, BOOT + STATE_TIME_MAX / 2, &step), 1);
        assert_int_equal(state_clock(f->state, STATE_TIME_MAX, 0, &step), 1);
        assert_int_equal(step, (int64_t)(STATE_TIME_MAX + BOOT + STATE_TIME_MAX / 2));
        fixture_close(f);
        assert_int_equal(state_open(f->dir, UINT64_MAX, &other, &message), -EINVAL);
        assert_null(other);
        assert_non_null(strstr(message, "clock"));
        free(message);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(without_a_step_nothing_moves),
                fixture_test_open(a_clock_set_forward_frees_nothing),
                fixture_test_open(a_clock_set_back_extends_nothing),
                fixture_test_open(there_and_back_again_leaves_no_trace),
                fixture_test_open(small_steps_add_up_to_one),
                fixture_test_open(an_earlier_time_reads_as_the_newest_known),
                fixture_test_open(a_clock_set_back_while_we_were_away_is_noticed),
                fixture_test_open(a_clock_that_starts_in_1970_is_survived),
                fixture_test_open(a_little_back_over_a_restart_is_no_step),
                fixture_test_open(forward_over_a_restart_is_time_that_passed),
                fixture_test_open(no_step_revives_a_totp_code_or_a_recovery_code),
                fixture_test_open(times_beyond_all_use_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
