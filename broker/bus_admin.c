/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parses the calls of administrators, finds out who sent them, and hands them to the flow. */
#include "broker/bus_admin.h"

#include <string.h>

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

/* ---- ways of recovery: each call names an account first ---- */

static int identify_account(sd_bus_message *m, void *userdata, CallerDone done, sd_bus_error *error) {
        const char *user;
        int r;

        r = sd_bus_message_read(m, "s", &user);
        if (r < 0)
                return r;
        if (*user == '\0' || strlen(user) > PEERAUTH_USER_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "This is no name of an account.");
        return caller_identify(
                flow_callers(userdata), m,
                &(CallerQuestion){
                        .want = CALLER_ACCOUNT, .requester = user, .done = done, .userdata = userdata});
}

/* The argument behind the account. */
static const char *second_argument(Reply *reply) {
        const char *user, *text;

        if (sd_bus_message_rewind(reply_call(reply), true) < 0 ||
            sd_bus_message_read(reply_call(reply), "ss", &user, &text) < 0)
                return "";
        return text;
}

static void on_generate(Reply *reply, const Caller *caller, void *userdata) {
        flow_generate_recovery(userdata, reply, caller);
}

static int method_generate_recovery(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_account(m, userdata, on_generate, error);
}

static void on_remove_recovery(Reply *reply, const Caller *caller, void *userdata) {
        flow_remove_recovery(userdata, reply, caller);
}

static int method_remove_recovery(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_account(m, userdata, on_remove_recovery, error);
}

static void on_enroll(Reply *reply, const Caller *caller, void *userdata) {
        flow_enroll_totp(userdata, reply, caller, second_argument(reply));
}

static int method_enroll_totp(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_account(m, userdata, on_enroll, error);
}

static void on_confirm(Reply *reply, const Caller *caller, void *userdata) {
        flow_confirm_totp(userdata, reply, caller, second_argument(reply));
}

static int method_confirm_totp(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_account(m, userdata, on_confirm, error);
}

static void on_remove_totp(Reply *reply, const Caller *caller, void *userdata) {
        flow_remove_totp(userdata, reply, caller);
}

static int method_remove_totp(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_account(m, userdata, on_remove_totp, error);
}

static void on_get(Reply *reply, const Caller *caller, void *userdata) {
        flow_get_recovery(userdata, reply, caller);
}

static int method_get_recovery(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_account(m, userdata, on_get, error);
}

static const sd_bus_vtable admin_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ReloadPolicy", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", hash, "u", rules),
                                method_reload_policy, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GenerateRecoveryCodes", SD_BUS_ARGS("s", user), SD_BUS_RESULT("as", codes),
                                method_generate_recovery,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("RemoveRecoveryCodes", SD_BUS_ARGS("s", user), SD_BUS_NO_RESULT,
                                method_remove_recovery, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("EnrollTotp", SD_BUS_ARGS("s", user, "s", host), SD_BUS_RESULT("as", secrets),
                                method_enroll_totp, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("ConfirmTotp", SD_BUS_ARGS("s", user, "s", password), SD_BUS_NO_RESULT,
                                method_confirm_totp, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("RemoveTotp", SD_BUS_ARGS("s", user), SD_BUS_NO_RESULT, method_remove_totp,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetRecovery", SD_BUS_ARGS("s", user), SD_BUS_RESULT("u", codes, "b", totp),
                                method_get_recovery, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int bus_admin_add(sd_bus *bus, Flow *flow) {
        return sd_bus_add_object_vtable(bus, NULL, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_ADMIN, admin_vtable,
                                        flow);
}
