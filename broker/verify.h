/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery codes against what is stored of them, in a thread: each guess costs tens of milliseconds and
 * 19 MiB, which must hold up nothing else.
 *
 * What is stored of an account's ten codes is one salt and ten hashes under it. So one run of Argon2id
 * tells which of the ten was typed, and the codes need no index that would give bits of them away. A salt of
 * their own for each would slow down whoever stole the hashes by a factor of ten, 3.3 of 80 bits; between
 * accounts, and between one set and the next, salts differ.
 *
 * MUST 1: one guess is worked on at a time (WORKER_VERIFY has one thread), so memory does not grow with the
 *         number of guesses; at most VERIFY_MAX are taken on, VERIFY_ACCOUNT_MAX of one account.
 * MUST 2: an account without codes, and one that does not exist, cost what others do, and no comparison
 *         ends early, so time tells neither who has codes nor which of them are used up.
 * MUST 3: anything but a positive result is no match.
 * MUST 4: a match is no redemption. The caller marks the code as used in one transaction that changes
 *         exactly one row, and goes on only then: two logins may match the same code (attack R1).
 * MUST 5: codes stay in locked memory that is left out of core dumps, and are wiped when done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/worker.h"
#include "common/crypto.h"
#include "common/recovery.h"

enum { VERIFY_MAX = 64, VERIFY_ACCOUNT_MAX = 2 };

/* What is stored of an account's codes. Zero: there is none. */
typedef struct VerifySet {
        uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE];
        struct {
                bool left; /* not used yet */
                uint8_t hash[CRYPTO_PASSWORD_HASH_SIZE];
        } codes[RECOVERY_CODES];
} VerifySet;

/* One code as it is stored, from 0 on, and back: the codes that are left of an account, one after the other.
 * -EBADMSG: not such a text, or of another set; -ENOBUFS: there are RECOVERY_CODES already. Codes are
 * numbered as they were added, from 1. */
void verify_set_text(const VerifySet *set, unsigned code, char ret[CRYPTO_PASSWORD_TEXT_SIZE]);
int verify_set_add(VerifySet *set, const char *text);

typedef struct Verify Verify;

/* result: the number of the code that matches, from 1; 0: none does; -ENOMEM: could not be found out;
 * -ECANCELED: the broker is about to end. */
typedef void (*VerifyFunc)(int result, void *userdata);

/* The new codes and what to store of them, both gone afterwards; NULL if r is not 0 (then as above). */
typedef void (*VerifyMadeFunc)(int r, const RecoveryCode codes[RECOVERY_CODES], const VerifySet *set,
                               void *userdata);

/* 0 or -ENOMEM. */
int verify_new(Worker *worker, Verify **ret_verify);

/* After the worker. */
Verify *verify_free(Verify *verify);

/*
 * Checks typed against set (copied; NULL: the account has no codes). account is what its guesses are counted
 * by. done is called once, from the loop, if this returns 0.
 * -ENOBUFS: VERIFY_MAX are under way; -EBUSY: VERIFY_ACCOUNT_MAX of this account; neither is a wrong code,
 * and both pass within seconds. -EINVAL: the name is longer than PEERAUTH_USER_MAX. Or another errno.
 */
int verify_code(Verify *verify, const char *account, const RecoveryCode *typed, const VerifySet *set,
                VerifyFunc done, void *userdata);

/* Draws an account's codes. Bounds and errors as above. */
int verify_make(Verify *verify, const char *account, VerifyMadeFunc done, void *userdata);
