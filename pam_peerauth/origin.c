/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads PAM items. Nothing of the environment, nothing of the terminal. */
#include "pam_peerauth/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/protocol.h"
#include "common/text.h"

static const char *item(pam_handle_t *pamh, int type) {
        const void *value = NULL;

        return pam_get_item(pamh, type, &value) == PAM_SUCCESS ? value : NULL;
}

/* An item that must arrive as it is. */
static int copy_exact(pam_handle_t *pamh, int type, size_t max, char **ret) {
        const char *value = item(pamh, type);

        if (!value || !*value || !text_is_plain(value, max))
                return -EINVAL;
        *ret = strdup(value);
        return *ret ? 0 : -ENOMEM;
}

char *origin_fit_text(const char *text, size_t max) {
        return text_is_plain(text, max) ? strdup(text) : text_safe(text, max);
}

/* An item that only informs people: shortened and escaped as needed; absent stays NULL. */
static int copy_safe(pam_handle_t *pamh, int type, size_t max, char **ret) {
        const char *value = item(pamh, type);

        if (!value || !*value)
                return 0;
        *ret = origin_fit_text(value, max);
        return *ret ? 0 : -ENOMEM;
}

int origin_read(pam_handle_t *pamh, Origin *ret_origin, const char **ret_what) {
        Origin origin = {0};
        const struct {
                const char *name;
                int type;
                int (*copy)(pam_handle_t *pamh, int type, size_t max, char **ret);
                size_t max;
                char **slot;
        } rows[] = {
                {"account name", PAM_USER, copy_exact, PEERAUTH_USER_MAX, &origin.user},
                {"service name", PAM_SERVICE, copy_exact, PEERAUTH_SERVICE_MAX, &origin.service},
                {"terminal", PAM_TTY, copy_safe, PEERAUTH_TTY_MAX, &origin.tty},
                {"remote host", PAM_RHOST, copy_safe, PEERAUTH_RHOST_MAX, &origin.rhost},
                {"remote user", PAM_RUSER, copy_safe, PEERAUTH_USER_MAX, &origin.ruser},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                int r = rows[i].copy(pamh, rows[i].type, rows[i].max, rows[i].slot);

                if (r < 0) {
                        origin_done(&origin);
                        *ret_what = rows[i].name;
                        return r;
                }
        }
        *ret_origin = origin;
        return 0;
}

void origin_done(Origin *origin) {
        free(origin->user);
        free(origin->service);
        free(origin->tty);
        free(origin->rhost);
        free(origin->ruser);
        *origin = (Origin){0};
}

bool origin_is_user(pam_handle_t *pamh, const char *user) {
        const char *now = item(pamh, PAM_USER);

        return now && user && strcmp(now, user) == 0;
}

bool origin_same_user(pam_handle_t *pamh, const Origin *origin) {
        return origin_is_user(pamh, origin->user);
}

bool origin_is_review(pam_handle_t *pamh) {
        const char *service = item(pamh, PAM_SERVICE);

        return service && strcmp(service, PEERAUTH_SERVICE_POLKIT) == 0;
}

bool origin_is_skipped(pam_handle_t *pamh, const Options *options) {
        const char *service = item(pamh, PAM_SERVICE);

        return service && options_skips(options, service);
}

ClientLogin origin_login(const Origin *origin, uint64_t time_left_usec) {
        /* A screen locker runs as the person, whose word on a remote origin the broker refuses (B14). */
        bool trusted = geteuid() == 0;

        return (ClientLogin){
                .user = origin->user,
                .service = origin->service,
                .tty = origin->tty,
                .rhost = trusted ? origin->rhost : NULL,
                .ruser = trusted ? origin->ruser : NULL,
                .time_left_usec = time_left_usec,
        };
}
