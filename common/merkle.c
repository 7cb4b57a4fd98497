/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The RFC 6962 tree as a frontier of perfect subtrees: an append costs as many hashes as it closes
 * subtrees, whatever the size of the tree.
 *
 * Holds no tree: where the closed nodes are kept is the business of whoever appends.
 */
#include "common/merkle.h"

#include <string.h>

#include "common/crypto.h"

/* RFC 6962 section 2.1: different prefixes, so that a leaf can never pass for an interior node. */
static const uint8_t leaf_prefix = 0x00, node_prefix = 0x01;

_Static_assert(sizeof(MerkleHash) == CRYPTO_SHA256_SIZE, "the tree hashes with SHA-256");

MerkleHash merkle_leaf(const void *entry, size_t size) {
        MerkleHash hash;

        crypto_sha256(&leaf_prefix, sizeof(leaf_prefix), entry, size, hash.bytes);
        return hash;
}

MerkleHash merkle_node(const MerkleHash *left, const MerkleHash *right) {
        uint8_t children[2 * MERKLE_HASH_SIZE];
        MerkleHash hash;

        memcpy(children, left->bytes, MERKLE_HASH_SIZE);
        memcpy(children + MERKLE_HASH_SIZE, right->bytes, MERKLE_HASH_SIZE);
        crypto_sha256(&node_prefix, sizeof(node_prefix), children, sizeof(children), hash.bytes);
        return hash;
}

unsigned merkle_append(MerkleFrontier *frontier, const MerkleHash *leaf, MerkleNode *ret_nodes) {
        MerkleNode node = {.level = 0, .index = frontier->size, .hash = *leaf};
        unsigned n = 0;

        if (ret_nodes)
                ret_nodes[n] = node;
        n++;
        /* Adding one to size carries through its trailing ones; each carry joins two equal subtrees. */
        while (node.level < MERKLE_LEVELS - 1 && (frontier->size >> node.level & 1) != 0) {
                node.hash = merkle_node(&frontier->peaks[node.level], &node.hash);
                node.level++;
                node.index >>= 1;
                if (ret_nodes)
                        ret_nodes[n] = node;
                n++;
        }
        frontier->peaks[node.level] = node.hash;
        frontier->size++;
        return n;
}

MerkleHash merkle_root(const MerkleFrontier *frontier) {
        MerkleHash root;
        unsigned level = 0;

        if (frontier->size == 0) {
                crypto_sha256(NULL, 0, NULL, 0, root.bytes);
                return root;
        }
        while ((frontier->size >> level & 1) == 0)
                level++;
        root = frontier->peaks[level];
        while (++level < MERKLE_LEVELS)
                if ((frontier->size >> level & 1) != 0)
                        root = merkle_node(&frontier->peaks[level], &root);
        return root;
}
