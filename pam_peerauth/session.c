/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One short call on the broker; whatever fails is logged, and that is all. */
#include "pam_peerauth/session.h"

#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/client.h"
#include "common/text.h"
#include "pam_peerauth/options.h"
#include "pam_peerauth/origin.h"

#define SESSION_LIMIT_USEC (2 * PEERAUTH_USEC_PER_SEC)

enum { SESSION_ID_MAX = 64 };

PEERAUTH_DEFINE_CLEANUP(sd_bus *, sd_bus_close_unref);

/* logind's ids are letters and digits. NULL: pam_systemd made no session. */
static const char *session_id(pam_handle_t *pamh) {
        const char *id = pam_getenv(pamh, "XDG_SESSION_ID");
        size_t size = id ? strlen(id) : 0;

        if (size == 0 || size > SESSION_ID_MAX ||
            strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != size)
                return NULL;
        return id;
}

static int tell(const Options *options, SessionEvent event, const char *id, sd_bus_error *error) {
        PEERAUTH_CLEANUP(sd_bus_close_unref_p) sd_bus *bus = NULL;
        int r;

        r = client_connect(options->bus, &bus);
        if (r < 0)
                return r;
        if (event == SESSION_CLOSED)
                return client_session_closed(bus, id, SESSION_LIMIT_USEC, error);
        return client_session_opened(bus, id, SESSION_LIMIT_USEC, error);
}

/* No broker is no news: nobody asked it about this login, or the login's own lines say so. */
static int failure_priority(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
                               sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN)
                       ? LOG_DEBUG
                       : LOG_NOTICE;
}

static void log_failure(pam_handle_t *pamh, SessionEvent event, const char *id, int r,
                        const sd_bus_error *error) {
        _cleanup_free_ char *message = text_safe(error->message, 200);

        pam_syslog(pamh, failure_priority(error), "cannot tell the broker that session %s was %s: %s%s%s", id,
                   event == SESSION_OPENED ? "opened" : "closed", error->name ? error->name : strerror(-r),
                   error->name ? ": " : "", error->name && message ? message : "");
}

void session_tell(pam_handle_t *pamh, SessionEvent event, int argc, const char **argv) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *id = session_id(pamh), *what;
        Options options;
        int r;

        if (!id || geteuid() != 0 || origin_is_review(pamh))
                return;
        if (options_parse(argc, argv, &options, &what) < 0) {
                pam_syslog(pamh, LOG_NOTICE, "session hook: argument \"%.64s\" is unknown or malformed",
                           what);
                return;
        }
        /* su and sudo run inside the caller's session, and that is what pam_systemd then names. */
        if (origin_is_skipped(pamh, &options))
                return;
        r = tell(&options, event, id, &error);
        if (r < 0)
                log_failure(pamh, event, id, r, &error);
}
