/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files on the disk, and the hash that the broker reports. */
#include "cli/policy_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/policy_load.h"

#define IN_FORCE "in-force"

const char *policy_source_vendor(const Cli *cli) {
        return cli->args.vendor_dir ? cli->args.vendor_dir : "/usr/lib/peerauth";
}

int policy_source_load(const Cli *cli, Policy **ret_policy, char **ret_message) {
        const PolicyDirs dirs = {
                .vendor = policy_source_vendor(cli),
                .etc = cli->args.conf_dir ? cli->args.conf_dir : "/etc/peerauth",
        };
        _cleanup_free_ char *message = NULL;
        int r = policy_load(&dirs, ret_policy, &message);

        if (r >= 0)
                return 0;
        *ret_message = message ? STEAL_PTR(message) : strdup(strerror(-r));
        return *ret_message ? r : -ENOMEM;
}

int policy_source_get(const Cli *cli, Policy **ret_policy) {
        _cleanup_free_ char *message = NULL;
        int r = policy_source_load(cli, ret_policy, &message);

        if (r >= 0)
                return CLIENT_EXIT_OK;
        return cli_fail(r == -EACCES ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_ERROR,
                        "cannot read the policy: %s", message ? message : "out of memory");
}

/* 0, -ENXIO: on this bus is no broker, or why there is no bus. */
static int find_broker(Cli *cli) {
        _cleanup_free_ char *owner = NULL;
        int r = cli->bus ? 0 : client_connect(cli->args.bus, &cli->bus);

        return r < 0 ? r : client_broker_owner(cli->bus, &owner);
}

int policy_source_connect(Cli *cli) {
        int r = find_broker(cli);

        return r == -ENXIO ? 0 : r;
}

/* Why it cannot be told; NULL: it can. */
static const char *ask(Cli *cli, ClientStatistics *ret_statistics, sd_bus_error *ret_error) {
        int r = find_broker(cli);

        if (r == -ENXIO)
                return "no broker is running";
        if (r < 0)
                return "the system bus is out of reach";
        r = client_get_statistics(cli->bus, ret_statistics, ret_error);
        if (r < 0)
                return ret_error->message ? ret_error->message : strerror(-r);
        return NULL;
}

void policy_source_add_in_force(Cli *cli, const Policy *policy, Record *record) {
        PEERAUTH_CLEANUP(client_statistics_done) ClientStatistics statistics = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *why = ask(cli, &statistics, &error);
        char text[PEERAUTH_USER_MAX];

        if (why) {
                (void)snprintf(text, sizeof(text), "not known: %s", why);
                record_null(record, IN_FORCE, "In force", text);
        } else if (strcmp(statistics.policy_hash, policy->hash) == 0)
                record_bool(record, IN_FORCE, "In force", true);
        else {
                record_bool(record, IN_FORCE, NULL, false);
                record_text(record, "in-force-text", "In force",
                            *statistics.policy_hash
                                    ? "no, the broker has another one: `peerauthctl policy reload`"
                                    : "no, the broker has none: see `peerauthctl status`");
        }
}
