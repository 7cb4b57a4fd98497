/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ledger files of any bytes: read to the end without harm, and good only if they hold what was signed. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canonical.h"
#include "common/ledger_file.h"
#include "tests/fuzz/fuzz.h"

static void expect(bool truth) {
        if (!truth)
                abort();
}

/* The head of the empty ledger: whatever else the bytes hold, they must not pass for it. */
static void sign_empty(char note[CHECKPOINT_NOTE_MAX], char vkey[CHECKPOINT_VKEY_MAX]) {
        static const uint8_t seed[CRYPTO_SIGN_SEED_SIZE] = {1};
        static const MerkleFrontier empty;
        CryptoSignKey *key = crypto_init() < 0 ? NULL : crypto_sign_key_from_seed(seed);
        Checkpoint checkpoint = {.origin = "example.org/peerauth/0123abcd/1", .root = merkle_root(&empty)};
        CryptoPublicKey public;

        expect(key != NULL);
        crypto_sign_public(key, &public);
        expect(checkpoint_sign(&checkpoint, key, note) == 0);
        expect(checkpoint_vkey(checkpoint.origin, &public, vkey) == 0);
        key = crypto_sign_key_free(key);
}

static void read_all(const char *path) {
        LedgerFile *file = NULL;
        char *message = NULL;
        const char *text;
        uint64_t index;
        size_t size;
        int r;

        r = ledger_file_open(path, &file, &message);
        expect(r == 0 ? file != NULL : message != NULL);
        while (r == 0 && ledger_file_next(file, &index, &text, &size) > 0) {
                expect(size <= CANONICAL_MAX && memchr(text, '\0', size) == NULL);
        }
        file = ledger_file_close(file);
        free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char path[] = "/tmp/peerauth-fuzz-XXXXXX", note[CHECKPOINT_NOTE_MAX], vkey[CHECKPOINT_VKEY_MAX];
        int fd = mkostemp(path, O_CLOEXEC);
        char *message = NULL;
        LedgerVerdict verdict = {0};

        expect(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0);
        read_all(path);
        sign_empty(note, vkey);
        if (ledger_file_verify(path, note, vkey, &verdict, &message) == 0)
                expect(verdict.good ? verdict.size == 0 : verdict.reason[0] != '\0');
        free(message);
        expect(unlink(path) == 0);
        return 0;
}
