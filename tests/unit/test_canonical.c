/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/canonical.c: the bytes of an entry. Expected texts follow RFC 8259 section 7 (escapes). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/canonical.h"

static void assert_string(const char *value, const char *expected) {
        Canonical c;
        char *text = NULL;
        size_t size = 0;

        canonical_begin(&c);
        canonical_string(&c, "k", value);
        assert_int_equal(canonical_end(&c, &text, &size), 0);
        assert_string_equal(text, expected);
        assert_int_equal(size, strlen(expected));
        free(text);
}

static void keys_keep_their_order_and_nothing_is_between(void **state) {
        char *groups[] = {(char *)"staff", (char *)"a\"b", NULL}, *none[] = {NULL};
        Canonical c;
        char *text = NULL;
        size_t size;

        (void)state;
        canonical_begin(&c);
        canonical_uint(&c, "v", 1);
        canonical_string(&c, "z", "last first");
        canonical_string(&c, "absent", NULL);
        canonical_uint(&c, "a", UINT64_MAX);
        canonical_strings(&c, "groups", groups);
        canonical_strings(&c, "gone", NULL);
        canonical_strings(&c, "none", none);
        assert_int_equal(canonical_end(&c, &text, &size), 0);
        assert_string_equal(text, "{\"v\":1,\"z\":\"last first\",\"a\":18446744073709551615,"
                                  "\"groups\":[\"staff\",\"a\\\"b\"],\"none\":[]}");
        free(text);
}

static void an_empty_object(void **state) {
        Canonical c;
        char *text = NULL;
        size_t size;

        (void)state;
        canonical_begin(&c);
        assert_int_equal(canonical_end(&c, &text, &size), 0);
        assert_string_equal(text, "{}");
        free(text);
}

static void characters_have_one_spelling(void **state) {
        (void)state;
        assert_string("", "{\"k\":\"\"}");
        assert_string(" ~/'`", "{\"k\":\" ~/'`\"}");
        assert_string("\"\\", "{\"k\":\"\\\"\\\\\"}");
        assert_string("<&>", "{\"k\":\"\\u003c\\u0026\\u003e\"}");
        assert_string("\x01\t\n\x1b\x7f", "{\"k\":\"\\u0001\\u0009\\u000a\\u001b\\u007f\"}");
        assert_string("\xc2\x80\xc3\xa9\xdf\xbf", "{\"k\":\"\\u0080\\u00e9\\u07ff\"}");
        assert_string("\xe0\xa0\x80\xe2\x80\xae\xef\xbf\xbf", "{\"k\":\"\\u0800\\u202e\\uffff\"}");
        /* U+10000, U+1F600 and U+10FFFF as surrogate pairs */
        assert_string("\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
                      "{\"k\":\"\\ud800\\udc00\\ud83d\\ude00\\udbff\\udfff\"}");
}

static void text_that_is_not_utf8_fails_the_entry(void **state) {
        static const char *const texts[] = {
                "\x80",             /* continuation alone */
                "\xc3",             /* cut */
                "\xc3(",            /* not a continuation */
                "\xc0\xaf",         /* overlong '/' */
                "\xe0\x80\xaf",     /* overlong '/' */
                "\xf0\x80\x80\xaf", /* overlong '/' */
                "\xed\xa0\x80",     /* surrogate */
                "\xed\xbf\xbf",     /* surrogate */
                "\xf4\x90\x80\x80", /* above U+10FFFF */
                "\xf8\x88\x80\x80\x80",
                "\xfe",
                "\xff",
                "ok\xe2\x82",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                Canonical c;
                char *text = NULL;
                size_t size;

                canonical_begin(&c);
                canonical_string(&c, "k", texts[i]);
                canonical_uint(&c, "after", 1); /* the error sticks */
                assert_int_equal(canonical_end(&c, &text, &size), -EILSEQ);
                assert_null(text);
        }
}

/* {"k":"..."} costs 8 bytes beside the value. */
static void the_limit_is_exact(void **state) {
        static char value[CANONICAL_MAX];
        Canonical c;
        char *text = NULL;
        size_t size = 0;

        (void)state;
        memset(value, 'x', CANONICAL_MAX - 8);
        canonical_begin(&c);
        canonical_string(&c, "k", value);
        assert_int_equal(canonical_end(&c, &text, &size), 0);
        assert_int_equal(size, CANONICAL_MAX);
        free(text);
        text = NULL;

        value[CANONICAL_MAX - 8] = 'x';
        canonical_begin(&c);
        canonical_string(&c, "k", value);
        assert_int_equal(canonical_end(&c, &text, &size), -E2BIG);
        assert_null(text);
}

static void an_abandoned_object_holds_nothing(void **state) {
        Canonical c;

        (void)state;
        canonical_begin(&c);
        canonical_string(&c, "k", "value");
        canonical_abandon(&c);
        assert_null(c.data);
        canonical_abandon(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keys_keep_their_order_and_nothing_is_between),
                cmocka_unit_test(an_empty_object),
                cmocka_unit_test(characters_have_one_spelling),
                cmocka_unit_test(text_that_is_not_utf8_fails_the_entry),
                cmocka_unit_test(the_limit_is_exact),
                cmocka_unit_test(an_abandoned_object_holds_nothing),
        };

        (void)setlocale(LC_ALL, "");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
