/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints of any bytes: what is read has one spelling, and nothing is accepted that was not signed. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/checkpoint.h"
#include "tests/fuzz/fuzz.h"

#define SIGNED_ORIGIN "example.org/peerauth/0123abcd/1"

static void expect(bool truth) {
        if (!truth)
                abort();
}

/* The size of the body: up to and with its third line feed. */
static size_t body_size(const char *note) {
        return (size_t)(strstr(note, "\n\n") - note) + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t seed[CRYPTO_SIGN_SEED_SIZE] = {1};
        Checkpoint read, ours = {.origin = SIGNED_ORIGIN, .size = 3};
        char *note = strndup((const char *)data, size), again[CHECKPOINT_NOTE_MAX] = "",
             vkey[CHECKPOINT_VKEY_MAX];
        CryptoSignKey *key = crypto_init() < 0 ? NULL : crypto_sign_key_from_seed(seed);
        CryptoPublicKey public;

        expect(note && key);
        crypto_sign_public(key, &public);
        expect(checkpoint_vkey(SIGNED_ORIGIN, &public, vkey) == 0);
        if (checkpoint_parse(note, &read) == 0) {
                expect(checkpoint_sign(&read, key, again) == 0);
                expect(body_size(note) == body_size(again) && memcmp(note, again, body_size(note)) == 0);
        }
        /* Only one checkpoint was ever signed with this key: that of the seed "signed". */
        if (checkpoint_verify(note, vkey, &read) == 0)
                expect(strcmp(read.origin, ours.origin) == 0 && read.size == ours.size &&
                       memcmp(read.root.bytes, ours.root.bytes, sizeof(ours.root.bytes)) == 0);
        (void)checkpoint_verify(again, note, &read); /* as a vkey */
        key = crypto_sign_key_free(key);
        free(note);
        return 0;
}
