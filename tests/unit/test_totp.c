/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/totp.c against RFC 4226 appendix D, RFC 6238 appendix B and RFC 4648; attack R2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/crypto.h"
#include "common/totp.h"

/* "12345678901234567890", the secret of both RFCs for SHA-1. */
static const TotpSecret rfc = {
        {'1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '0'}};

static void passwords_of_rfc4226_appendix_d(void **state) {
        static const char *const expected[] = {"755224", "287082", "359152", "969429", "338314",
                                               "254676", "287922", "162583", "399871", "520489"};

        (void)state;
        for (uint64_t step = 0; step < 10; step++) {
                char password[TOTP_DIGITS + 1];

                assert_int_equal(totp_password(&rfc, step, password), 0);
                assert_string_equal(password, expected[step]);
        }
}

/* Its times, its values of T, and the last six of its eight digits: HOTP is modulo 10^digits. */
static void passwords_of_rfc6238_appendix_b(void **state) {
        static const struct {
                uint64_t now, step;
                const char *eight;
        } rows[] = {
                {59, 0x1, "94287082"},
                {1111111109, 0x23523EC, "07081804"},
                {1111111111, 0x23523ED, "14050471"},
                {1234567890, 0x273EF07, "89005924"},
                {2000000000, 0x3F940AA, "69279037"},
                {20000000000, 0x27BC86AA, "65353130"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char password[TOTP_DIGITS + 1];
                uint64_t step = 0;

                assert_int_equal(totp_password(&rfc, rows[i].step, password), 0);
                assert_string_equal(password, rows[i].eight + 2);
                assert_int_equal(totp_match(&rfc, rows[i].eight + 2, rows[i].now, 0, &step), 1);
                assert_int_equal(step, rows[i].step);
        }
}

/* Steps 3 to 7 of appendix D as seen from each second of step 5, and from just outside. */
static void one_step_on_either_side(void **state) {
        static const struct {
                const char *typed;
                uint64_t step, first, last; /* of those seconds at which it is taken */
        } rows[] = {
                {"969429", 3, 60, 149},  {"338314", 4, 90, 179},  {"254676", 5, 120, 209},
                {"287922", 6, 150, 239}, {"162583", 7, 180, 269},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                for (uint64_t now = 0; now < 330; now++) {
                        bool fits = now >= rows[i].first && now <= rows[i].last;
                        uint64_t step = 99;

                        assert_int_equal(totp_match(&rfc, rows[i].typed, now, 0, &step), fits ? 1 : 0);
                        assert_int_equal(step, fits ? rows[i].step : 99);
                }
}

/* Attack R2: an app whose clock is a minute early or late. */
static void a_clock_off_by_a_minute_is_refused(void **state) {
        uint64_t step = 99;

        (void)state;
        assert_int_equal(totp_match(&rfc, "050471", 1111111111, 0, &step), 1);
        assert_int_equal(totp_match(&rfc, "050471", 1111111111 + 60, 0, &step), 0);
        assert_int_equal(totp_match(&rfc, "050471", 1111111111 - 60, 0, &step), 0);
        assert_int_equal(step, 0x23523ED);
}

/* Attack R2: the step that matched, and those before it, never again; the next one is taken. */
static void a_step_is_used_once(void **state) {
        uint64_t step = 0;

        (void)state;
        assert_int_equal(totp_match(&rfc, "254676", 150, 0, &step), 1);
        assert_int_equal(step, 5);
        assert_int_equal(totp_match(&rfc, "254676", 150, 5, &step), 0);
        assert_int_equal(totp_match(&rfc, "254676", 209, 5, &step), 0);
        assert_int_equal(totp_match(&rfc, "338314", 150, 5, &step), 0);
        assert_int_equal(totp_match(&rfc, "254676", 150, 4, &step), 1);
        assert_int_equal(totp_match(&rfc, "287922", 150, 5, &step), 1);
        assert_int_equal(step, 6);
        assert_int_equal(totp_match(&rfc, "287922", 150, 6, &step), 0);
}

/* Attack T1: the clock was in the future when a step was used, and is set back. */
static void a_step_used_in_the_future_is_told(void **state) {
        uint64_t step = 99;

        (void)state;
        assert_int_equal(totp_match(&rfc, "254676", 150, 7, &step), -ESTALE);
        assert_int_equal(totp_match(&rfc, "254676", 150, UINT64_MAX, &step), -ESTALE);
        assert_int_equal(totp_match(&rfc, "254676", 179, 7, &step), -ESTALE);
        assert_int_equal(totp_match(&rfc, "399871", 180 + 30, 7, &step), 1);
        assert_int_equal(step, 8);
}

static void what_is_no_password_is_refused(void **state) {
        static const char *const texts[] = {"",        "25467",    "2546760", "254 676", " 254676",
                                            "254676 ", "254676\n", "25467a",  "-54676",  "\u066254676"};
        uint64_t step = 99;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(totp_match(&rfc, texts[i], 150, 0, &step), -EINVAL);
        assert_int_equal(totp_match(&rfc, "254677", 150, 0, &step), 0);
        assert_int_equal(totp_match(&rfc, "154676", 150, 0, &step), 0);
        assert_int_equal(step, 99);
}

static void another_secret_does_not_match(void **state) {
        uint64_t step = 99;

        (void)state;
        for (size_t bit = 0; bit < 8 * sizeof(rfc.bytes); bit++) {
                TotpSecret other = rfc;

                other.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
                assert_int_equal(totp_match(&other, "254676", 150, 0, &step), 0);
        }
        assert_int_equal(step, 99);
}

static void secrets_differ_and_are_wiped(void **state) {
        static const TotpSecret zero;
        TotpSecret a = {0}, b = {0};

        (void)state;
        totp_secret_generate(&a);
        totp_secret_generate(&b);
        assert_int_equal(sizeof(a), 20);
        assert_memory_not_equal(&a, &b, sizeof(a));
        assert_memory_not_equal(&a.bytes[12], &zero, 8); /* to the end */
        totp_secret_wipe(&a);
        assert_memory_equal(&a, &zero, sizeof(a));
}

static void text_is_base32_in_groups(void **state) {
        char text[TOTP_TEXT_SIZE];
        TotpSecret ones;

        (void)state;
        assert_int_equal(totp_secret_text(&rfc, text), 0);
        assert_string_equal(text, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        memset(&ones, 0xff, sizeof(ones));
        assert_int_equal(totp_secret_text(&ones, text), 0);
        assert_string_equal(text, "7777 7777 7777 7777 7777 7777 7777 7777");
}

static void assert_uri(const char *host, const char *account, const char *expected_host,
                       const char *expected_account) {
        char uri[TOTP_URI_SIZE], expected[TOTP_URI_SIZE];

        assert_int_equal(totp_uri(&rfc, host, account, uri), 0);
        (void)snprintf(expected, sizeof(expected),
                       "otpauth://totp/%s:%s?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=%s",
                       expected_host, expected_account, expected_host);
        assert_string_equal(uri, expected);
}

static void uri_of_plain_names(void **state) {
        (void)state;
        assert_uri("ws1", "alice", "ws1", "alice");
        assert_uri("ws-1.lab.example", "a.b_c~d", "ws-1.lab.example", "a.b_c~d");
        assert_uri("ws1", "LAB\\alice smith", "ws1", "LAB%5Calice%20smith");
        assert_uri("ws1", "j\xc3\xbcrgen", "ws1", "j%C3%BCrgen");
}

/* Names that would add parameters, another issuer, or what a person does not see. */
static void uri_of_hostile_names(void **state) {
        (void)state;
        assert_uri("ws1", "x&secret=AAAA#?/%41+", "ws1", "x%26secret%3DAAAA%23%3F%2F%2541%2B");
        assert_uri("a:b", "c:d:", "a_b", "c_d_");
        assert_uri("ws1", "\x1b[2J", "ws1", "%5Cx1b%5B2J");
        assert_uri("ws1", "z\u202ez", "ws1", "z%5Cu%7B202e%7Dz");
        assert_uri("\xff", "a\nb", "%5Cxff", "a%5Cx0ab");
}

static void uri_of_names_that_are_too_long_or_empty(void **state) {
        char name[1000], cut[TOTP_URI_SIZE] = "", uri[TOTP_URI_SIZE];

        (void)state;
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        memset(cut, 'n', TOTP_LABEL_MAX - 3);
        memcpy(cut + TOTP_LABEL_MAX - 3, "...", 4);
        assert_uri(name, name, cut, cut);
        memset(name, '%', TOTP_LABEL_MAX); /* the longest that there is */
        name[TOTP_LABEL_MAX] = '\0';
        assert_int_equal(totp_uri(&rfc, name, name, uri), 0);
        assert_int_equal(strlen(uri),
                         3 * 3 * TOTP_LABEL_MAX + strlen("otpauth://totp/:?secret=&issuer=") + 32);
        assert_int_equal(totp_uri(&rfc, "", "alice", uri), -EINVAL);
        assert_int_equal(totp_uri(&rfc, "ws1", "", uri), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(passwords_of_rfc4226_appendix_d),
                cmocka_unit_test(passwords_of_rfc6238_appendix_b),
                cmocka_unit_test(one_step_on_either_side),
                cmocka_unit_test(a_clock_off_by_a_minute_is_refused),
                cmocka_unit_test(a_step_is_used_once),
                cmocka_unit_test(a_step_used_in_the_future_is_told),
                cmocka_unit_test(what_is_no_password_is_refused),
                cmocka_unit_test(another_secret_does_not_match),
                cmocka_unit_test(secrets_differ_and_are_wiped),
                cmocka_unit_test(text_is_base32_in_groups),
                cmocka_unit_test(uri_of_plain_names),
                cmocka_unit_test(uri_of_hostile_names),
                cmocka_unit_test(uri_of_names_that_are_too_long_or_empty),
        };

        if (crypto_init() < 0 || totp_init() < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
