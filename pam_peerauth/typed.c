/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A password that the stack has not seen cannot be known. */
#include "pam_peerauth/typed.h"

#include <stdlib.h>
#include <string.h>

enum { TYPED_HELD_MIN = 4 };

void typed_free(char *typed) {
        if (typed)
                explicit_bzero(typed, strlen(typed));
        free(typed);
}

bool typed_is_password(pam_handle_t *pamh, const char *typed) {
        const void *item = NULL;

        if (pam_get_item(pamh, PAM_AUTHTOK, &item) != PAM_SUCCESS)
                return true; /* better nothing than perhaps the password */
        return item && strcmp(item, typed) == 0;
}

/* A part of a text that belongs to somebody else: no copy of a password needs to be wiped here. */
typedef struct Part {
        const char *text;
        size_t size;
} Part;

static bool is_blank(char c) {
        return (unsigned char)c <= ' ' || c == 0x7f;
}

static Part trim(const char *text) {
        Part part = {text, strlen(text)};

        while (part.size > 0 && is_blank(part.text[part.size - 1]))
                part.size--;
        while (part.size > 0 && is_blank(*part.text)) {
                part.text++;
                part.size--;
        }
        return part;
}

bool typed_holds_password(pam_handle_t *pamh, const char *typed) {
        const void *item = NULL;
        Part all = trim(typed), password;

        if (pam_get_item(pamh, PAM_AUTHTOK, &item) != PAM_SUCCESS)
                return true;
        if (!item)
                return false;
        password = trim(item);
        if (password.size < TYPED_HELD_MIN)
                return all.size == password.size && memcmp(all.text, password.text, all.size) == 0;
        return memmem(all.text, all.size, password.text, password.size) != NULL;
}
