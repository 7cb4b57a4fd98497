/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common/crypto.c against vectors from FIPS 180 (SHA-256), RFC 8032 (Ed25519), RFC 4648 (base64), Python's
 * hashlib (BLAKE2b) and the reference implementation of Argon2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/crypto.h"

static void assert_hex(const void *data, size_t size, const char *expected) {
        char hex[2 * 64 + 1];

        assert_true(size <= 64);
        crypto_hex(data, size, hex);
        assert_string_equal(hex, expected);
}

static void sha256_of_standard_messages(void **state) {
        static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        uint8_t hash[CRYPTO_SHA256_SIZE];

        (void)state;
        crypto_sha256(NULL, 0, NULL, 0, hash);
        assert_hex(hash, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        crypto_sha256("abc", 3, NULL, 0, hash);
        assert_hex(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        crypto_sha256(two_blocks, 10, two_blocks + 10, sizeof(two_blocks) - 11, hash);
        assert_hex(hash, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_in_pieces_of_a_million_a(void **state) {
        CryptoSha256 hash;
        uint8_t result[CRYPTO_SHA256_SIZE];
        char block[1000];

        (void)state;
        memset(block, 'a', sizeof(block));
        crypto_sha256_begin(&hash);
        for (int i = 0; i < 1000; i++)
                crypto_sha256_add(&hash, block, sizeof(block));
        crypto_sha256_end(&hash, result);
        assert_hex(result, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 8032 section 7.1, TEST 2. */
static void ed25519_of_rfc8032(void **state) {
        static const uint8_t seed[32] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
                                         0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
                                         0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
        static const uint8_t message[1] = {0x72};
        CryptoSignKey *key = crypto_sign_key_from_seed(seed);
        uint8_t signature[CRYPTO_SIGN_SIZE];
        CryptoPublicKey public;

        (void)state;
        assert_non_null(key);
        crypto_sign_public(key, &public);
        assert_hex(public.bytes, 32, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        crypto_signature(key, message, sizeof(message), signature);
        assert_hex(signature, 64,
                   "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        assert_true(crypto_verify(&public, message, sizeof(message), signature));
        for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
                signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
                assert_false(crypto_verify(&public, message, sizeof(message), signature));
                signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        assert_false(crypto_verify(&public, "\x73", 1, signature));
        assert_null(crypto_sign_key_free(key));
        assert_null(crypto_sign_key_free(NULL));
}

/* hashlib.blake2b(b"482913", digest_size=32, key=bytes(range(32))) */
static void mac_is_keyed_blake2b(void **state) {
        uint8_t key[CRYPTO_MAC_KEY_SIZE], mac[CRYPTO_MAC_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(key); i++)
                key[i] = (uint8_t)i;
        crypto_mac(key, "482913", 6, mac);
        assert_hex(mac, 32, "c8728ce073ae34a7f33da2f42d5390558dba8ded75476fa1f48111c4ae0f2adc");
}

/* printf %s SECRET | argon2 SALT -id -v 13 -t 2 -k 19456 -p 1 -l 32 -r */
static void password_hash_is_argon2id(void **state) {
        static const struct {
                const char *secret, *salt, *hash;
        } rows[] = {
                {"8K3V0QWXZ7M2N4PT", "somesaltsomesalt",
                 "bc5129441f986bf7a734492f409e5839db5075bcc159c502373eb1e529154ea4"},
                {"a", "0123456789abcdef", "3cac0676b42fbb348fa814abc3cee6d3b4b43b90bb2508755e9e6bb8a44df7d7"},
        };
        uint8_t hash[CRYPTO_PASSWORD_HASH_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                assert_int_equal(crypto_password_hash(rows[i].secret, strlen(rows[i].secret),
                                                      (const uint8_t *)rows[i].salt, hash),
                                 0);
                assert_hex(hash, sizeof(hash), rows[i].hash);
        }
}

/* The same with -e instead of -r. */
static void password_text_is_what_others_write(void **state) {
        static const char text[] = "$argon2id$v=19$m=19456,t=2,p=1$"
                                   "c29tZXNhbHRzb21lc2FsdA$vFEpRB+Ya/enNEkvQJ5YOdtQdbzBWcUCNz6x5SkVTqQ";
        uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE], hash[CRYPTO_PASSWORD_HASH_SIZE];
        char again[CRYPTO_PASSWORD_TEXT_SIZE];

        (void)state;
        assert_int_equal(crypto_password_parse(text, salt, hash), 0);
        assert_memory_equal(salt, "somesaltsomesalt", sizeof(salt));
        assert_hex(hash, sizeof(hash), "bc5129441f986bf7a734492f409e5839db5075bcc159c502373eb1e529154ea4");
        crypto_password_text(salt, hash, again);
        assert_string_equal(again, text);
}

/* Another algorithm, version or cost; a separator, a character or a spare bit that is wrong; too long, too
 * short. */
static void password_text_of_another_kind_is_refused(void **state) {
        static const struct {
                unsigned at;
                char other;
        } changes[] = {{8, 'i'},  {13, '8'}, {17, '2'},    {25, '3'}, {29, '2'},
                       {31, '*'}, {53, '.'}, {54, '\xab'}, {96, 'R'}};
        static const char text[] = "$argon2id$v=19$m=19456,t=2,p=1$"
                                   "c29tZXNhbHRzb21lc2FsdA$vFEpRB+Ya/enNEkvQJ5YOdtQdbzBWcUCNz6x5SkVTqQ";
        uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE] = {7}, hash[CRYPTO_PASSWORD_HASH_SIZE] = {7};

        (void)state;
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                char changed[CRYPTO_PASSWORD_TEXT_SIZE];

                memcpy(changed, text, sizeof(changed));
                assert_int_not_equal(changed[changes[i].at], changes[i].other);
                changed[changes[i].at] = changes[i].other;
                if (crypto_password_parse(changed, salt, hash) != -EBADMSG)
                        fail_msg("'%s' was taken", changed);
        }
        assert_int_equal(crypto_password_parse(text + 1, salt, hash), -EBADMSG);
        assert_int_equal(crypto_password_parse("", salt, hash), -EBADMSG);
        assert_int_equal(salt[0] + hash[0], 14);
}

/* 8 MiB of address space are left: no hash, and it says so. */
static void password_hash_without_memory_fails(void **state) {
        static const uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE];
        uint8_t hash[CRYPTO_PASSWORD_HASH_SIZE];
        struct rlimit old, low;
        unsigned long pages;
        FILE *statm;
        int r;

        (void)state;
        statm = fopen("/proc/self/statm", "re");
        assert_non_null(statm);
        assert_int_equal(fscanf(statm, "%lu", &pages), 1);
        (void)fclose(statm);
        assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
        low = old;
        low.rlim_cur = pages * (unsigned long)sysconf(_SC_PAGESIZE) + 8 * 1024 * 1024;
        assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
        r = crypto_password_hash("a", 1, salt, hash);
        assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(crypto_password_hash("a", 1, salt, hash), 0);
}

static void base64_of_rfc4648(void **state) {
        static const struct {
                const char *plain, *text;
        } pairs[] = {{"", ""},
                     {"f", "Zg=="},
                     {"fo", "Zm8="},
                     {"foo", "Zm9v"},
                     {"foob", "Zm9vYg=="},
                     {"fooba", "Zm9vYmE="},
                     {"foobar", "Zm9vYmFy"},
                     {"\xfb\xff\xfe", "+//+"}};

        (void)state;
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
                char text[16], plain[16];
                size_t size = 99;

                crypto_base64(pairs[i].plain, strlen(pairs[i].plain), text);
                assert_string_equal(text, pairs[i].text);
                assert_int_equal(crypto_base64_decode(text, strlen(text), plain, sizeof(plain), &size), 0);
                assert_int_equal(size, strlen(pairs[i].plain));
                assert_memory_equal(plain, pairs[i].plain, size);
        }
}

/* Two texts for the same bytes would let a checkpoint be altered without becoming invalid. */
static void base64_that_is_not_canonical_is_refused(void **state) {
        static const char *const texts[] = {"Zg",       "Zg=",   "Zh==", "Zm9=",    "Zg==\n",
                                            " Zg==",    "Zg= =", "Z-8=", "\xab//+", "+\xaf/+",
                                            "Zg==Zg==", "=",     "Z",    "Zm9vY"};
        char plain[16];
        size_t size = 99;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                if (crypto_base64_decode(texts[i], strlen(texts[i]), plain, sizeof(plain), &size) != -EBADMSG)
                        fail_msg("'%s' was accepted", texts[i]);
                assert_int_equal(size, 99);
        }
        assert_int_equal(crypto_base64_decode("Zm9vYmFy", 8, plain, 5, &size), -EBADMSG);
        assert_int_equal(crypto_base64_decode("Zm9v\0Zm9v", 9, plain, sizeof(plain), &size), -EBADMSG);
}

static void equal_and_wipe(void **state) {
        uint8_t a[32] = {1}, b[32] = {1};
        static const uint8_t zero[32];

        (void)state;
        assert_true(crypto_equal(a, b, sizeof(a)));
        b[31] = 1;
        assert_false(crypto_equal(a, b, sizeof(a)));
        assert_true(crypto_equal(a, b, 31));
        crypto_wipe(a, sizeof(a));
        assert_memory_equal(a, zero, sizeof(a));
}

static void locked_memory_is_usable_and_freed(void **state) {
        uint8_t *data = crypto_locked_alloc(100);

        (void)state;
        assert_non_null(data);
        memset(data, 7, 100);
        assert_int_equal(data[99], 7);
        assert_null(crypto_locked_free(data));
        assert_null(crypto_locked_free(NULL));
}

static void random_draws_stay_below_the_bound_and_differ(void **state) {
        uint8_t a[32] = {0}, b[32] = {0};
        unsigned seen = 0;

        (void)state;
        crypto_random(a, sizeof(a));
        crypto_random(b, sizeof(b));
        assert_memory_not_equal(a, b, sizeof(a));
        for (int i = 0; i < 1000; i++) {
                uint32_t draw = crypto_random_uniform(5);

                assert_in_range(draw, 0, 4);
                seen |= 1U << draw;
        }
        assert_int_equal(seen, 0x1f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sha256_of_standard_messages),
                cmocka_unit_test(sha256_in_pieces_of_a_million_a),
                cmocka_unit_test(ed25519_of_rfc8032),
                cmocka_unit_test(mac_is_keyed_blake2b),
                cmocka_unit_test(password_hash_is_argon2id),
                cmocka_unit_test(password_text_is_what_others_write),
                cmocka_unit_test(password_text_of_another_kind_is_refused),
                cmocka_unit_test(password_hash_without_memory_fails),
                cmocka_unit_test(base64_of_rfc4648),
                cmocka_unit_test(base64_that_is_not_canonical_is_refused),
                cmocka_unit_test(equal_and_wipe),
                cmocka_unit_test(locked_memory_is_usable_and_freed),
                cmocka_unit_test(random_draws_stay_below_the_bound_and_differ),
        };

        if (crypto_init() < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
