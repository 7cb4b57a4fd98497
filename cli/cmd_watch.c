/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch: requests and decisions as they happen.
 *
 * A signal only says that something changed; it is believed if the broker's own connection sent it
 * (attack B5), and what is printed is asked for then. A restarted broker is subscribed to again.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "cli/cli.h"
#include "cli/request_view.h"
#include "common/clock.h"

/* More than the broker ever holds. */
enum { KNOWN_MAX = 2 * PEERAUTH_PENDING_MAX };

typedef struct Watch {
        Cli *cli;
        sd_event *event;
        char *owner;                    /* of the broker's name; NULL: nobody */
        ClientRequest known[KNOWN_MAX]; /* what waits, without codes */
        size_t n_known;
        bool told; /* why it ends */
} Watch;

static void watch_forget(Watch *watch, size_t index) {
        client_request_done(&watch->known[index]);
        watch->n_known--;
        memmove(&watch->known[index], &watch->known[index + 1],
                (watch->n_known - index) * sizeof(watch->known[0]));
        watch->known[watch->n_known] = (ClientRequest){0};
}

static void watch_forget_all(Watch *watch) {
        while (watch->n_known > 0)
                watch_forget(watch, watch->n_known - 1);
}

static void watch_done(Watch *watch) {
        watch_forget_all(watch);
        free(watch->owner);
        sd_event_unref(watch->event);
}

/* Ends the watch with a status that was told already. */
static void watch_fail(Watch *watch, int status) {
        watch->told = true;
        (void)sd_event_exit(watch->event, status);
}

static ClientRequest *watch_find(Watch *watch, const char *id) {
        for (size_t i = 0; i < watch->n_known; i++)
                if (strcmp(watch->known[i].id, id) == 0)
                        return &watch->known[i];
        return NULL;
}

static int print_event(const Watch *watch, const ClientRequest *request, Verdict state) {
        _cleanup_record_ Record *record = NULL;
        _cleanup_free_ char *line = NULL;
        uint64_t now = clock_realtime_usec();
        char when[REQUEST_VIEW_SPAN], votes[32] = "";

        if (watch->cli->style.json != JSON_OFF) {
                record = state == VERDICT_PENDING ? request_view(request, 0)
                                                  : request_view_ended(request, state);
                if (!record)
                        return -ENOMEM;
                record_uint(record, "time", NULL, now, NULL);
                return output_json_line(record);
        }
        line = request_view_line(request);
        if (!line)
                return -ENOMEM;
        if (state == VERDICT_PENDING)
                (void)snprintf(votes, sizeof(votes), ", %" PRIu32 "/%" PRIu32, request->approvals,
                               request->needed);
        (void)printf("%s  %.8s  %-9s  %s%s\n", request_view_time(now, when), request->id,
                     verdict_to_string(state), line, votes);
        return 0;
}

/* Takes request over. Prints it if it is new or has another number of approvals. */
static int watch_pending(Watch *watch, ClientRequest *request) {
        ClientRequest *known = watch_find(watch, request->id);
        bool news = !known || known->approvals != request->approvals;
        int r;

        explicit_bzero(request->code, sizeof(request->code)); /* what is printed here ends up in files */
        r = news ? print_event(watch, request, VERDICT_PENDING) : 0;
        if (known)
                client_request_done(known);
        else {
                /* A broker that makes up requests must not use up our memory. */
                if (watch->n_known == KNOWN_MAX)
                        watch_forget(watch, 0);
                known = &watch->known[watch->n_known++];
        }
        *known = *request;
        *request = (ClientRequest){0};
        return r;
}

static int watch_ended(Watch *watch, const char *id, Verdict state) {
        ClientRequest *known = watch_find(watch, id);
        int r;

        if (!known) /* came and went, or was never ours to see */
                return 0;
        r = print_event(watch, known, state);
        watch_forget(watch, (size_t)(known - watch->known));
        return r;
}

/* Prints what waits already. */
static int watch_all(Watch *watch, sd_bus_error *error) {
        PEERAUTH_CLEANUP(client_request_list_done) ClientRequestList list = {0};
        int r;

        r = client_list_requests(watch->cli->bus, &list, error);
        for (size_t i = 0; r >= 0 && i < list.n_items; i++)
                r = watch_pending(watch, &list.items[i]);
        return r;
}

static int watch_subscribe(Watch *watch) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char *owner = NULL;
        int r;

        r = client_subscribe(watch->cli->bus, &error);
        if (r >= 0)
                r = client_broker_owner(watch->cli->bus, &owner);
        if (r >= 0) {
                free(watch->owner);
                watch->owner = owner;
                r = watch_all(watch, &error);
        }
        return r < 0 ? cli_fail_call(r, &error, "cannot watch") : CLIENT_EXIT_OK;
}

static int on_changed(sd_bus_message *signal, void *userdata, sd_bus_error *unused) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        Watch *watch = userdata;
        const char *id, *word;
        Verdict state;
        int r;

        (void)unused;
        if (!client_signal_is_genuine(signal, watch->owner) ||
            sd_bus_message_read(signal, "ss", &id, &word) < 0)
                return 0;
        state = verdict_from_string(word);
        if (state == VERDICT_PENDING) {
                r = client_get_request(watch->cli->bus, id, &request, NULL);
                /* decided meanwhile: another signal follows */
                r = r < 0 ? 0 : watch_pending(watch, &request);
        } else
                r = watch_ended(watch, id, state);
        if (r < 0)
                watch_fail(watch, cli_fail(CLIENT_EXIT_ERROR, "cannot print an event: %s", strerror(-r)));
        return 0;
}

static int on_owner(sd_bus_message *signal, void *userdata, sd_bus_error *unused) {
        Watch *watch = userdata;
        const char *owner;
        int r;

        (void)unused;
        if (client_owner_parse(signal, &owner) < 0 || (watch->owner && strcmp(watch->owner, owner) == 0))
                return 0;
        if (watch->owner) {
                free(watch->owner);
                watch->owner = NULL;
                watch_forget_all(watch);
                (void)cli_fail(0, "the broker stopped; the requests that waited are void");
        }
        if (!*owner)
                return 0;
        r = watch_subscribe(watch);
        if (r != CLIENT_EXIT_OK)
                watch_fail(watch, r);
        return 0;
}

/* Ctrl-C is how a watch ends: that is success. */
static int watch_signals(sd_event *event) {
        sigset_t signals;
        int r;

        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGINT);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        return r < 0 ? r : sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
}

static int watch_prepare(Watch *watch) {
        sd_bus *bus = watch->cli->bus;
        int r;

        r = sd_event_new(&watch->event);
        if (r >= 0)
                r = watch_signals(watch->event);
        if (r >= 0)
                r = client_match_owner(bus, NULL, on_owner, watch);
        if (r >= 0)
                r = client_match_changed(bus, NULL, on_changed, watch);
        if (r >= 0)
                r = sd_bus_attach_event(bus, watch->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus, true);
        return r;
}

int cmd_watch(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(watch_done) Watch watch = {.cli = cli};
        int r;

        (void)words;
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        /* A program that reads along must not wait for a full buffer. */
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        r = watch_prepare(&watch);
        if (r < 0)
                return cli_fail_call(r, NULL, "cannot watch");
        r = watch_subscribe(&watch);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = sd_event_loop(watch.event);
        if (r == EXIT_FAILURE && !watch.told) /* libsystemd's own code for a connection that broke */
                return cli_fail(CLIENT_EXIT_UNREACHABLE, "the connection to the bus broke; run watch again");
        return r < 0 ? cli_fail(CLIENT_EXIT_ERROR, "cannot watch: %s", strerror(-r)) : r;
}
