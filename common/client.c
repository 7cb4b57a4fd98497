/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection to the broker: how it is made, and whom its signals may be believed from.
 *
 * Must never read the environment: it is an attacker's under su and sudo (attack A9).
 */
#include "common/client.h"

#include <errno.h>
#include <string.h>

#include "common/client_message.h"

#define DBUS_NAME "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"

PEERAUTH_DEFINE_CLEANUP(sd_bus *, sd_bus_close_unref);

int client_connect(const char *address, sd_bus **ret_bus) {
        PEERAUTH_CLEANUP(sd_bus_close_unref_p) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address ? address : PEERAUTH_SYSTEM_BUS_ADDRESS);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        /* Without a value of ours libsystemd asks the environment for one. */
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, CLIENT_TIMEOUT_USEC);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret_bus = STEAL_PTR(bus);
        return 0;
}

int client_match_changed(sd_bus *bus, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
                         void *userdata) {
        int r;

        r = client_message_wait_ready(bus, CLIENT_TIMEOUT_USEC);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(bus, ret_slot, PEERAUTH_BUS_NAME, PEERAUTH_OBJECT_PATH,
                                PEERAUTH_IFACE_REVIEWER, PEERAUTH_SIGNAL_CHANGED, callback, userdata);
        return r < 0 ? r : 0;
}

bool client_signal_is_genuine(sd_bus_message *signal, const char *owner) {
        const char *sender = sd_bus_message_get_sender(signal), *path = sd_bus_message_get_path(signal);

        return owner && sender && strcmp(sender, owner) == 0 && path &&
               strcmp(path, PEERAUTH_OBJECT_PATH) == 0 &&
               sd_bus_message_is_signal(signal, PEERAUTH_IFACE_REVIEWER, PEERAUTH_SIGNAL_CHANGED) > 0 &&
               sd_bus_message_has_signature(signal, "ss") > 0;
}

int client_match_owner(sd_bus *bus, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
                       void *userdata) {
        int r;

        r = client_message_wait_ready(bus, CLIENT_TIMEOUT_USEC);
        if (r < 0)
                return r;
        r = sd_bus_add_match(bus, ret_slot,
                             "type='signal',sender='" DBUS_NAME "',path='" DBUS_PATH "',interface='" DBUS_NAME
                             "',member='NameOwnerChanged',arg0='" PEERAUTH_BUS_NAME "'",
                             callback, userdata);
        return r < 0 ? r : 0;
}

int client_owner_parse(sd_bus_message *signal, const char **ret_owner) {
        const char *sender = sd_bus_message_get_sender(signal), *name, *owner;

        /* The daemon stamps the sender; a match on a well-known name does not compare it (attack B5). */
        if (!sender || strcmp(sender, DBUS_NAME) != 0 ||
            sd_bus_message_is_signal(signal, DBUS_NAME, "NameOwnerChanged") <= 0)
                return -EPERM;
        if (sd_bus_message_read(signal, "sss", &name, NULL, &owner) < 0 ||
            strcmp(name, PEERAUTH_BUS_NAME) != 0)
                return -EBADMSG;
        *ret_owner = owner;
        return 0;
}

int client_broker_owner(sd_bus *bus, char **ret_owner) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        const char *owner;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, DBUS_NAME, DBUS_PATH, DBUS_NAME, "GetNameOwner");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", PEERAUTH_BUS_NAME);
        if (r < 0)
                return r;
        r = client_message_call(bus, call, CLIENT_TIMEOUT_USEC, &reply, &error);
        if (r == -EREMOTEIO && sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return -ENXIO;
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &owner);
        if (r < 0)
                return client_message_read_error(r);
        *ret_owner = strdup(owner);
        return *ret_owner ? 0 : -ENOMEM;
}
