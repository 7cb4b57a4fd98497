/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the protocol, and that whatever is not one of them reads as denial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>
#include <string.h>

#include "common/verdict.h"

static const struct {
        Verdict verdict;
        const char *word; /* written out: the words are a protocol, so they must not change with the header */
        bool final;
} table[] = {
        {VERDICT_DENIED, "denied", true},   {VERDICT_PENDING, "pending", false},
        {VERDICT_EXEMPT, "exempt", true},   {VERDICT_APPROVED, "approved", true},
        {VERDICT_EXPIRED, "expired", true}, {VERDICT_CANCELLED, "cancelled", true},
};

static void test_words(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                assert_string_equal(verdict_to_string(table[i].verdict), table[i].word);
                assert_int_equal(verdict_from_string(table[i].word), table[i].verdict);
                assert_int_equal(verdict_is_final(table[i].verdict), table[i].final);
        }
}

static void test_denial_is_zero(void **unused) {
        (void)unused;
        Verdict zero;

        memset(&zero, 0, sizeof(zero));
        assert_string_equal(verdict_to_string(zero), "denied");
}

static void test_anything_else_is_denial(void **unused) {
        (void)unused;
        static const char *const words[] = {"",         " approved", "approved ", "Approved",
                                            "APPROVED", "approve",   "approvedd", "a",
                                            "3",        "allow",     "yes",       "\xff"};

        assert_int_equal(verdict_from_string(NULL), VERDICT_DENIED);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                assert_int_equal(verdict_from_string(words[i]), VERDICT_DENIED);
}

static void test_values_outside_the_enum(void **unused) {
        (void)unused;
        static const int values[] = {-1, VERDICT_CANCELLED + 1, 255, INT32_MAX, INT32_MIN};

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                assert_string_equal(verdict_to_string((Verdict)values[i]), "denied");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_denial_is_zero),
                cmocka_unit_test(test_anything_else_is_denial),
                cmocka_unit_test(test_values_outside_the_enum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
