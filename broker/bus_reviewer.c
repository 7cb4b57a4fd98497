/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parses the calls of reviewers, finds out who sent them, and hands them to the flow. */
#include "broker/bus_reviewer.h"

#include <errno.h>
#include <string.h>

#include "broker/bus.h"
#include "common/policy_key.h"
#include "common/strv.h"

static int identify(sd_bus_message *m, Flow *flow, CallerWant want, CallerDone done) {
        return caller_identify(
                flow_callers(flow), m,
                &(CallerQuestion){
                        .want = want, .group_names = flow_group_names(flow), .done = done, .userdata = flow});
}

/* An a{sv} for later additions: a key that this broker does not know is refused, not ignored. */
static int take_no_option(sd_bus_message *m, const char *key, const char *type, void *target,
                          sd_bus_error *error) {
        (void)m;
        (void)type;
        (void)target;
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "No options are known; '%.64s' is not.",
                                 key);
}

/* No look-up, and no room, for what cannot be an id. */
static int check_id(const char *id, sd_bus_error *error) {
        if (strnlen(id, PEERAUTH_ID_HEX + 1) == PEERAUTH_ID_HEX)
                return 0;
        return sd_bus_error_setf(error, PEERAUTH_ERROR_NO_SUCH_REQUEST, "There is no such request.");
}

/* ---- what a reviewer sees ---- */

static const char *text_mode_name(PolicyTextMode mode) {
        static const char *const names[] = {
                [POLICY_TEXT_OFF] = PEERAUTH_TEXT_OFF,
                [POLICY_TEXT_OPTIONAL] = PEERAUTH_TEXT_OPTIONAL,
                [POLICY_TEXT_REQUIRED] = PEERAUTH_TEXT_REQUIRED,
                [POLICY_TEXT_PATTERN] = PEERAUTH_TEXT_PATTERN,
        };

        return names[mode];
}

/* The login, as it came. */
static int append_facts(sd_bus_message *m, const Request *request) {
        int r;

        if ((r = bus_dict_add_string(m, PEERAUTH_KEY_ID, request->id)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_USER, request->user)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_UID, "u", (uint32_t)request->state.requester)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_SERVICE, request->service)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_TTY, request->tty)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_RHOST, request->rhost)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_RUSER, request->ruser)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_REASON, request->stated_reason)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_VERIFIED, "b", (int)request->verified)) < 0)
                return r;
        return bus_dict_add(m, PEERAUTH_KEY_CREATED, "t", request->created_usec);
}

/* What the rule asks for, and how far the request has come. */
static int append_progress(sd_bus_message *m, const Request *request) {
        const RequestState *state = &request->state;
        const PolicyRule *rule = request->rule;
        _cleanup_free_ char *reviewers = policy_reviewers_text(rule, state->escalated);
        _cleanup_strv_ char **voters = registry_voters(request, true);
        unsigned needed = quorum_size(&rule->quorum, state->escalated);
        int r;

        if ((r = bus_dict_add_string(m, PEERAUTH_KEY_STATE, verdict_to_string(state->verdict))) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_DEADLINE, "t", state->deadline_usec)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_RULE, rule->name)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_REVIEWERS, reviewers)) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_NEEDED, "u", (uint32_t)(needed == QUORUM_NEVER ? 0 : needed))) <
                    0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_APPROVALS, "u", (uint32_t)request_approvals(state))) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_DENIALS, "u", (uint32_t)request_denials(state))) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_MISSING, "u", (uint32_t)request_missing(state))) < 0 ||
            (r = bus_dict_add(m, PEERAUTH_KEY_ESCALATED, "b", (int)state->escalated)) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_CODE_MODE, policy_key_code(rule->code))) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_NOTE_MODE, text_mode_name(rule->note.mode))) < 0 ||
            (r = bus_dict_add_string(m, PEERAUTH_KEY_NOTE_PATTERN, rule->note.pattern)) < 0)
                return r;
        return bus_dict_add_strings(m, PEERAUTH_KEY_VOTERS, voters);
}

static int append_request(sd_bus_message *m, const Flow *flow, const Request *request, const Caller *caller,
                          bool with_code) {
        const char *error, *why_not = flow_why_not(flow, caller, request, &error);
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_facts(m, request);
        if (r >= 0)
                r = append_progress(m, request);
        if (r >= 0)
                r = bus_dict_add(m, PEERAUTH_KEY_SELF, "b", (int)flow_is_own(caller, request));
        if (r >= 0)
                r = bus_dict_add(m, PEERAUTH_KEY_CAN_DECIDE, "b", (int)!why_not);
        if (r >= 0)
                r = bus_dict_add_string(m, PEERAUTH_KEY_WHY_NOT, why_not);
        /* Under Code=compare, and only for somebody who may decide. */
        if (r >= 0 && with_code && !why_not)
                r = bus_dict_add_string(m, PEERAUTH_KEY_CODE, registry_digits(request));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int take_list_filter(sd_bus_message *m, const char *key, const char *type, void *target,
                            sd_bus_error *error) {
        if (strcmp(key, PEERAUTH_KEY_OFFSET) == 0 && strcmp(type, "u") == 0)
                return sd_bus_message_read(m, "u", target);
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "The only filter is '%s' (u).",
                                 PEERAUTH_KEY_OFFSET);
}

static int read_list_filter(sd_bus_message *m, uint32_t *ret_offset, sd_bus_error *error) {
        int r;

        *ret_offset = 0;
        r = sd_bus_message_rewind(m, true);
        return r < 0 ? r : bus_dict_read(m, 1, take_list_filter, ret_offset, error);
}

static int append_page(sd_bus_message *m, Flow *flow, const Caller *caller, uint32_t offset) {
        uint32_t total = 0;
        int r;

        r = sd_bus_message_open_container(m, 'a', "a{sv}");
        for (const Request *q = NULL; r >= 0 && (q = flow_next_visible(flow, caller, q)); total++)
                if (total >= offset && total - offset < PEERAUTH_PAGE)
                        r = append_request(m, flow, q, caller, false);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_append(m, "u", total);
}

static void on_list(Reply *reply, const Caller *caller, void *userdata) {
        _cleanup_message_ sd_bus_message *m = NULL;
        Flow *flow = userdata;
        uint32_t offset;

        flow_commit(flow);
        if (read_list_filter(reply_call(reply), &offset, NULL) >= 0 && reply_begin(reply, &m) >= 0 &&
            append_page(m, flow, caller, offset) >= 0)
                reply_prepare(reply, STEAL_PTR(m));
        reply_free(reply);
}

static int method_list_requests(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        uint32_t offset;
        int r;

        r = read_list_filter(m, &offset, error);
        return r < 0 ? r : identify(m, userdata, CALLER_SESSIONS, on_list);
}

static void on_get(Reply *reply, const Caller *caller, void *userdata) {
        _cleanup_message_ sd_bus_message *m = NULL;
        const Request *request;
        Flow *flow = userdata;
        const char *id;

        flow_commit(flow);
        if (sd_bus_message_rewind(reply_call(reply), true) >= 0 &&
            sd_bus_message_read(reply_call(reply), "s", &id) >= 0) {
                request = flow_get_visible(flow, caller, id);
                if (!request)
                        reply_prepare_error(reply, PEERAUTH_ERROR_NO_SUCH_REQUEST,
                                            "There is no such request.");
                else if (reply_begin(reply, &m) >= 0 && sd_bus_message_sensitive(m) >= 0 &&
                         append_request(m, flow, request, caller, true) >= 0)
                        reply_prepare(reply, STEAL_PTR(m));
        }
        reply_free(reply);
}

static int method_get_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *id;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r >= 0)
                r = check_id(id, error);
        return r < 0 ? r : identify(m, userdata, CALLER_SESSIONS, on_get);
}

/* ---- decisions ---- */

typedef struct DecideArgs {
        const char *id, *code, *note;
} DecideArgs;

/* Approve has id, code and note, Deny has no code; options follow. */
static int read_decide(sd_bus_message *m, bool approve, DecideArgs *ret_args, sd_bus_error *error) {
        DecideArgs args = {0};
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = approve ? sd_bus_message_read(m, "sss", &args.id, &args.code, &args.note)
                            : sd_bus_message_read(m, "ss", &args.id, &args.note);
        if (r < 0)
                return r;
        r = bus_dict_read(m, 1, take_no_option, NULL, error);
        if (r < 0)
                return r;
        if (strlen(args.note) > PEERAUTH_NOTE_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "A note has at most %d bytes.",
                                         PEERAUTH_NOTE_MAX);
        /* A missing code is a malformed call, not a wrong code: it does not use up a try (attack C6). */
        if (approve && (strlen(args.code) != PEERAUTH_CODE_DIGITS ||
                        strspn(args.code, "0123456789") != PEERAUTH_CODE_DIGITS))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "Approving takes the code of %d digits that the requester sees.",
                                         PEERAUTH_CODE_DIGITS);
        r = check_id(args.id, error);
        if (r < 0)
                return r;
        *ret_args = args;
        return 0;
}

static void on_approve_authenticated(Reply *reply, const Caller *caller, void *userdata);

static void approve(Reply *reply, const Caller *caller, Flow *flow, bool authenticated) {
        DecideArgs args;

        if (read_decide(reply_call(reply), true, &args, NULL) < 0)
                reply_free(reply);
        else
                flow_approve(flow, reply, caller,
                             &(FlowApproval){.id = args.id,
                                             .code = args.code,
                                             .note = args.note,
                                             .authenticated = authenticated,
                                             .again = on_approve_authenticated});
}

static void on_approve(Reply *reply, const Caller *caller, void *userdata) {
        approve(reply, caller, userdata, false);
}

static void on_approve_authenticated(Reply *reply, const Caller *caller, void *userdata) {
        approve(reply, caller, userdata, true);
}

static void on_deny(Reply *reply, const Caller *caller, void *userdata) {
        DecideArgs args;

        if (read_decide(reply_call(reply), false, &args, NULL) < 0)
                reply_free(reply);
        else
                flow_deny(userdata, reply, caller, args.id, args.note);
}

static int method_approve(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        CallerQuestion question = {.want = CALLER_SESSIONS,
                                   .group_names = flow_group_names(userdata),
                                   .done = on_approve,
                                   .userdata = userdata};
        DecideArgs args;
        int r;

        r = read_decide(m, true, &args, error);
        if (r < 0)
                return r;
        /* polkit answers few questions at a time; none is spent on a request that is not there. */
        question.authority = flow_name_login(userdata, args.id, &question.about_user,
                                             &question.about_service);
        return caller_identify(flow_callers(userdata), m, &question);
}

static int method_deny(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        DecideArgs args;
        int r;

        r = read_decide(m, false, &args, error);
        return r < 0 ? r : identify(m, userdata, CALLER_SESSIONS, on_deny);
}

/* ---- subscriptions ---- */

static void on_subscribe(Reply *reply, const Caller *caller, void *userdata) {
        int r = flow_subscribe(userdata, sd_bus_message_get_sender(reply_call(reply)), caller);

        if (r == -ENOBUFS)
                reply_prepare_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many subscriptions.");
        else if (r >= 0)
                reply_prepare_empty(reply);
        reply_free(reply);
}

static int method_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        return identify(m, userdata, CALLER_ACCOUNT, on_subscribe);
}

static int method_unsubscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)error;
        flow_unsubscribe(userdata, sd_bus_message_get_sender(m));
        return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable reviewer_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ListRequests", SD_BUS_ARGS("a{sv}", filter),
                                SD_BUS_RESULT("aa{sv}", requests, "u", total), method_list_requests,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetRequest", SD_BUS_ARGS("s", id), SD_BUS_RESULT("a{sv}", request),
                                method_get_request, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("Approve", SD_BUS_ARGS("s", id, "s", code, "s", note, "a{sv}", options),
                                SD_BUS_RESULT("s", state, "u", missing), method_approve,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("Deny", SD_BUS_ARGS("s", id, "s", note, "a{sv}", options),
                                SD_BUS_RESULT("s", state, "u", missing), method_deny,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_subscribe,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unsubscribe,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("RequestChanged", SD_BUS_ARGS("s", id, "s", state), 0),
        SD_BUS_VTABLE_END,
};

int bus_reviewer_add(sd_bus *bus, Flow *flow) {
        return sd_bus_add_object_vtable(bus, NULL, PEERAUTH_OBJECT_PATH, PEERAUTH_IFACE_REVIEWER,
                                        reviewer_vtable, flow);
}
