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
        {PEERAUTH_KEY_REASON, offsetof(FlowLogin, reason), PEERAUTH_REASON_MAX},
};

enum { LOGIN_KEYS_MAX = sizeof(login_keys) / sizeof(login_keys[0]) + 3 };

static int take_login_text(sd_bus_message *m, const LoginKey *row, FlowLogin *login, sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        if (strlen(text) > row->max)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "'%s' is longer than %zu bytes.",
                                         row->key, row->max);
        *(const char **)((char *)login + row->offset) = text;
        return 0;
}

static int take_stage(sd_bus_message *m, FlowLogin *login, sd_bus_error *error) {
        const char *stage;
        int r;

        r = sd_bus_message_read(m, "s", &stage);
        if (r < 0)
                return r;
        login->account_stage = strcmp(stage, PEERAUTH_STAGE_ACCOUNT) == 0;
        if (!login->account_stage && strcmp(stage, PEERAUTH_STAGE_AUTH) != 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "'%s' is '%s' or '%s'.",
                                         PEERAUTH_KEY_STAGE, PEERAUTH_STAGE_AUTH, PEERAUTH_STAGE_ACCOUNT);
        return 0;
}

static int take_login_value(sd_bus_message *m, const char *key, const char *type, void *target,
                            sd_bus_error *error) {
        FlowLogin *login = target;
        int flag, r;

        if (strcmp(key, PEERAUTH_KEY_TIME_LEFT) == 0 && strcmp(type, "t") == 0)
                return sd_bus_message_read(m, "t", &login->time_left_usec);
        if (strcmp(key, PEERAUTH_KEY_STAGE) == 0 && strcmp(type, "s") == 0)
                return take_stage(m, login, error);
        if (strcmp(key, PEERAUTH_KEY_CAN_ASK) == 0 && strcmp(type, "b") == 0) {
                r = sd_bus_message_read(m, "b", &flag);
                login->can_ask = r >= 0 && flag;
                return r;
        }
        for (size_t i = 0; i < sizeof(login_keys) / sizeof(login_keys[0]); i++)
                if (strcmp(key, login_keys[i].key) == 0 && strcmp(type, "s") == 0)
                        return take_login_text(m, &login_keys[i], login, error);
        /* Nobody may believe that a uid or pid passed as an argument means anything (attack B4). */
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Unknown key or wrong type: '%.64s' (%s).",
                                 key, type);
}

static int read_login(sd_bus_message *m, FlowLogin *ret_login, sd_bus_error *error) {
        FlowLogin login = {0};
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = bus_dict_read(m, LOGIN_KEYS_MAX, take_login_value, &login, error);
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

static int method_redeem(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *id, *typed;
        Reply *reply;
        int r;

        r = sd_bus_message_read(m, "ss", &id, &typed);
        if (r < 0)
                return r;
        if (strlen(typed) > PEERAUTH_SECRET_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "This is neither a recovery code nor a one-time password.");
        reply = reply_new(m);
        if (!reply)
                return -ENOMEM;
        flow_redeem(userdata, reply, id, typed);
        return 1;
}

/* ---- sessions ---- */

static void on_session(Reply *reply, const Caller *caller, void *userdata,
                       void (*act)(Flow *, Reply *, const Caller *, const char *)) {
        const char *session;

        if (sd_bus_message_rewind(reply_call(reply), true) < 0 ||
            sd_bus_message_read(reply_call(reply), "s", &session) < 0)
                reply_free(reply);
        else
                act(userdata, reply, caller, session);
}

static void on_session_opened(Reply *reply, const Caller *caller, void *userdata) {
        on_session(reply, caller, userdata, flow_session_opened);
}

static void on_session_closed(Reply *reply, const Caller *caller, void *userdata) {
        on_session(reply, caller, userdata, flow_session_closed);
}

static int identify_session(sd_bus_message *m, Flow *flow, CallerDone done, sd_bus_error *error) {
        const char *session;
        int r;

        r = sd_bus_message_read(m, "s", &session);
        if (r < 0)
                return r;
        if (session[0] == '\0' || strlen(session) >= LOGIND_ID_SIZE)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "This is no session id of logind.");
        return caller_identify(flow_callers(flow), m,
                               &(CallerQuestion){.want = CALLER_UID, .done = done, .userdata = flow});
}

static int method_session_opened(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_session(m, userdata, on_session_opened, error);
}

static int method_session_closed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return identify_session(m, userdata, on_session_closed, error);
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
        SD_BUS_METHOD_WITH_ARGS("Redeem", SD_BUS_ARGS("s", id, "s", secret), SD_BUS_NO_RESULT, method_redeem,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("SessionOpened", SD_BUS_ARGS("s", session), SD_BUS_NO_RESULT,
                                method_session_opened, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SessionClosed", SD_BUS_ARGS("s", session), SD_BUS_NO_RESULT,
                                method_session_closed, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int bus_requester_add(sd_bus *bus, Flow *flow) {
        return sd_bus_add_object_vtable(bus, NULL, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_REQUESTER,
                                        requester_vtable, flow);
}
