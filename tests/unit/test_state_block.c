/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_block.c: sources that were reported. */
#include "tests/unit/state_fixture.h"

static void block(Fixture *f, const char *source, uint64_t until, const char *reason, uint64_t now) {
        assert_int_equal(state_block_add(f->state, source, until, reason, now), 0);
}

static void assert_blocked(Fixture *f, const char *source, uint64_t now, uint64_t until) {
        StateBlock found;

        assert_int_equal(state_block_check(f->state, source, now, &found), 1);
        assert_string_equal(found.source, source);
        assert_int_equal(found.until_usec, until);
}

static void assert_free(Fixture *f, const char *source, uint64_t now) {
        StateBlock found = {.until_usec = 77};

        assert_int_equal(state_block_check(f->state, source, now, &found), 0);
        assert_int_equal(found.until_usec, 77);
}

static void a_source_is_blocked_until_its_moment(void **state) {
        Fixture *f = *state;
        StateBlock found;

        assert_free(f, "192.0.2.1", NOW);
        block(f, "192.0.2.1", NOW + HOUR, "bob: not me", NOW);
        assert_blocked(f, "192.0.2.1", NOW, NOW + HOUR);
        assert_free(f, "192.0.2.10", NOW);
        fixture_reopen(f, NOW + MINUTE);
        assert_int_equal(state_block_check(f->state, "192.0.2.1", NOW + HOUR - 1, &found), 1);
        assert_int_equal(found.since_usec, NOW);
        assert_string_equal(found.reason, "bob: not me");
        assert_free(f, "192.0.2.1", NOW + HOUR);
}

static void a_second_report_never_shortens(void **state) {
        Fixture *f = *state;
        StateBlock found;

        block(f, "tty1", NOW + DAY, "first", NOW);
        block(f, "tty1", NOW + HOUR, "second", NOW + MINUTE);
        assert_int_equal(state_block_check(f->state, "tty1", NOW + 2 * HOUR, &found), 1);
        assert_int_equal(found.until_usec, NOW + DAY);
        assert_int_equal(found.since_usec, NOW + MINUTE);
        assert_string_equal(found.reason, "second");
        block(f, "tty1", NOW + 2 * DAY, "third", NOW + 2 * HOUR);
        assert_blocked(f, "tty1", NOW + 2 * HOUR, NOW + 2 * DAY);
}

static void a_block_can_be_cleared(void **state) {
        Fixture *f = *state;

        block(f, "tty1", NOW + HOUR, "", NOW);
        block(f, "tty2", NOW + HOUR, "", NOW);
        assert_int_equal(state_block_clear(f->state, "tty1", NOW), 1);
        assert_int_equal(state_block_clear(f->state, "tty1", NOW), 0);
        assert_int_equal(state_block_clear(f->state, "tty2", NOW + HOUR), 0); /* it had ended */
        assert_free(f, "tty1", NOW);
}

static void those_that_hold_are_listed(void **state) {
        _cleanup_free_ StateBlock *list = NULL;
        Fixture *f = *state;
        size_t n = 99;

        assert_int_equal(state_block_list(f->state, NOW, &list, &n), 0);
        assert_null(list);
        assert_int_equal(n, 0);
        for (unsigned i = 0; i < 20; i++) {
                char source[16];

                (void)snprintf(source, sizeof(source), "s%02u", 19 - i);
                block(f, source, NOW + (20 - i) * MINUTE, source, NOW);
        }
        assert_int_equal(state_block_list(f->state, NOW + 5 * MINUTE, &list, &n), 0);
        assert_int_equal(n, 15);
        for (size_t i = 0; i < n; i++) {
                char source[16];

                (void)snprintf(source, sizeof(source), "s%02zu", i + 5);
                assert_string_equal(list[i].source, source);
                assert_string_equal(list[i].reason, source);
                assert_int_equal(list[i].since_usec, NOW);
                assert_int_equal(list[i].until_usec, NOW + (i + 6) * MINUTE);
        }
}

static void beyond_the_bound_the_next_to_end_is_forgotten(void **state) {
        Fixture *f = *state;

        fixture_close(f);
        fixture_sql(f, "INSERT INTO block(source, since, until, reason)"
                       " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4096)"
                       " SELECT 's' || i, 1700000000000000, 1700086400000000 - iif(i = 9, 1, 0), '' FROM n");
        fixture_open(f);
        block(f, "s8", NOW + 2 * DAY, "", NOW); /* one of them: nobody makes room */
        assert_blocked(f, "s9", NOW, NOW + DAY - 1);
        block(f, "new", NOW + MINUTE, "", NOW);
        assert_free(f, "s9", NOW);
        assert_blocked(f, "new", NOW, NOW + MINUTE);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM block"), 4096);
}

static void what_does_not_fit_is_refused(void **state) {
        char source[STATE_SOURCE_MAX + 2] = {0}, reason[PEERAUTH_REASON_MAX + 2] = {0};
        Fixture *f = *state;
        StateBlock found;

        memset(source, 's', STATE_SOURCE_MAX + 1);
        memset(reason, 'r', PEERAUTH_REASON_MAX + 1);
        assert_int_equal(state_block_add(f->state, source, NOW + HOUR, "", NOW), -EINVAL);
        assert_int_equal(state_block_add(f->state, "tty1", NOW + HOUR, reason, NOW), -EINVAL);
        assert_int_equal(state_block_add(f->state, "tty1", NOW + HOUR, NULL, NOW), -EINVAL);
        assert_int_equal(state_block_add(f->state, "tty1", STATE_TIME_MAX + 1, "", NOW), -EINVAL);
        assert_int_equal(state_block_check(f->state, source, NOW, &found), -EINVAL);
        assert_int_equal(state_block_clear(f->state, source, NOW), -EINVAL);
        source[STATE_SOURCE_MAX] = reason[PEERAUTH_REASON_MAX] = '\0';
        block(f, source, STATE_TIME_MAX, reason, NOW);
        assert_int_equal(state_block_check(f->state, source, NOW, &found), 1);
        assert_string_equal(found.source, source);
        assert_string_equal(found.reason, reason);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(a_source_is_blocked_until_its_moment),
                fixture_test_open(a_second_report_never_shortens),
                fixture_test_open(a_block_can_be_cleared),
                fixture_test_open(those_that_hold_are_listed),
                fixture_test_open(beyond_the_bound_the_next_to_end_is_forgotten),
                fixture_test_open(what_does_not_fit_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
