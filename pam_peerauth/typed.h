/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person typed at a prompt: wiped by whoever holds it, and perhaps the password, typed by reflex.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>

#include "common/cleanup.h"

void typed_free(char *typed);
PEERAUTH_DEFINE_CLEANUP(char *, typed_free);

/* Whether this is the password of this login, as far as the stack knows it; true if PAM will not say. */
bool typed_is_password(pam_handle_t *pamh, const char *typed);

/*
 * Whether the password stands anywhere in what was typed: with blanks around it, or typed twice. Blanks and
 * controls at the ends of either do not count. One of less than 4 bytes must be all of it, as it could stand
 * in any word. True if PAM will not say.
 */
bool typed_holds_password(pam_handle_t *pamh, const char *typed);
