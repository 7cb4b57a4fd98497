/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TOTP is HOTP of the number of the step (RFC 6238 section 4.2), and liboath has HOTP and base32. */
#include "common/totp.h"

#include <errno.h>
#include <liboath/oath.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/text.h"

enum { BASE32_SIZE = TOTP_SECRET_SIZE * 8 / 5 + 1 };

int totp_init(void) {
        return oath_init() == OATH_OK ? 0 : -EIO;
}

void totp_secret_generate(TotpSecret *ret_secret) {
        crypto_random(ret_secret->bytes, sizeof(ret_secret->bytes));
}

void totp_secret_wipe(TotpSecret *secret) {
        crypto_wipe(secret, sizeof(*secret));
}

int totp_password(const TotpSecret *secret, uint64_t step, char ret[TOTP_DIGITS + 1]) {
        return oath_hotp_generate((const char *)secret->bytes, sizeof(secret->bytes), step, TOTP_DIGITS,
                                  false, OATH_HOTP_DYNAMIC_TRUNCATION, ret) == OATH_OK
                       ? 0
                       : -EIO;
}

/* ---- matching ---- */

static bool is_password(const char *typed) {
        return strspn(typed, "0123456789") == TOTP_DIGITS && typed[TOTP_DIGITS] == '\0';
}

/* One step of the window; *step is changed only by a match. */
static int match_step(const TotpSecret *secret, const char *typed, uint64_t candidate, uint64_t used,
                      uint64_t *step) {
        char password[TOTP_DIGITS + 1] = {0};
        int r = totp_password(secret, candidate, password);
        bool equal = r >= 0 && crypto_equal(password, typed, TOTP_DIGITS);

        crypto_wipe(password, sizeof(password));
        if (equal && candidate > used)
                *step = candidate;
        return r;
}

int totp_match(const TotpSecret *secret, const char *typed, uint64_t now, uint64_t used, uint64_t *ret_step) {
        uint64_t present = now / TOTP_STEP_SEC, step = 0;
        uint64_t first = present > TOTP_WINDOW ? present - TOTP_WINDOW : 1;

        if (!is_password(typed))
                return -EINVAL;
        if (used > present + TOTP_WINDOW)
                return -ESTALE;
        /* No early end, and of two steps with the same password the newer: so the older is used up as well.
         */
        for (uint64_t candidate = first; candidate <= present + TOTP_WINDOW; candidate++) {
                int r = match_step(secret, typed, candidate, used, &step);

                if (r < 0)
                        return r;
        }
        if (step == 0)
                return 0;
        *ret_step = step;
        return 1;
}

/* ---- enrolling ---- */

static int base32(const TotpSecret *secret, char ret[BASE32_SIZE]) {
        char *text = NULL;
        size_t size = 0;
        int r;

        r = oath_base32_encode((const char *)secret->bytes, sizeof(secret->bytes), &text, &size) == OATH_OK &&
                            size == BASE32_SIZE - 1
                    ? 0
                    : -ENOMEM;
        if (r >= 0)
                memcpy(ret, text, BASE32_SIZE);
        if (text)
                crypto_wipe(text, size);
        free(text);
        return r;
}

int totp_secret_text(const TotpSecret *secret, char ret[TOTP_TEXT_SIZE]) {
        char text[BASE32_SIZE], *out = ret;
        int r = base32(secret, text);

        if (r < 0)
                return r;
        for (unsigned i = 0; text[i]; i++) {
                if (i > 0 && i % 4 == 0)
                        *out++ = ' ';
                *out++ = text[i];
        }
        *out = '\0';
        crypto_wipe(text, sizeof(text));
        return 0;
}

/* RFC 3986: everything but the unreserved characters is %XX. */
static char *put_encoded(char *out, const char *name) {
        static const char hex[] = "0123456789ABCDEF";
        static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

        for (; *name; name++) {
                unsigned char c = (unsigned char)(*name == ':' ? '_' : *name);

                if (strchr(unreserved, c)) {
                        *out++ = (char)c;
                        continue;
                }
                *out++ = '%';
                *out++ = hex[c >> 4];
                *out++ = hex[c & 15];
        }
        return out;
}

/* A name as the app may show it: a plain one stays, with its backslash. */
static char *label(const char *name) {
        return text_is_plain(name, TOTP_LABEL_MAX) ? strdup(name) : text_safe(name, TOTP_LABEL_MAX);
}

int totp_uri(const TotpSecret *secret, const char *host, const char *account, char ret[TOTP_URI_SIZE]) {
        _cleanup_free_ char *shown_host = label(host), *shown_account = label(account);
        char text[BASE32_SIZE], *out;
        int r;

        if (!shown_host || !shown_account)
                return -ENOMEM;
        if (!*shown_host || !*shown_account)
                return -EINVAL;
        r = base32(secret, text);
        if (r < 0)
                return r;
        out = put_encoded(stpcpy(ret, "otpauth://totp/"), shown_host);
        *out++ = ':';
        out = stpcpy(put_encoded(out, shown_account), "?secret=");
        out = stpcpy(stpcpy(out, text), "&issuer=");
        *put_encoded(out, shown_host) = '\0';
        crypto_wipe(text, sizeof(text));
        return 0;
}
