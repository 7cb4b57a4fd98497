/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Crockford's base32, in groups of four. */
#include "common/recovery.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void recovery_wipe(RecoveryCode *code) {
        explicit_bzero(code, sizeof(*code));
}

void recovery_from_random(const uint8_t random[RECOVERY_BYTES], RecoveryCode *ret_code) {
        for (unsigned i = 0; i < RECOVERY_CHARS; i++) {
                unsigned bit = 5 * i, pair = (unsigned)random[bit / 8] << 8;

                if (bit / 8 + 1 < RECOVERY_BYTES)
                        pair |= random[bit / 8 + 1];
                ret_code->canonical[i] = alphabet[pair >> (11 - bit % 8) & 31];
        }
        ret_code->canonical[RECOVERY_CHARS] = '\0';
}

void recovery_show(const RecoveryCode *code, char ret[RECOVERY_SHOWN_SIZE]) {
        char *out = ret;

        for (unsigned i = 0; i < RECOVERY_CHARS; i++) {
                if (i > 0 && i % 4 == 0)
                        *out++ = '-';
                *out++ = code->canonical[i];
        }
        *out = '\0';
}

/* The character of the alphabet that was meant, or '\0'. Knows ASCII only: no locale turns i into I. */
static char canonical_of(char c) {
        if (c >= 'a' && c <= 'z')
                c = (char)(c - 'a' + 'A');
        if (c == 'O')
                return '0';
        if (c == 'I' || c == 'L')
                return '1';
        return c != '\0' && strchr(alphabet, c) ? c : '\0';
}

int recovery_parse(const char *typed, RecoveryCode *ret_code) {
        _cleanup_recovery_ RecoveryCode code = {0};
        unsigned n = 0;

        if (strnlen(typed, RECOVERY_TYPED_MAX + 1) > RECOVERY_TYPED_MAX)
                return -EINVAL;
        for (; *typed; typed++) {
                char c = canonical_of(*typed);

                if (strchr("- \t\r\n", *typed))
                        continue;
                if (c == '\0' || n == RECOVERY_CHARS)
                        return -EINVAL;
                code.canonical[n++] = c;
        }
        if (n < RECOVERY_CHARS)
                return -EINVAL;
        *ret_code = code;
        return 0;
}
