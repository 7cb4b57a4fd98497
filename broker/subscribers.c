/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of unique names, each tracked so that it goes with its connection. */
#include "broker/subscribers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "common/log.h"
#include "common/strv.h"

typedef struct Subscriber {
        Subscribers *all;
        struct Subscriber *next;
        char *name; /* unique bus name */
        uid_t uid, person;
        char *account;
        char **groups;
        sd_bus_track *track;
} Subscriber;

struct Subscribers {
        sd_bus *bus;
        Subscriber *first;
        unsigned n;
};

int subscribers_new(sd_bus *bus, Subscribers **ret_subscribers) {
        Subscribers *subscribers = calloc(1, sizeof(*subscribers));

        if (!subscribers)
                return -ENOMEM;
        subscribers->bus = sd_bus_ref(bus);
        *ret_subscribers = subscribers;
        return 0;
}

static Subscriber *subscriber_free(Subscriber *subscriber) {
        if (!subscriber)
                return NULL;
        sd_bus_track_unref(subscriber->track);
        strv_free(subscriber->groups);
        free(subscriber->account);
        free(subscriber->name);
        free(subscriber);
        return NULL;
}

static Subscriber **subscribers_find(Subscribers *subscribers, const char *name) {
        Subscriber **link = &subscribers->first;

        while (*link && strcmp((*link)->name, name) != 0)
                link = &(*link)->next;
        return link;
}

void subscribers_remove(Subscribers *subscribers, const char *name) {
        Subscriber **link = subscribers_find(subscribers, name);
        Subscriber *gone = *link;

        if (!gone)
                return;
        *link = gone->next;
        subscribers->n--;
        subscriber_free(gone);
}

Subscribers *subscribers_free(Subscribers *subscribers) {
        if (!subscribers)
                return NULL;
        while (subscribers->first)
                subscribers_remove(subscribers, subscribers->first->name);
        sd_bus_unref(subscribers->bus);
        free(subscribers);
        return NULL;
}

static int on_subscriber_gone(sd_bus_track *track, void *userdata) {
        Subscriber *subscriber = userdata;

        (void)track;
        subscribers_remove(subscriber->all, subscriber->name);
        return 1; /* 0 would queue the empty track again */
}

static unsigned subscribers_of_uid(const Subscribers *subscribers, uid_t uid) {
        unsigned n = 0;

        for (const Subscriber *s = subscribers->first; s; s = s->next)
                n += s->uid == uid;
        return n;
}

int subscribers_add(Subscribers *subscribers, const char *name, const Caller *caller) {
        Subscriber *subscriber;
        int r = 0;

        subscribers_remove(subscribers, name);
        if (subscribers->n >= SUBSCRIBERS_MAX ||
            subscribers_of_uid(subscribers, caller->uid) >= SUBSCRIBERS_PER_UID)
                return -ENOBUFS;
        subscriber = calloc(1, sizeof(*subscriber));
        if (!subscriber)
                return -ENOMEM;
        *subscriber = (Subscriber){.all = subscribers,
                                   .next = subscribers->first,
                                   .name = strdup(name),
                                   .uid = caller->uid,
                                   .person = caller->person,
                                   .account = strdup(caller->account.name),
                                   .groups = strv_concat(caller->account.groups, NULL)};
        if (!subscriber->name || !subscriber->account || !subscriber->groups)
                r = -ENOMEM;
        if (r >= 0)
                r = sd_bus_track_new(subscribers->bus, &subscriber->track, on_subscriber_gone, subscriber);
        if (r >= 0)
                r = sd_bus_track_add_name(subscriber->track, name);
        if (r < 0) {
                subscriber_free(subscriber);
                return r;
        }
        subscribers->first = subscriber;
        subscribers->n++;
        return 0;
}

static bool subscriber_may_know(const Subscriber *subscriber, const Request *request) {
        const PolicyPerson person = {
                .uid = subscriber->uid, .name = subscriber->account, .groups = subscriber->groups};
        PolicyRole role = policy_role(request->rule, &person);
        QuorumParts open = quorum_open_parts(&request->rule->quorum, request->state.escalated);
        bool self = subscriber->uid == request->state.requester ||
                    subscriber->person == request->state.requester;

        if (self)
                return request->rule->self_review && (role.parts & open);
        return role.admin || (role.parts & open);
}

static int subscriber_send(sd_bus *bus, const Subscriber *subscriber, const Request *request) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_signal(bus, &m, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_REVIEWER,
                                      "RequestChanged");
        if (r >= 0)
                r = sd_bus_message_set_destination(m, subscriber->name);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", request->id, verdict_to_string(request->state.verdict));
        return r < 0 ? r : sd_bus_send(bus, m, NULL);
}

void subscribers_tell(Subscribers *subscribers, const Request *request) {
        for (const Subscriber *s = subscribers->first; s; s = s->next) {
                int r;

                if (!subscriber_may_know(s, request))
                        continue;
                r = subscriber_send(subscribers->bus, s, request);
                if (r < 0)
                        log_warning("cannot tell subscriber %s of a request: %s", s->name, strerror(-r));
        }
}

unsigned subscribers_count(const Subscribers *subscribers) {
        return subscribers->n;
}
