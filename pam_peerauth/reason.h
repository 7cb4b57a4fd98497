/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the person for the reason that a rule wants.
 *
 * MUST 1: what was typed is wiped, but for the reason itself, and its owner wipes that.
 * MUST 2: the password, typed by reflex, is never sent as a reason: reviewers and the ledger would have it.
 */
#pragma once

#include <security/pam_modules.h>

#include "pam_peerauth/outcome.h"

/*
 * Shows the broker's question. Returns 0 and *ret_reason, "" if nothing was said, which typed_free() frees;
 * or -1 and *ret_outcome: the person gave up or wrote too much twice.
 */
int reason_ask(pam_handle_t *pamh, const char *service, const char *question, char **ret_reason,
               Outcome *ret_outcome);
