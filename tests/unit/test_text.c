/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escaping of text from outside (attack B18): every character of Unicode, every kind of broken UTF-8, every
 * length limit; and the spellings of a code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static void expect_limited(const char *text, size_t max, const char *expected) {
        char *safe = text_safe(text, max);

        assert_non_null(safe);
        assert_string_equal(safe, expected);
        assert_int_equal(text_is_safe(text, max), text == NULL || strcmp(text, expected) == 0);
        free(safe);
}

static void expect(const char *text, const char *expected) {
        expect_limited(text, 4096, expected);
}

static void test_plain_text_stays(void **unused) {
        (void)unused;
        expect(NULL, "");
        expect("", "");
        expect("alice", "alice");
        expect(" !\"#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~", " !\"#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~");
        expect("Zo\xc3\xab \xe5\xb1\xb1\xe7\x94\xb0\xe3\x80\x80\xf0\x9f\x98\x80", /* Zoë, Yamada, U+3000,
                                                                                     emoji */
               "Zo\xc3\xab \xe5\xb1\xb1\xe7\x94\xb0\xe3\x80\x80\xf0\x9f\x98\x80");
        expect("\xef\xbf\xbd", "\xef\xbf\xbd"); /* U+FFFD is visible */
}

static void test_terminal_attacks(void **unused) {
        (void)unused;
        expect("\x1b[2Jroot", "\\x1b[2Jroot");
        expect("\x1b]0;title\x07", "\\x1b]0;title\\x07");
        expect("\xc2\x9b"
               "31m",
               "\\u{9b}31m"); /* C1 CSI as UTF-8 */
        expect("\x9b"
               "31m",
               "\\x9b31m"); /* and as the 8-bit byte */
        expect("a\r\nb\tc\x7f", "a\\x0d\\x0ab\\x09c\\x7f");
        expect("user\xe2\x80\xaegnp.exe", "user\\u{202e}gnp.exe");
        expect("\xe2\x81\xa6x\xe2\x81\xa9", "\\u{2066}x\\u{2069}");
        expect("ro\xe2\x80\x8bot\xef\xbb\xbf", "ro\\u{200b}ot\\u{feff}");
        expect("a\xe2\x80\xa8"
               "b\xe2\x80\xa9"
               "c\xc2\x85",
               "a\\u{2028}b\\u{2029}c\\u{85}");
        expect("root\xc2\xa0", "root\\u{a0}");
        expect("\xf3\xa0\x81\xa1", "\\u{e0061}"); /* a tag letter */
        expect("\xf4\x8f\xbf\xbd", "\\u{10fffd}");
}

/* Nobody can write our own escapes: what looks like one on the screen is one. */
static void test_backslash(void **unused) {
        (void)unused;
        expect("\\", "\\\\");
        expect("\\x1b", "\\\\x1b");
        expect("\\\x1b", "\\\\\\x1b");
        expect("CORP\\alice", "CORP\\\\alice");
        expect("\\u{202e}", "\\\\u{202e}");
}

/* RFC 3629: each is refused byte by byte. */
static void test_broken_utf8(void **unused) {
        (void)unused;
        static const struct {
                const char *text, *expected;
        } table[] = {
                {"\x80", "\\x80"},
                {"\xbf", "\\xbf"},
                {"\xc0\x80", "\\xc0\\x80"}, /* overlong NUL */
                {"\xc0\xaf", "\\xc0\\xaf"}, /* overlong slash */
                {"\xc1\xbf", "\\xc1\\xbf"},
                {"\xe0\x80\x9b", "\\xe0\\x80\\x9b"}, /* overlong CSI */
                {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
                {"\xf0\x80\x80\x80", "\\xf0\\x80\\x80\\x80"},
                {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
                {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogates */
                {"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},
                {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
                {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
                {"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
                {"\xfe\xff", "\\xfe\\xff"},
                {"\xc3", "\\xc3"}, /* cut */
                {"\xe2\x82", "\\xe2\\x82"},
                {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
                {"\xc3(", "\\xc3("},
                {"\xe2(\xa1", "\\xe2(\\xa1"},
                {"\xe2\x82(", "\\xe2\\x82("},
                {"\xf0\x9f\x98(", "\\xf0\\x9f\\x98("},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                expect(table[i].text, table[i].expected);
}

/*
 * The same classes from another copy of the database: printed by perl 5.36 (Unicode 14.0) as the
 * characters that match [\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Co}\p{DI}\p{NChar}], without U+0020 and U+3000 and
 * with U+2800 and U+FFFC.
 */
static const uint32_t escaped[][2] = {
        {0x0, 0x1F},        {0x7F, 0xA0},       {0xAD, 0xAD},       {0x34F, 0x34F},     {0x600, 0x605},
        {0x61C, 0x61C},     {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},
        {0x115F, 0x1160},   {0x1680, 0x1680},   {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x2000, 0x200F},
        {0x2028, 0x202F},   {0x205F, 0x206F},   {0x2800, 0x2800},   {0x3164, 0x3164},   {0xE000, 0xF8FF},
        {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFC},
        {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x13438}, {0x1BCA0, 0x1BCA3},
        {0x1D173, 0x1D17A}, {0x1FFFE, 0x1FFFF}, {0x2FFFE, 0x2FFFF}, {0x3FFFE, 0x3FFFF}, {0x4FFFE, 0x4FFFF},
        {0x5FFFE, 0x5FFFF}, {0x6FFFE, 0x6FFFF}, {0x7FFFE, 0x7FFFF}, {0x8FFFE, 0x8FFFF}, {0x9FFFE, 0x9FFFF},
        {0xAFFFE, 0xAFFFF}, {0xBFFFE, 0xBFFFF}, {0xCFFFE, 0xCFFFF}, {0xDFFFE, 0xE0FFF}, {0xEFFFE, 0x10FFFF},
        {0x13439, 0x1343F}, /* assigned since: Cf in Unicode 15.0 */
};

static bool is_escaped(uint32_t c) {
        for (size_t i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++)
                if (c >= escaped[i][0] && c <= escaped[i][1])
                        return true;
        return false;
}

static void encode(uint32_t c, char out[5]) {
        static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
        unsigned length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        memset(out, 0, 5);
        for (unsigned i = length; i-- > 1; c >>= 6)
                out[i] = (char)(0x80 | (c & 0x3F));
        out[0] = (char)(length == 1 ? c : leads[length] | c);
}

static void test_every_character(void **unused) {
        (void)unused;
        char text[5], expected[16];

        for (uint32_t c = 1; c <= 0x10FFFF; c++) {
                uint32_t decoded = 0;

                encode(c, text);
                if (c >= 0xD800 && c <= 0xDFFF) {
                        if (text_decode_utf8(text, strlen(text), &decoded) != -EILSEQ ||
                            text_is_safe(text, 10))
                                fail_msg("the surrogate U+%04X passes", (unsigned)c);
                        continue;
                }
                if (text_decode_utf8(text, strlen(text), &decoded) != (int)strlen(text) || decoded != c)
                        fail_msg("U+%04X is decoded as U+%04X", (unsigned)c, (unsigned)decoded);
                if (c == '\\')
                        continue;
                if (!is_escaped(c))
                        memcpy(expected, text, sizeof(text));
                else
                        snprintf(expected, sizeof(expected), c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
                expect(text, expected);
        }
}

static void test_decoding_stays_within_its_bytes(void **unused) {
        (void)unused;
        uint32_t c = 7;

        assert_int_equal(text_decode_utf8("a", 0, &c), -EILSEQ);
        assert_int_equal(text_decode_utf8("\xc3\xab", 1, &c), -EILSEQ);
        assert_int_equal(text_decode_utf8("\xe5\xb1\xb1", 2, &c), -EILSEQ);
        assert_int_equal(text_decode_utf8("\xf0\x9f\x98\x80", 3, &c), -EILSEQ);
        assert_int_equal(c, 7);
        assert_int_equal(text_decode_utf8("", 1, &c), 1);
        assert_int_equal(c, 0);
}

static void test_limits(void **unused) {
        (void)unused;
        expect_limited("abcdef", 6, "abcdef");
        expect_limited("abcdefg", 6, "abc...");
        expect_limited("abcdefg", 3, "...");
        expect_limited("abcdefg", 2, "..");
        expect_limited("abcdefg", 1, ".");
        expect_limited("a", 0, "");
        expect_limited("", 0, "");
        expect_limited("abc", SIZE_MAX, "abc");
        expect_limited("\x1b\x1b", 8, "\\x1b\\x1b");
        expect_limited("\x1b\x1b", 7, "\\x1b..."); /* never half an escape */
        expect_limited("\x1b\x1b", 6, "...");
        expect_limited("aa\xe5\xb1\xb1"
                       "b",
                       5, "aa..."); /* nor half a character */
        expect_limited("aa\xe5\xb1\xb1", 5, "aa\xe5\xb1\xb1");
        expect_limited("aa\xe5\xb1\xb1", 4, "a...");
        /* A character that the limit of input would cut is not mistaken for broken UTF-8. */
        expect_limited("abcd\xf0\x9f\x98\x80", 5, "ab...");
        expect_limited("ab\xf0\x9f\x98\x80", 5, "ab...");
}

/* Whatever comes in and whatever the limit, the output keeps it, is safe to show, and nothing is lost in
 * front. */
static void test_output_is_bounded(void **unused) {
        (void)unused;
        enum { SIZE = 300 };
        char text[SIZE + 1];
        uint32_t seed = 12345;

        for (unsigned round = 0; round < 2000; round++) {
                unsigned size = round % SIZE;

                for (unsigned i = 0; i < size; i++) {
                        seed = seed * 1664525 + 1013904223;
                        text[i] = (char)(seed >> 24 ? seed >> 24 : 1);
                }
                text[size] = '\0';
                for (size_t max = 0; max < 40; max++) {
                        char *safe = text_safe(text, max);

                        assert_non_null(safe);
                        assert_in_range(strlen(safe), 0, max);
                        for (const char *p = safe; *p; p++)
                                assert_false((unsigned char)*p < 0x20 || *p == 0x7f);
                        free(safe);
                }
        }
}

static void test_ten_kilobytes(void **unused) {
        (void)unused;
        char *text = malloc(10241), *safe;

        memset(text, 0x1b, 10240);
        text[10240] = '\0';
        safe = text_safe(text, 100);
        assert_int_equal(strlen(safe), 99); /* 24 escapes and the dots */
        assert_string_equal(safe + 96, "...");
        free(safe);
        free(text);
}

static void test_plain_lets_backslashes_pass(void **unused) {
        (void)unused;
        assert_true(text_is_plain("CORP\\alice", 10));
        assert_false(text_is_safe("CORP\\alice", 10));
        assert_false(text_is_plain("CORP\\alice", 9));
        assert_false(text_is_plain("CORP\\a\x1b", 10));
        assert_false(text_is_plain("CORP\\\xff", 10));
}

static void test_group_code(void **unused) {
        (void)unused;
        static const char *const wrong[] = {"",        "1",       "48291",  "4829133",  "48291a",
                                            "482 913", " 482913", "-82913", "48291\xb2"};
        char ret[8] = "before";

        assert_int_equal(text_group_code("482913", ret), 0);
        assert_string_equal(ret, "482 913");
        assert_int_equal(text_group_code("000042", ret), 0);
        assert_string_equal(ret, "000 042");
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(text_group_code(wrong[i], ret), -EINVAL);
        assert_string_equal(ret, "000 042");
}

static void test_parse_code(void **unused) {
        (void)unused;
        static const char *const right[] = {"482913",       "482 913",    "482-913",    " 482913",
                                            "482 913 \r\n", "\t48 29 13", "4-8-2-9-1-3"};
        static const char *const wrong[] = {
                "",        " ",         "48291",    "4829133",       "482 91",        "482  913", "482--913",
                "-482913", "482913-",   "482913 x", "48291a",        "+482913",       "0x4829",   "482.913",
                "482,913", "482 913 4", "482\n913", "48291\xc2\xb2", "482\302\240913"};
        char ret[7] = "before";

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                if (text_parse_code(wrong[i], ret) != -EINVAL)
                        fail_msg("'%s' is taken for a code", wrong[i]);
        assert_string_equal(ret, "before");
        for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
                memset(ret, 'x', sizeof(ret));
                assert_int_equal(text_parse_code(right[i], ret), 0);
                assert_string_equal(ret, "482913");
        }
        assert_int_equal(text_parse_code("000 000", ret), 0);
        assert_string_equal(ret, "000000");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain_text_stays),
                cmocka_unit_test(test_terminal_attacks),
                cmocka_unit_test(test_backslash),
                cmocka_unit_test(test_broken_utf8),
                cmocka_unit_test(test_every_character),
                cmocka_unit_test(test_decoding_stays_within_its_bytes),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_output_is_bounded),
                cmocka_unit_test(test_ten_kilobytes),
                cmocka_unit_test(test_plain_lets_backslashes_pass),
                cmocka_unit_test(test_group_code),
                cmocka_unit_test(test_parse_code),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
