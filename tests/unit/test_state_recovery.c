/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/state_recovery.c: a code serves once, and only its account (attack R1). */
#include "tests/unit/state_fixture.h"

static const StateAccount alice = {"alice", 1000}, bob = {"bob", 1001};
static const char *const hashes[] = {"$argon2id$one", "$argon2id$two", "$argon2id$three"};

static void give(Fixture *f, StateAccount account, size_t n) {
        assert_int_equal(state_recovery_replace(f->state, account, hashes, n, NOW), 0);
}

static int64_t id_of(Fixture *f, StateAccount account, size_t index) {
        _cleanup_free_ StateRecovery *codes = NULL;
        size_t n;

        assert_int_equal(state_recovery_list(f->state, account, &codes, &n), 0);
        assert_true(index < n);
        return codes[index].id;
}

static void assert_left(Fixture *f, StateAccount account, unsigned expected) {
        unsigned left = 99;

        assert_int_equal(state_recovery_left(f->state, account, &left), 0);
        assert_int_equal(left, expected);
}

static void codes_are_listed_without_their_hashes(void **state) {
        _cleanup_free_ StateRecovery *codes = NULL;
        Fixture *f = *state;
        size_t n = 99;

        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_null(codes);
        assert_int_equal(n, 0);
        give(f, alice, 3);
        assert_int_equal(state_recovery_use(f->state, alice, id_of(f, alice, 1), NOW + HOUR), 1);
        fixture_reopen(f, NOW + HOUR);
        assert_int_equal(state_recovery_list(f->state, alice, &codes, &n), 0);
        assert_int_equal(n, 3);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(codes[i].created_usec, NOW);
                assert_int_equal(codes[i].used_usec, i == 1 ? NOW + HOUR : 0);
        }
        assert_true(codes[0].id < codes[1].id && codes[1].id < codes[2].id);
        assert_left(f, alice, 2);
}

static void only_unused_hashes_are_compared(void **state) {
        StateRecoveryHash *found = NULL;
        Fixture *f = *state;
        size_t n;

        give(f, alice, 3);
        assert_int_equal(state_recovery_use(f->state, alice, id_of(f, alice, 0), NOW), 1);
        assert_int_equal(state_recovery_hashes(f->state, alice, &found, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(found[0].hash, "$argon2id$two");
        assert_string_equal(found[1].hash, "$argon2id$three");
        assert_int_equal(found[0].id, id_of(f, alice, 1));
        free(found);
        found = NULL;
        assert_int_equal(state_recovery_hashes(f->state, bob, &found, &n), 0);
        assert_null(found);
        assert_int_equal(n, 0);
}

static void a_code_serves_once(void **state) {
        Fixture *f = *state;
        int64_t id;

        give(f, alice, 3);
        id = id_of(f, alice, 0);
        assert_int_equal(state_recovery_use(f->state, alice, id, NOW + 1), 1);
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(state_recovery_use(f->state, alice, id, NOW + 2 + i), 0);
        fixture_reopen(f, NOW + HOUR);
        assert_int_equal(state_recovery_use(f->state, alice, id, NOW + HOUR), 0);
        assert_left(f, alice, 2);
}

static void a_code_serves_no_other_account(void **state) {
        static const StateAccount renamed = {"alice", 1001}, same_uid = {"mallory", 1000};
        Fixture *f = *state;
        int64_t id;

        give(f, alice, 1);
        id = id_of(f, alice, 0);
        assert_int_equal(state_recovery_use(f->state, bob, id, NOW), 0);
        assert_int_equal(state_recovery_use(f->state, renamed, id, NOW), 0);
        assert_int_equal(state_recovery_use(f->state, same_uid, id, NOW), 0);
        assert_int_equal(state_recovery_use(f->state, alice, id + 1, NOW), 0);
        assert_left(f, renamed, 0);
        assert_left(f, same_uid, 0);
        assert_left(f, alice, 1);
        assert_int_equal(state_recovery_use(f->state, alice, id, NOW), 1);
}

static void new_codes_replace_all_old_ones(void **state) {
        Fixture *f = *state;
        int64_t old;

        give(f, alice, 3);
        give(f, bob, 2);
        old = id_of(f, alice, 2);
        give(f, alice, 2);
        assert_int_equal(state_recovery_use(f->state, alice, old, NOW), 0);
        assert_left(f, alice, 2);
        assert_left(f, bob, 2);
        assert_true(id_of(f, alice, 0) > old);
        give(f, alice, 0);
        assert_left(f, alice, 0);
        assert_left(f, bob, 2);
}

/* An account that was deleted and made again under its name, or another one with its uid. */
static void leftovers_of_an_earlier_account_go(void **state) {
        static const StateAccount again = {"alice", 2000}, other = {"mallory", 1001};
        Fixture *f = *state;

        give(f, alice, 3);
        give(f, bob, 3);
        give(f, again, 1);
        give(f, other, 1);
        assert_left(f, alice, 0);
        assert_left(f, bob, 0);
        assert_left(f, again, 1);
        assert_left(f, other, 1);
        assert_int_equal(fixture_integer(f, "SELECT count(*) FROM recovery"), 2);
}

static void what_does_not_fit_changes_nothing(void **state) {
        const char *many[STATE_RECOVERY_MAX + 1], *bad[2] = {"$argon2id$", NULL};
        const StateAccount nobody = {"alice", (uid_t)-1}, nameless = {NULL, 1000};
        char hash[STATE_HASH_MAX + 2] = {0};
        Fixture *f = *state;
        unsigned left = 99;

        for (size_t i = 0; i < STATE_RECOVERY_MAX + 1; i++)
                many[i] = "$argon2id$";
        give(f, alice, 3);
        assert_int_equal(state_recovery_replace(f->state, alice, many, STATE_RECOVERY_MAX + 1, NOW), -EINVAL);
        assert_int_equal(state_recovery_replace(f->state, alice, bad, 2, NOW), -EINVAL);
        bad[1] = "";
        assert_int_equal(state_recovery_replace(f->state, alice, bad, 2, NOW), -EINVAL);
        memset(hash, 'h', STATE_HASH_MAX + 1);
        bad[1] = hash;
        assert_int_equal(state_recovery_replace(f->state, alice, bad, 2, NOW), -EINVAL);
        assert_int_equal(state_recovery_replace(f->state, nobody, hashes, 1, NOW), -EINVAL);
        assert_int_equal(state_recovery_replace(f->state, nameless, hashes, 1, NOW), -EINVAL);
        assert_int_equal(state_recovery_use(f->state, nobody, 1, NOW), -EINVAL);
        assert_int_equal(state_recovery_left(f->state, nobody, &left), -EINVAL);
        assert_left(f, alice, 3);
        hash[STATE_HASH_MAX] = '\0';
        assert_int_equal(state_recovery_replace(f->state, alice, bad, 2, NOW), 0);
        assert_int_equal(state_recovery_replace(f->state, bob, many, STATE_RECOVERY_MAX, NOW), 0);
        assert_left(f, bob, STATE_RECOVERY_MAX);
}

static bool file_has(const Fixture *f, const char *name, const char *text) {
        size_t size;
        _cleanup_free_ char *data = NULL;

        if (access(fixture_path(f, name), F_OK) < 0)
                return false;
        data = fixture_read(fixture_path(f, name), &size);
        return memmem(data, size, text, strlen(text)) != NULL;
}

static void replaced_hashes_leave_the_disk(void **state) {
        Fixture *f = *state;

        give(f, alice, 3);
        assert_true(file_has(f, "state.db", "$argon2id$two") || file_has(f, "state.db-wal", "$argon2id$two"));
        give(f, alice, 1);
        assert_false(file_has(f, "state.db", "$argon2id$two"));
        assert_false(file_has(f, "state.db-wal", "$argon2id$two"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test_open(codes_are_listed_without_their_hashes),
                fixture_test_open(only_unused_hashes_are_compared),
                fixture_test_open(a_code_serves_once),
                fixture_test_open(a_code_serves_no_other_account),
                fixture_test_open(new_codes_replace_all_old_ones),
                fixture_test_open(leftovers_of_an_earlier_account_go),
                fixture_test_open(what_does_not_fit_changes_nothing),
                fixture_test_open(replaced_hashes_leave_the_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
