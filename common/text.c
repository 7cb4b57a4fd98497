/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Visible escapes for text from outside, and the two spellings of a code.
 *
 * Which characters are escaped is a table, not the C library's idea of printable: that depends on the
 * locale, which is hostile under su and sudo (attack A9).
 */
#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"

typedef struct TextRange {
        uint32_t first, last;
} TextRange;

/*
 * The characters of the Unicode Character Database 15.0 with the general category Cc, Cf, Zl, Zp, Zs
 * (but for the ASCII space and U+3000, which is visibly wide and the usual space of Japanese), Co, or
 * the property Default_Ignorable_Code_Point or Noncharacter_Code_Point (those at the end of each plane
 * are in is_effective()); and two that are drawn as nothing: U+2800 and U+FFFC. Sorted, so that a test can
 * compare the table with another copy of the database.
 */
static const TextRange text_effective[] = {
        {0x0000, 0x001F},    /* Cc: C0 */
        {0x007F, 0x00A0},    /* Cc: DEL, C1; Zs: no-break space */
        {0x00AD, 0x00AD},    /* Cf: soft hyphen */
        {0x034F, 0x034F},    /* combining grapheme joiner */
        {0x0600, 0x0605},    /* Cf: Arabic number signs */
        {0x061C, 0x061C},    /* Cf: Arabic letter mark (bidi) */
        {0x06DD, 0x06DD},    /* Cf */
        {0x070F, 0x070F},    /* Cf */
        {0x0890, 0x0891},    /* Cf */
        {0x08E2, 0x08E2},    /* Cf */
        {0x115F, 0x1160},    /* Hangul fillers */
        {0x1680, 0x1680},    /* Zs: Ogham space */
        {0x17B4, 0x17B5},    /* Khmer inherent vowels */
        {0x180B, 0x180F},    /* Mongolian variation selectors, vowel separator */
        {0x2000, 0x200F},    /* Zs: en quad ... hair space; zero width; bidi marks */
        {0x2028, 0x202F},    /* Zl, Zp; bidi embeddings and overrides; narrow no-break space */
        {0x205F, 0x206F},    /* Zs: mathematical space; invisible operators; bidi isolates */
        {0x2800, 0x2800},    /* blank Braille pattern */
        {0x3164, 0x3164},    /* Hangul filler */
        {0xE000, 0xF8FF},    /* Co */
        {0xFDD0, 0xFDEF},    /* noncharacters */
        {0xFE00, 0xFE0F},    /* variation selectors */
        {0xFEFF, 0xFEFF},    /* Cf: byte order mark */
        {0xFFA0, 0xFFA0},    /* halfwidth Hangul filler */
        {0xFFF0, 0xFFFC},    /* reserved; interlinear annotation; object replacement */
        {0x110BD, 0x110BD},  /* Cf: Kaithi number sign */
        {0x110CD, 0x110CD},  /* Cf */
        {0x13430, 0x1343F},  /* Cf: Egyptian hieroglyph format controls */
        {0x1BCA0, 0x1BCA3},  /* Cf: shorthand format controls */
        {0x1D173, 0x1D17A},  /* Cf: musical format controls */
        {0xE0000, 0xE0FFF},  /* tags, variation selectors, reserved */
        {0xF0000, 0x10FFFF}, /* Co, noncharacters */
};

/* The longest piece is \u{10ffff}; the compiler wants room for any 32-bit number. */
enum { ESCAPE_ROOM = sizeof("\\u{ffffffff}") };

static bool is_effective(uint32_t character) {
        if ((character & 0xFFFE) == 0xFFFE)
                return true;
        for (size_t i = 0; i < sizeof(text_effective) / sizeof(text_effective[0]); i++)
                if (character >= text_effective[i].first && character <= text_effective[i].last)
                        return true;
        return false;
}

static bool is_continuation(const unsigned char *p, size_t size, size_t i) {
        return i < size && (p[i] & 0xC0) == 0x80;
}

int text_decode_utf8(const char *text, size_t size, uint32_t *ret_character) {
        const unsigned char *p = (const unsigned char *)text;
        uint32_t character;
        int length;

        if (size == 0)
                return -EILSEQ;
        if (p[0] < 0x80) {
                *ret_character = p[0];
                return 1;
        }
        /* 0x80 to 0xBF continue a character, 0xC0 and 0xC1 would be overlong, above 0xF4 is no Unicode. */
        if (p[0] < 0xC2 || p[0] > 0xF4)
                return -EILSEQ;
        length = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
        character = p[0] & (0x7FU >> length);
        for (int i = 1; i < length; i++) {
                if (!is_continuation(p, size, (size_t)i))
                        return -EILSEQ;
                character = character << 6 | (p[i] & 0x3FU);
        }
        if ((length == 3 && character < 0x800) || (length == 4 && character < 0x10000) ||
            character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
                return -EILSEQ;
        *ret_character = character;
        return length;
}

/* Writes what stands for the first character of text; returns how many bytes of text that covers. */
static size_t next_piece(const char *text, size_t size, char ret_piece[ESCAPE_ROOM]) {
        uint32_t character;
        int length = text_decode_utf8(text, size, &character);

        if (length < 0) {
                (void)snprintf(ret_piece, ESCAPE_ROOM, "\\x%02x", (unsigned char)text[0]);
                return 1;
        }
        if (character == '\\')
                (void)snprintf(ret_piece, ESCAPE_ROOM, "\\\\");
        else if (!is_effective(character))
                (void)snprintf(ret_piece, ESCAPE_ROOM, "%.*s", length, text);
        else if (character < 0x80)
                (void)snprintf(ret_piece, ESCAPE_ROOM, "\\x%02x", (unsigned)character);
        else
                (void)snprintf(ret_piece, ESCAPE_ROOM, "\\u{%x}", (unsigned)character);
        return (size_t)length;
}

char *text_safe(const char *text, size_t max) {
        char piece[ESCAPE_ROOM];
        size_t size, room, used = 0, cut = 0, dots = max < 3 ? max : 3;
        char *out;

        if (!text)
                text = "";
        /* No piece is shorter than what it stands for, so max bytes and one more decide everything... */
        size = strnlen(text, max < SIZE_MAX ? max + 1 : max);
        /* ... nor more than four times as long. */
        room = size > (SIZE_MAX - 1) / 4 || size * 4 > max ? max : size * 4;
        out = malloc(room + 1);
        if (!out)
                return NULL;

        for (size_t i = 0; i < size;) {
                size_t step = next_piece(text + i, size - i, piece), length = strlen(piece);

                if (length > max - used) {
                        memset(out + cut, '.', dots);
                        used = cut + dots;
                        break;
                }
                memcpy(out + used, piece, length);
                used += length;
                i += step;
                if (used <= max - dots)
                        cut = used;
        }
        out[used] = '\0';
        return out;
}

static bool is_shown_as_it_is(const char *text, size_t max, bool backslash) {
        size_t size = text ? strlen(text) : 0;
        uint32_t character;

        if (size > max)
                return false;
        for (size_t i = 0; i < size;) {
                int length = text_decode_utf8(text + i, size - i, &character);

                if (length < 0 || (character == '\\' && !backslash) || is_effective(character))
                        return false;
                i += (size_t)length;
        }
        return true;
}

bool text_is_safe(const char *text, size_t max) {
        return is_shown_as_it_is(text, max, false);
}

bool text_is_plain(const char *text, size_t max) {
        return is_shown_as_it_is(text, max, true);
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

bool text_lists(const char *list, const char *word) {
        size_t size = strlen(word);

        for (const char *p = list; size > 0 && p && *p; p += strspn(p, ", ")) {
                size_t n = strcspn(p, ", ");

                if (n == size && strncmp(p, word, n) == 0)
                        return true;
                p += n;
        }
        return false;
}

int text_group_code(const char *code, char ret[8]) {
        for (unsigned i = 0; i < PEERAUTH_CODE_DIGITS; i++)
                if (!is_digit(code[i]))
                        return -EINVAL;
        if (code[PEERAUTH_CODE_DIGITS] != '\0')
                return -EINVAL;
        memcpy(ret, code, 3);
        ret[3] = ' ';
        memcpy(ret + 4, code + 3, 4);
        return 0;
}

int text_parse_code(const char *typed, char ret[7]) {
        const char *digits[PEERAUTH_CODE_DIGITS];
        const char *p = typed + strspn(typed, " \t\r\n");
        unsigned n = 0;

        /* Between two digits one separator may stand; positions are kept rather than digits, so that
         * nothing of a code is left behind on the stack. */
        for (; n < PEERAUTH_CODE_DIGITS && is_digit(*p); n++) {
                digits[n] = p++;
                if ((*p == ' ' || *p == '-') && is_digit(p[1]))
                        p++;
        }
        p += strspn(p, " \t\r\n");
        if (n != PEERAUTH_CODE_DIGITS || *p != '\0')
                return -EINVAL;
        for (unsigned i = 0; i < n; i++)
                ret[i] = *digits[i];
        ret[n] = '\0';
        return 0;
}
