/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_attempt.c: what rate limits count (attack C5). */
#include "tests/unit/state_fixture.h"

static int64_t add(Fixture *f, const char *user, const char *source, uint64_t now) {
        int64_t id = 0;

        assert_int_equal(state_attempt_add(f->state, user, source, now, &id), 0);
        assert_true(id > 0);
        return id;
}

static void assert_user(Fixture *f, const char *user, uint64_t now, unsigned n, uint64_t oldest) {
        StateCount count = {.n = 99, .oldest_usec = 99};

        assert_int_equal(state_attempt_count_user(f->state, user, now, HOUR, &count), 0);
        assert_int_equal(count.n, n);
        assert_int_equal(count.oldest_usec, oldest);
}

static void assert_source(Fixture *f, const char *source, uint64_t now, unsigned n, uint64_t oldest) {
        StateCount count = {.n = 99, .oldest_usec = 99};

        assert_int_equal(state_attempt_count_source(f->state, source, now, HOUR, &count), 0);
        assert_int_equal(count.n, n);
        assert_int_equal(count.oldest_usec, oldest);
}

static void users_and_sources_are_counted_apart(void **state) {
        Fixture *f = *state;

        assert_user(f, "alice", NOW, 0, 0);
        (void)add(f, "alice", "192.0.2.1", NOW);
        (void)add(f, "alice", "tty1", NOW + SECOND);
        (void)add(f, "bob", "192.0.2.1", NOW + 2 * SECOND);
        assert_user(f, "alice", NOW + MINUTE, 2, NOW);
        assert_user(f, "bob", NOW + MINUTE, 1, NOW + 2 * SECOND);
        assert_user(f, "Alice", NOW + MINUTE, 0, 0);
        assert_user(f, "192.0.2.1", NOW + MINUTE, 0, 0);
        assert_source(f, "192.0.2.1", NOW + MINUTE, 2, NOW);
        assert_source(f, "tty1", NOW + MINUTE, 1, NOW + SECOND);
        assert_source(f, "", NOW + MINUTE, 0, 0);
}

static void an_attempt_leaves_the_window_when_it_is_as_old(void **state) {
        Fixture *f = *state;

        (void)add(f, "alice", "tty1", NOW);
        (void)add(f, "alice", "tty1", NOW + MINUTE);
        assert_user(f, "alice", NOW + HOUR - 1, 2, NOW);
        assert_user(f, "alice", NOW + HOUR, 1, NOW + MINUTE);
        assert_source(f, "tty1", NOW + HOUR, 1, NOW + MINUTE);
        assert_user(f, "alice", NOW + HOUR + MINUTE, 0, 0);
}

static void only_approval_gives_the_place_back(void **state) {
        static const Verdict ends[] = {VERDICT_DENIED, VERDICT_EXPIRED, VERDICT_CANCELLED};
        Fixture *f = *state;
        int64_t approved = add(f, "alice", "tty1", NOW);

        assert_user(f, "alice", NOW, 1, NOW);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(state_attempt_finish(f->state, add(f, "alice", "tty1", NOW + 1), ends[i]),
                                 0);
        assert_user(f, "alice", NOW + 1, 4, NOW);
        assert_int_equal(state_attempt_finish(f->state, approved, VERDICT_APPROVED), 0);
        assert_user(f, "alice", NOW + 1, 3, NOW + 1);
        assert_source(f, "tty1", NOW + 1, 3, NOW + 1);
}

static void an_attempt_ends_once(void **state) {
        Fixture *f = *state;
        int64_t id = add(f, "alice", "tty1", NOW);

        assert_int_equal(state_attempt_finish(f->state, id, VERDICT_PENDING), -EINVAL);
        assert_int_equal(state_attempt_finish(f->state, id, VERDICT_EXEMPT), -EINVAL);
        assert_int_equal(state_attempt_finish(f->state, id, (Verdict)99), -EINVAL);
        assert_int_equal(state_attempt_finish(f->state, id, VERDICT_DENIED), 0);
        assert_int_equal(state_attempt_finish(f->state, id, VERDICT_APPROVED), -ENOENT);
        assert_user(f, "alice", NOW, 1, NOW);
        assert_int_equal(state_attempt_finish(f->state, id + 1, VERDICT_APPROVED), -ENOENT);
        assert_int_equal(state_attempt_finish(f->state, 0, VERDICT_APPROVED), -ENOENT);
        assert_int_equal(state_attempt_finish(f->state, -1, VERDICT_APPROVED), -ENOENT);
}

/* A broker that died answered "unavailable" to whoever waited. Their attempts count on. */
static void what_was_pending_is_cancelled_at_the_next_start(void **state) {
        Fixture *f = *state;
        int64_t pending = add(f, "alice", "tty1", NOW), approved = add(f, "alice", "tty1", NOW);

        assert_int_equal(state_attempt_finish(f->state, approved, VERDICT_APPROVED), 0);
        fixture_reopen(f, NOW);
        assert_int_equal(state_attempt_finish(f->state, pending, VERDICT_APPROVED), -ENOENT);
        assert_user(f, "alice", NOW, 1, NOW);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt WHERE outcome = 'cancelled'"), 1);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt WHERE outcome = 'approved'"), 1);
}

static void an_id_never_comes_back(void **state) {
        Fixture *f = *state;
        unsigned removed;
        int64_t id = add(f, "alice", "tty1", NOW);

        assert_int_equal(state_clean(f->state, NOW + 8 * DAY, &removed), 0);
        assert_int_equal(removed, 1);
        assert_true(add(f, "bob", "tty2", NOW + 8 * DAY) > id);
        fixture_reopen(f, NOW + 8 * DAY);
        assert_int_equal(state_attempt_finish(f->state, id, VERDICT_APPROVED), -ENOENT);
}

static void what_does_not_fit_is_refused_whole(void **state) {
        char user[PEERAUTH_USER_MAX + 2] = {0}, source[STATE_SOURCE_MAX + 2] = {0};
        Fixture *f = *state;
        StateCount count;
        int64_t id = -5;

        memset(user, 'u', PEERAUTH_USER_MAX);
        memset(source, 's', STATE_SOURCE_MAX);
        (void)add(f, user, source, NOW);
        assert_user(f, user, NOW, 1, NOW);
        assert_source(f, source, NOW, 1, NOW);
        user[PEERAUTH_USER_MAX] = 'u';
        source[STATE_SOURCE_MAX] = 's';
        assert_int_equal(state_attempt_add(f->state, user, "tty1", NOW, &id), -EINVAL);
        assert_int_equal(state_attempt_add(f->state, "alice", source, NOW, &id), -EINVAL);
        assert_int_equal(state_attempt_add(f->state, NULL, "tty1", NOW, &id), -EINVAL);
        assert_int_equal(state_attempt_add(f->state, "alice", NULL, NOW, &id), -EINVAL);
        assert_int_equal(state_attempt_add(f->state, "alice", "tty1", STATE_TIME_MAX + 1, &id), -EINVAL);
        assert_int_equal(state_attempt_count_user(f->state, user, NOW, HOUR, &count), -EINVAL);
        assert_int_equal(state_attempt_count_source(f->state, source, NOW, HOUR, &count), -EINVAL);
        assert_int_equal(state_attempt_count_user(f->state, "alice", NOW, UINT64_MAX, &count), -EINVAL);
        assert_int_equal(id, -5);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt"), 1);
}

/* SQL in a name is a name, and bytes that are no UTF-8 come to no harm. */
static void texts_are_bytes(void **state) {
        static const char *const names[] = {"'; DROP TABLE attempt; --", "\xff\xfe\x80", "?1", "a\nb\x1b[31m",
                                            ""};
        Fixture *f = *state;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)add(f, names[i], names[i], NOW);
                assert_user(f, names[i], NOW, 1, NOW);
                assert_source(f, names[i], NOW, 1, NOW);
        }
        fixture_reopen(f, NOW);
        assert_user(f, "\xff\xfe\x80", NOW, 1, NOW);
}

/* Rows of id, all one second apart, the last one at NOW. */
static void fill(Fixture *f, unsigned n, const char *user, const char *source, const char *outcome) {
        char sql[600];

        fixture_close(f);
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO attempt(user, source, outcome, time)"
                       " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
                       " SELECT %s, %s, %s, 1700000000000000 - (%u - i) * 1000000 FROM n",
                       n, user, source, outcome, n);
        fixture_sql(f, sql);
        fixture_open(f);
}

static void a_user_keeps_so_many_attempts(void **state) {
        Fixture *f = *state;

        fill(f, 256, "'alice'", "'s' || i", "'denied'");
        assert_user(f, "alice", NOW, 256, NOW - 255 * SECOND);
        (void)add(f, "alice", "tty1", NOW + SECOND);
        assert_user(f, "alice", NOW + SECOND, 256, NOW - 254 * SECOND);
        (void)add(f, "bob", "tty1", NOW + SECOND);
        assert_user(f, "alice", NOW + SECOND, 256, NOW - 254 * SECOND);
}

static void approved_attempts_are_forgotten_first(void **state) {
        Fixture *f = *state;

        fill(f, 256, "'alice'", "'s' || i", "iif(i = 200, 'approved', 'denied')");
        assert_user(f, "alice", NOW, 255, NOW - 255 * SECOND);
        (void)add(f, "alice", "tty1", NOW + SECOND);
        assert_user(f, "alice", NOW + SECOND, 256, NOW - 255 * SECOND);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt WHERE outcome = 'approved'"), 0);
}

static void a_source_keeps_so_many_attempts(void **state) {
        Fixture *f = *state;

        fill(f, 1024, "'u' || i", "'192.0.2.1'", "'expired'");
        (void)add(f, "alice", "192.0.2.1", NOW + SECOND);
        assert_source(f, "192.0.2.1", NOW + SECOND, 1024, NOW - 1022 * SECOND);
        assert_user(f, "u1", NOW + SECOND, 0, 0);
        assert_user(f, "u2", NOW + SECOND, 1, NOW - 1022 * SECOND);
}

static void all_sources_together_are_bounded_and_the_oldest_forgotten(void **state) {
        Fixture *f = *state;

        fill(f, 16384, "'u' || i", "'s' || i", "'denied'");
        (void)add(f, "alice", "tty1", NOW + SECOND);
        (void)add(f, "alice", "tty2", NOW + SECOND);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt"), 16384);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt WHERE user IN ('u1', 'u2')"), 0);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM attempt WHERE user = 'u3'"), 1);
        assert_user(f, "alice", NOW + SECOND, 2, NOW + SECOND);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(users_and_sources_are_counted_apart),
                fixture_test_open(an_attempt_leaves_the_window_when_it_is_as_old),
                fixture_test_open(only_approval_gives_the_place_back),
                fixture_test_open(an_attempt_ends_once),
                fixture_test_open(what_was_pending_is_cancelled_at_the_next_start),
                fixture_test_open(an_id_never_comes_back),
                fixture_test_open(what_does_not_fit_is_refused_whole),
                fixture_test_open(texts_are_bytes),
                fixture_test_open(a_user_keeps_so_many_attempts),
                fixture_test_open(approved_attempts_are_forgotten_first),
                fixture_test_open(a_source_keeps_so_many_attempts),
                fixture_test_open(all_sources_together_are_bounded_and_the_oldest_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
