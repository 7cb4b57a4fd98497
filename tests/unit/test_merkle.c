/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common/merkle.c against the vectors of the Certificate Transparency test suite and against a slow
 * transcription of the recursive definition in RFC 6962 section 2.1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/merkle.h"

enum { LEAVES = 300 };

static void assert_hash(const MerkleHash *hash, const char *expected) {
        char hex[2 * MERKLE_HASH_SIZE + 1];

        crypto_hex(hash->bytes, MERKLE_HASH_SIZE, hex);
        assert_string_equal(hex, expected);
}

static void known_roots_of_certificate_transparency(void **state) {
        static const struct {
                const char *data;
                size_t size;
                const char *root; /* of the tree that ends with this leaf */
        } leaves[] = {
                {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
                {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
                {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
                {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
                {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
                {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
                {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
                 "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
                {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
                 "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
        };
        MerkleFrontier tree = {0};
        MerkleHash root = merkle_root(&tree);

        (void)state;
        assert_hash(&root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
                MerkleHash leaf = merkle_leaf(leaves[i].data, leaves[i].size);

                (void)merkle_append(&tree, &leaf, NULL);
                assert_int_equal(tree.size, i + 1);
                root = merkle_root(&tree);
                assert_hash(&root, leaves[i].root);
        }
}

/* MTH({d}) = SHA-256(0x00 || d); MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])), k the largest
 * power of two below n. Uses only SHA-256 itself. */
static MerkleHash slow_root(size_t from, size_t to) {
        MerkleHash result, left, right;
        uint8_t input[65];
        size_t k = 1;

        if (to == from) {
                crypto_sha256(NULL, 0, NULL, 0, result.bytes);
                return result;
        }
        if (to - from == 1) {
                int n = snprintf((char *)input, sizeof(input),
                                 "%c"
                                 "entry %zu",
                                 0, from);

                crypto_sha256(input, (size_t)n, NULL, 0, result.bytes);
                return result;
        }
        while (2 * k < to - from)
                k *= 2;
        left = slow_root(from, from + k);
        right = slow_root(from + k, to);
        input[0] = 0x01;
        memcpy(input + 1, left.bytes, 32);
        memcpy(input + 33, right.bytes, 32);
        crypto_sha256(input, sizeof(input), NULL, 0, result.bytes);
        return result;
}

static MerkleHash append_entry(MerkleFrontier *tree, size_t i, MerkleNode *ret_nodes, unsigned *ret_n) {
        char text[32];
        int n = snprintf(text, sizeof(text), "entry %zu", i);
        MerkleHash leaf = merkle_leaf(text, (size_t)n);

        *ret_n = merkle_append(tree, &leaf, ret_nodes);
        return leaf;
}

static void every_size_agrees_with_the_definition(void **state) {
        MerkleFrontier tree = {0};

        (void)state;
        for (size_t size = 0; size <= LEAVES; size++) {
                MerkleHash root = merkle_root(&tree), expected = slow_root(0, size);
                unsigned n;

                assert_memory_equal(root.bytes, expected.bytes, MERKLE_HASH_SIZE);
                (void)append_entry(&tree, size, NULL, &n);
        }
}

static void every_closed_node_is_the_root_of_its_leaves(void **state) {
        MerkleFrontier tree = {0};
        unsigned total = 0;

        (void)state;
        for (size_t i = 0; i < LEAVES; i++) {
                MerkleNode nodes[MERKLE_LEVELS];
                unsigned n;
                MerkleHash leaf = append_entry(&tree, i, nodes, &n);

                assert_memory_equal(nodes[0].hash.bytes, leaf.bytes, MERKLE_HASH_SIZE);
                assert_int_equal(nodes[0].index, i);
                for (unsigned k = 0; k < n; k++) {
                        size_t from = nodes[k].index << nodes[k].level, to = (nodes[k].index + 1)
                                                                             << nodes[k].level;
                        MerkleHash expected = slow_root(from, to);

                        assert_int_equal(nodes[k].level, k);
                        assert_int_equal(to, i + 1);
                        assert_memory_equal(nodes[k].hash.bytes, expected.bytes, MERKLE_HASH_SIZE);
                }
                total += n - 1;
        }
        /* Perfect subtrees of two or more leaves below 300: 150 + 75 + 37 + 18 + 9 + 4 + 2 + 1. */
        assert_int_equal(total, 296);
}

/* A frontier made of stored peaks, as the broker loads it at start, goes on like the one that grew. */
static void a_frontier_needs_only_the_peaks_of_its_set_bits(void **state) {
        MerkleFrontier grown = {0}, loaded;
        unsigned n;

        (void)state;
        for (size_t i = 0; i < 100; i++)
                (void)append_entry(&grown, i, NULL, &n);
        memset(&loaded, 0xa5, sizeof(loaded));
        loaded.size = 100; /* 64 + 32 + 4 */
        loaded.peaks[6] = slow_root(0, 64);
        loaded.peaks[5] = slow_root(64, 96);
        loaded.peaks[2] = slow_root(96, 100);
        for (size_t i = 100; i < LEAVES; i++) {
                MerkleHash a, b;

                (void)append_entry(&grown, i, NULL, &n);
                (void)append_entry(&loaded, i, NULL, &n);
                a = merkle_root(&grown);
                b = merkle_root(&loaded);
                assert_memory_equal(a.bytes, b.bytes, MERKLE_HASH_SIZE);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_roots_of_certificate_transparency),
                cmocka_unit_test(every_size_agrees_with_the_definition),
                cmocka_unit_test(every_closed_node_is_the_root_of_its_leaves),
                cmocka_unit_test(a_frontier_needs_only_the_peaks_of_its_set_bits),
        };

        if (crypto_init() < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
