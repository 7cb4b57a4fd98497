/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common/checkpoint.c. The signed note and key of "PeterNeumann" are the public example of Go's
 * golang.org/x/mod/sumdb/note; the key of RFC 8032 TEST 1 and the note signed with it were computed
 * with Python's hashlib and the openssl command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/checkpoint.h"

#define PETER_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define PETER_BODY                                                                                         \
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem " \
        "is.\n"
#define PETER_SIGNATURE \
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

#define ORIGIN "example.org/peerauth/0123abcd/1"
#define BODY   ORIGIN "\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
#define VKEY   "example.org/peerauth/0123abcd/1+0c6eb532+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
#define NOTE                                                                   \
        BODY "\n\xe2\x80\x94 " ORIGIN " DG61MjjuMIRYFi8Pxapc/6pi9VDKHzgkosPm/" \
             "5YH1C4yc720Qk+gRafxSxInJHnaLlIECUHooYOq3z/PQ+qQUJRoJgI=\n"

/* RFC 8032 section 7.1, TEST 1. */
static const uint8_t seed[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
                                 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
                                 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};

static CryptoSignKey *key;

static const Checkpoint checkpoint = {
        .origin = ORIGIN,
        .size = 8,
        .root = {{0x5d, 0xc9, 0xda, 0x79, 0xa7, 0x06, 0x59, 0xa9, 0xad, 0x55, 0x9c,
                  0xb7, 0x01, 0xde, 0xd9, 0xa2, 0xab, 0x9d, 0x82, 0x3a, 0xad, 0x2f,
                  0x49, 0x60, 0xcf, 0xe3, 0x70, 0xef, 0xf4, 0x60, 0x43, 0x28}},
};

static void the_public_example_of_a_signed_note(void **state) {
        uint8_t typed[33], blob[68];
        char vkey[CHECKPOINT_VKEY_MAX];
        CryptoPublicKey public;
        Checkpoint unused;
        size_t size;

        (void)state;
        assert_int_equal(crypto_base64_decode(strrchr(PETER_VKEY, '+') + 1, 44, typed, sizeof(typed), &size),
                         0);
        memcpy(public.bytes, typed + 1, sizeof(public.bytes));
        assert_int_equal(checkpoint_vkey("PeterNeumann", &public, vkey), 0);
        assert_string_equal(vkey, PETER_VKEY); /* so the key id is right too */

        assert_int_equal(
                crypto_base64_decode(PETER_SIGNATURE, strlen(PETER_SIGNATURE), blob, sizeof(blob), &size), 0);
        assert_true(crypto_verify(&public, PETER_BODY, strlen(PETER_BODY), blob + 4));
        /* A note, rightly signed, but no checkpoint. */
        assert_int_equal(checkpoint_verify(PETER_BODY "\n\xe2\x80\x94 PeterNeumann " PETER_SIGNATURE "\n",
                                           PETER_VKEY, &unused),
                         -EBADMSG);
}

static void what_openssl_signed_is_what_we_sign(void **state) {
        char note[CHECKPOINT_NOTE_MAX], vkey[CHECKPOINT_VKEY_MAX];
        CryptoPublicKey public;

        (void)state;
        crypto_sign_public(key, &public);
        assert_int_equal(checkpoint_vkey(ORIGIN, &public, vkey), 0);
        assert_string_equal(vkey, VKEY);
        assert_int_equal(checkpoint_sign(&checkpoint, key, note), 0);
        assert_string_equal(note, NOTE);
}

static void a_good_note_is_read(void **state) {
        Checkpoint read = {0};

        (void)state;
        assert_int_equal(checkpoint_verify(NOTE, VKEY, &read), 0);
        assert_string_equal(read.origin, ORIGIN);
        assert_int_equal(read.size, 8);
        assert_memory_equal(read.root.bytes, checkpoint.root.bytes, MERKLE_HASH_SIZE);
        memset(&read, 0, sizeof(read));
        assert_int_equal(checkpoint_parse(NOTE, &read), 0);
        assert_int_equal(read.size, 8);
}

/* Attack L1, on the checkpoint. */
static void no_flipped_bit_is_accepted(void **state) {
        char note[] = NOTE;
        Checkpoint read;

        (void)state;
        for (size_t bit = 0; bit < 8 * (sizeof(note) - 1); bit++) {
                note[bit / 8] ^= (char)(1U << bit % 8);
                if (checkpoint_verify(note, VKEY, &read) == 0)
                        fail_msg("bit %zu flipped, and the note verifies", bit);
                note[bit / 8] ^= (char)(1U << bit % 8);
        }
        assert_int_equal(checkpoint_verify(note, VKEY, &read), 0);
}

static void no_shortened_note_is_accepted(void **state) {
        char note[] = NOTE;
        Checkpoint read;

        (void)state;
        for (size_t size = sizeof(note) - 1; size-- > 0;) {
                note[size] = '\0';
                assert_int_equal(checkpoint_verify(note, VKEY, &read), -EBADMSG);
        }
}

static void lines_of_witnesses_are_passed_over(void **state) {
        static const char line[] = "\xe2\x80\x94 witness.example/w1 AAAAAQAAAAAAAAAA\n";
        static const char other[] = "\xe2\x80\x94 PeterNeumann " PETER_SIGNATURE "\n";
        char note[2048];
        Checkpoint read;

        (void)state;
        (void)snprintf(note, sizeof(note), "%s%s%s", NOTE, line, other);
        assert_int_equal(checkpoint_verify(note, VKEY, &read), 0);
        (void)snprintf(note, sizeof(note), "%s\n%s%s", BODY, other, strstr(NOTE, "\n\n") + 2);
        assert_int_equal(checkpoint_verify(note, VKEY, &read), 0);
        (void)snprintf(note, sizeof(note), "%s\n%s", BODY, other);
        assert_int_equal(checkpoint_verify(note, VKEY, &read), -EKEYREJECTED);
        assert_int_equal(checkpoint_parse(note, &read), 0);
        (void)snprintf(note, sizeof(note), "%s%s", NOTE, "\xe2\x80\x94 witness.example/w1 AAAA!QAA\n");
        assert_int_equal(checkpoint_verify(note, VKEY, &read), -EBADMSG);
}

static void a_second_signature_of_ours_must_be_right_too(void **state) {
        char note[2048], *last;
        Checkpoint read;

        (void)state;
        (void)snprintf(note, sizeof(note), "%s%s", NOTE, strstr(NOTE, "\n\n") + 2);
        assert_int_equal(checkpoint_verify(note, VKEY, &read), 0);
        last = note + strlen(note) - 10;
        *last = *last == 'A' ? 'B' : 'A';
        assert_int_equal(checkpoint_verify(note, VKEY, &read), -EKEYREJECTED);
}

/* The same key under another name is another key: it must not vouch for this origin. */
static void the_key_of_another_name_is_rejected(void **state) {
        Checkpoint other = checkpoint, read;
        char note[CHECKPOINT_NOTE_MAX], vkey[CHECKPOINT_VKEY_MAX];
        CryptoPublicKey public;

        (void)state;
        crypto_sign_public(key, &public);
        strcpy(other.origin, "example.org/peerauth/0123abcd/2");
        assert_int_equal(checkpoint_vkey(other.origin, &public, vkey), 0);
        assert_int_equal(checkpoint_verify(NOTE, vkey, &read), -EKEYREJECTED);
        assert_int_equal(checkpoint_sign(&other, key, note), 0);
        assert_int_equal(checkpoint_verify(note, VKEY, &read), -EKEYREJECTED);
        assert_int_equal(checkpoint_verify(NOTE, PETER_VKEY, &read), -EKEYREJECTED);
}

/* Rightly signed under our name, but speaking for another log: a key vouches for its own origin only. */
static void a_foreign_body_under_our_signature_is_rejected(void **state) {
        static const char body[] =
                "example.org/peerauth/other/1\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n";
        char note[CHECKPOINT_NOTE_MAX], text[93];
        uint8_t blob[68];
        Checkpoint read;
        size_t size;

        (void)state;
        assert_int_equal(crypto_base64_decode(strrchr(NOTE, ' ') + 1, 92, blob, sizeof(blob), &size), 0);
        crypto_signature(key, body, strlen(body), blob + 4); /* after the key id */
        crypto_base64(blob, sizeof(blob), text);
        (void)snprintf(note, sizeof(note), "%s\n\xe2\x80\x94 " ORIGIN " %s\n", body, text);
        assert_int_equal(checkpoint_parse(note, &read), 0);
        assert_int_equal(checkpoint_verify(note, VKEY, &read), -EKEYREJECTED);
}

static void vkeys_that_are_not_ours_to_read(void **state) {
        static const char *const vkeys[] = {
                "",
                "name",
                "name+",
                "name+00000000+",
                "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* id of no key */
                "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "PeterNeumann+c74f20a3+AhpcWQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* other algorithm */
                "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
                "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy",
                " +c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        };
        Checkpoint read;

        (void)state;
        for (size_t i = 0; i < sizeof(vkeys) / sizeof(vkeys[0]); i++)
                if (checkpoint_verify(NOTE, vkeys[i], &read) != -EINVAL)
                        fail_msg("'%s' was taken for a key", vkeys[i]);
}

#define SIGNED(body) body "\n\xe2\x80\x94 " ORIGIN " AAAAAQAAAAAAAAAA\n"
#define ROOT         "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"

static void bodies_that_are_not_checkpoints(void **state) {
        static const char *const notes[] = {
                SIGNED("\n8\n" ROOT),
                SIGNED("a b\n8\n" ROOT),
                SIGNED("a+b\n8\n" ROOT),
                SIGNED("a\x01\n8\n" ROOT),
                SIGNED("a\xc3\xa9\n8\n" ROOT),
                SIGNED("a\n\n" ROOT),
                SIGNED("a\n08\n" ROOT),
                SIGNED("a\n-8\n" ROOT),
                SIGNED("a\n+8\n" ROOT),
                SIGNED("a\n 8\n" ROOT),
                SIGNED("a\n8x\n" ROOT),
                SIGNED("a\n18446744073709551616\n" ROOT),
                SIGNED("a\n99999999999999999999999\n" ROOT),
                SIGNED("a\n8\nXcna\n"),
                SIGNED("a\n8\n" ROOT "extension\n"),
                SIGNED("a\n8\r\n" ROOT),
                "a\n8\n" ROOT,
                "a\n8\n" ROOT "\n",
                "a\n8\n" ROOT "\n- a AAAAAQAAAAAAAAAA\n",
                "a\n8\n" ROOT "\n\xe2\x80\x94 a\n",
                "a\n8\n" ROOT "\n\xe2\x80\x94  AAAAAQAA\n",
                "a\n8\n" ROOT "\n\xe2\x80\x94 a AAAAAQ==\n",
                "",
        };
        Checkpoint read;

        (void)state;
        for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
                if (checkpoint_parse(notes[i], &read) != -EBADMSG)
                        fail_msg("taken for a checkpoint: %s", notes[i]);
        assert_int_equal(checkpoint_parse(SIGNED("a\n0\n" ROOT), &read), 0);
        assert_int_equal(checkpoint_parse(SIGNED("a\n18446744073709551615\n" ROOT), &read), 0);
        assert_true(read.size == UINT64_MAX);
}

static void names_that_cannot_be_origins(void **state) {
        static const char *const origins[] = {"", "a b", "a+b", "a\nb", "a\x7f", "\xe2\x80\x94"};
        char note[CHECKPOINT_NOTE_MAX], vkey[CHECKPOINT_VKEY_MAX], longest[CHECKPOINT_ORIGIN_MAX + 2];
        Checkpoint made = checkpoint, read;
        CryptoPublicKey public;

        (void)state;
        crypto_sign_public(key, &public);
        for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
                strcpy(made.origin, origins[i]);
                assert_int_equal(checkpoint_sign(&made, key, note), -EINVAL);
                assert_int_equal(checkpoint_vkey(origins[i], &public, vkey), -EINVAL);
        }
        memset(longest, 'o', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(checkpoint_vkey(longest, &public, vkey), -EINVAL);
        longest[CHECKPOINT_ORIGIN_MAX] = '\0';
        strcpy(made.origin, longest);
        made.size = UINT64_MAX;
        assert_int_equal(checkpoint_vkey(longest, &public, vkey), 0);
        assert_int_equal(checkpoint_sign(&made, key, note), 0);
        assert_int_equal(checkpoint_verify(note, vkey, &read), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_public_example_of_a_signed_note),
                cmocka_unit_test(what_openssl_signed_is_what_we_sign),
                cmocka_unit_test(a_good_note_is_read),
                cmocka_unit_test(no_flipped_bit_is_accepted),
                cmocka_unit_test(no_shortened_note_is_accepted),
                cmocka_unit_test(lines_of_witnesses_are_passed_over),
                cmocka_unit_test(a_second_signature_of_ours_must_be_right_too),
                cmocka_unit_test(the_key_of_another_name_is_rejected),
                cmocka_unit_test(a_foreign_body_under_our_signature_is_rejected),
                cmocka_unit_test(vkeys_that_are_not_ours_to_read),
                cmocka_unit_test(bodies_that_are_not_checkpoints),
                cmocka_unit_test(names_that_cannot_be_origins),
        };
        int failed;

        if (crypto_init() < 0 || !(key = crypto_sign_key_from_seed(seed)))
                return 1;
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        key = crypto_sign_key_free(key);
        return failed;
}
