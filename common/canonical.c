/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one writer of ledger entries. It only ever appends to its buffer, and it decides every byte:
 * no locale, no floating point, no optional white space, one spelling for every character.
 *
 * MUST 1: the same calls give the same bytes.
 * MUST 2: an entry is never cut short or patched up: text that is not UTF-8 or too long fails it.
 */
#include "common/canonical.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static void put(Canonical *c, const char *text, size_t size) {
        size_t wanted = c->size + size + 1;

        if (c->error)
                return;
        if (c->size + size > CANONICAL_MAX) {
                c->error = -E2BIG;
                return;
        }
        if (wanted > c->allocated) {
                size_t allocated = wanted < 256 ? 256 : wanted * 2;
                char *data = realloc(c->data, allocated);

                if (!data) {
                        c->error = -ENOMEM;
                        return;
                }
                c->data = data;
                c->allocated = allocated;
        }
        memcpy(c->data + c->size, text, size);
        c->size += size;
        c->data[c->size] = '\0';
}

static void put_unit(Canonical *c, uint32_t unit) {
        char escape[7];

        (void)snprintf(escape, sizeof(escape), "\\u%04" PRIx32, unit & 0xffff);
        put(c, escape, 6);
}

static void put_character(Canonical *c, uint32_t character) {
        if (character == '"' || character == '\\') {
                char escape[2] = {'\\', (char)character};

                put(c, escape, sizeof(escape));
        } else if (character >= 0x10000) {
                put_unit(c, 0xd800 + ((character - 0x10000) >> 10));
                put_unit(c, 0xdc00 + ((character - 0x10000) & 0x3ff));
        } else if (character < 0x20 || character > 0x7e || strchr("<>&", (int)character)) {
                put_unit(c, character); /* markup is escaped too: exports end up in web pages */
        } else {
                char plain = (char)character;

                put(c, &plain, 1);
        }
}

static void put_quoted(Canonical *c, const char *text) {
        const char *end = text + strlen(text);
        uint32_t character;

        put(c, "\"", 1);
        while (text < end && !c->error) {
                int size = text_decode_utf8(text, (size_t)(end - text), &character);

                if (size < 0) {
                        c->error = size;
                        return;
                }
                put_character(c, character);
                text += size;
        }
        put(c, "\"", 1);
}

static void put_key(Canonical *c, const char *key) {
        if (!c->first)
                put(c, ",", 1);
        c->first = false;
        put_quoted(c, key);
        put(c, ":", 1);
}

void canonical_begin(Canonical *c) {
        *c = (Canonical){.first = true};
        put(c, "{", 1);
}

void canonical_string(Canonical *c, const char *key, const char *value) {
        if (!value)
                return;
        put_key(c, key);
        put_quoted(c, value);
}

void canonical_uint(Canonical *c, const char *key, uint64_t value) {
        char digits[21];
        int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);

        put_key(c, key);
        put(c, digits, (size_t)n);
}

void canonical_strings(Canonical *c, const char *key, char *const *values) {
        if (!values)
                return;
        put_key(c, key);
        put(c, "[", 1);
        for (size_t i = 0; values[i] && !c->error; i++) {
                if (i > 0)
                        put(c, ",", 1);
                put_quoted(c, values[i]);
        }
        put(c, "]", 1);
}

int canonical_end(Canonical *c, char **ret_text, size_t *ret_size) {
        int r;

        put(c, "}", 1);
        r = c->error;
        if (r < 0) {
                canonical_abandon(c);
                return r;
        }
        *ret_text = c->data;
        *ret_size = c->size;
        *c = (Canonical){0};
        return 0;
}

void canonical_abandon(Canonical *c) {
        free(c->data);
        *c = (Canonical){0};
}
