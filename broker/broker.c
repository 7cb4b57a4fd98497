/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Start-up, reload and shutdown. */
#include "broker/broker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "broker/bus_admin.h"
#include "broker/bus_auditor.h"
#include "broker/bus_requester.h"
#include "broker/bus_reviewer.h"
#include "broker/flow.h"
#include "broker/verify.h"
#include "broker/worker.h"
#include "common/log.h"
#include "common/protocol.h"

typedef struct Broker {
        const BrokerOptions *options;
        sd_event *event;
        sd_bus *bus;
        Worker *worker;
        Verify *verify;
        Flow *flow;
        char origin[256];
} Broker;

/* The machine id itself is confidential (machine-id(5)); what is derived from it for us is not. */
static const sd_id128_t broker_app_id = SD_ID128_MAKE(5b, 0e, 7c, 54, 1d, 5a, 4b, 0e, 9c, 7d, 2f, 64, 0a, 91,
                                                      e3, 37);

/* "<domain>/peerauth/<machine>/<epoch>": a schema-less name, as C2SP tlog-checkpoint recommends. */
static void broker_origin(char *ret, size_t size) {
        char machine[SD_ID128_STRING_MAX] = "0";
        struct utsname uts;
        const char *domain;
        sd_id128_t id;

        if (sd_id128_get_machine_app_specific(broker_app_id, &id) >= 0)
                (void)sd_id128_to_string(id, machine);
        if (uname(&uts) < 0)
                uts.nodename[0] = '\0';
        domain = strchr(uts.nodename, '.');
        domain = domain && domain[1] ? domain + 1 : *uts.nodename ? uts.nodename : "localhost";
        (void)snprintf(ret, size, "%s/peerauth/%.16s/1", domain, machine);
}

static void broker_load_policy(Broker *broker) {
        Policy *policy = NULL;
        char *message = NULL;
        int r;

        r = policy_load(&broker->options->policy_dirs, &policy, &message);
        if (r < 0) {
                log_error("the policy was refused: %s", message ? message : strerror(-r));
                flow_set_policy(broker->flow, NULL, message ? message : strerror(-r));
        } else {
                log_info("policy %.12s with %zu rules in force", policy->hash, policy->n_rules);
                flow_set_policy(broker->flow, policy, NULL);
        }
        free(message);
}

static void broker_reload(void *userdata) {
        (void)sd_notify(0, "RELOADING=1");
        broker_load_policy(userdata);
        (void)sd_notify(0, "READY=1");
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void)source;
        (void)si;
        broker_reload(userdata);
        return 0;
}

static int broker_add_signals(Broker *broker) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(broker->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(broker->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(broker->event, NULL, SIGHUP, on_reload, broker);
        return r;
}

static int broker_connect(Broker *broker) {
        int r;

        r = sd_bus_open_system(&broker->bus);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(broker->bus, true);
        /* Whoever still waits is answered after the loop has ended. */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(broker->bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(broker->bus, broker->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                log_error("cannot reach the system bus: %s. Is dbus.service running?", strerror(-r));
        return r;
}

static int broker_offer(Broker *broker) {
        int r;

        r = bus_requester_add(broker->bus, broker->flow);
        if (r >= 0)
                r = bus_reviewer_add(broker->bus, broker->flow);
        if (r >= 0)
                r = bus_auditor_add(broker->bus, broker->flow);
        if (r >= 0)
                r = bus_admin_add(broker->bus, broker->flow);
        /* Last: whoever sees the name finds everything behind it. No replacement: a second broker fails. */
        if (r >= 0)
                r = sd_bus_request_name(broker->bus, PEERAUTH_BUS_NAME, 0);
        if (r == -EEXIST || r == -EALREADY)
                log_error("the bus name %s is taken: another broker is running", PEERAUTH_BUS_NAME);
        else if (r < 0)
                log_error("cannot own the bus name %s: %s. Is "
                          "/usr/share/dbus-1/system.d/org.peerauth.PeerAuth1.conf installed, "
                          "and this user peerauth?",
                          PEERAUTH_BUS_NAME, strerror(-r));
        return r;
}

static int broker_start(Broker *broker) {
        FlowParts parts;
        int r;

        broker_origin(broker->origin, sizeof(broker->origin));
        r = sd_event_new(&broker->event);
        if (r >= 0)
                r = broker_add_signals(broker);
        if (r >= 0)
                r = worker_new(broker->event, &broker->worker);
        if (r >= 0)
                r = verify_new(broker->worker, &broker->verify);
        if (r >= 0)
                r = broker_connect(broker);
        if (r < 0)
                return r;
        parts = (FlowParts){.event = broker->event,
                            .bus = broker->bus,
                            .worker = broker->worker,
                            .verify = broker->verify,
                            .state_dir = broker->options->state_dir,
                            .origin = broker->origin,
                            .reload = broker_reload,
                            .reload_userdata = broker};
        r = flow_new(&parts, &broker->flow);
        if (r < 0)
                return r;
        broker_load_policy(broker);
        flow_started(broker->flow);
        r = broker_offer(broker);
        if (r >= 0)
                r = sd_event_set_watchdog(broker->event, true);
        return r;
}

static void broker_stop(Broker *broker) {
        flow_free(broker->flow);
        if (broker->bus)
                (void)sd_bus_flush(broker->bus);
        sd_bus_close_unref(broker->bus);
        worker_free(broker->worker);
        verify_free(broker->verify);
        sd_event_unref(broker->event);
}

int broker_run(const BrokerOptions *options) {
        Broker broker = {.options = options};
        int r;

        r = broker_start(&broker);
        if (r >= 0) {
                (void)sd_notify(0, "READY=1\nSTATUS=Serving");
                r = sd_event_loop(broker.event);
                if (r > 0) { /* sd_bus_set_exit_on_disconnect() */
                        log_error("the connection to the system bus has ended");
                        r = -ECONNRESET;
                } else if (r < 0)
                        log_error("the event loop failed: %s", strerror(-r));
                (void)sd_notify(0, "STOPPING=1");
        } else
                log_error("the broker cannot start: %s", strerror(-r));
        broker_stop(&broker);
        return r;
}
