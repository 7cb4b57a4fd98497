/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the authentication of a PAM handle leaves behind for the account stage of the same handle.
 *
 * MUST 1: it serves once: whoever redeems it takes it away, also if it is then refused (attack A8).
 * MUST 2: it is of one account name; under another it is a denial (attack A6).
 * MUST 3: it never leaves the handle: another process or a later login cannot have it.
 */
#pragma once

#include <security/pam_modules.h>

#include "pam_peerauth/outcome.h"

/* kind is OUTCOME_APPROVED or OUTCOME_EXEMPT; user is copied. 0 or -ENOMEM. */
int approval_keep(pam_handle_t *pamh, const char *user, OutcomeKind kind);

/* 0, also if there was none; -EIO: it may still be there. */
int approval_drop(pam_handle_t *pamh);

/* 1 and how the account stage ends by it; 0: this handle has none. */
int approval_redeem(pam_handle_t *pamh, Outcome *ret_outcome);
