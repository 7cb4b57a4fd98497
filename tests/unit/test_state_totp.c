/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_totp.c: a step is accepted once, and only forward (attack R2). */
#include "tests/unit/state_fixture.h"

static const StateAccount alice = {"alice", 1000}, bob = {"bob", 1001};
static const uint8_t secret[20] = {'s', 0, 'e', 0xff, 'c', 0, 'r', 0x80, 'e', 't',
                                   1,   2, 3,   4,    5,   6, 7,   8,    9,   0};

enum { STEP = 56666666 };

static void enroll(Fixture *f, StateAccount account) {
        assert_int_equal(state_totp_enroll(f->state, account, secret, sizeof(secret), NOW), 0);
}

static void enroll_and_confirm(Fixture *f, StateAccount account) {
        enroll(f, account);
        assert_int_equal(state_totp_confirm(f->state, account, STEP), 1);
}

static void an_enrolment_is_kept_as_given(void **state) {
        Fixture *f = *state;
        StateTotp totp;

        assert_int_equal(state_totp_get(f->state, alice, &totp), 0);
        enroll(f, alice);
        fixture_reopen(f, NOW + HOUR);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_int_equal(totp.secret_size, sizeof(secret));
        assert_memory_equal(totp.secret, secret, sizeof(secret));
        assert_int_equal(totp.created_usec, NOW);
        assert_false(totp.confirmed);
        assert_int_equal(totp.step, 0);
        assert_int_equal(state_totp_get(f->state, bob, &totp), 0);
        state_totp_wipe(&totp);
        assert_int_equal(totp.secret_size, 0);
        assert_int_equal(totp.secret[0], 0);
}

static void nothing_is_accepted_before_it_is_confirmed(void **state) {
        Fixture *f = *state;
        StateTotp totp;

        assert_int_equal(state_totp_accept(f->state, alice, STEP), 0);
        assert_int_equal(state_totp_confirm(f->state, alice, STEP), 0);
        enroll(f, alice);
        assert_int_equal(state_totp_accept(f->state, alice, STEP), 0);
        assert_int_equal(state_totp_confirm(f->state, alice, STEP), 1);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_true(totp.confirmed);
        assert_int_equal(totp.step, STEP);
        assert_int_equal(state_totp_confirm(f->state, alice, STEP + 1), 0);
        assert_int_equal(state_totp_accept(f->state, alice, STEP), 0); /* it proved the enrolment */
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 1), 1);
}

static void a_step_is_accepted_once_and_only_forward(void **state) {
        Fixture *f = *state;

        enroll_and_confirm(f, alice);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 2), 1);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 2), 0);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 1),
                         0); /* within the window, but earlier */
        fixture_reopen(f, NOW);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 2), 0);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 3), 1);
        assert_int_equal(state_totp_accept(f->state, bob, STEP + 9), 0);
}

static void a_confirmed_secret_is_not_overwritten(void **state) {
        static const uint8_t other[] = {1};
        Fixture *f = *state;
        StateTotp totp;

        enroll(f, alice);
        assert_int_equal(state_totp_enroll(f->state, alice, other, 1, NOW), 0);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_int_equal(totp.secret_size, 1);
        assert_int_equal(state_totp_confirm(f->state, alice, STEP), 1);
        assert_int_equal(state_totp_enroll(f->state, alice, secret, sizeof(secret), NOW), -EEXIST);
        assert_int_equal(state_totp_get(f->state, alice, &totp), 1);
        assert_int_equal(totp.secret_size, 1);
        assert_true(totp.confirmed);
        assert_int_equal(state_totp_remove(f->state, alice), 1);
        assert_int_equal(state_totp_remove(f->state, alice), 0);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 5), 0);
        enroll(f, alice);
}

static void a_secret_serves_no_other_account(void **state) {
        static const StateAccount again = {"alice", 2000}, other = {"mallory", 1000};
        Fixture *f = *state;
        StateTotp totp;

        enroll_and_confirm(f, alice);
        assert_int_equal(state_totp_get(f->state, again, &totp), 0);
        assert_int_equal(state_totp_get(f->state, other, &totp), 0);
        assert_int_equal(state_totp_accept(f->state, again, STEP + 1), 0);
        assert_int_equal(state_totp_accept(f->state, other, STEP + 1), 0);
        enroll(f, again); /* the account of that name is another one now */
        assert_int_equal(state_totp_get(f->state, alice, &totp), 0);
        assert_int_equal(state_totp_accept(f->state, alice, STEP + 1), 0);
        assert_int_equal(state_totp_remove(f->state, (StateAccount){"nobody", 2000}), 1);
        assert_int_equal(state_totp_get(f->state, again, &totp), 0);
}

static void what_makes_no_sense_is_refused(void **state) {
        const StateAccount nobody = {"alice", (uid_t)-1};
        uint8_t big[STATE_SECRET_MAX + 1] = {7};
        Fixture *f = *state;
        StateTotp totp;

        assert_int_equal(state_totp_enroll(f->state, alice, big, sizeof(big), NOW), -EINVAL);
        assert_int_equal(state_totp_enroll(f->state, alice, big, 0, NOW), -EINVAL);
        assert_int_equal(state_totp_enroll(f->state, nobody, big, 20, NOW), -EINVAL);
        assert_int_equal(state_totp_get(f->state, nobody, &totp), -EINVAL);
        assert_int_equal(state_totp_remove(f->state, nobody), -EINVAL);
        assert_int_equal(state_totp_enroll(f->state, alice, big, STATE_SECRET_MAX, NOW), 0);
        assert_int_equal(state_totp_confirm(f->state, alice, 0), -EINVAL);
        assert_int_equal(state_totp_confirm(f->state, alice, UINT64_MAX), -EINVAL);
        assert_int_equal(state_totp_confirm(f->state, alice, STEP), 1);
        assert_int_equal(state_totp_accept(f->state, alice, (uint64_t)INT64_MAX + 1), -EINVAL);
        assert_int_equal(state_totp_accept(f->state, alice, INT64_MAX), 1);
}

static bool file_has(const Fixture *f, const char *name) {
        size_t size;
        _cleanup_free_ char *data = NULL;

        if (access(fixture_path(f, name), F_OK) < 0)
                return false;
        data = fixture_read(fixture_path(f, name), &size);
        return memmem(data, size, secret, sizeof(secret)) != NULL;
}

static void a_removed_secret_leaves_the_disk(void **state) {
        Fixture *f = *state;

        enroll_and_confirm(f, alice);
        assert_true(file_has(f, "state.db") || file_has(f, "state.db-wal"));
        assert_int_equal(state_totp_remove(f->state, alice), 1);
        assert_false(file_has(f, "state.db"));
        assert_false(file_has(f, "state.db-wal"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(an_enrolment_is_kept_as_given),
                fixture_test_open(nothing_is_accepted_before_it_is_confirmed),
                fixture_test_open(a_step_is_accepted_once_and_only_forward),
                fixture_test_open(a_confirmed_secret_is_not_overwritten),
                fixture_test_open(a_secret_serves_no_other_account),
                fixture_test_open(what_makes_no_sense_is_refused),
                fixture_test_open(a_removed_secret_leaves_the_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
