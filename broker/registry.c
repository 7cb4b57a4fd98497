/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of at most PEERAUTH_PENDING_MAX requests: short enough to be walked. */
#include "broker/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/crypto.h"
#include "common/strv.h"

/* The kernel may fire a timer early by nothing and late by this much; deadlines are checked again anyway. */
enum { REGISTRY_TIMER_ACCURACY_USEC = 1000, REGISTRY_LINGER_USEC = 5000000 };

struct Registry {
        sd_event *event;
        sd_bus *bus;
        Codes *codes;
        RegistryEvent on_event;
        void *userdata;
        Request *live, *retired; /* oldest first */
        unsigned n_live, n_retired;
};

int registry_new(sd_event *event, sd_bus *bus, Codes *codes, RegistryEvent on_event, void *userdata,
                 Registry **ret_registry) {
        Registry *registry = calloc(1, sizeof(*registry));

        if (!registry)
                return -ENOMEM;
        *registry = (Registry){.event = sd_event_ref(event),
                               .bus = sd_bus_ref(bus),
                               .codes = codes,
                               .on_event = on_event,
                               .userdata = userdata};
        *ret_registry = registry;
        return 0;
}

Registry *registry_free(Registry *registry) {
        if (!registry)
                return NULL;
        while (registry->live)
                registry_drop(registry->live);
        while (registry->retired)
                registry_drop(registry->retired);
        sd_event_unref(registry->event);
        sd_bus_unref(registry->bus);
        free(registry);
        return NULL;
}

/* What makes two logins come from the same place: the remote host, else the terminal. What an unprivileged
 * caller says of its place is only a claim, and closes no place to others. */
static const char *registry_source(const Request *request) {
        if (!request->verified)
                return "";
        return request->rhost && *request->rhost ? request->rhost : request->tty ? request->tty : "";
}

const char *registry_quota(const Registry *registry, const Request *request) {
        const char *source = registry_source(request);
        unsigned of_user = 0, of_source = 0, unverified = 0;

        /* Decided ones count until their owner has fetched the verdict, or one user could fill the list. */
        for (const Request *q = registry->live; q; q = q->next) {
                of_user += strcmp(q->user, request->user) == 0;
                unverified += !q->verified;
                of_source += *source && strcmp(registry_source(q), source) == 0;
        }
        if (registry->n_live >= PEERAUTH_PENDING_MAX ||
            (!request->verified && unverified >= REGISTRY_UNVERIFIED))
                return "Too many logins wait for approval on this machine.";
        if (of_user >= REGISTRY_PER_USER)
                return "Too many logins of this account wait for approval.";
        if (of_source >= REGISTRY_PER_SOURCE)
                return "Too many logins from this place wait for approval.";
        return NULL;
}

static int on_owner_gone(sd_bus_track *track, void *userdata) {
        Request *request = userdata;

        (void)track;
        request->registry->on_event(request, REQUEST_EVENT_CANCEL, request->registry->userdata);
        return 1; /* 0 would queue the empty track again */
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Request *request = userdata;

        (void)source;
        (void)usec;
        request->registry->on_event(request, REQUEST_EVENT_TICK, request->registry->userdata);
        return 0;
}

static int on_escalation(sd_event_source *source, uint64_t usec, void *userdata) {
        Request *request = userdata;

        (void)source;
        (void)usec;
        request->registry->on_event(request, REQUEST_EVENT_ESCALATE, request->registry->userdata);
        return 0;
}

/* The deadline and, where the rule has one, the escalation. */
static int registry_add_timers(Registry *registry, Request *request) {
        int r;

        r = sd_event_add_time(registry->event, &request->timer, CLOCK_BOOTTIME, request->state.deadline_usec,
                              REGISTRY_TIMER_ACCURACY_USEC, on_deadline, request);
        if (r >= 0 && request->rule->escalate_usec != 0)
                r = sd_event_add_time_relative(registry->event, &request->escalation, CLOCK_BOOTTIME,
                                               request->rule->escalate_usec, REGISTRY_TIMER_ACCURACY_USEC,
                                               on_escalation, request);
        return r;
}

static void list_append(Request **list, unsigned *n, Request *request) {
        while (*list)
                list = &(*list)->next;
        *list = request;
        request->next = NULL;
        (*n)++;
}

static void list_remove(Request **list, unsigned *n, const Request *request) {
        while (*list && *list != request)
                list = &(*list)->next;
        if (*list) {
                *list = request->next;
                (*n)--;
        }
}

int registry_add(Registry *registry, Request *request, const char *owner, char ret_code[CODE_SIZE]) {
        uint8_t id[PEERAUTH_ID_HEX / 2];
        int r;

        if (registry->n_live >= PEERAUTH_PENDING_MAX)
                return -ENOBUFS;
        request->registry = registry;
        request->code_slot = CODE_NO_SLOT;
        crypto_random(id, sizeof(id));
        crypto_hex(id, sizeof(id), request->id);
        request->owner = strdup(owner);
        if (!request->owner)
                return -ENOMEM;
        r = sd_bus_track_new(registry->bus, &request->track, on_owner_gone, request);
        if (r >= 0)
                r = sd_bus_track_add_name(request->track, owner);
        if (r >= 0)
                r = registry_add_timers(registry, request);
        if (r >= 0)
                r = codes_issue(registry->codes, request->rule->code == CODE_COMPARE, &request->code_slot,
                                ret_code);
        if (r < 0)
                return r;
        list_append(&registry->live, &registry->n_live, request);
        return 0;
}

Request *registry_find(const Registry *registry, const char *id) {
        for (unsigned retired = 0; retired < 2; retired++)
                for (Request *q = retired ? registry->retired : registry->live; q; q = q->next)
                        if (strcmp(q->id, id) == 0)
                                return q;
        return NULL;
}

Request *registry_next(const Registry *registry, const Request *after) {
        return after ? after->next : registry->live;
}

unsigned registry_pending(const Registry *registry) {
        unsigned n = 0;

        for (const Request *q = registry->live; q; q = q->next)
                n += !verdict_is_final(q->state.verdict);
        return n;
}

int registry_name_voter(Request *request, uid_t person, const char *name) {
        RegistryVoter *voters;
        char *copy;

        for (size_t i = 0; i < request->n_voters; i++)
                if (request->voters[i].person == person)
                        return 0;
        voters = reallocarray(request->voters, request->n_voters + 1, sizeof(*voters));
        if (!voters)
                return -ENOMEM;
        request->voters = voters;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        voters[request->n_voters++] = (RegistryVoter){.person = person, .name = copy};
        return 0;
}

const char *registry_voter_name(const Request *request, uid_t person) {
        for (size_t i = 0; i < request->n_voters; i++)
                if (request->voters[i].person == person)
                        return request->voters[i].name;
        return "?";
}

char **registry_voters(const Request *request, bool approve) {
        char **names = strv_concat(NULL, NULL);

        for (unsigned i = 0; names && i < request->state.n_votes; i++) {
                const RequestVote *vote = &request->state.votes[i];

                if (vote->approves == approve &&
                    strv_append(&names, registry_voter_name(request, vote->person)) < 0)
                        names = strv_free(names);
        }
        return names;
}

const char *registry_digits(const Request *request) {
        return codes_digits(request->registry->codes, request->code_slot);
}

bool registry_code_matches(const Request *request, const char *typed) {
        return codes_match(request->registry->codes, request->code_slot, typed);
}

void registry_settle(Request *request) {
        request->timer = sd_event_source_disable_unref(request->timer);
        request->escalation = sd_event_source_disable_unref(request->escalation);
        if (request->registry)
                codes_drop(request->registry->codes, request->code_slot);
        request->code_slot = CODE_NO_SLOT;
}

void registry_linger(Request *request, uint64_t now_usec) {
        uint64_t deadline = request->state.deadline_usec;

        /* If no timer can be had, it stays until its owner disconnects. */
        (void)sd_event_add_time(request->registry->event, &request->timer, CLOCK_BOOTTIME,
                                (deadline > now_usec ? deadline : now_usec) + REGISTRY_LINGER_USEC,
                                REGISTRY_TIMER_ACCURACY_USEC, on_deadline, request);
}

/* Off the live list, with nobody attached. */
static void registry_let_go(Request *request) {
        registry_settle(request);
        request->created = reply_free(request->created);
        request->waiter = reply_free(request->waiter);
        request->track = sd_bus_track_unref(request->track);
        free(request->owner);
        request->owner = NULL;
        if (request->registry)
                list_remove(&request->registry->live, &request->registry->n_live, request);
}

void registry_retire(Request *request) {
        Registry *registry = request->registry;

        registry_let_go(request);
        if (registry->n_retired >= REGISTRY_RETIRED_MAX)
                registry_drop(registry->retired);
        list_append(&registry->retired, &registry->n_retired, request);
}

Request *registry_drop(Request *request) {
        Registry *registry = request ? request->registry : NULL;

        if (!request)
                return NULL;
        registry_let_go(request);
        if (registry)
                list_remove(&registry->retired, &registry->n_retired, request);
        policy_unref(request->policy);
        for (size_t i = 0; i < request->n_voters; i++)
                free(request->voters[i].name);
        free(request->voters);
        free(request->stated_reason);
        strv_free(request->decided_by);
        free(request->user);
        free(request->service);
        free(request->tty);
        free(request->rhost);
        free(request->ruser);
        free(request->note);
        free(request->reason);
        free(request);
        return NULL;
}
