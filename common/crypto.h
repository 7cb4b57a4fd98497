/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only user of libsodium: randomness, SHA-256, keyed hashes, Argon2id, Ed25519, base64 and hex, locked
 * memory, constant-time comparison and wiping.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        CRYPTO_SHA256_SIZE = 32,
        CRYPTO_SIGN_SEED_SIZE = 32,
        CRYPTO_SIGN_SIZE = 64,
        CRYPTO_PUBLIC_SIZE = 32,
        CRYPTO_MAC_SIZE = 32,
        CRYPTO_MAC_KEY_SIZE = 32,
        CRYPTO_PASSWORD_SALT_SIZE = 16,
        CRYPTO_PASSWORD_HASH_SIZE = 32,
        CRYPTO_PASSWORD_PASSES = 2,
        CRYPTO_PASSWORD_MEMORY = 19 * 1024 * 1024, /* bytes, while one call runs */
        CRYPTO_PASSWORD_TEXT_SIZE = 98,
};

typedef struct CryptoSignKey CryptoSignKey; /* secret: locked memory, wiped on free */

typedef struct CryptoPublicKey {
        uint8_t bytes[CRYPTO_PUBLIC_SIZE];
} CryptoPublicKey;

/* Must be called before anything else here; idempotent. 0 or -EIO. */
int crypto_init(void);

void crypto_random(void *ret, size_t size);
/* Uniform in [0, bound). */
uint32_t crypto_random_uniform(uint32_t bound);

/* One-shot SHA-256 of the concatenation of two buffers; either may be NULL with size 0. */
void crypto_sha256(const void *a, size_t a_size, const void *b, size_t b_size,
                   uint8_t ret[CRYPTO_SHA256_SIZE]);

/* Incremental SHA-256, for files. */
typedef struct CryptoSha256 {
        _Alignas(16) unsigned char opaque[128];
} CryptoSha256;
void crypto_sha256_begin(CryptoSha256 *state);
void crypto_sha256_add(CryptoSha256 *state, const void *data, size_t size);
void crypto_sha256_end(CryptoSha256 *state, uint8_t ret[CRYPTO_SHA256_SIZE]);

/* Keyed hash (BLAKE2b-256) of a short secret, so that the secret itself need not be kept. */
void crypto_mac(const uint8_t key[CRYPTO_MAC_KEY_SIZE], const void *data, size_t size,
                uint8_t ret[CRYPTO_MAC_SIZE]);

/*
 * Argon2id (RFC 9106, version 1.3, one lane) of a secret that is stored only so. Blocks for some tens of
 * milliseconds. 0, or -ENOMEM: there was no memory for it, and nothing is known about the secret.
 *
 * 19 MiB and 2 passes is the smallest cost that OWASP's password storage sheet recommends for passwords.
 * What is hashed here has 80 random bits, which nobody searches at any cost, so more would protect nothing,
 * and memory is what an attacker can make the broker spend: whoever calls this bounds how many run at once.
 * The cost is fixed and never read from where the hashes are stored, so a hash that was tampered with
 * cannot ask for more. Hashes that exist verify under these figures only.
 */
int crypto_password_hash(const void *secret, size_t size, const uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE],
                         uint8_t ret[CRYPTO_PASSWORD_HASH_SIZE]);

/* Salt and hash as other implementations of Argon2 write them: "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH". */
void crypto_password_text(const uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE],
                          const uint8_t hash[CRYPTO_PASSWORD_HASH_SIZE], char ret[CRYPTO_PASSWORD_TEXT_SIZE]);
/* The reverse; -EBADMSG for anything else, another cost included. */
int crypto_password_parse(const char *text, uint8_t ret_salt[CRYPTO_PASSWORD_SALT_SIZE],
                          uint8_t ret_hash[CRYPTO_PASSWORD_HASH_SIZE]);

/* Constant time. */
bool crypto_equal(const void *a, const void *b, size_t size);
/* Not removed by the optimiser. */
void crypto_wipe(void *data, size_t size);

/* Locked memory that is left out of core dumps, with guard pages; wiped on free. NULL: no memory. */
void *crypto_locked_alloc(size_t size);
void *crypto_locked_free(void *data);

/* Derives the pair; NULL: no memory. */
CryptoSignKey *crypto_sign_key_from_seed(const uint8_t seed[CRYPTO_SIGN_SEED_SIZE]);
CryptoSignKey *crypto_sign_key_free(CryptoSignKey *key);
void crypto_sign_public(const CryptoSignKey *key, CryptoPublicKey *ret);
void crypto_signature(const CryptoSignKey *key, const void *data, size_t size, uint8_t ret[CRYPTO_SIGN_SIZE]);
bool crypto_verify(const CryptoPublicKey *key, const void *data, size_t size,
                   const uint8_t sig[CRYPTO_SIGN_SIZE]);

/* Standard base64 with padding. ret has room for 4 * ((size + 2) / 3) + 1 bytes. */
void crypto_base64(const void *data, size_t size, char *ret);
/* Decodes exactly; -EBADMSG if text is not canonical base64 or longer than max. 0 and *ret_size. */
int crypto_base64_decode(const char *text, size_t text_size, void *ret, size_t max, size_t *ret_size);
/* Lower case; ret has room for 2 * size + 1 bytes. */
void crypto_hex(const void *data, size_t size, char *ret);
