/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes one ledger entry: a single JSON object with keys in the order in which they are added, ASCII
 * only, integers only, no white space, so that the same facts always give the same bytes.
 *
 * A ledger entry is hashed as it is stored, byte for byte; nothing ever parses and re-serialises it.
 * Errors stick: after the first one every further call does nothing and canonical_end() reports it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CANONICAL_MAX = 65535 }; /* bytes of one entry; C2SP tlog-tiles entry bundles use 16-bit lengths */

typedef struct Canonical {
        char *data;
        size_t size, allocated;
        int error;
        bool first;
} Canonical;

void canonical_begin(Canonical *c);
/* A NULL value adds nothing, so that optional fields are absent rather than null. Text must be UTF-8;
 * everything outside printable ASCII, and '"', '\\', '<', '>', '&', is written as an escape. */
void canonical_string(Canonical *c, const char *key, const char *value);
void canonical_uint(Canonical *c, const char *key, uint64_t value);
/* An array of strings; NULL adds nothing, an empty list adds []. */
void canonical_strings(Canonical *c, const char *key, char *const *values);
/* Closes the object. 0 and the text (caller frees) with its size, or -ENOMEM, -E2BIG, -EILSEQ. */
int canonical_end(Canonical *c, char **ret_text, size_t *ret_size);
/* Frees what an unfinished object holds. */
void canonical_abandon(Canonical *c);
