/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 6-digit codes of the requests that are pending.
 *
 * MUST 1: uniform in 000000..999999, leading zeros kept (C1); unique among the pending ones.
 * MUST 2: kept as a keyed hash under a key of this broker's lifetime, in locked memory that is left out of
 *         core dumps; the digits themselves only where the rule shows them to reviewers.
 * MUST 3: compared in constant time, wiped when the request is decided (C7).
 */
#pragma once

#include <stdbool.h>

#include "common/protocol.h"

typedef struct Codes Codes;

enum { CODE_SIZE = PEERAUTH_CODE_DIGITS + 1, CODE_NO_SLOT = PEERAUTH_PENDING_MAX };

/* 0, -ENOMEM, or -EIO if there is no randomness. */
int codes_new(Codes **ret_codes);
Codes *codes_free(Codes *codes);

/* One draw; the caller wipes it. */
void code_draw(char ret_code[CODE_SIZE]);

/* A new code and its place; keep_digits for Code=compare. 0, or -ENOBUFS if PEERAUTH_PENDING_MAX are out.
 * The caller wipes ret_code. */
int codes_issue(Codes *codes, bool keep_digits, unsigned *ret_slot, char ret_code[CODE_SIZE]);

/* Whether typed is the code in slot. */
bool codes_match(const Codes *codes, unsigned slot, const char *typed);

/* The digits, if they were kept, else NULL. Owned by codes. */
const char *codes_digits(const Codes *codes, unsigned slot);

/* Wipes a slot; CODE_NO_SLOT is allowed. */
void codes_drop(Codes *codes, unsigned slot);
