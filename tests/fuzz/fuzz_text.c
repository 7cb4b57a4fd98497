/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text_safe() of any bytes: one plain line within its limit, from which the input can be told again. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "tests/fuzz/fuzz.h"

static void expect(bool truth) {
        if (!truth)
                abort();
}

static char *put_utf8(char *out, unsigned c) {
        if (c < 0x800) {
                *out++ = (char)(0xC0 | c >> 6);
        } else if (c < 0x10000) {
                *out++ = (char)(0xE0 | c >> 12);
                *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        } else {
                *out++ = (char)(0xF0 | c >> 18);
                *out++ = (char)(0x80 | (c >> 12 & 0x3F));
                *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        }
        *out++ = (char)(0x80 | (c & 0x3F));
        return out;
}

/* Undoes the escapes in place, as a reader of the header would. */
static void unescape(char *text) {
        char *out = text;

        while (*text) {
                unsigned c;
                int used;

                if (*text != '\\') {
                        *out++ = *text++;
                } else if (text[1] == '\\') {
                        *out++ = '\\';
                        text += 2;
                } else if (sscanf(text, "\\x%2x%n", &c, &used) == 1) {
                        *out++ = (char)c;
                        text += used;
                } else {
                        expect(sscanf(text, "\\u{%x}%n", &c, &used) == 1);
                        text += used;
                        out = put_utf8(out, c);
                }
        }
        *out = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *)data, size), *whole, *cut, code[8];
        size_t max = size ? data[0] : 0;

        expect(text != NULL);
        whole = text_safe(text, SIZE_MAX);
        cut = text_safe(text, max);
        expect(whole && cut && strlen(cut) <= max);
        for (const char *p = whole; *p; p++)
                expect((unsigned char)*p >= 0x20 && *p != 0x7f);
        expect(text_is_safe(text, max) == (strcmp(text, cut) == 0));
        expect(strlen(whole) > max || strcmp(whole, cut) == 0);
        unescape(whole);
        expect(strcmp(whole, text) == 0);
        if (text_parse_code(text, code) == 0)
                expect(strlen(code) == 6 && strspn(code, "0123456789") == 6);
        free(cut);
        free(whole);
        free(text);
        return 0;
}
