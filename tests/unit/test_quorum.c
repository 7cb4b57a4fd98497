/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quorums: all small ones against every way of giving people their parts, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "common/quorum.h"
#include "tests/unit/slow_quorum.h"

enum { PARTS = 3, PEOPLE = 5 };

/* One alternative of all parts. */
static Quorum all_of(unsigned n_parts, const unsigned *needed) {
        Quorum quorum = {.n_parts = n_parts,
                         .n_alternatives = 1,
                         .n_first = 1,
                         .alternatives = {(QuorumParts)((1ULL << n_parts) - 1)}};

        memcpy(quorum.needed, needed, n_parts * sizeof(*needed));
        return quorum;
}

static unsigned missing(const Quorum *quorum, const QuorumParts *people, size_t n) {
        return quorum_missing(quorum, false, people, n);
}

/* ---- every assignment ---- */

static void compare(const Quorum *quorum, bool escalated, const QuorumParts *people, size_t n) {
        unsigned expected = slow_missing(quorum, escalated, people, n);
        unsigned got = quorum_missing(quorum, escalated, people, n);

        if (got != expected)
                fail_msg(
                        "%u instead of %u: %u parts (%u %u %u), alternatives %x %x, %zu people (%x %x %x %x %x)",
                        got, expected, quorum->n_parts, quorum->needed[0], quorum->needed[1],
                        quorum->needed[2], quorum->alternatives[0], quorum->alternatives[1], n, people[0],
                        people[1], people[2], people[3], people[4]);
}

/* Every company of up to four people in every order, and of five in two orders. */
static void compare_with_all_people(const Quorum *quorum) {
        unsigned kinds = 1U << quorum->n_parts, end = 1;

        for (size_t n = 0; n <= PEOPLE; n++, end *= kinds)
                for (unsigned code = 0; code < end; code++) {
                        QuorumParts people[PEOPLE] = {0}, turned[PEOPLE] = {0};
                        unsigned rest = code;
                        bool sorted = true;

                        for (size_t i = 0; i < n; i++, rest /= kinds) {
                                people[i] = turned[n - 1 - i] = rest % kinds;
                                sorted &= i == 0 || people[i] >= people[i - 1];
                        }
                        if (n == PEOPLE && !sorted)
                                continue;
                        compare(quorum, false, people, n);
                        if (n == PEOPLE)
                                compare(quorum, false, turned, n);
                }
}

static void test_every_small_alternative(void **unused) {
        (void)unused;
        for (unsigned n_parts = 1; n_parts <= PARTS; n_parts++)
                for (unsigned sizes = 0; sizes < 1U << n_parts; sizes++)
                        for (QuorumParts parts = 1; parts < 1U << n_parts; parts++) {
                                unsigned needed[PARTS] = {1 + (sizes & 1), 1 + (sizes >> 1 & 1),
                                                          1 + (sizes >> 2 & 1)};
                                Quorum quorum = all_of(n_parts, needed);

                                quorum.alternatives[0] = parts;
                                compare_with_all_people(&quorum);
                        }
}

/* Two alternatives, the second open from the start or later, over every company of three. */
static void test_every_small_pair_of_alternatives(void **unused) {
        (void)unused;
        for (unsigned sizes = 0; sizes < 8; sizes++)
                for (unsigned pair = 0; pair < 64; pair++)
                        for (unsigned code = 0; code < 512; code++) {
                                Quorum quorum = {
                                        .n_parts = 3,
                                        .needed = {1 + (sizes & 1), 1 + (sizes >> 1 & 1), 1 + (sizes >> 2)},
                                        .n_alternatives = 2,
                                        .alternatives = {pair & 7, pair >> 3},
                                        .n_first = 1 + (code & 1),
                                };
                                QuorumParts people[PEOPLE] = {code & 7, code >> 3 & 7, code >> 6};

                                compare(&quorum, false, people, 3);
                                compare(&quorum, true, people, 3);
                        }
}

/* ---- requirements ---- */

/* MUST 1. */
static void test_a_person_counts_once(void **unused) {
        (void)unused;
        const Quorum both = all_of(2, (unsigned[]){1, 1}), two = all_of(1, (unsigned[]){2});
        const QuorumParts everything[] = {~0U, ~0U};

        assert_int_equal(missing(&both, everything, 1), 1);
        assert_int_equal(missing(&both, everything, 2), 0);
        assert_int_equal(missing(&two, everything, 1), 1);
        assert_int_equal(missing(&two, everything, 2), 0);
        /* Two who can only be the same. */
        assert_int_equal(missing(&both, (QuorumParts[]){1, 1}, 2), 1);
        assert_int_equal(missing(&both, (QuorumParts[]){2, 2}, 2), 1);
}

/* MUST 2. */
static void test_nothing_asked_is_never_reached(void **unused) {
        (void)unused;
        const QuorumParts everybody[] = {~0U, ~0U, ~0U};
        Quorum quorum = {0};

        assert_int_equal(missing(&quorum, everybody, 3), QUORUM_NEVER);
        assert_int_equal(quorum_missing(&quorum, true, everybody, 3), QUORUM_NEVER);
        assert_int_equal(quorum_size(&quorum, false), QUORUM_NEVER);
        assert_int_equal(quorum_size(&quorum, true), QUORUM_NEVER);
        assert_int_equal(quorum_open_parts(&quorum, true), 0);

        /* Parts that no alternative names. */
        quorum = all_of(2, (unsigned[]){1, 1});
        quorum.n_first = quorum.n_alternatives = 0;
        assert_int_equal(quorum_missing(&quorum, true, everybody, 3), QUORUM_NEVER);

        /* An alternative without parts, alone and beside a real one. */
        quorum.n_first = quorum.n_alternatives = 1;
        quorum.alternatives[0] = 0;
        assert_int_equal(missing(&quorum, everybody, 3), QUORUM_NEVER);
        quorum.n_first = quorum.n_alternatives = 2;
        quorum.alternatives[1] = 3;
        assert_int_equal(missing(&quorum, everybody, 1), 1);
        assert_int_equal(quorum_size(&quorum, false), 2);
}

static void test_alternatives_open_later(void **unused) {
        (void)unused;
        const Quorum quorum = {
                .n_parts = 3,
                .needed = {3, 1, 1},
                .n_alternatives = 2,
                .alternatives = {1, 6},
                .n_first = 1,
        };
        const QuorumParts second[] = {2, 4};

        assert_int_equal(quorum_open_parts(&quorum, false), 1);
        assert_int_equal(quorum_open_parts(&quorum, true), 7);
        assert_int_equal(quorum_size(&quorum, false), 3);
        assert_int_equal(quorum_size(&quorum, true), 2);
        assert_int_equal(quorum_missing(&quorum, false, second, 2), 3);
        assert_int_equal(quorum_missing(&quorum, true, second, 2), 0);
}

/* The people of two alternatives do not add up to one. */
static void test_alternatives_do_not_mix(void **unused) {
        (void)unused;
        const Quorum quorum = {
                .n_parts = 4,
                .needed = {1, 1, 1, 1},
                .n_alternatives = 2,
                .alternatives = {3, 12},
                .n_first = 2,
        };

        assert_int_equal(missing(&quorum, (QuorumParts[]){1, 4}, 2), 1);
        assert_int_equal(missing(&quorum, (QuorumParts[]){1, 8}, 2), 1);
        assert_int_equal(missing(&quorum, (QuorumParts[]){1, 4, 8}, 3), 0);
}

/* ---- limits ---- */

static void test_as_many_of_a_part_as_may_be(void **unused) {
        (void)unused;
        const Quorum quorum = all_of(1, (unsigned[]){PEERAUTH_APPROVALS_MAX});
        QuorumParts people[PEERAUTH_APPROVALS_MAX + 1];

        for (unsigned i = 0; i <= PEERAUTH_APPROVALS_MAX; i++)
                people[i] = 1;
        for (unsigned n = 0; n <= PEERAUTH_APPROVALS_MAX; n++)
                assert_int_equal(missing(&quorum, people, n), PEERAUTH_APPROVALS_MAX - n);
        assert_int_equal(missing(&quorum, people, PEERAUTH_APPROVALS_MAX + 1), 0);
        assert_int_equal(quorum_size(&quorum, false), PEERAUTH_APPROVALS_MAX);
}

/* Everybody must move by one part when the last person comes: the longest path there is. */
static void test_as_many_parts_as_may_be(void **unused) {
        (void)unused;
        unsigned needed[QUORUM_PARTS_MAX];
        QuorumParts people[2 * QUORUM_PARTS_MAX] = {0};
        Quorum quorum;

        for (unsigned size = 1; size <= 2; size++) {
                unsigned n = size * QUORUM_PARTS_MAX;

                for (unsigned i = 0; i < QUORUM_PARTS_MAX; i++)
                        needed[i] = size;
                quorum = all_of(QUORUM_PARTS_MAX, needed);
                assert_int_equal(quorum_open_parts(&quorum, false), 0xFFFF);
                for (unsigned i = 0; i < n; i++)
                        people[i] = i / size + 1 < QUORUM_PARTS_MAX ? 3U << i / size : 1;
                for (unsigned i = 0; i <= n; i++)
                        assert_int_equal(missing(&quorum, people, i), n - i);
                /* Nobody can be the last part. */
                for (unsigned i = 0; i < n; i++)
                        people[i] &= ~(1U << (QUORUM_PARTS_MAX - 1));
                assert_int_equal(missing(&quorum, people, n), size);
        }
}

static void test_as_many_alternatives_as_may_be(void **unused) {
        (void)unused;
        Quorum quorum = {.n_parts = QUORUM_ALTERNATIVES_MAX,
                         .n_alternatives = QUORUM_ALTERNATIVES_MAX,
                         .n_first = QUORUM_ALTERNATIVES_MAX};

        for (unsigned i = 0; i < QUORUM_ALTERNATIVES_MAX; i++) {
                quorum.needed[i] = QUORUM_ALTERNATIVES_MAX - i;
                quorum.alternatives[i] = 1U << i;
        }
        assert_int_equal(quorum_size(&quorum, false), 1);
        assert_int_equal(missing(&quorum, (QuorumParts[]){1U << (QUORUM_ALTERNATIVES_MAX - 1)}, 1), 0);
        quorum.n_first--;
        assert_int_equal(quorum_size(&quorum, false), 2);
        assert_int_equal(quorum_size(&quorum, true), 1);
}

static void test_people_beyond_the_limit_do_not_count(void **unused) {
        (void)unused;
        const Quorum quorum = all_of(1, (unsigned[]){2});
        QuorumParts people[QUORUM_PEOPLE_MAX + 2] = {0};

        people[QUORUM_PEOPLE_MAX - 1] = people[QUORUM_PEOPLE_MAX] = people[QUORUM_PEOPLE_MAX + 1] = 1;
        assert_int_equal(missing(&quorum, people, QUORUM_PEOPLE_MAX - 1), 2);
        assert_int_equal(missing(&quorum, people, QUORUM_PEOPLE_MAX), 1);
        assert_int_equal(missing(&quorum, people, QUORUM_PEOPLE_MAX + 2), 1);
        people[0] = 1;
        assert_int_equal(missing(&quorum, people, QUORUM_PEOPLE_MAX), 0);
}

/* Bits that stand for no part are not places. */
static void test_bits_beyond_the_parts(void **unused) {
        (void)unused;
        const Quorum quorum = all_of(1, (unsigned[]){1});

        assert_int_equal(missing(&quorum, (QuorumParts[]){~1U}, 1), 1);
        assert_int_equal(missing(&quorum, (QuorumParts[]){1U << 31 | 1}, 1), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_small_alternative),
                cmocka_unit_test(test_every_small_pair_of_alternatives),
                cmocka_unit_test(test_a_person_counts_once),
                cmocka_unit_test(test_nothing_asked_is_never_reached),
                cmocka_unit_test(test_alternatives_open_later),
                cmocka_unit_test(test_alternatives_do_not_mix),
                cmocka_unit_test(test_as_many_of_a_part_as_may_be),
                cmocka_unit_test(test_as_many_parts_as_may_be),
                cmocka_unit_test(test_as_many_alternatives_as_may_be),
                cmocka_unit_test(test_people_beyond_the_limit_do_not_count),
                cmocka_unit_test(test_bits_beyond_the_parts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
