/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parses the calls of administrators, finds out who sent them, and hands them to the flow. */
#include "broker/bus_admin.h"

static void on_reload(Reply *reply, const Caller *caller, void *userdata) {
        flow_reload_policy(userdata, reply, caller);
}

static int method_reload_policy(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return caller_identify(flow_callers(userdata), m,
                               &(CallerQuestion){.want = CALLER_ACCOUNT,
                                                 .group_names = flow_group_names(userdata),
                                                 .done = on_reload,
                                                 .userdata = userdata});
}

static const sd_bus_vtable admin_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ReloadPolicy", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", hash, "u", rules),
                                method_reload_policy, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int bus_admin_add(sd_bus *bus, Flow *flow) {
        return sd_bus_add_object_vtable(bus, NULL, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_ADMIN, admin_vtable,
                                        flow);
}
