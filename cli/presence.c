/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One question for the list of sessions, one for each of them; none waits for longer than 5 seconds. */
#include "cli/presence.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/logind.h"

#define WAIT_USEC 5000000ULL

enum { SESSIONS_MAX = 1024 };

PEERAUTH_DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref);
#define _cleanup_message_ PEERAUTH_CLEANUP(sd_bus_message_unref_p)

void presence_done(Presence *presence) {
        free(presence->people);
        *presence = (Presence){0};
}

static int call(sd_bus *bus, const char *path, const char *interface, const char *member,
                const char *argument, sd_bus_message **ret_reply) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, LOGIND_NAME, path, interface, member);

        if (r >= 0 && argument)
                r = sd_bus_message_append(m, "s", argument);
        return r < 0 ? r : sd_bus_call(bus, m, WAIT_USEC, NULL, ret_reply);
}

/* A session that ended meanwhile, or cannot be read, does not count. */
static bool session_counts(sd_bus *bus, const char *path, bool *ret_local) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        LogindSession session = {.remote = true};
        int r = call(bus, path, "org.freedesktop.DBus.Properties", "GetAll", LOGIND_SESSION, &reply);

        if (r >= 0)
                r = logind_read_session(reply, &session);
        *ret_local = !session.remote;
        return r > 0;
}

static int add(Presence *presence, uid_t uid, bool local) {
        PresencePerson *grown;

        for (size_t i = 0; i < presence->n; i++)
                if (presence->people[i].uid == uid) {
                        presence->people[i].local |= local;
                        return 0;
                }
        grown = reallocarray(presence->people, presence->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        presence->people = grown;
        grown[presence->n++] = (PresencePerson){uid, local};
        return 0;
}

int presence_get(sd_bus *bus, Presence *ret_presence) {
        PEERAUTH_CLEANUP(presence_done) Presence presence = {0};
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path;
        uint32_t uid;
        bool local;
        int r = call(bus, LOGIND_PATH, LOGIND_MANAGER, "ListSessions", NULL, &reply);

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(susso)");
        for (unsigned n = 0; r >= 0 && n < SESSIONS_MAX; n++) {
                r = sd_bus_message_read(reply, "(susso)", NULL, &uid, NULL, NULL, &path);
                if (r <= 0)
                        break;
                if (session_counts(bus, path, &local))
                        r = add(&presence, uid, local);
        }
        if (r < 0)
                return r;
        *ret_presence = presence;
        presence = (Presence){0}; /* handed over */
        return 0;
}
