/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of a reviewer: see requests, decide them, hear of changes.
 *
 * Must wipe every message and struct that a code passes through.
 */
#include "common/client.h"

#include <errno.h>
#include <string.h>

#include "common/client_message.h"

/* The broker holds PEERAUTH_PENDING_MAX; what says it has many more is not worth believing. */
enum { LIST_MAX = 16 * PEERAUTH_PENDING_MAX };

static const ClientField request_fields[] = {
        {PEERAUTH_KEY_ID, 's', offsetof(ClientRequest, id)},
        {PEERAUTH_KEY_USER, 's', offsetof(ClientRequest, user)},
        {PEERAUTH_KEY_SERVICE, 's', offsetof(ClientRequest, service)},
        {PEERAUTH_KEY_TTY, 's', offsetof(ClientRequest, tty)},
        {PEERAUTH_KEY_RHOST, 's', offsetof(ClientRequest, rhost)},
        {PEERAUTH_KEY_RUSER, 's', offsetof(ClientRequest, ruser)},
        {PEERAUTH_KEY_RULE, 's', offsetof(ClientRequest, rule)},
        {PEERAUTH_KEY_REVIEWERS, 's', offsetof(ClientRequest, reviewers)},
        {PEERAUTH_KEY_CODE_MODE, 's', offsetof(ClientRequest, code_mode)},
        {PEERAUTH_KEY_WHY_NOT, 's', offsetof(ClientRequest, why_not)},
        {PEERAUTH_KEY_STATE, 's', offsetof(ClientRequest, state)},
        {PEERAUTH_KEY_REASON, 's', offsetof(ClientRequest, reason)},
        {PEERAUTH_KEY_NOTE_MODE, 's', offsetof(ClientRequest, note_mode)},
        {PEERAUTH_KEY_NOTE_PATTERN, 's', offsetof(ClientRequest, note_pattern)},
        {PEERAUTH_KEY_VOTERS, 'S', offsetof(ClientRequest, voters)},
        {PEERAUTH_KEY_CODE, 'c', offsetof(ClientRequest, code)},
        {PEERAUTH_KEY_UID, 'u', offsetof(ClientRequest, uid)},
        {PEERAUTH_KEY_NEEDED, 'u', offsetof(ClientRequest, needed)},
        {PEERAUTH_KEY_APPROVALS, 'u', offsetof(ClientRequest, approvals)},
        {PEERAUTH_KEY_DENIALS, 'u', offsetof(ClientRequest, denials)},
        {PEERAUTH_KEY_MISSING, 'u', offsetof(ClientRequest, missing)},
        {PEERAUTH_KEY_CREATED, 't', offsetof(ClientRequest, created_usec)},
        {PEERAUTH_KEY_DEADLINE, 't', offsetof(ClientRequest, deadline_usec)},
        {PEERAUTH_KEY_VERIFIED, 'b', offsetof(ClientRequest, verified)},
        {PEERAUTH_KEY_CAN_DECIDE, 'b', offsetof(ClientRequest, can_decide)},
        {PEERAUTH_KEY_ESCALATED, 'b', offsetof(ClientRequest, escalated)},
        {PEERAUTH_KEY_SELF, 'b', offsetof(ClientRequest, self)},
        {NULL},
};

void client_request_done(ClientRequest *request) {
        client_message_done(request_fields, request);
        *request = (ClientRequest){0};
}

bool client_request_needs_note(const ClientRequest *request) {
        return strcmp(request->note_mode, PEERAUTH_TEXT_REQUIRED) == 0 ||
               strcmp(request->note_mode, PEERAUTH_TEXT_PATTERN) == 0;
}

void client_request_list_done(ClientRequestList *list) {
        for (size_t i = 0; i < list->n_items; i++)
                client_request_done(&list->items[i]);
        free(list->items);
        *list = (ClientRequestList){0};
}

static int read_request(sd_bus_message *message, ClientRequest *request) {
        int r;

        /* An account that nobody named must not read as root. */
        request->uid = UINT32_MAX;
        r = client_message_read_dict(message, request_fields, request);
        if (r >= 0)
                r = client_message_fill_empty(request_fields, request);
        if (r < 0)
                return r;
        if (strlen(request->id) != PEERAUTH_ID_HEX ||
            strspn(request->id, "0123456789abcdef") != PEERAUTH_ID_HEX)
                return -EBADMSG;
        return 0;
}

static bool list_has(const ClientRequestList *list, const char *id) {
        for (size_t i = 0; i < list->n_items; i++)
                if (strcmp(list->items[i].id, id) == 0)
                        return true;
        return false;
}

static int list_add(ClientRequestList *list, ClientRequest *request) {
        ClientRequest *items;

        if (list_has(list, request->id)) /* moved to this page since the last one was read */
                return 0;
        if (list->n_items == LIST_MAX)
                return -EBADMSG;
        items = reallocarray(list->items, list->n_items + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        list->items = items;
        items[list->n_items++] = *request;
        *request = (ClientRequest){0}; /* handed over */
        return 0;
}

/* Reads one page; *ret_count requests stood on it, *ret_total are there in all. */
static int read_page(sd_bus_message *reply, ClientRequestList *list, uint32_t *ret_count,
                     uint32_t *ret_total) {
        uint32_t count = 0;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        if (r < 0)
                return client_message_read_error(r);
        while ((r = sd_bus_message_at_end(reply, false)) == 0) {
                PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};

                r = read_request(reply, &request);
                if (r >= 0)
                        r = list_add(list, &request);
                if (r < 0)
                        return r;
                count++;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", ret_total);
        if (r >= 0)
                *ret_count = count;
        return client_message_read_error(r);
}

static int ask_page(sd_bus *bus, uint32_t offset, sd_bus_message **ret_reply, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REVIEWER, "ListRequests", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 1, PEERAUTH_KEY_OFFSET, "u", offset);
        return r < 0 ? r : client_message_call(bus, call, CLIENT_TIMEOUT_USEC, ret_reply, ret_error);
}

int client_list_requests(sd_bus *bus, ClientRequestList *ret_list, sd_bus_error *ret_error) {
        PEERAUTH_CLEANUP(client_request_list_done) ClientRequestList list = {0};
        uint32_t offset = 0, count = 0, total = 0;
        int r;

        do {
                _cleanup_message_ sd_bus_message *reply = NULL;

                r = ask_page(bus, offset, &reply, ret_error);
                if (r >= 0)
                        r = read_page(reply, &list, &count, &total);
                if (r < 0)
                        return r;
                offset += count;
        } while (count > 0 && offset < total && offset <= LIST_MAX);

        *ret_list = list;
        list = (ClientRequestList){0}; /* handed over */
        return 0;
}

int client_get_request(sd_bus *bus, const char *id, ClientRequest *ret_request, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REVIEWER, "GetRequest", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", id);
        if (r >= 0)
                r = client_message_call(bus, call, CLIENT_TIMEOUT_USEC, &reply, ret_error);
        if (r < 0)
                return r;
        (void)sd_bus_message_sensitive(reply); /* it may carry the code */
        r = read_request(reply, &request);
        if (r < 0)
                return r;
        if (strcmp(request.id, id) != 0) /* a code belongs to one request */
                return -EBADMSG;
        *ret_request = request;
        explicit_bzero(&request, sizeof(request)); /* handed over */
        return 0;
}

/* Approve (with a code) or Deny (without); the code is wiped with the message. */
static int new_decision(sd_bus *bus, const char *id, const char *code, const char *note,
                        sd_bus_message **ret_call) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REVIEWER, code ? "Approve" : "Deny", &call);
        if (r >= 0)
                r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", id);
        if (r >= 0 && code)
                r = sd_bus_message_append(call, "s", code);
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", note ? note : "", 0);
        if (r < 0)
                return r;
        *ret_call = STEAL_PTR(call);
        return 0;
}

static int read_decision(sd_bus_message *reply, Verdict *ret_state, unsigned *ret_missing) {
        const char *word;
        uint32_t missing;
        Verdict state;
        int r;

        r = sd_bus_message_read(reply, "su", &word, &missing);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        state = verdict_from_string(word);
        /* An unknown word reads as "denied", which after a denial would look like its success. */
        if (strcmp(verdict_to_string(state), word) != 0)
                return -EBADMSG;
        if (ret_state)
                *ret_state = state;
        if (ret_missing)
                *ret_missing = missing;
        return 0;
}

static int decide(sd_bus *bus, sd_bus_message *call, uint64_t timeout_usec, Verdict *ret_state,
                  unsigned *ret_missing, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = client_message_call(bus, call, timeout_usec, &reply, ret_error);

        return r < 0 ? r : read_decision(reply, ret_state, ret_missing);
}

int client_approve(sd_bus *bus, const char *id, const char *code, const char *note, Verdict *ret_state,
                   unsigned *ret_missing, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r = new_decision(bus, id, code, note, &call);

        return r < 0 ? r : decide(bus, call, CLIENT_TIMEOUT_USEC, ret_state, ret_missing, ret_error);
}

int client_approve_interactive(sd_bus *bus, const char *id, const char *code, const char *note,
                               uint64_t timeout_usec, Verdict *ret_state, unsigned *ret_missing,
                               sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r = new_decision(bus, id, code, note, &call);

        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        return r < 0 ? r : decide(bus, call, timeout_usec, ret_state, ret_missing, ret_error);
}

int client_approve_async(sd_bus *bus, const char *id, const char *code, const char *note,
                         uint64_t timeout_usec, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
                         void *userdata) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r = new_decision(bus, id, code, note, &call);

        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0) /* 0 would mean libsystemd's own default, which the environment can change */
                r = sd_bus_call_async(bus, ret_slot, call, callback, userdata,
                                      timeout_usec > 0 ? timeout_usec : 1);
        return r < 0 ? r : 0;
}

int client_deny_async(sd_bus *bus, const char *id, const char *note, uint64_t timeout_usec,
                      sd_bus_slot **ret_slot, sd_bus_message_handler_t callback, void *userdata) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r = new_decision(bus, id, NULL, note, &call);

        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call_async(bus, ret_slot, call, callback, userdata,
                                      timeout_usec > 0 ? timeout_usec : 1);
        return r < 0 ? r : 0;
}

int client_approve_parse(sd_bus_message *reply, Verdict *ret_state, unsigned *ret_missing,
                         sd_bus_error *ret_error) {
        if (!sd_bus_message_is_method_error(reply, NULL))
                return read_decision(reply, ret_state, ret_missing);
        if (ret_error)
                (void)sd_bus_error_copy(ret_error, sd_bus_message_get_error(reply));
        return -EREMOTEIO;
}

int client_deny(sd_bus *bus, const char *id, const char *note, Verdict *ret_state, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r = new_decision(bus, id, NULL, note, &call);

        return r < 0 ? r : decide(bus, call, CLIENT_TIMEOUT_USEC, ret_state, NULL, ret_error);
}

int client_subscribe(sd_bus *bus, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;

        return client_message_ask(bus, PEERAUTH_IFACE_REVIEWER, "Subscribe", CLIENT_TIMEOUT_USEC, &reply,
                                  ret_error);
}
