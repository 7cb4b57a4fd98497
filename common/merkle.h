/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Merkle tree of RFC 6962 section 2.1 over the ledger's entries: leaf hashes, interior nodes and
 * the compact frontier from which the root of a growing tree is computed.
 *
 * Pure apart from SHA-256, which comes through common/crypto.h. Nothing is allocated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MERKLE_HASH_SIZE = 32, MERKLE_LEVELS = 64 };

typedef struct MerkleHash {
        uint8_t bytes[MERKLE_HASH_SIZE];
} MerkleHash;

/* The roots of the perfect subtrees that make up a tree of `size` leaves, one for each set bit of size;
 * peaks[l] is meaningful only if bit l of size is set. Zero-initialised, it is the empty tree. */
typedef struct MerkleFrontier {
        uint64_t size;
        MerkleHash peaks[MERKLE_LEVELS];
} MerkleFrontier;

/* A complete subtree that an append closed: its root, `level` above the leaves, number `index` there. */
typedef struct MerkleNode {
        unsigned level;
        uint64_t index;
        MerkleHash hash;
} MerkleNode;

/* leaf = SHA-256(0x00 || entry), RFC 6962 section 2.1. */
MerkleHash merkle_leaf(const void *entry, size_t size);

/* node = SHA-256(0x01 || left || right), RFC 6962 section 2.1. */
MerkleHash merkle_node(const MerkleHash *left, const MerkleHash *right);

/* Appends one leaf. ret_nodes (room for MERKLE_LEVELS, or NULL) receives the leaf itself (level 0) and
 * every interior node that it closed, lowest first; returns their number. */
unsigned merkle_append(MerkleFrontier *frontier, const MerkleHash *leaf, MerkleNode *ret_nodes);

/* The root of the tree; of the empty tree it is SHA-256 of the empty string. */
MerkleHash merkle_root(const MerkleFrontier *frontier);
