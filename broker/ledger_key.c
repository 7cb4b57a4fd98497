/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one place that touches the signing key's bytes. They live in locked memory, for as long as it
 * takes to derive the key pair, and in no message.
 */
#include "broker/ledger_key.h"

#include <errno.h>

#include "common/cleanup.h"

static inline void locked_free(uint8_t **seed) {
        *seed = crypto_locked_free(*seed);
}
#define _cleanup_seed_ PEERAUTH_CLEANUP(locked_free)

static int derive(const uint8_t *seed, CryptoSignKey **ret_key) {
        *ret_key = crypto_sign_key_from_seed(seed);
        return *ret_key ? 0 : -ENOMEM;
}

int ledger_key_load(const LedgerDir *dir, CryptoSignKey **ret_key, char **ret_message) {
        _cleanup_seed_ uint8_t *seed = crypto_locked_alloc(CRYPTO_SIGN_SEED_SIZE);
        size_t size = 0;
        int r;

        if (!seed)
                return -ENOMEM;
        r = ledger_dir_read(dir, LEDGER_DIR_KEY, true, seed, CRYPTO_SIGN_SEED_SIZE, &size);
        if (r == -ENOENT)
                return r;
        if (r == -EPERM)
                return ledger_dir_refuse(ret_message, r,
                                         "%s/" LEDGER_DIR_KEY
                                         ": must be a plain file of the broker's account with "
                                         "mode 0600; if others could read it, treat the key as known to them",
                                         dir->path);
        if (r == -EFBIG || (r >= 0 && size != CRYPTO_SIGN_SEED_SIZE))
                return ledger_dir_refuse(ret_message, -ENOKEY,
                                         "%s/" LEDGER_DIR_KEY
                                         ": is not a key of %d bytes; restore it from backup",
                                         dir->path, CRYPTO_SIGN_SEED_SIZE);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, dir->path, LEDGER_DIR_KEY, "read");
        return derive(seed, ret_key);
}

int ledger_key_create(const LedgerDir *dir, CryptoSignKey **ret_key, char **ret_message) {
        _cleanup_seed_ uint8_t *seed = crypto_locked_alloc(CRYPTO_SIGN_SEED_SIZE);
        int r;

        if (!seed)
                return -ENOMEM;
        crypto_random(seed, CRYPTO_SIGN_SEED_SIZE);
        r = ledger_dir_replace(dir, LEDGER_DIR_KEY, seed, CRYPTO_SIGN_SEED_SIZE);
        if (r < 0)
                return ledger_dir_failed(ret_message, r, dir->path, LEDGER_DIR_KEY, "write");
        return derive(seed, ret_key);
}
