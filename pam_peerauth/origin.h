/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose login this is and where it comes from: the PAM items, made fit for the broker.
 *
 * MUST 1: the account name goes out byte for byte as PAM holds it, or the login is refused; it is never
 *         shortened or rewritten into another account's name (attack A7). So does the service, because it
 *         selects the rule.
 * MUST 2: the name is compared with PAM's once more after the decision (attack A6), on a copy of our own.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>

#include "common/client.h"
#include "pam_peerauth/options.h"

/* All owned; user and service are never NULL once read. */
typedef struct Origin {
        char *user, *service, *tty, *rhost, *ruser;
} Origin;

/*
 * Returns 0 and *ret_origin, to be released by origin_done(); -EINVAL if the name or the service is missing,
 * empty, too long or not plain text; -ENOMEM. *ret_what then names the item.
 */
int origin_read(pam_handle_t *pamh, Origin *ret_origin, const char **ret_what);
void origin_done(Origin *origin);

/* Whether PAM holds this account name, now. */
bool origin_is_user(pam_handle_t *pamh, const char *user);
bool origin_same_user(pam_handle_t *pamh, const Origin *origin);

/* Whether this is no login: polkit asks somebody who is logged in, and no approval may wait for another. */
bool origin_is_review(pam_handle_t *pamh);

/* Whether the service is one whose account stage and sessions are no login of their own: see "skip". */
bool origin_is_skipped(pam_handle_t *pamh, const Options *options);

/* Text that only informs people, valid for the bus: as it is if that is plain and at most max bytes long,
 * else escaped and cut. The caller frees; NULL: no memory. */
char *origin_fit_text(const char *text, size_t max);

/* The view that the client sends; lives as long as origin. */
ClientLogin origin_login(const Origin *origin, uint64_t time_left_usec);
