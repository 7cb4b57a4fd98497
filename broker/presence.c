/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks logind for its sessions, then for the properties of each at the same time. */
#include "broker/presence.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"

#define LOGIND_NAME    "org.freedesktop.login1"
#define LOGIND_PATH    "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"
#define LOGIND_SESSION "org.freedesktop.login1.Session"

typedef struct PresenceAsk {
        PresenceQuery *query;
        uid_t uid;
        sd_bus_slot *slot;
} PresenceAsk;

struct PresenceQuery {
        sd_bus *bus;
        uid_t only;
        PresenceDone done;
        void *userdata;
        bool uid_follows; /* presence_narrow() has not been called yet */
        sd_bus_slot *slot;
        sd_bus_message *sessions; /* the answer of ListSessions, if it came before the uid */
        PresenceAsk *asks;
        size_t n_asks, open;
        PresenceList list;
};

/* The properties that decide whether a session counts. The defaults do not. */
typedef struct SessionFacts {
        bool user, locked, remote, alive;
} SessionFacts;

PresenceQuery *presence_query_free(PresenceQuery *query) {
        if (!query)
                return NULL;
        sd_bus_slot_unref(query->slot);
        sd_bus_message_unref(query->sessions);
        for (size_t i = 0; i < query->n_asks; i++)
                sd_bus_slot_unref(query->asks[i].slot);
        free(query->asks);
        sd_bus_unref(query->bus);
        free(query);
        return NULL;
}

bool presence_has(const PresenceList *list, uid_t uid, bool allow_remote) {
        for (size_t i = 0; i < list->n; i++)
                if (list->sessions[i].uid == uid && (allow_remote || !list->sessions[i].remote))
                        return true;
        return false;
}

static int read_session_property(sd_bus_message *m, const char *key, const char *type, SessionFacts *facts) {
        const char *text;
        int flag, r;

        if (strcmp(type, "s") == 0 && (strcmp(key, "Class") == 0 || strcmp(key, "State") == 0)) {
                r = sd_bus_message_read(m, "s", &text);
                if (r < 0)
                        return r;
                if (*key == 'C')
                        facts->user = strcmp(text, "user") == 0;
                else
                        facts->alive = strcmp(text, "active") == 0 || strcmp(text, "online") == 0;
                return bus_dict_exit(m);
        }
        if (strcmp(type, "b") == 0 && (strcmp(key, "LockedHint") == 0 || strcmp(key, "Remote") == 0)) {
                r = sd_bus_message_read(m, "b", &flag);
                if (r < 0)
                        return r;
                if (*key == 'L')
                        facts->locked = flag;
                else
                        facts->remote = flag;
                return bus_dict_exit(m);
        }
        return bus_dict_skip(m, type);
}

static int read_session(sd_bus_message *m, SessionFacts *ret_facts) {
        SessionFacts facts = {.locked = true, .remote = true};
        const char *key, *type;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = bus_dict_next(m, &key, &type)) > 0) {
                r = read_session_property(m, key, type, &facts);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                *ret_facts = facts;
        return r;
}

static void presence_finish(PresenceQuery *query, int r) {
        /* The callback may free the query. */
        query->done(r, r < 0 ? NULL : &query->list, query->userdata);
}

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        PresenceAsk *ask = userdata;
        PresenceQuery *query = ask->query;
        SessionFacts facts = {.locked = true};

        (void)ret_error;
        /* A session that ended between the two calls answers with an error: it is not there. */
        if (!sd_bus_message_is_method_error(m, NULL) && read_session(m, &facts) >= 0 && facts.user &&
            facts.alive && !facts.locked)
                query->list.sessions[query->list.n++] = (PresenceSession){.uid = ask->uid,
                                                                          .remote = facts.remote};
        if (--query->open == 0)
                presence_finish(query, 0);
        return 0;
}

static int ask_session(PresenceQuery *query, uid_t uid, const char *path) {
        PresenceAsk *ask = &query->asks[query->n_asks];
        int r;

        *ask = (PresenceAsk){.query = query, .uid = uid};
        r = bus_call(query->bus, &ask->slot, LOGIND_NAME, path, "org.freedesktop.DBus.Properties", "GetAll",
                     on_session, ask, "s", LOGIND_SESSION);
        if (r < 0)
                return r;
        query->n_asks++;
        query->open++;
        return 0;
}

static int ask_sessions(PresenceQuery *query, sd_bus_message *m) {
        const char *path;
        uint32_t uid;
        int r;

        query->asks = calloc(PRESENCE_SESSIONS_MAX, sizeof(*query->asks));
        if (!query->asks)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'a', "(susso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(susso)", NULL, &uid, NULL, NULL, &path)) > 0) {
                if (query->only != (uid_t)-1 && uid != query->only)
                        continue;
                if (query->n_asks == PRESENCE_SESSIONS_MAX)
                        break;
                r = ask_session(query, uid, path);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : 0;
}

static int on_sessions(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        PresenceQuery *query = userdata;
        int r;

        (void)ret_error;
        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m) : 0;
        if (r >= 0 && query->uid_follows) {
                query->sessions = sd_bus_message_ref(m);
                return 0;
        }
        if (r >= 0)
                r = ask_sessions(query, m);
        if (r < 0 || query->open == 0)
                presence_finish(query, r);
        return 0;
}

int presence_narrow(PresenceQuery *query, uid_t only) {
        int r;

        query->only = only;
        query->uid_follows = false;
        if (!query->sessions)
                return 0;
        r = ask_sessions(query, query->sessions);
        if (r < 0)
                return r;
        if (query->open == 0)
                presence_finish(query, 0);
        return 0;
}

int presence_query(sd_bus *bus, bool uid_follows, PresenceDone done, void *userdata,
                   PresenceQuery **ret_query) {
        PresenceQuery *query = calloc(1, sizeof(*query));
        int r;

        if (!query)
                return -ENOMEM;
        *query = (PresenceQuery){.bus = sd_bus_ref(bus),
                                 .only = (uid_t)-1,
                                 .uid_follows = uid_follows,
                                 .done = done,
                                 .userdata = userdata};
        r = bus_call(bus, &query->slot, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER, "ListSessions", on_sessions,
                     query, "");
        if (r < 0) {
                presence_query_free(query);
                return r;
        }
        *ret_query = query;
        return 0;
}
