/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parses the calls of auditors. Root, the group peerauth-auditors and the administrators of any rule may
 * read the ledger; the figures of GetStatistics name nobody and are for every local user.
 */
#include "broker/bus_auditor.h"

#include <string.h>

#include "broker/bus.h"

static void refuse(Reply *reply) {
        reply_prepare_error(
                reply, SD_BUS_ERROR_ACCESS_DENIED,
                "Only root, auditors (group peerauth-auditors) and administrators may read the ledger.");
        reply_free(reply);
}

static int identify(sd_bus_message *m, Flow *flow, CallerDone done) {
        return caller_identify(flow_callers(flow), m,
                               &(CallerQuestion){.want = CALLER_ACCOUNT,
                                                 .group_names = flow_group_names(flow),
                                                 .done = done,
                                                 .userdata = flow});
}

/* The ledger, or NULL with the reply answered. */
static Ledger *open_for(Flow *flow, Reply *reply, const Caller *caller) {
        Ledger *ledger;

        if (!flow_roles(flow, caller).auditor) {
                refuse(reply);
                return NULL;
        }
        flow_commit(flow);
        ledger = flow_ledger(flow);
        if (!ledger) {
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The ledger is not available: %s", flow_ledger_message(flow));
                reply_free(reply);
        }
        return ledger;
}

static void on_get_checkpoint(Reply *reply, const Caller *caller, void *userdata) {
        Ledger *ledger = open_for(userdata, reply, caller);
        _cleanup_message_ sd_bus_message *m = NULL;
        char note[CHECKPOINT_NOTE_MAX];

        if (!ledger)
                return;
        if (ledger_checkpoint(ledger, note) >= 0 && reply_begin(reply, &m) >= 0 &&
            sd_bus_message_append(m, "ss", note, ledger_vkey(ledger)) >= 0)
                reply_prepare(reply, STEAL_PTR(m));
        reply_free(reply);
}

static int method_get_checkpoint(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return identify(m, userdata, on_get_checkpoint);
}

static int append_entries(sd_bus_message *m, Ledger *ledger, uint64_t first, uint32_t count) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "s");
        for (uint64_t i = first; r >= 0 && i - first < count && i < ledger_size(ledger); i++) {
                _cleanup_free_ char *text = NULL;

                r = ledger_read(ledger, i, &text);
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", text);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void on_read_entries(Reply *reply, const Caller *caller, void *userdata) {
        Ledger *ledger = open_for(userdata, reply, caller);
        _cleanup_message_ sd_bus_message *m = NULL;
        uint64_t first;
        uint32_t count;

        if (!ledger)
                return;
        if (sd_bus_message_rewind(reply_call(reply), true) >= 0 &&
            sd_bus_message_read(reply_call(reply), "tu", &first, &count) >= 0 &&
            reply_begin(reply, &m) >= 0 &&
            append_entries(m, ledger, first, count < PEERAUTH_ENTRIES_PAGE ? count : PEERAUTH_ENTRIES_PAGE) >=
                    0)
                reply_prepare(reply, STEAL_PTR(m));
        reply_free(reply);
}

static int method_read_entries(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return identify(m, userdata, on_read_entries);
}

static void on_snapshot(int r, const LedgerSnapshot *snapshot, Reply *reply, void *userdata) {
        _cleanup_message_ sd_bus_message *m = NULL;
        Flow *flow = userdata;
        Ledger *ledger = flow_ledger(flow);
        char note[CHECKPOINT_NOTE_MAX];

        if (r < 0)
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The ledger cannot be copied: %s.", strerror(-r));
        else if (ledger && ledger_sign(ledger, snapshot->size, &snapshot->root, note) >= 0 &&
                 reply_begin(reply, &m) >= 0 &&
                 sd_bus_message_append(m, "hss", snapshot->fd, note, ledger_vkey(ledger)) >= 0)
                reply_prepare(reply, STEAL_PTR(m));
        reply_free(reply);
}

static void on_open_snapshot(Reply *reply, const Caller *caller, void *userdata) {
        if (open_for(userdata, reply, caller))
                flow_snapshot(userdata, reply, on_snapshot, userdata);
}

static int method_open_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return identify(m, userdata, on_open_snapshot);
}

static int append_roles(sd_bus_message *m, FlowRoles roles) {
        char *names[4] = {NULL};
        size_t n = 0;

        if (roles.reviewer)
                names[n++] = (char *)"reviewer";
        if (roles.admin)
                names[n++] = (char *)"administrator";
        if (roles.auditor)
                names[n++] = (char *)"auditor";
        return bus_dict_add_strings(m, PEERAUTH_KEY_ROLES, names);
}

static int append_statistics(sd_bus_message *m, const FlowStatistics *s, FlowRoles roles) {
        int r;

        if ((r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_LEDGER_SIZE, "t", s->ledger_size)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_PENDING, "u", (uint32_t)s->pending)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_SUBSCRIBERS, "u", (uint32_t)s->subscribers)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_STARTED, "t", s->started_usec)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_POLICY_VALID, "b", (int)s->policy_valid)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_POLICY_HASH, s->policy_hash)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_POLICY_MESSAGE, s->policy_message)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_LEDGER_MESSAGE, s->ledger_message)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_VERSION, PEERAUTH_VERSION)) < 0 ||
            (r = append_roles(m, roles)) < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static void on_get_statistics(Reply *reply, const Caller *caller, void *userdata) {
        _cleanup_message_ sd_bus_message *m = NULL;
        FlowStatistics statistics;

        flow_statistics(userdata, &statistics);
        if (reply_begin(reply, &m) >= 0 &&
            append_statistics(m, &statistics, flow_roles(userdata, caller)) >= 0)
                reply_prepare(reply, STEAL_PTR(m));
        reply_free(reply);
}

static int method_get_statistics(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return identify(m, userdata, on_get_statistics);
}

static const sd_bus_vtable auditor_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("GetCheckpoint", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", checkpoint, "s", vkey),
                                method_get_checkpoint, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadEntries", SD_BUS_ARGS("t", first, "u", count),
                                SD_BUS_RESULT("as", entries), method_read_entries,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenSnapshot", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("h", fd, "s", checkpoint, "s", vkey), method_open_snapshot,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", statistics),
                                method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int bus_auditor_add(sd_bus *bus, Flow *flow) {
        return sd_bus_add_object_vtable(bus, NULL, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_AUDITOR,
                                        auditor_vtable, flow);
}
