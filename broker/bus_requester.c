/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parses the calls of the PAM module, finds out who sent them, and hands them to the flow.
 *
 * The broker's side of WaitDecision is a message that is kept: the verdict is its reply, never a signal,
 * because anybody may send a signal in the broker's name (attack B5).
 */
#include "broker/bus_requester.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "broker/bus.h"

typedef struct LoginKey {
        const char *key;
        size_t offset, max;
} LoginKey;

static const LoginKey login_keys[] = {
        {PEERAUTH_KEY_USER, offsetof(FlowLogin, user), PEERAUTH_USER_MAX},
        {PEERAUTH_KEY_SERVICE, offsetof(FlowLogin, service), PEERAUTH_SERVICE_MAX},
        {PEERAUTH_KEY_TTY, offsetof(FlowLogin, tty), PEERAUTH_TTY_MAX},
        {PEERAUTH_KEY_RHOST, offsetof(FlowLogin, rhost), PEERAUTH_RHOST_MAX},
        {PEERAUTH_KEY_RUSER, offsetof(FlowLogin, ruser), PEERAUTH_USER_MAX},
};

enum { LOGIN_KEYS_MAX = sizeof(login_keys) / sizeof(login_keys[0]) + 1 };

static int read_login_value(sd_bus_message *m, const char *key, const char *type, FlowLogin *login,
                            sd_bus_error *error) {
        const char *text;

        if (strcmp(key, PEERAUTH_KEY_TIME_LEFT) == 0 && strcmp(type, "t") == 0)
                return sd_bus_message_read(m, "t", &login->time_left_usec);
        for (size_t i = 0; i < sizeof(login_keys) / sizeof(login_keys[0]); i++) {
                int r;

                if (strcmp(key, login_keys[i].key) != 0 || strcmp(type, "s") != 0)
                        continue;
                r = sd_bus_message_read(m, "s", &text);
                if (r < 0)
                        return r;
                if (strlen(text) > login_keys[i].max)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                                 "'%s' is longer than %zu bytes.", key, login_keys[i].max);
                *(const char **)((char *)login + login_keys[i].offset) = text;
                return 0;
        }
        /* Nobody may believe that a uid or pid passed as an argument means anything (attack B4). */
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Unknown key or wrong type: '%.64s' (%s).",
                                 key, type);
}

static int read_login(sd_bus_message *m, FlowLogin *ret_login, sd_bus_error *error) {
        FlowLogin login = {0};
        const char *key, *type;
        unsigned n = 0;
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = bus_dict_next(m, &key, &type)) > 0) {
                /* A message of 32 MiB may hold a million of them. */
                if (++n > LOGIN_KEYS_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Too many keys.");
                r = read_login_value(m, key, type, &login, error);
                if (r >= 0)
                        r = bus_dict_exit(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (!login.user || !*login.user || !login.service || !*login.service)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "'%s' and '%s' are required.",
                                         PEERAUTH_KEY_USER, PEERAUTH_KEY_SERVICE);
        *ret_login = login;
        return 0;
}

static void on_create(Reply *reply, const Caller *caller, void *userdata) {
        FlowLogin login;

        /* The same message was read without error a moment ago; if not now, freeing denies. */
        if (read_login(reply_call(reply), &login, NULL) < 0)
                reply_free(reply);
        else
                flow_create(userdata, reply, caller, &login);
}

static int method_create_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Flow *flow = userdata;
        FlowLogin login;
        int r;

        r = read_login(m, &login, error);
        if (r < 0)
                return r;
        if (flow_exempts_service(flow, login.service)) {
                Reply *reply = reply_new(m);

                if (!reply)
                        return -ENOMEM;
                flow_exempt(flow, reply, login.service);
                return 1;
        }
        return caller_identify(flow_callers(flow), m,
                               &(CallerQuestion){.want = CALLER_PERSON,
                                                 .requester = login.user,
                                                 .group_names = flow_login_groups(flow),
                                                 .done = on_create,
                                                 .userdata = flow});
}

/* The request belongs to a bus connection, so the sender's unique name is all the identity it takes. */
static int handle_own_request(sd_bus_message *m, void *userdata, void (*act)(Flow *, Reply *, const char *)) {
        const char *id;
        Reply *reply;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        reply = reply_new(m);
        if (!reply)
                return -ENOMEM;
        act(userdata, reply, id);
        return 1;
}

static int method_wait_decision(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return handle_own_request(m, userdata, flow_wait);
}

static int method_cancel_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return handle_own_request(m, userdata, flow_cancel);
}

static const sd_bus_vtable requester_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("CreateRequest", SD_BUS_ARGS("a{sv}", request),
                                SD_BUS_RESULT("s", outcome, "s", id, "s", code, "t", deadline, "a{sv}", info),
                                method_create_request, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("WaitDecision", SD_BUS_ARGS("s", id),
                                SD_BUS_RESULT("s", verdict, "a{sv}", details), method_wait_decision,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CancelRequest", SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT,
                                method_cancel_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int bus_requester_add(sd_bus *bus, Flow *flow) {
        return sd_bus_add_object_vtable(bus, NULL, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_REQUESTER,
                                        requester_vtable, flow);
}
