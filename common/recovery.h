/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The form of recovery codes: what people print, keep in a drawer and type when nobody can approve. Pure:
 * chance is a parameter, and what is stored of a code is not known here.
 *
 * MUST 1: 80 random bits, all of them in what is shown: 16 characters of 5 bits (Crockford's base32, which
 *         has no I, L, O and U), so "8K3V-0QWX-..." is as strong as it is long.
 * MUST 2: whatever people make of it (case, spaces, dashes, O for 0, I or L for 1) is one canonical form,
 *         and what is hashed is that form alone.
 * MUST 3: the canonical form is a type of its own, is wiped by whoever holds it, and is never formatted but
 *         by recovery_show().
 *
 * Uses libc only, so that the module may tell a recovery code from anything else that was typed.
 */
#pragma once

#include <stdint.h>

#include "common/cleanup.h"

enum {
        RECOVERY_CODES = 10, /* of one account */
        RECOVERY_BYTES = 10, /* of chance in one code */
        RECOVERY_CHARS = 16,
        RECOVERY_SHOWN_SIZE = RECOVERY_CHARS + 3 + 1,
        RECOVERY_TYPED_MAX = 64, /* bytes: longer text is no code, however many spaces it has */
};

typedef struct RecoveryCode { /* secret */
        char canonical[RECOVERY_CHARS + 1];
} RecoveryCode;

void recovery_wipe(RecoveryCode *code);
#define _cleanup_recovery_ PEERAUTH_CLEANUP(recovery_wipe)

void recovery_from_random(const uint8_t random[RECOVERY_BYTES], RecoveryCode *ret_code);

/* "8K3V-0QWX-..."; the caller wipes ret. */
void recovery_show(const RecoveryCode *code, char ret[RECOVERY_SHOWN_SIZE]);

/* 0, or -EINVAL if this cannot be a recovery code. */
int recovery_parse(const char *typed, RecoveryCode *ret_code);
