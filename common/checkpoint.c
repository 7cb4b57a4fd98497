/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes and reads checkpoints as C2SP describes them (tlog-checkpoint and signed-note), strictly:
 * a text that two readers could understand in two ways is not a checkpoint.
 *
 * Pure: no file, no clock. MUST: a checkpoint counts as verified only through crypto_verify() over
 * the very bytes that were parsed.
 */
#include "common/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        KEY_ID_SIZE = 4,
        ALGORITHM_ED25519 = 0x01,
        SIGNATURE_LINES_MAX = 64, /* ours and those of witnesses */
        BODY_MAX = CHECKPOINT_ORIGIN_MAX + 80,
        BASE64_HASH = 44,         /* of 32 bytes */
        BASE64_SIGNATURE = 92,    /* of key id and signature */
        BASE64_KEY = 44,          /* of algorithm and public key */
        SIGNATURE_BLOB_MAX = 512, /* a witness may use another algorithm */
};

#define EM_DASH_SPACE "\xe2\x80\x94 "

typedef struct Span {
        const char *start;
        size_t size;
} Span;

static bool span_is(Span span, const char *text) {
        return span.size == strlen(text) && memcmp(span.start, text, span.size) == 0;
}

static bool origin_is_valid(const char *origin, size_t size) {
        if (size == 0 || size > CHECKPOINT_ORIGIN_MAX)
                return false;
        for (size_t i = 0; i < size; i++)
                if (origin[i] <= 0x20 || origin[i] > 0x7e || origin[i] == '+')
                        return false;
        return true;
}

/* signed-note: the id binds the name too, so one key under two names has two ids. */
static void key_id(const char *name, const CryptoPublicKey *key, uint8_t ret[KEY_ID_SIZE]) {
        uint8_t tail[2 + CRYPTO_PUBLIC_SIZE] = {'\n', ALGORITHM_ED25519}, hash[CRYPTO_SHA256_SIZE];

        memcpy(tail + 2, key->bytes, CRYPTO_PUBLIC_SIZE);
        crypto_sha256(name, strlen(name), tail, sizeof(tail), hash);
        memcpy(ret, hash, KEY_ID_SIZE);
}

int checkpoint_vkey(const char *origin, const CryptoPublicKey *key, char ret_vkey[CHECKPOINT_VKEY_MAX]) {
        uint8_t id[KEY_ID_SIZE], typed[1 + CRYPTO_PUBLIC_SIZE] = {ALGORITHM_ED25519};
        char id_hex[2 * KEY_ID_SIZE + 1], key_text[BASE64_KEY + 1];

        if (!origin_is_valid(origin, strlen(origin)))
                return -EINVAL;
        key_id(origin, key, id);
        memcpy(typed + 1, key->bytes, CRYPTO_PUBLIC_SIZE);
        crypto_hex(id, sizeof(id), id_hex);
        crypto_base64(typed, sizeof(typed), key_text);
        (void)snprintf(ret_vkey, CHECKPOINT_VKEY_MAX, "%s+%s+%s", origin, id_hex, key_text);
        return 0;
}

static int vkey_parse(const char *vkey, char ret_name[CHECKPOINT_ORIGIN_MAX + 1], CryptoPublicKey *ret_key) {
        const char *plus = strchr(vkey, '+'), *key_text;
        uint8_t typed[1 + CRYPTO_PUBLIC_SIZE];
        char name[CHECKPOINT_ORIGIN_MAX + 1] = "", again[CHECKPOINT_VKEY_MAX];
        CryptoPublicKey key;
        size_t size;

        if (!plus || !origin_is_valid(vkey, (size_t)(plus - vkey)))
                return -EINVAL;
        memcpy(name, vkey, (size_t)(plus - vkey));
        key_text = strchr(plus + 1, '+');
        if (!key_text ||
            crypto_base64_decode(key_text + 1, strlen(key_text + 1), typed, sizeof(typed), &size) < 0 ||
            size != sizeof(typed) || typed[0] != ALGORITHM_ED25519)
                return -EINVAL;
        memcpy(key.bytes, typed + 1, CRYPTO_PUBLIC_SIZE);
        /* Writing it again checks the key id and every detail of the spelling at once. */
        if (checkpoint_vkey(name, &key, again) < 0 || strcmp(vkey, again) != 0)
                return -EINVAL;
        memcpy(ret_name, name, sizeof(name));
        *ret_key = key;
        return 0;
}

static int body_write(const Checkpoint *checkpoint, char *ret, size_t size) {
        char root[BASE64_HASH + 1];

        if (!origin_is_valid(checkpoint->origin, strnlen(checkpoint->origin, sizeof(checkpoint->origin))))
                return -EINVAL;
        crypto_base64(checkpoint->root.bytes, MERKLE_HASH_SIZE, root);
        return snprintf(ret, size, "%s\n%" PRIu64 "\n%s\n", checkpoint->origin, checkpoint->size, root);
}

int checkpoint_sign(const Checkpoint *checkpoint, const CryptoSignKey *key,
                    char ret_note[CHECKPOINT_NOTE_MAX]) {
        uint8_t blob[KEY_ID_SIZE + CRYPTO_SIGN_SIZE];
        char body[BODY_MAX], signature[BASE64_SIGNATURE + 1];
        CryptoPublicKey public;
        int size;

        size = body_write(checkpoint, body, sizeof(body));
        if (size < 0)
                return size;
        crypto_sign_public(key, &public);
        key_id(checkpoint->origin, &public, blob);
        crypto_signature(key, body, (size_t)size, blob + KEY_ID_SIZE);
        crypto_base64(blob, sizeof(blob), signature);
        (void)snprintf(ret_note, CHECKPOINT_NOTE_MAX, "%s\n" EM_DASH_SPACE "%s %s\n", body,
                       checkpoint->origin, signature);
        return 0;
}

/* Takes the next line, without its LF, off *text. */
static bool take_line(const char **text, Span *ret) {
        const char *end = strchr(*text, '\n');

        if (!end)
                return false;
        *ret = (Span){*text, (size_t)(end - *text)};
        *text = end + 1;
        return true;
}

static int parse_size(Span span, uint64_t *ret) {
        uint64_t value = 0;

        if (span.size == 0 || (span.size > 1 && span.start[0] == '0'))
                return -EBADMSG;
        for (size_t i = 0; i < span.size; i++) {
                char digit = span.start[i];

                if (digit < '0' || digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(digit - '0'), &value))
                        return -EBADMSG;
        }
        *ret = value;
        return 0;
}

/* Extension lines are allowed by tlog-checkpoint, but our logs write none: they are refused. */
static int body_parse(const char *note, Checkpoint *ret_checkpoint, size_t *ret_body_size) {
        Checkpoint checkpoint = {0};
        Span origin, size, root, empty;
        const char *text = note;
        size_t root_size;

        if (!take_line(&text, &origin) || !origin_is_valid(origin.start, origin.size) ||
            !take_line(&text, &size) || parse_size(size, &checkpoint.size) < 0 || !take_line(&text, &root) ||
            crypto_base64_decode(root.start, root.size, checkpoint.root.bytes, MERKLE_HASH_SIZE, &root_size) <
                    0 ||
            root_size != MERKLE_HASH_SIZE)
                return -EBADMSG;
        *ret_body_size = (size_t)(text - note);
        if (!take_line(&text, &empty) || empty.size != 0)
                return -EBADMSG;
        memcpy(checkpoint.origin, origin.start, origin.size);
        *ret_checkpoint = checkpoint;
        return 0;
}

typedef struct Signature {
        Span name;
        uint8_t blob[SIGNATURE_BLOB_MAX]; /* key id, then the signature */
        size_t size;
} Signature;

static int signature_parse(Span line, Signature *ret) {
        const size_t prefix = strlen(EM_DASH_SPACE);
        const char *space, *end = line.start + line.size;

        if (line.size <= prefix || memcmp(line.start, EM_DASH_SPACE, prefix) != 0)
                return -EBADMSG;
        ret->name.start = line.start + prefix;
        space = memchr(ret->name.start, ' ', line.size - prefix);
        if (!space || space == ret->name.start)
                return -EBADMSG;
        ret->name.size = (size_t)(space - ret->name.start);
        if (crypto_base64_decode(space + 1, (size_t)(end - space - 1), ret->blob, sizeof(ret->blob),
                                 &ret->size) < 0 ||
            ret->size <= KEY_ID_SIZE)
                return -EBADMSG;
        return 0;
}

/*
 * Walks over the signature lines. With a key, every signature under that name and key id must be
 * right and there must be one; lines of others are passed over, as signed-note demands.
 */
static int signatures_check(const char *lines, const char *name, const CryptoPublicKey *key, Span body) {
        uint8_t id[KEY_ID_SIZE];
        unsigned found = 0, n = 0;
        Span line;

        if (key)
                key_id(name, key, id);
        for (; *lines != '\0'; n++) {
                Signature signature;

                if (n >= SIGNATURE_LINES_MAX || !take_line(&lines, &line) ||
                    signature_parse(line, &signature) < 0)
                        return -EBADMSG;
                if (!key || !span_is(signature.name, name) || memcmp(signature.blob, id, KEY_ID_SIZE) != 0)
                        continue;
                if (signature.size != KEY_ID_SIZE + CRYPTO_SIGN_SIZE ||
                    !crypto_verify(key, body.start, body.size, signature.blob + KEY_ID_SIZE))
                        return -EKEYREJECTED;
                found++;
        }
        if (n == 0)
                return -EBADMSG;
        return key && found == 0 ? -EKEYREJECTED : 0;
}

int checkpoint_parse(const char *note, Checkpoint *ret_checkpoint) {
        Checkpoint checkpoint;
        size_t body_size;
        int r;

        r = body_parse(note, &checkpoint, &body_size);
        if (r < 0)
                return r;
        r = signatures_check(note + body_size + 1, NULL, NULL, (Span){note, body_size});
        if (r < 0)
                return r;
        *ret_checkpoint = checkpoint;
        return 0;
}

int checkpoint_verify(const char *note, const char *vkey, Checkpoint *ret_checkpoint) {
        char name[CHECKPOINT_ORIGIN_MAX + 1];
        CryptoPublicKey key;
        Checkpoint checkpoint;
        size_t body_size;
        int r;

        r = vkey_parse(vkey, name, &key);
        if (r < 0)
                return r;
        r = body_parse(note, &checkpoint, &body_size);
        if (r < 0)
                return r;
        r = signatures_check(note + body_size + 1, name, &key, (Span){note, body_size});
        if (r < 0)
                return r;
        if (strcmp(checkpoint.origin, name) != 0) /* a valid key of one ledger says nothing of another */
                return -EKEYREJECTED;
        *ret_checkpoint = checkpoint;
        return 0;
}
