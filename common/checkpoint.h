/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signed checkpoints: the C2SP tlog-checkpoint body in a C2SP signed-note with one Ed25519 signature,
 * and the verifier key (vkey) text that belongs to it.
 *
 * body:      origin LF, tree size in decimal LF, base64(root) LF
 * note:      body LF, em dash SP name SP base64(keyid || signature) LF
 * key id:    SHA-256(name || 0x0A || 0x01 || public key)[:4]
 * vkey:      name "+" hex(keyid) "+" base64(0x01 || public key)
 * Sources: C2SP tlog-checkpoint, signed-note (https://c2sp.org). The key's name is the origin.
 */
#pragma once

#include <stdint.h>

#include "common/crypto.h"
#include "common/merkle.h"

enum { CHECKPOINT_ORIGIN_MAX = 255, CHECKPOINT_NOTE_MAX = 1024, CHECKPOINT_VKEY_MAX = 512 };

typedef struct Checkpoint {
        char origin[CHECKPOINT_ORIGIN_MAX + 1];
        uint64_t size;
        MerkleHash root;
} Checkpoint;

/* Writes the signed note, NUL-terminated. Returns 0, or -EINVAL for an origin with spaces, '+', controls
 * or none at all. */
int checkpoint_sign(const Checkpoint *checkpoint, const CryptoSignKey *key,
                    char ret_note[CHECKPOINT_NOTE_MAX]);

/* Parses and verifies. Returns 0 and *ret_checkpoint, -EBADMSG if the text is not a checkpoint,
 * -EKEYREJECTED if no signature by vkey is on it or that signature is wrong, -EINVAL if vkey is not one. */
int checkpoint_verify(const char *note, const char *vkey, Checkpoint *ret_checkpoint);

/* Parses without looking at the signatures: for comparing sizes only. 0 or -EBADMSG. */
int checkpoint_parse(const char *note, Checkpoint *ret_checkpoint);

/* Writes the vkey text for a public key. 0, or -EINVAL as above. */
int checkpoint_vkey(const char *origin, const CryptoPublicKey *key, char ret_vkey[CHECKPOINT_VKEY_MAX]);
