/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state.c: housekeeping takes what ended long ago, and nothing else. */
#include "tests/unit/state_fixture.h"

static const StateAccount alice = {"alice", 1000}, bob = {"bob", 1001};

static void fill(Fixture *f) {
        static const char *const hashes[] = {"a", "b", "c"};
        StateRecovery *codes;
        int64_t id;
        size_t n;

        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW, &id), 0);
        assert_int_equal(state_attempt_finish(f->state, id, VERDICT_APPROVED), 0);
        assert_int_equal(state_failure_add(f->state, "alice", STATE_WAY_CODE, NOW, NULL), 0);
        assert_int_equal(state_block_add(f->state, "tty1", NOW, "ended", NOW), 0);
        assert_int_equal(state_block_add(f->state, "tty2", NOW + 1, "ended later", NOW), 0);
        assert_int_equal(state_recovery_replace(f->state, alice, hashes, 3, NOW), 0);
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_int_equal(state_recovery_use(f->state, alice, codes[0].id, NOW), 1);
        assert_int_equal(state_totp_enroll(f->state, alice, "x", 1, NOW), 0);
        assert_int_equal(state_totp_confirm(f->state, alice, 5), 1);
        assert_int_equal(state_totp_enroll(f->state, bob, "y", 1, NOW), 0);
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", NOW + 1, &id), 0);
        assert_int_equal(state_recovery_use(f->state, alice, codes[1].id, NOW + 1), 1);
        free(codes);
}

static void assert_removes(Fixture *f, uint64_t now, unsigned expected) {
        unsigned removed = 99;

        assert_int_equal(state_clean(f->state, now, &removed), 0);
        assert_int_equal(removed, expected);
}

static void what_ended_seven_days_ago_goes(void **state) {
        Fixture *f = *state;
        unsigned left;

        fill(f);
        assert_removes(f, NOW + 7 * DAY, 0);
        assert_removes(f, NOW + 7 * DAY + 1, 4); /* attempt, block, code, unconfirmed TOTP */
        assert_removes(f, NOW + 7 * DAY + 1, 0);
        assert_removes(f, NOW + 7 * DAY + 2, 3);
        assert_removes(f, NOW + 30 * YEAR, 0);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM failure"), 1);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM totp WHERE user = 'alice'"), 1);
        assert_int_equal(state_recovery_left(f->state, alice, &left), 0);
        assert_int_equal(left, 1);
}

static void a_used_code_stays_used_when_it_is_gone(void **state) {
        Fixture *f = *state;
        StateRecovery *codes;
        size_t n;

        fill(f);
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_removes(f, NOW + 8 * DAY, 7);
        assert_int_equal(state_recovery_use(f->state, alice, codes[0].id, NOW + 8 * DAY), 0);
        assert_int_equal(state_recovery_use(f->state, alice, codes[2].id, NOW + 8 * DAY), 1);
        free(codes);
}

static void a_young_clock_removes_nothing(void **state) {
        Fixture *f = *state;
        unsigned removed = 99;

        fixture_reopen(f, 5 * SECOND); /* 1970: seven days ago was no time at all */
        assert_removes(f, 5 * SECOND, 0);
        assert_int_equal(state_clean(f->state, UINT64_MAX, &removed), -EINVAL);
        assert_int_equal(removed, 99);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(what_ended_seven_days_ago_goes),
                fixture_test_open(a_used_code_stays_used_when_it_is_gone),
                fixture_test_open(a_young_clock_removes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
