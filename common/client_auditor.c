/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of an auditor: the ledger's checkpoint, its entries, a snapshot of it, and how the broker
 * is doing.
 */
#include "common/client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/client_message.h"

/* Copying a ledger of many gigabytes takes its time; the descriptor comes after that. */
#define SNAPSHOT_TIMEOUT_USEC (600 * PEERAUTH_USEC_PER_SEC)

static const ClientField statistics_fields[] = {
        {PEERAUTH_KEY_LEDGER_SIZE, 't', offsetof(ClientStatistics, ledger_size)},
        {PEERAUTH_KEY_PENDING, 'u', offsetof(ClientStatistics, pending)},
        {PEERAUTH_KEY_SUBSCRIBERS, 'u', offsetof(ClientStatistics, subscribers)},
        {PEERAUTH_KEY_STARTED, 't', offsetof(ClientStatistics, started_usec)},
        {PEERAUTH_KEY_POLICY_VALID, 'b', offsetof(ClientStatistics, policy_valid)},
        {PEERAUTH_KEY_POLICY_HASH, 's', offsetof(ClientStatistics, policy_hash)},
        {PEERAUTH_KEY_POLICY_MESSAGE, 's', offsetof(ClientStatistics, policy_message)},
        {PEERAUTH_KEY_LEDGER_MESSAGE, 's', offsetof(ClientStatistics, ledger_message)},
        {PEERAUTH_KEY_VERSION, 's', offsetof(ClientStatistics, version)},
        {PEERAUTH_KEY_ROLES, 'S', offsetof(ClientStatistics, roles)},
        {NULL},
};

void client_statistics_done(ClientStatistics *statistics) {
        client_message_done(statistics_fields, statistics);
        *statistics = (ClientStatistics){0};
}

/* Reads the two strings that describe a signed tree head. */
static int read_head(sd_bus_message *reply, char **ret_note, char **ret_vkey) {
        _cleanup_free_ char *note = NULL, *vkey = NULL;
        const char *n, *v;
        int r;

        r = sd_bus_message_read(reply, "ss", &n, &v);
        if (r < 0)
                return client_message_read_error(r);
        note = strdup(n);
        vkey = strdup(v);
        if (!note || !vkey)
                return -ENOMEM;
        *ret_note = STEAL_PTR(note);
        *ret_vkey = STEAL_PTR(vkey);
        return 0;
}

int client_get_checkpoint(sd_bus *bus, char **ret_note, char **ret_vkey, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = client_message_ask(bus, PEERAUTH_IFACE_AUDITOR, "GetCheckpoint", CLIENT_TIMEOUT_USEC, &reply,
                               ret_error);
        return r < 0 ? r : read_head(reply, ret_note, ret_vkey);
}

int client_read_entries(sd_bus *bus, uint64_t first, uint32_t count, char ***ret_entries,
                        sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_AUDITOR, "ReadEntries", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "tu", first, count);
        if (r >= 0)
                r = client_message_call(bus, call, CLIENT_TIMEOUT_USEC, &reply, ret_error);
        return r < 0 ? r : client_message_read_strings(reply, ret_entries);
}

int client_open_snapshot(sd_bus *bus, int *ret_fd, char **ret_note, char **ret_vkey,
                         sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_close_ int fd = -1;
        int theirs, r;

        r = client_message_ask(bus, PEERAUTH_IFACE_AUDITOR, "OpenSnapshot", SNAPSHOT_TIMEOUT_USEC, &reply,
                               ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "h", &theirs);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        fd = fcntl(theirs, F_DUPFD_CLOEXEC, 3); /* the message closes its own */
        if (fd < 0)
                return -errno;
        r = read_head(reply, ret_note, ret_vkey);
        if (r < 0)
                return r;
        *ret_fd = steal_fd(&fd);
        return 0;
}

int client_get_statistics(sd_bus *bus, ClientStatistics *ret_statistics, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        PEERAUTH_CLEANUP(client_statistics_done) ClientStatistics statistics = {0};
        int r;

        r = client_message_ask(bus, PEERAUTH_IFACE_AUDITOR, "GetStatistics", CLIENT_TIMEOUT_USEC, &reply,
                               ret_error);
        if (r < 0)
                return r;
        r = client_message_read_dict(reply, statistics_fields, &statistics);
        if (r >= 0)
                r = client_message_fill_empty(statistics_fields, &statistics);
        if (r < 0)
                return r;
        *ret_statistics = statistics;
        statistics = (ClientStatistics){0}; /* handed over */
        return 0;
}
