/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks logind for its sessions, then for the properties of each at the same time. */
#include "broker/presence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "common/cleanup.h"
#include "common/logind.h"

typedef struct PresenceAsk {
        PresenceQuery *query;
        sd_bus_slot *slot;
} PresenceAsk;

/*
 * Calls to logind that are under way, of all queries. dbus-daemon lets a connection wait for 128 answers, so
 * a host with many sessions must not ask about all of them at once; a query always has one.
 */
enum { PRESENCE_CALLS_MAX = 40 };
static unsigned presence_calls;

struct PresenceQuery {
        sd_bus *bus;
        uid_t only;
        PresenceDone done;
        void *userdata;
        const uid_t *limit; /* NULL: everybody */
        size_t n_limit;
        bool uid_follows; /* presence_narrow() has not been called yet */
        sd_bus_slot *slot;
        sd_bus_message *sessions; /* the answer of ListSessions */
        bool listing;             /* it is being read */
        PresenceAsk *asks;
        size_t n_asks, open;
        PresenceList *list; /* once it is known whom to ask about: it is large, and calls may be many */
};

PresenceQuery *presence_query_free(PresenceQuery *query) {
        if (!query)
                return NULL;
        presence_calls -= query->open;
        sd_bus_slot_unref(query->slot);
        sd_bus_message_unref(query->sessions);
        for (size_t i = 0; i < query->n_asks; i++)
                sd_bus_slot_unref(query->asks[i].slot);
        free(query->asks);
        free(query->list);
        sd_bus_unref(query->bus);
        free(query);
        return NULL;
}

const LogindSession *presence_find(const PresenceList *list, const char *id) {
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->sessions[i].id, id) == 0)
                        return &list->sessions[i];
        return NULL;
}

bool presence_has(const PresenceList *list, uid_t uid, bool allow_remote) {
        for (size_t i = 0; i < list->n; i++)
                if (list->sessions[i].uid == uid && (allow_remote || !list->sessions[i].remote))
                        return true;
        return false;
}

int presence_ask_session(sd_bus *bus, const char *id, sd_bus_slot **ret_slot,
                         sd_bus_message_handler_t callback, void *userdata) {
        _cleanup_free_ char *path = NULL;
        int r = sd_bus_path_encode(LOGIND_SESSIONS, id, &path);

        return r < 0 ? r
                     : bus_call(bus, ret_slot, LOGIND_NAME, path, "org.freedesktop.DBus.Properties", "GetAll",
                                callback, userdata, "s", LOGIND_SESSION);
}

/* ---- all of them ---- */

static void presence_finish(PresenceQuery *query, int r) {
        /* The callback may free the query. */
        query->done(r, r < 0 ? NULL : query->list, query->userdata);
}

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

static bool presence_wants(const PresenceQuery *query, uid_t uid) {
        for (size_t i = 0; i < query->n_limit; i++)
                if (query->limit[i] == uid)
                        return true;
        return !query->limit && (query->only == (uid_t)-1 || query->only == uid);
}

static int ask_session(PresenceQuery *query, const char *id) {
        PresenceAsk *ask = &query->asks[query->n_asks];
        int r;

        *ask = (PresenceAsk){.query = query};
        r = presence_ask_session(query->bus, id, &ask->slot, on_session, ask);
        if (r < 0)
                return r;
        query->n_asks++;
        query->open++;
        presence_calls++;
        return 0;
}

/* Asks about the next sessions. 0 or a negative errno. */
static int ask_sessions(PresenceQuery *query) {
        const char *id;
        uint32_t uid;
        int r;

        while (query->listing && (query->open == 0 || presence_calls < PRESENCE_CALLS_MAX)) {
                r = sd_bus_message_read(query->sessions, "(susso)", &id, &uid, NULL, NULL, NULL);
                if (r < 0)
                        return r;
                query->listing = r > 0;
                if (r == 0 || !presence_wants(query, uid))
                        continue;
                if (query->n_asks == PRESENCE_SESSIONS_MAX) {
                        query->list->incomplete = true;
                        query->listing = false;
                        continue;
                }
                r = ask_session(query, id);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A session that ended between the two calls is not there. That logind could not be asked says nothing of who
 * is there: a rule may let a login pass when nobody is. */
static bool session_has_ended(sd_bus_message *m) {
        return sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
               sd_bus_message_is_method_error(m, "org.freedesktop.login1.NoSuchSession");
}

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        PresenceAsk *ask = userdata;
        PresenceQuery *query = ask->query;
        LogindSession session;
        int r = 0;

        (void)ret_error;
        query->open--;
        presence_calls--;
        if (!session_has_ended(m))
                r = logind_read_session(m, &session);
        if (r > 0 && presence_wants(query, session.uid))
                query->list->sessions[query->list->n++] = session;
        if (r >= 0)
                r = ask_sessions(query);
        if (r < 0 || query->open == 0)
                presence_finish(query, r);
        return 0;
}

static int begin_listing(PresenceQuery *query) {
        int r;

        query->asks = calloc(PRESENCE_SESSIONS_MAX, sizeof(*query->asks));
        query->list = malloc(sizeof(*query->list));
        if (!query->asks || !query->list)
                return -ENOMEM;
        query->list->n = 0;
        query->list->incomplete = false;
        r = sd_bus_message_enter_container(query->sessions, 'a', "(susso)");
        if (r < 0)
                return r;
        query->listing = true;
        return ask_sessions(query);
}

static int on_sessions(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        PresenceQuery *query = userdata;
        int r;

        (void)ret_error;
        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m) : 0;
        if (r >= 0) {
                query->sessions = sd_bus_message_ref(m);
                if (query->uid_follows)
                        return 0;
                r = begin_listing(query);
        }
        if (r < 0 || query->open == 0)
                presence_finish(query, r);
        return 0;
}

void presence_limit(PresenceQuery *query, const uid_t *uids, size_t n) {
        query->limit = uids;
        query->n_limit = n;
}

int presence_narrow(PresenceQuery *query, uid_t only) {
        int r;

        query->only = only;
        query->uid_follows = false;
        if (!query->sessions)
                return 0;
        r = begin_listing(query);
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
