/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of notes and reasons: anchored whatever stands in them, and never dear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/policy_pattern.h"

static regex_t *parse(const char *pattern) {
        regex_t *compiled = NULL;
        char *problem = NULL;
        int r = policy_pattern_parse(pattern, &compiled, &problem);

        if (r != 0 || problem)
                fail_msg("%d, \"%s\" for \"%s\"", r, problem ? problem : "", pattern);
        return compiled;
}

static bool fits(const char *pattern, const char *text) {
        regex_t *compiled = parse(pattern);
        int e = regexec(compiled, text, 0, NULL, 0);

        regfree(compiled);
        free(compiled);
        return e == 0;
}

static void test_the_whole_text_must_match(void **unused) {
        (void)unused;
        assert_true(fits("INC[0-9]{6}", "INC123456"));
        assert_false(fits("INC[0-9]{6}", "INC1234567"));
        assert_false(fits("INC[0-9]{6}", "see INC123456"));
        assert_false(fits("INC[0-9]{6}", "INC123456\n"));
        assert_false(fits("INC[0-9]{6}", "x\nINC123456\nx"));
        assert_true(fits("(INC|CHG)[0-9]+( .*)?", "CHG1 disk is full"));
        /* Both sides of an alternative are anchored. */
        assert_true(fits("a|b", "b"));
        assert_false(fits("a|b", "ax"));
        assert_false(fits("a|b", "xb"));
        /* Anchors of one's own do no harm. */
        assert_true(fits("^a+$", "aa"));
        assert_true(fits("^a|b$", "b"));
        assert_false(fits("^a|b$", "ax"));
        assert_true(fits("[)]", ")"));
        assert_false(fits("[)]|x", "xx"));
        assert_true(fits("[])]+", "])"));
        assert_true(fits("[^])]+", "ab"));
        assert_true(fits("[[:alpha:])]+", "a)"));
        assert_true(fits("\\)\\(|\\\\", ")("));
        assert_true(fits("[\\](a)", "\\a"));
        assert_true(fits("\\\\1", "\\1"));
        assert_false(fits("M\xc3\xbcller", "Muller"));
        assert_true(fits("M\xc3\xbcller", "M\xc3\xbcller"));
}

#define NO_PLACE "the pattern must stand right behind 'match:'"
#define CLOSES   "has a ')' without its '('; write \\) for the character"
#define BACK     "refers back, which is not supported"
#define TOO_MUCH "repeats too much; use smaller numbers in {}"
#define TWICE    "repeats a repetition; write one, as in {2,5}"
#define NESTED   "has repetitions in repetitions in repetitions; use fewer"
#define NO_REGEX "is not a regular expression: "

static const struct {
        const char *pattern, *problem;
} refused[] = {
        {"", NO_PLACE},
        {" INC", NO_PLACE},
        {"(", "'(' " NO_REGEX "Unmatched ( or \\("},
        {"a[b", "'a[b' " NO_REGEX "Unmatched [, [^, [:, [., or [="},
        {"[[:word:]]", "'[[:word:]]' " NO_REGEX "Invalid character class name"},
        {"*a", "'*a' " NO_REGEX "Invalid preceding regular expression"},
        {"a\\", "'a\\' " NO_REGEX "Trailing backslash"},
        {"a{2", "'a{2' " NO_REGEX "Unmatched \\{"},
        {"a{3,2}", "'a{3,2}' " NO_REGEX "Invalid content of \\{\\}"},
        {"[z-a]", "'[z-a]' " NO_REGEX "Invalid range end"},
        /* With glibc a ')' too many is a character: ^(a)|(.*)$ would match everything. */
        {"a)|(.*", "'a)|(.*' " CLOSES},
        {"a)|b", "'a)|b' " CLOSES},
        {"a)", "'a)' " CLOSES},
        {"[(])|(.*", "'[(])|(.*' " CLOSES},
        {"\\()|(.*", "'\\\\()|(.*' " CLOSES},
        {"[[:alpha:](])|(.*", "'[[:alpha:](])|(.*' " CLOSES},
        {"(a)\\1", "'(a)\\\\1' " BACK},
        {"(a)b\\9", "'(a)b\\\\9' " BACK},
        {"a{1001}", "'a{1001}' " TOO_MUCH},
        {"a++", "'a++' " TWICE}, /* glibc writes it out twice with each */
        {"(ab){2}*", "'(ab){2}*' " TWICE},
        {"a{1,}?", "'a{1,}?' " TWICE},
        {"((a+b)*c)?", "'((a+b)*c)?' " NESTED},
        {"(a|(b|c{2})+)*", "'(a|(b|c{2})+)*' " NESTED},
        {"a{501}", "'a{501}' " TOO_MUCH},
        {"(a{20}){30}", "'(a{20}){30}' " TOO_MUCH},
        {"(((a{99}){99}){99}){99}", "'(((a{99}){99}){99}){99}' " TOO_MUCH},
        {"((a|b){1,60}c){2,60}", "'((a|b){1,60}c){2,60}' " TOO_MUCH},
        {"a{0,99999999999999999999}", "'a{0,99999999999999999999}' " TOO_MUCH},
        {"a\x1b", "'a\\x1b' has an invisible character, or is not UTF-8"},
        {"a\xe2\x80\x8b", "'a\\u{200b}' has an invisible character, or is not UTF-8"},
};

static void expect_refused(const char *pattern, const char *expected) {
        regex_t *compiled = (regex_t *)&refused;
        char *problem = NULL;
        int r = policy_pattern_parse(pattern, &compiled, &problem);

        if (r != -EINVAL || !problem || strcmp(problem, expected) != 0)
                fail_msg("%d, \"%s\"\ninstead of \"%s\"\nfor \"%s\"", r, problem ? problem : "", expected,
                         pattern);
        assert_ptr_equal(compiled, &refused); /* not written */
        free(problem);
}

static void test_refused(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                expect_refused(refused[i].pattern, refused[i].problem);
}

static void test_the_locale_changes_nothing(void **unused) {
        (void)unused;
        for (unsigned i = 0; i < 2; i++) {
                assert_non_null(setlocale(LC_ALL, i ? "C.UTF-8" : "C"));
                assert_false(fits(".", "\xc3\xa4"));
                assert_true(fits("..", "\xc3\xa4"));
                assert_true(fits("M\xc3\xbcller", "M\xc3\xbcller"));
                expect_refused("[a-\xc3\xa4-z]", "'[a-\xc3\xa4-z]' " NO_REGEX "Invalid range end");
                assert_int_equal(MB_CUR_MAX, i ? 6 : 1); /* as it was */
        }
        assert_non_null(setlocale(LC_ALL, "C"));
}

static void test_length(void **unused) {
        (void)unused;
        char pattern[202], text[201];

        memset(pattern, 'a', 201);
        pattern[201] = '\0';
        expect_refused(pattern, "the pattern is longer than 200 bytes");
        pattern[200] = '\0';
        memcpy(text, pattern, sizeof(text));
        assert_true(fits(pattern, text));
        memset(pattern, '(', 100);
        memset(pattern + 100, ')', 100);
        assert_true(fits(pattern, ""));
}

/* What is allowed is quick to compile and to match against the longest note: all of it in a second. */
static void test_cost(void **unused) {
        (void)unused;
        static const char *const dear[] = {
                ".{500}",
                "(a?){100}a{100}",
                "(a*)*b",
                "(a|aa)+$b",
                "((aa|a){0,9}b?|(a.|a){0,8}){1,5}",
                "(a{0,20}){0,20}",
                "(.*.*.*.*.*.*.*.*.*.*.*.*)*b",
                "([a-z]+[a-z]+)*[0-9]",
        };
        char text[501];
        clock_t start = clock();

        memset(text, 'a', 500);
        text[500] = '\0';
        for (size_t i = 0; i < sizeof(dear) / sizeof(dear[0]); i++) {
                clock_t begin = clock();

                (void)fits(dear[i], text);
                print_message("%s: %ld us\n", dear[i], (long)((clock() - begin) * 1000000 / CLOCKS_PER_SEC));
        }
        assert_in_range((clock() - start) / CLOCKS_PER_SEC, 0, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_whole_text_must_match),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_the_locale_changes_nothing),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_cost),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
