/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The codes of requests: their distribution (attack C1), their uniqueness, and what matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "broker/code.h"
#include "common/crypto.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW 1
#endif
#endif
#ifdef SLOW
enum {
        DRAWS = 1000000,
        CELLS = 10000,
        FILLS = 100
}; /* ten draws and more a cell make a chi-square test sound */
#else
enum { DRAWS = 10000000, CELLS = 1000000, FILLS = 3000 };
#endif

/* What libsodium draws next; its own numbers once the list is used up. */
static const uint32_t *script;
static unsigned script_left;

uint32_t randombytes_uniform(const uint32_t bound);
__attribute__((visibility("default"))) uint32_t randombytes_uniform(const uint32_t bound) {
        static uint32_t (*next)(uint32_t);

        if (script_left > 0) {
                script_left--;
                return *script++;
        }
        if (!next)
                *(void **)&next = dlsym(RTLD_NEXT, "randombytes_uniform");
        return next(bound);
}

static void play(const uint32_t *numbers, unsigned n) {
        script = numbers;
        script_left = n;
}

static Codes *codes(void) {
        Codes *c = NULL;

        assert_int_equal(codes_new(&c), 0);
        return c;
}

/* Pearson's statistic over equally likely cells, in standard deviations of its distribution. */
static double deviation(const uint32_t *counts, unsigned n, double total) {
        double expected = total / n, chi_square = 0;

        for (unsigned i = 0; i < n; i++)
                chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
        return (chi_square - (n - 1)) / sqrt(2.0 * (n - 1));
}

static void draws_are_uniform(void **state) {
        uint32_t *cells = calloc(CELLS, sizeof(*cells)), digits[PEERAUTH_CODE_DIGITS][10] = {0};
        char code[CODE_SIZE];

        (void)state;
        assert_non_null(cells);
        for (unsigned i = 0; i < DRAWS; i++) {
                code_draw(code);
                if (strlen(code) != 6 || strspn(code, "0123456789") != 6)
                        fail_msg("'%s' is not six digits", code);
                cells[strtoul(code, NULL, 10) / (1000000 / CELLS)]++;
                for (unsigned p = 0; p < PEERAUTH_CODE_DIGITS; p++)
                        digits[p][code[p] - '0']++;
        }
        /* A fair source is outside 6 of them about once in 10^8 runs. */
        if (fabs(deviation(cells, CELLS, DRAWS)) > 6)
                fail_msg("chi-square is off by %.1f standard deviations", deviation(cells, CELLS, DRAWS));
        for (unsigned p = 0; p < PEERAUTH_CODE_DIGITS;
             p++) /* skewed to the right with 9 degrees: allow more */
                if (deviation(digits[p], 10, DRAWS) > 12)
                        fail_msg("digit %u is off by %.1f", p, deviation(digits[p], 10, DRAWS));
        free(cells);
}

static void leading_zeros_are_kept(void **state) {
        static const uint32_t numbers[] = {0, 7, 4213, 999999};
        static const char *const expected[] = {"000000", "000007", "004213", "999999"};
        char code[CODE_SIZE];

        (void)state;
        play(numbers, 4);
        for (unsigned i = 0; i < 4; i++) {
                code_draw(code);
                assert_string_equal(code, expected[i]);
        }
}

static void a_code_that_is_taken_is_drawn_again(void **state) {
        static const uint32_t numbers[] = {5, 5, 5, 7, 7, 5, 8};
        Codes *c = codes();
        char first[CODE_SIZE], second[CODE_SIZE], third[CODE_SIZE];
        unsigned slots[3];

        (void)state;
        play(numbers, 7);
        assert_int_equal(codes_issue(c, false, &slots[0], first), 0);
        assert_int_equal(codes_issue(c, false, &slots[1], second), 0);
        assert_int_equal(codes_issue(c, true, &slots[2], third), 0);
        assert_string_equal(first, "000005");
        assert_string_equal(second, "000007");
        assert_string_equal(third, "000008");
        assert_int_equal(script_left, 0);
        codes_free(c);
}

static void sixty_four_are_unique(void **state) {
        Codes *c = codes();

        (void)state;
        for (unsigned fill = 0; fill < FILLS; fill++) {
                char all[PEERAUTH_PENDING_MAX][CODE_SIZE], extra[CODE_SIZE] = "kept";
                unsigned slots[PEERAUTH_PENDING_MAX], slot = 4711;

                for (unsigned i = 0; i < PEERAUTH_PENDING_MAX; i++) {
                        assert_int_equal(codes_issue(c, i % 2, &slots[i], all[i]), 0);
                        for (unsigned j = 0; j < i; j++) {
                                assert_string_not_equal(all[i], all[j]);
                                assert_int_not_equal(slots[i], slots[j]);
                        }
                }
                assert_int_equal(codes_issue(c, false, &slot, extra), -ENOBUFS);
                assert_int_equal(slot, 4711);
                assert_string_equal(extra, "kept");
                for (unsigned i = 0; i < PEERAUTH_PENDING_MAX; i++)
                        codes_drop(c, slots[i]);
        }
        codes_free(c);
}

static void only_the_code_of_the_slot_matches(void **state) {
        static const char *const wrong[] = {"", "12345", "1234567", "abcdef", "      ", "-12345"};
        Codes *c = codes();
        char victim[CODE_SIZE], attacker[CODE_SIZE];
        unsigned v, a;

        (void)state;
        assert_int_equal(codes_issue(c, false, &v, victim), 0);
        assert_int_equal(codes_issue(c, false, &a, attacker), 0);
        assert_true(codes_match(c, v, victim));
        assert_true(codes_match(c, a, attacker));
        assert_false(codes_match(c, a, victim)); /* attack C2 */
        assert_false(codes_match(c, v, attacker));
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_false(codes_match(c, v, wrong[i]));
        victim[5] = victim[5] == '9' ? '0' : (char)(victim[5] + 1);
        assert_false(codes_match(c, v, victim));
        codes_free(c);
}

static void a_dropped_code_matches_nothing(void **state) {
        Codes *c = codes();
        char code[CODE_SIZE];
        unsigned slot;

        (void)state;
        assert_int_equal(codes_issue(c, true, &slot, code), 0);
        codes_drop(c, slot);
        assert_false(codes_match(c, slot, code));
        assert_null(codes_digits(c, slot));
        codes_drop(c, slot);
        codes_drop(c, CODE_NO_SLOT);
        assert_false(codes_match(c, CODE_NO_SLOT, code));
        assert_false(codes_match(c, UINT32_MAX, code));
        assert_null(codes_digits(c, CODE_NO_SLOT));
        codes_free(c);
}

static void digits_are_kept_only_to_be_shown(void **state) {
        Codes *c = codes();
        char hidden[CODE_SIZE], shown[CODE_SIZE];
        unsigned h, s;

        (void)state;
        assert_int_equal(codes_issue(c, false, &h, hidden), 0);
        assert_int_equal(codes_issue(c, true, &s, shown), 0);
        assert_null(codes_digits(c, h));
        assert_string_equal(codes_digits(c, s), shown);
        codes_free(c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(draws_are_uniform),
                cmocka_unit_test(leading_zeros_are_kept),
                cmocka_unit_test(a_code_that_is_taken_is_drawn_again),
                cmocka_unit_test(sixty_four_are_unique),
                cmocka_unit_test(only_the_code_of_the_slot_matches),
                cmocka_unit_test(a_dropped_code_matches_nothing),
                cmocka_unit_test(digits_are_kept_only_to_be_shown),
        };

        if (crypto_init() < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
