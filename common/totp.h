/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time-based one-time passwords (RFC 6238) as authenticator apps speak them: SHA-1, 6 digits, 30 s. The only
 * user of liboath. Keeps no state and reads no clock.
 *
 * MUST 1: a step counts once (attack R2, RFC 6238 section 5.2): totp_match() considers only steps after the
 *         newest that was used, and the caller makes the step that matched durable, in one transaction that
 *         fails if another login was quicker, before anybody hears of it.
 * MUST 2: a clock that is off by more than one step is refused.
 * MUST 3: all steps of the window are computed and compared in constant time, whichever matches.
 * MUST 4: the secret has a type of its own and is wiped by whoever holds it; so is every text made of it.
 *
 * One guess in 10^6 hits each of three steps, so the caller counts and delays wrong ones.
 */
#pragma once

#include <stdint.h>

#include "common/cleanup.h"

enum {
        TOTP_SECRET_SIZE = 20, /* 160 bits, as RFC 4226 section 4 (R6) recommends */
        TOTP_DIGITS = 6,
        TOTP_STEP_SEC = 30,
        TOTP_WINDOW = 1,                /* steps on either side of the present one */
        TOTP_TEXT_SIZE = 8 * 4 + 7 + 1, /* eight groups */
        TOTP_LABEL_MAX = 64,            /* bytes of an account or host name in the URI, before encoding */
        TOTP_URI_SIZE = 9 * TOTP_LABEL_MAX + 80, /* three names, each byte as %XX at worst */
};

typedef struct TotpSecret { /* secret */
        uint8_t bytes[TOTP_SECRET_SIZE];
} TotpSecret;

/* Must be called before anything else here; idempotent. 0 or -EIO. */
int totp_init(void);

void totp_secret_generate(TotpSecret *ret_secret);
void totp_secret_wipe(TotpSecret *secret);
#define _cleanup_totp_secret_ PEERAUTH_CLEANUP(totp_secret_wipe)

/* The password of one step; the caller wipes ret. 0 or -EIO. */
int totp_password(const TotpSecret *secret, uint64_t step, char ret[TOTP_DIGITS + 1]);

/*
 * Whether typed (six digits, see text_parse_code()) is the password of a step that is no more than
 * TOTP_WINDOW from the present one and later than used, the newest that was used (0: none yet). now is wall
 * time in seconds since the Unix epoch.
 * 1 and *ret_step, 0 if not, -ESTALE if used lies so far in the future that nothing can match until the
 * clock gets there (it was set back since), -EIO, -EINVAL for anything but six digits.
 */
int totp_match(const TotpSecret *secret, const char *typed, uint64_t now, uint64_t used, uint64_t *ret_step);

/* Base32 (RFC 4648) in groups of four, for typing into an app; the caller wipes ret. 0 or -ENOMEM. */
int totp_secret_text(const TotpSecret *secret, char ret[TOTP_TEXT_SIZE]);

/*
 * "otpauth://totp/HOST:ACCOUNT?secret=...&issuer=HOST" for a QR code, as the Key Uri Format has it. The
 * parameters whose defaults are ours are left out, so that the code fits a terminal of 80 by 24. A name that
 * is longer than TOTP_LABEL_MAX is cut, what a person should not see in it is escaped as text_safe() does
 * (the app shows it), and its colons become '_', for a colon, encoded or not, parts host from account.
 * The caller wipes ret. 0, -ENOMEM, or -EINVAL for an empty name.
 */
int totp_uri(const TotpSecret *secret, const char *host, const char *account, char ret[TOTP_URI_SIZE]);
