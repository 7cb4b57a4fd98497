/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/recovery.c: bits to characters, and back from whatever people make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/recovery.h"

static void assert_code(const uint8_t random[RECOVERY_BYTES], const char *expected) {
        char shown[RECOVERY_SHOWN_SIZE];
        RecoveryCode code;

        recovery_from_random(random, &code);
        recovery_show(&code, shown);
        assert_string_equal(shown, expected);
}

/* Sixteen groups of five bits: 0 to 15, then 16 to 31. */
static void every_value_has_its_character(void **state) {
        static const uint8_t low[] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf};
        static const uint8_t high[] = {0x84, 0x65, 0x3a, 0x56, 0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf};
        static const uint8_t zero[RECOVERY_BYTES];

        (void)state;
        assert_code(zero, "0000-0000-0000-0000");
        assert_code(low, "0123-4567-89AB-CDEF");
        assert_code(high, "GHJK-MNPQ-RSTV-WXYZ");
}

/* 80 bits: each of them changes exactly its own character. */
static void no_bit_is_lost(void **state) {
        static const char one_bit[] = "G8421";

        (void)state;
        for (unsigned bit = 0; bit < 8 * RECOVERY_BYTES; bit++) {
                uint8_t random[RECOVERY_BYTES] = {0};
                char expected[] = "0000-0000-0000-0000";

                random[bit / 8] = (uint8_t)(0x80 >> bit % 8);
                expected[bit / 5 + bit / 20] = one_bit[bit % 5];
                assert_code(random, expected);
        }
}

static void assert_parsed(const char *typed, const char *canonical) {
        RecoveryCode code = {"untouched"};

        assert_int_equal(recovery_parse(typed, &code), 0);
        assert_string_equal(code.canonical, canonical);
}

static void what_people_type_is_one_form(void **state) {
        (void)state;
        assert_parsed("8K3V-0QWX-1ABC-DEFG", "8K3V0QWX1ABCDEFG");
        assert_parsed("8K3V0QWX1ABCDEFG", "8K3V0QWX1ABCDEFG");
        assert_parsed("8k3v 0qwx 1abc defg", "8K3V0QWX1ABCDEFG");
        assert_parsed("8k3v-Oqwx-labc-defg", "8K3V0QWX1ABCDEFG");
        assert_parsed("8K3V-oQWX-IABC-DEFG", "8K3V0QWX1ABCDEFG");
        assert_parsed("8K3V-0QWX-iABC-DEFG", "8K3V0QWX1ABCDEFG");
        assert_parsed("8K3V-0QWX-LABC-DEFG", "8K3V0QWX1ABCDEFG");
        assert_parsed("  8-K-3-V--0QWX\t- 1ABCDE FG-\r\n", "8K3V0QWX1ABCDEFG");
        assert_parsed("ghjk-mnpq-rstv-wxyz", "GHJKMNPQRSTVWXYZ");
}

static void what_is_shown_can_be_typed(void **state) {
        uint8_t random[RECOVERY_BYTES];

        (void)state;
        for (unsigned i = 0; i < 256; i++) {
                char shown[RECOVERY_SHOWN_SIZE];
                RecoveryCode code, parsed;

                for (unsigned j = 0; j < RECOVERY_BYTES; j++)
                        random[j] = (uint8_t)(i * 7 + j * 59 + i * j);
                recovery_from_random(random, &code);
                recovery_show(&code, shown);
                assert_int_equal(recovery_parse(shown, &parsed), 0);
                assert_memory_equal(&parsed, &code, sizeof(code));
        }
}

static void what_is_no_code_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "482913",
                "----",
                "8K3V-0QWX-1ABC-DEF",
                "8K3V-0QWX-1ABC-DEFGH",
                "8K3V-0QWX-1ABC-DEFU", /* not in the alphabet */
                "8K3V-0QWX-1ABC-DEF*", /* a check symbol of Crockford's */
                "8K3V_0QWX_1ABC_DEFG",
                "8K3V-0QWX-1ABC-DEFG;",
                "8K3V\u20130QWX-1ABC-DEFG",
                "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                "8K3V-0QWX-1ABC-D\x1b[A",
        };
        static const RecoveryCode untouched = {"untouched"};
        RecoveryCode code = untouched;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (recovery_parse(texts[i], &code) != -EINVAL)
                        fail_msg("'%s' was taken", texts[i]);
        assert_memory_equal(&code, &untouched, sizeof(code));
}

static void long_text_is_refused(void **state) {
        char typed[RECOVERY_TYPED_MAX + 2];
        RecoveryCode code;

        (void)state;
        memset(typed, ' ', sizeof(typed));
        memcpy(typed, "8K3V0QWX1ABCDEFG", 16);
        typed[RECOVERY_TYPED_MAX] = '\0';
        assert_int_equal(recovery_parse(typed, &code), 0);
        typed[RECOVERY_TYPED_MAX] = ' ';
        typed[RECOVERY_TYPED_MAX + 1] = '\0';
        assert_int_equal(recovery_parse(typed, &code), -EINVAL);
}

static void wiped_is_gone(void **state) {
        static const RecoveryCode zero;
        RecoveryCode code;

        (void)state;
        assert_int_equal(recovery_parse("8K3V0QWX1ABCDEFG", &code), 0);
        recovery_wipe(&code);
        assert_memory_equal(&code, &zero, sizeof(code));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_value_has_its_character),
                cmocka_unit_test(no_bit_is_lost),
                cmocka_unit_test(what_people_type_is_one_form),
                cmocka_unit_test(what_is_shown_can_be_typed),
                cmocka_unit_test(what_is_no_code_is_refused),
                cmocka_unit_test(long_text_is_refused),
                cmocka_unit_test(wiped_is_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
