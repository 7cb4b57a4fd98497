/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of the answers to an administrator's calls is believed. */
#include "tests/unit/liar_fixture.h"

#include <stdlib.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

LIE(reloaded, "su", HASH, 12U)
LIE(short_hash, "su", "0123", 12U)
LIE(capital_hash, "su", "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", 12U)
LIE(no_number, "s", HASH)
LIE(nothing, "")

static int reload(Answer answer, char **hash, uint32_t *rules) {
        Liar liar;
        int r;

        liar_start(&liar, answer);
        r = client_reload_policy(liar.client, hash, rules, NULL);
        liar_stop(&liar);
        return r;
}

static void test_hash_and_number_are_read(void **state) {
        _cleanup_free_ char *hash = NULL;
        uint32_t rules = 0;

        (void)state;
        assert_int_equal(reload(reloaded, &hash, &rules), 0);
        assert_string_equal(hash, HASH);
        assert_int_equal(rules, 12);
}

static void test_malformed_answers_are_refused(void **state) {
        static const Answer lies[] = {short_hash, capital_hash, no_number, nothing};

        (void)state;
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                char *hash = NULL;
                uint32_t rules = 77;
                int r = reload(lies[i], &hash, &rules);

                if (r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, r);
                assert_int_equal(r, -EBADMSG);
                assert_null(hash);
                assert_int_equal(rules, 77);
        }
}

/* ---- ways of recovery ---- */

#define CODE_1 "8K3V-0QWX-0000-ZZZZ"
#define NINE   CODE_1, CODE_1, CODE_1, CODE_1, CODE_1, CODE_1, CODE_1, CODE_1, CODE_1
#define SECRET "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
#define URI    "otpauth://totp/lab:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=lab"

LIE(ten, "as", 10, NINE, "0123-4567-89AB-CDEF")
LIE(nine, "as", 9, NINE)
LIE(eleven, "as", 11, NINE, CODE_1, CODE_1)
LIE(escape_in_a_code, "as", 10, NINE, "\x1b[2J-4567-89AB-CDEF")
LIE(short_code, "as", 10, NINE, "0123-4567-89AB-CDE")
LIE(numbers, "au", 2, 1U, 2U)

static void test_ten_codes_and_nothing_else_are_read(void **state) {
        static const Answer lies[] = {nine, eleven, escape_in_a_code, short_code, numbers, nothing};
        ClientRecoveryCodes codes = {0};
        Liar liar;

        (void)state;
        liar_start(&liar, ten);
        assert_int_equal(client_generate_recovery(liar.client, "alice", &codes, NULL), 0);
        liar_stop(&liar);
        assert_string_equal(codes.shown[0], CODE_1);
        assert_string_equal(codes.shown[9], "0123-4567-89AB-CDEF");
        client_recovery_codes_wipe(&codes);
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                int r;

                liar_start(&liar, lies[i]);
                r = client_generate_recovery(liar.client, "alice", &codes, NULL);
                liar_stop(&liar);
                if (r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, r);
                assert_int_equal(r, -EBADMSG);
                assert_string_equal(codes.shown[0], "");
        }
}

LIE(enrolled, "as", 2, SECRET, URI)
LIE(secret_only, "as", 1, SECRET)
LIE(three, "as", 3, SECRET, URI, URI)
LIE(escape_in_the_secret, "as", 2, "GEZD\x1b[2J", URI)
LIE(escape_in_the_uri, "as", 2, SECRET, "otpauth://totp/\x1b[2J")
LIE(long_secret, "as", 2, SECRET " GEZD", URI)
LIE(no_secret, "as", 2, "", URI)

static void test_secret_and_uri_are_read_if_a_terminal_may_see_them(void **state) {
        static const Answer lies[] = {secret_only,       three,       escape_in_the_secret,
                                      escape_in_the_uri, long_secret, no_secret};
        ClientTotp totp = {0};
        Liar liar;

        (void)state;
        liar_start(&liar, enrolled);
        assert_int_equal(client_enroll_totp(liar.client, "alice", "lab", &totp, NULL), 0);
        liar_stop(&liar);
        assert_string_equal(totp.secret, SECRET);
        assert_string_equal(totp.uri, URI);
        client_totp_wipe(&totp);
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                int r;

                liar_start(&liar, lies[i]);
                r = client_enroll_totp(liar.client, "alice", "lab", &totp, NULL);
                liar_stop(&liar);
                if (r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, r);
                assert_int_equal(r, -EBADMSG);
                assert_string_equal(totp.secret, "");
        }
}

LIE(has_three, "ub", 3U, 1)

static void test_what_an_account_has(void **state) {
        uint32_t codes = 77;
        bool totp = false;
        Liar liar;

        (void)state;
        liar_start(&liar, has_three);
        assert_int_equal(client_get_recovery(liar.client, "alice", &codes, &totp, NULL), 0);
        liar_stop(&liar);
        assert_int_equal(codes, 3);
        assert_true(totp);
        liar_start(&liar, no_number);
        assert_int_equal(client_get_recovery(liar.client, "alice", &codes, &totp, NULL), -EBADMSG);
        liar_stop(&liar);
        assert_int_equal(codes, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hash_and_number_are_read),
                cmocka_unit_test(test_malformed_answers_are_refused),
                cmocka_unit_test(test_ten_codes_and_nothing_else_are_read),
                cmocka_unit_test(test_secret_and_uri_are_read_if_a_terminal_may_see_them),
                cmocka_unit_test(test_what_an_account_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
