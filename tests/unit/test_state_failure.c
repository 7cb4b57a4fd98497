/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_failure.c: counts that survive, and what each way's count leaves alone (attacks C3, C4). */
#include "tests/unit/state_fixture.h"

#include "broker/limit.h"

static StateFailure fail_once(Fixture *f, const char *user, StateWay way, uint64_t now) {
        StateFailure failure = {.count = 999};

        assert_int_equal(state_failure_add(f->state, user, way, now, &failure), 0);
        assert_string_equal(failure.user, user);
        assert_int_equal(failure.way, way);
        return failure;
}

static void assert_count(Fixture *f, const char *user, StateWay way, uint64_t now, int locked, unsigned count,
                         uint64_t until) {
        StateFailure failure = {.count = 999};

        assert_int_equal(state_failure_get(f->state, user, way, now, &failure), locked);
        assert_string_equal(failure.user, user);
        assert_int_equal(failure.way, way);
        assert_int_equal(failure.count, count);
        assert_int_equal(failure.until_usec, until);
}

static void failures_add_up_and_lock(void **state) {
        Fixture *f = *state;
        StateFailure failure;

        assert_count(f, "alice", STATE_WAY_CODE, NOW, 0, 0, 0);
        (void)fail_once(f, "alice", STATE_WAY_CODE, NOW);
        (void)fail_once(f, "alice", STATE_WAY_CODE, NOW + 1);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + 1, 0, 2, 0);
        failure = fail_once(f, "alice", STATE_WAY_CODE, NOW + 2);
        assert_int_equal(failure.count, 3);
        assert_int_equal(failure.last_usec, NOW + 2);
        assert_int_equal(failure.until_usec, NOW + 2 + 30 * SECOND);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + 2 + 30 * SECOND - 1, 1, 3, NOW + 2 + 30 * SECOND);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + 2 + 30 * SECOND, 0, 3, NOW + 2 + 30 * SECOND);
        assert_count(f, "bob", STATE_WAY_CODE, NOW, 0, 0, 0);
}

static void a_restart_forgets_no_failure(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 5; i++)
                (void)fail_once(f, "alice", STATE_WAY_CODE, NOW);
        fixture_reopen(f, NOW + SECOND);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + SECOND, 1, 5, NOW + 120 * SECOND);
        assert_int_equal(fail_once(f, "alice", STATE_WAY_CODE, NOW + SECOND).count, 6);
}

static void no_length_of_time_forgets_a_failure(void **state) {
        Fixture *f = *state;
        unsigned removed = 9;

        for (unsigned i = 0; i < 4; i++)
                (void)fail_once(f, "alice", STATE_WAY_CODE, NOW);
        assert_int_equal(state_clean(f->state, NOW + 30 * YEAR, &removed), 0);
        assert_int_equal(removed, 0);
        assert_int_equal(fail_once(f, "alice", STATE_WAY_CODE, NOW + 30 * YEAR).count, 5);
}

static void at_the_cap_only_clearing_helps(void **state) {
        Fixture *f = *state;

        for (unsigned i = 1; i <= 103; i++)
                assert_int_equal(fail_once(f, "alice", STATE_WAY_CODE, NOW + i).count, i < 100 ? i : 100);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + 30 * YEAR, 1, 100, LIMIT_FOREVER);
        fixture_reopen(f, NOW + 30 * YEAR);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + 30 * YEAR, 1, 100, LIMIT_FOREVER);
        assert_int_equal(state_failure_clear(f->state, "alice", STATE_WAY_CODE), 1);
        assert_count(f, "alice", STATE_WAY_CODE, NOW + 30 * YEAR, 0, 0, 0);
        assert_int_equal(state_failure_clear(f->state, "alice", STATE_WAY_CODE), 0);
}

/* Whoever types wrong codes in somebody's name must not take the way out from them. */
static void each_way_has_its_own_count(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 100; i++)
                (void)fail_once(f, "alice", STATE_WAY_CODE, NOW);
        assert_count(f, "alice", STATE_WAY_RECOVERY, NOW, 0, 0, 0);
        assert_count(f, "alice", STATE_WAY_TOTP, NOW, 0, 0, 0);
        (void)fail_once(f, "alice", STATE_WAY_TOTP, NOW);
        assert_count(f, "alice", STATE_WAY_TOTP, NOW, 0, 1, 0);
        assert_int_equal(state_failure_clear(f->state, "alice", STATE_WAY_TOTP), 1);
        assert_count(f, "alice", STATE_WAY_CODE, NOW, 1, 100, LIMIT_FOREVER);
}

static void all_of_them_can_be_listed(void **state) {
        _cleanup_free_ StateFailure *list = NULL;
        Fixture *f = *state;
        size_t n = 99;

        assert_int_equal(state_failure_list(f->state, &list, &n), 0);
        assert_null(list);
        assert_int_equal(n, 0);
        (void)fail_once(f, "carol", STATE_WAY_TOTP, NOW);
        (void)fail_once(f, "alice", STATE_WAY_RECOVERY, NOW + 1);
        for (unsigned i = 0; i < 4; i++)
                (void)fail_once(f, "alice", STATE_WAY_CODE, NOW + 2);
        assert_int_equal(state_failure_list(f->state, &list, &n), 0);
        assert_int_equal(n, 3);
        assert_string_equal(list[0].user, "alice");
        assert_int_equal(list[0].way, STATE_WAY_CODE);
        assert_int_equal(list[0].count, 4);
        assert_int_equal(list[0].last_usec, NOW + 2);
        assert_int_equal(list[0].until_usec, NOW + 2 + 60 * SECOND);
        assert_string_equal(list[1].user, "alice");
        assert_int_equal(list[1].way, STATE_WAY_RECOVERY);
        assert_int_equal(list[1].until_usec, 0);
        assert_string_equal(list[2].user, "carol");
        assert_int_equal(list[2].way, STATE_WAY_TOTP);
}

static void fill(Fixture *f, const char *count) {
        char sql[500];

        fixture_close(f);
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO failure(user, way, count, last)"
                       " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4096)"
                       " SELECT 'u' || i, 'code', %s, 1700000000000000 - 4096 + i FROM n",
                       count);
        fixture_sql(f, sql);
        fixture_open(f);
}

static void beyond_the_bound_the_least_suspicious_is_forgotten(void **state) {
        Fixture *f = *state;

        fill(f, "iif(i IN (50, 60), 1, 2)");
        (void)fail_once(f, "alice", STATE_WAY_CODE, NOW);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM failure"), 4096);
        assert_count(f, "u50", STATE_WAY_CODE, NOW, 0, 0, 0);
        assert_count(f, "u60", STATE_WAY_CODE, NOW, 0, 1, 0);
        assert_count(f, "u1", STATE_WAY_CODE, NOW, 0, 2, 0);
        (void)fail_once(f, "u1", STATE_WAY_CODE, NOW); /* has its row: nobody makes room */
        assert_count(f, "u60", STATE_WAY_CODE, NOW, 0, 1, 0);
        assert_count(f, "alice", STATE_WAY_CODE, NOW, 0, 1, 0);
}

static void accounts_at_the_cap_are_not_pushed_out(void **state) {
        StateFailure failure = {.count = 999};
        Fixture *f = *state;

        fill(f, "100");
        assert_int_equal(state_failure_add(f->state, "alice", STATE_WAY_CODE, NOW, &failure), -ENOBUFS);
        assert_int_equal(failure.count, 999);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM failure"), 4096);
        assert_int_equal(state_failure_clear(f->state, "u7", STATE_WAY_CODE), 1);
        (void)fail_once(f, "alice", STATE_WAY_CODE, NOW);
        assert_count(f, "alice", STATE_WAY_CODE, NOW, 0, 1, 0);
}

static void what_makes_no_sense_is_refused(void **state) {
        char user[PEERAUTH_USER_MAX + 2] = {0};
        StateFailure failure = {.count = 999};
        Fixture *f = *state;

        memset(user, 'u', PEERAUTH_USER_MAX + 1);
        assert_int_equal(state_failure_add(f->state, user, STATE_WAY_CODE, NOW, &failure), -EINVAL);
        assert_int_equal(state_failure_add(f->state, NULL, STATE_WAY_CODE, NOW, &failure), -EINVAL);
        assert_int_equal(state_failure_add(f->state, "alice", STATE_WAYS, NOW, &failure), -EINVAL);
        assert_int_equal(state_failure_add(f->state, "alice", (StateWay)-1, NOW, &failure), -EINVAL);
        assert_int_equal(state_failure_add(f->state, "alice", STATE_WAY_CODE, UINT64_MAX, &failure), -EINVAL);
        assert_int_equal(state_failure_get(f->state, user, STATE_WAY_CODE, NOW, &failure), -EINVAL);
        assert_int_equal(state_failure_clear(f->state, "alice", STATE_WAYS), -EINVAL);
        assert_int_equal(failure.count, 999);
        user[PEERAUTH_USER_MAX] = '\0';
        assert_int_equal(state_failure_add(f->state, user, STATE_WAY_CODE, NOW, NULL), 0);
        assert_count(f, user, STATE_WAY_CODE, NOW, 0, 1, 0);
        assert_string_equal(state_way_to_string(STATE_WAY_CODE), "code");
        assert_string_equal(state_way_to_string(STATE_WAY_RECOVERY), "recovery");
        assert_string_equal(state_way_to_string(STATE_WAY_TOTP), "totp");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(failures_add_up_and_lock),
                fixture_test_open(a_restart_forgets_no_failure),
                fixture_test_open(no_length_of_time_forgets_a_failure),
                fixture_test_open(at_the_cap_only_clearing_helps),
                fixture_test_open(each_way_has_its_own_count),
                fixture_test_open(all_of_them_can_be_listed),
                fixture_test_open(beyond_the_bound_the_least_suspicious_is_forgotten),
                fixture_test_open(accounts_at_the_cap_are_not_pushed_out),
                fixture_test_open(what_makes_no_sense_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
