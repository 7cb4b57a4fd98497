/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thin, typed calls into libsodium, so that no other file needs to know its conventions.
 *
 * Never returns secret bytes to a caller that did not bring the buffer, and never formats a secret.
 */
#include "common/crypto.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct CryptoSignKey {
        uint8_t secret[crypto_sign_SECRETKEYBYTES];
        CryptoPublicKey public;
};

_Static_assert(CRYPTO_SHA256_SIZE == crypto_hash_sha256_BYTES, "SHA-256 size");
_Static_assert(CRYPTO_SIGN_SEED_SIZE == crypto_sign_SEEDBYTES, "Ed25519 seed size");
_Static_assert(CRYPTO_SIGN_SIZE == crypto_sign_BYTES, "Ed25519 signature size");
_Static_assert(CRYPTO_PUBLIC_SIZE == crypto_sign_PUBLICKEYBYTES, "Ed25519 public key size");
_Static_assert(CRYPTO_PASSWORD_SALT_SIZE == crypto_pwhash_argon2id_SALTBYTES, "Argon2id salt size");
_Static_assert(sizeof(CryptoSha256) >= sizeof(crypto_hash_sha256_state), "SHA-256 state size");

int crypto_init(void) {
        return sodium_init() < 0 ? -EIO : 0;
}

void crypto_random(void *ret, size_t size) {
        randombytes_buf(ret, size);
}

uint32_t crypto_random_uniform(uint32_t bound) {
        return randombytes_uniform(bound);
}

void crypto_sha256(const void *a, size_t a_size, const void *b, size_t b_size,
                   uint8_t ret[CRYPTO_SHA256_SIZE]) {
        CryptoSha256 state;

        crypto_sha256_begin(&state);
        crypto_sha256_add(&state, a, a_size);
        crypto_sha256_add(&state, b, b_size);
        crypto_sha256_end(&state, ret);
}

void crypto_sha256_begin(CryptoSha256 *state) {
        (void)crypto_hash_sha256_init((crypto_hash_sha256_state *)state->opaque);
}

void crypto_sha256_add(CryptoSha256 *state, const void *data, size_t size) {
        if (size > 0) /* libsodium declares its input nonnull */
                (void)crypto_hash_sha256_update((crypto_hash_sha256_state *)state->opaque, data, size);
}

void crypto_sha256_end(CryptoSha256 *state, uint8_t ret[CRYPTO_SHA256_SIZE]) {
        (void)crypto_hash_sha256_final((crypto_hash_sha256_state *)state->opaque, ret);
}

void crypto_mac(const uint8_t key[CRYPTO_MAC_KEY_SIZE], const void *data, size_t size,
                uint8_t ret[CRYPTO_MAC_SIZE]) {
        (void)crypto_generichash(ret, CRYPTO_MAC_SIZE, data, size, key, CRYPTO_MAC_KEY_SIZE);
}

int crypto_password_hash(const void *secret, size_t size, const uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE],
                         uint8_t ret[CRYPTO_PASSWORD_HASH_SIZE]) {
        /* With these figures it can fail for want of memory only. */
        return crypto_pwhash(ret, CRYPTO_PASSWORD_HASH_SIZE, secret, size, salt, CRYPTO_PASSWORD_PASSES,
                             CRYPTO_PASSWORD_MEMORY, crypto_pwhash_ALG_ARGON2ID13) < 0
                       ? -ENOMEM
                       : 0;
}

enum {
        SALT_TEXT = (CRYPTO_PASSWORD_SALT_SIZE * 8 + 5) / 6, /* base64 without padding */
        HASH_TEXT = (CRYPTO_PASSWORD_HASH_SIZE * 8 + 5) / 6,
        COST_TEXT = CRYPTO_PASSWORD_TEXT_SIZE - SALT_TEXT - 1 - HASH_TEXT - 1,
};

static void cost_text(char ret[COST_TEXT + 1]) {
        (void)snprintf(ret, COST_TEXT + 1, "$argon2id$v=19$m=%d,t=%d,p=1$", CRYPTO_PASSWORD_MEMORY / 1024,
                       CRYPTO_PASSWORD_PASSES);
}

void crypto_password_text(const uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE],
                          const uint8_t hash[CRYPTO_PASSWORD_HASH_SIZE],
                          char ret[CRYPTO_PASSWORD_TEXT_SIZE]) {
        cost_text(ret);
        (void)sodium_bin2base64(ret + COST_TEXT, SALT_TEXT + 1, salt, CRYPTO_PASSWORD_SALT_SIZE,
                                sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
        ret[COST_TEXT + SALT_TEXT] = '$';
        (void)sodium_bin2base64(ret + COST_TEXT + SALT_TEXT + 1, HASH_TEXT + 1, hash,
                                CRYPTO_PASSWORD_HASH_SIZE, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

int crypto_password_parse(const char *text, uint8_t ret_salt[CRYPTO_PASSWORD_SALT_SIZE],
                          uint8_t ret_hash[CRYPTO_PASSWORD_HASH_SIZE]) {
        uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE], hash[CRYPTO_PASSWORD_HASH_SIZE];
        char again[CRYPTO_PASSWORD_TEXT_SIZE];
        size_t salt_size, hash_size;

        if (strlen(text) != CRYPTO_PASSWORD_TEXT_SIZE - 1 ||
            sodium_base642bin(salt, sizeof(salt), text + COST_TEXT, SALT_TEXT, NULL, &salt_size, NULL,
                              sodium_base64_VARIANT_ORIGINAL_NO_PADDING) < 0 ||
            sodium_base642bin(hash, sizeof(hash), text + COST_TEXT + SALT_TEXT + 1, HASH_TEXT, NULL,
                              &hash_size, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) < 0 ||
            salt_size != sizeof(salt) || hash_size != sizeof(hash))
                return -EBADMSG;
        /* Cost, separator and spare bits are right if writing it gives the same text. */
        crypto_password_text(salt, hash, again);
        if (strcmp(again, text) != 0)
                return -EBADMSG;
        memcpy(ret_salt, salt, sizeof(salt));
        memcpy(ret_hash, hash, sizeof(hash));
        return 0;
}

bool crypto_equal(const void *a, const void *b, size_t size) {
        return sodium_memcmp(a, b, size) == 0;
}

void crypto_wipe(void *data, size_t size) {
        sodium_memzero(data, size);
}

void *crypto_locked_alloc(size_t size) {
        return sodium_malloc(size);
}

void *crypto_locked_free(void *data) {
        sodium_free(data);
        return NULL;
}

CryptoSignKey *crypto_sign_key_from_seed(const uint8_t seed[CRYPTO_SIGN_SEED_SIZE]) {
        CryptoSignKey *key = sodium_malloc(sizeof(*key));

        if (!key)
                return NULL;
        (void)crypto_sign_seed_keypair(key->public.bytes, key->secret, seed);
        (void)sodium_mprotect_readonly(key);
        return key;
}

CryptoSignKey *crypto_sign_key_free(CryptoSignKey *key) {
        sodium_free(key);
        return NULL;
}

void crypto_sign_public(const CryptoSignKey *key, CryptoPublicKey *ret) {
        *ret = key->public;
}

void crypto_signature(const CryptoSignKey *key, const void *data, size_t size,
                      uint8_t ret[CRYPTO_SIGN_SIZE]) {
        (void)crypto_sign_detached(ret, NULL, data, size, key->secret);
}

bool crypto_verify(const CryptoPublicKey *key, const void *data, size_t size,
                   const uint8_t sig[CRYPTO_SIGN_SIZE]) {
        return crypto_sign_verify_detached(sig, data, size, key->bytes) == 0;
}

void crypto_base64(const void *data, size_t size, char *ret) {
        (void)sodium_bin2base64(ret, 4 * ((size + 2) / 3) + 1, data, size, sodium_base64_VARIANT_ORIGINAL);
}

int crypto_base64_decode(const char *text, size_t text_size, void *ret, size_t max, size_t *ret_size) {
        const char *end;
        size_t size;

        /* libsodium 1.0.18 takes '+' and '/' with the high bit set (0xab, 0xaf) for the characters themselves
         * where char is signed. */
        for (size_t i = 0; i < text_size; i++)
                if ((unsigned char)text[i] > 0x7f)
                        return -EBADMSG;
        /* Without an ignore list it stops at the first strange byte and rejects spare bits. */
        if (sodium_base642bin(ret, max, text, text_size, NULL, &size, &end, sodium_base64_VARIANT_ORIGINAL) <
                    0 ||
            end != text + text_size)
                return -EBADMSG;
        *ret_size = size;
        return 0;
}

void crypto_hex(const void *data, size_t size, char *ret) {
        (void)sodium_bin2hex(ret, 2 * size + 1, data, size);
}
