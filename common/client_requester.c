/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of a login: create a request, wait for its verdict, recover, take it back, tell of its session.
 *
 * Lives inside sshd, sudo and screen lockers. Must never make a verdict out of an answer that is not
 * well-formed, and must wipe the codes and the reason, for which people type passwords by reflex.
 */
#include "common/client.h"

#include <errno.h>
#include <string.h>

#include "common/client_message.h"
#include "common/text.h"

static const ClientField created_fields[] = {
        {PEERAUTH_KEY_NEEDED, 'u', offsetof(ClientCreated, needed)},
        {PEERAUTH_KEY_REACHABLE, 'u', offsetof(ClientCreated, reachable)},
        {PEERAUTH_KEY_ENOUGH, 'b', offsetof(ClientCreated, enough)},
        {PEERAUTH_KEY_RECOVERY, 'b', offsetof(ClientCreated, recovery)},
        {PEERAUTH_KEY_REVIEWERS, 's', offsetof(ClientCreated, reviewers)},
        {PEERAUTH_KEY_MESSAGE, 's', offsetof(ClientCreated, message)},
        {PEERAUTH_KEY_RULE, 's', offsetof(ClientCreated, rule)},
        {NULL},
};

typedef struct DecisionDetails {
        char **by;
        char *note, *reason;
} DecisionDetails;

static const ClientField decision_fields[] = {
        {PEERAUTH_KEY_BY, 'S', offsetof(DecisionDetails, by)},
        {PEERAUTH_KEY_NOTE, 's', offsetof(DecisionDetails, note)},
        {PEERAUTH_KEY_REASON, 's', offsetof(DecisionDetails, reason)},
        {NULL},
};

void client_created_done(ClientCreated *created) {
        client_message_done(created_fields, created);
        explicit_bzero(created, sizeof(*created));
}

static void details_done(DecisionDetails *details) {
        client_message_done(decision_fields, details);
}

void client_decision_done(ClientDecision *decision) {
        free(decision->by);
        free(decision->note);
        free(decision->reason);
        *decision = (ClientDecision){0};
}

static int append_login(sd_bus_message *call, const ClientLogin *login) {
        const struct {
                const char *key, *value;
        } texts[] = {
                {PEERAUTH_KEY_USER, login->user},     {PEERAUTH_KEY_SERVICE, login->service},
                {PEERAUTH_KEY_TTY, login->tty},       {PEERAUTH_KEY_RHOST, login->rhost},
                {PEERAUTH_KEY_RUSER, login->ruser},   {PEERAUTH_KEY_STAGE, login->stage},
                {PEERAUTH_KEY_REASON, login->reason},
        };
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
                if (texts[i].value)
                        r = sd_bus_message_append(call, "{sv}", texts[i].key, "s", texts[i].value);
        if (r >= 0 && login->time_left_usec > 0)
                r = sd_bus_message_append(call, "{sv}", PEERAUTH_KEY_TIME_LEFT, "t", login->time_left_usec);
        if (r >= 0 && login->can_ask)
                r = sd_bus_message_append(call, "{sv}", PEERAUTH_KEY_CAN_ASK, "b", true);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* Copies text if it has exactly size characters, all out of allowed. */
static int copy_exactly(const char *text, size_t size, const char *allowed, char *ret) {
        if (strlen(text) != size || strspn(text, allowed) != size)
                return -EBADMSG;
        memcpy(ret, text, size + 1);
        return 0;
}

static int read_created(sd_bus_message *reply, ClientCreated *created) {
        const char *outcome, *id, *code;
        int r;

        r = sd_bus_message_read(reply, "ssst", &outcome, &id, &code, &created->deadline_usec);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        created->outcome = verdict_from_string(outcome);
        if (strcmp(verdict_to_string(created->outcome), outcome) != 0)
                return -EBADMSG;
        switch (created->outcome) {
        case VERDICT_PENDING:
                r = copy_exactly(id, PEERAUTH_ID_HEX, "0123456789abcdef", created->id);
                if (r >= 0)
                        r = copy_exactly(code, PEERAUTH_CODE_DIGITS, "0123456789", created->code);
                if (r < 0)
                        return r;
                break;
        case VERDICT_EXEMPT:
        case VERDICT_DENIED:
                break;
        default: /* nothing else can be true of a request that is new */
                return -EBADMSG;
        }
        r = client_message_read_dict(reply, created_fields, created);
        return r < 0 ? r : client_message_fill_empty(created_fields, created);
}

/* Byte by byte: an assignment leaves the code in vector registers, which a later call saves on its stack. */
static void hand_over(ClientCreated *created, ClientCreated *ret_created) {
        const volatile unsigned char *from = (const volatile unsigned char *)created;
        volatile unsigned char *to = (volatile unsigned char *)ret_created;

        for (size_t i = 0; i < sizeof(*created); i++)
                to[i] = from[i];
        *created = (ClientCreated){0};
}

int client_create_request(sd_bus *bus, const ClientLogin *login, uint64_t timeout_usec,
                          ClientCreated *ret_created, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        PEERAUTH_CLEANUP(client_created_done) ClientCreated created = {.enough = true};
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REQUESTER, "CreateRequest", &call);
        if (r >= 0 && login->reason)
                r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = append_login(call, login);
        if (r >= 0)
                r = client_message_call(bus, call, timeout_usec, &reply, ret_error);
        if (r < 0)
                return r;
        (void)sd_bus_message_sensitive(reply); /* it carries the code */
        r = read_created(reply, &created);
        if (r < 0)
                return r;
        hand_over(&created, ret_created);
        return 0;
}

int client_wait_decision(sd_bus *bus, const char *id, uint64_t timeout_usec, sd_bus_slot **ret_slot,
                         sd_bus_message_handler_t callback, void *userdata) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REQUESTER, "WaitDecision", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", id);
        if (r >= 0)
                r = sd_bus_call_async(bus, ret_slot, call, callback, userdata,
                                      timeout_usec > 0 ? timeout_usec : 1);
        return r < 0 ? r : 0;
}

/* "a, b, c", harmless; NULL when nobody is named. */
static int join_names(char **names, char **ret_text) {
        _cleanup_free_ char *joined = NULL;
        size_t size = 1;

        *ret_text = NULL;
        if (!names || !names[0])
                return 0;
        for (char **name = names; *name; name++)
                size += strlen(*name) + 2;
        joined = calloc(1, size);
        if (!joined)
                return -ENOMEM;
        for (char **name = names; *name; name++) {
                if (name != names)
                        (void)strcat(joined, ", ");
                (void)strcat(joined, *name);
        }
        *ret_text = text_safe(joined, CLIENT_TEXT_MAX);
        return *ret_text ? 0 : -ENOMEM;
}

static int harmless(const char *text, char **ret_text) {
        *ret_text = text && *text ? text_safe(text, CLIENT_TEXT_MAX) : NULL;
        return text && *text && !*ret_text ? -ENOMEM : 0;
}

static int read_decision(sd_bus_message *reply, ClientDecision *decision) {
        PEERAUTH_CLEANUP(details_done) DecisionDetails details = {0};
        const char *word;
        Verdict verdict;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL) > 0)
                return -EREMOTEIO;
        r = sd_bus_message_read(reply, "s", &word);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        verdict = verdict_from_string(word);
        /* "exempt" is an outcome of CreateRequest only: what waits is never exempt. */
        if (strcmp(verdict_to_string(verdict), word) != 0 || !verdict_is_final(verdict) ||
            verdict == VERDICT_EXEMPT)
                return -EBADMSG;
        r = client_message_read_dict(reply, decision_fields, &details);
        if (r >= 0)
                r = join_names(details.by, &decision->by);
        if (r >= 0)
                r = harmless(details.note, &decision->note);
        if (r >= 0)
                r = harmless(details.reason, &decision->reason);
        if (r >= 0)
                decision->verdict = verdict; /* last: whatever failed above leaves "denied" */
        return r;
}

int client_decision_parse(sd_bus_message *reply, ClientDecision *ret_decision) {
        int r;

        *ret_decision = (ClientDecision){0};
        r = read_decision(reply, ret_decision);
        if (r < 0)
                client_decision_done(ret_decision);
        return r;
}

int client_redeem(sd_bus *bus, const char *id, const char *secret, uint64_t timeout_usec,
                  sd_bus_slot **ret_slot, sd_bus_message_handler_t callback, void *userdata) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REQUESTER, "Redeem", &call);
        if (r >= 0)
                r = sd_bus_message_sensitive(call);
        /* A broker that is gone took the request with it. */
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", id, secret);
        if (r >= 0)
                r = sd_bus_call_async(bus, ret_slot, call, callback, userdata,
                                      timeout_usec > 0 ? timeout_usec : 1);
        return r < 0 ? r : 0;
}

int client_cancel_request(sd_bus *bus, const char *id) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REQUESTER, "CancelRequest", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", id);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(call, false);
        if (r >= 0)
                r = sd_bus_send(bus, call, NULL);
        return r < 0 ? r : 0;
}

/* A broker that does not run has nobody's sessions, and at shutdown none must be started. */
static int tell_of_session(sd_bus *bus, const char *member, const char *session, uint64_t timeout_usec,
                           sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = client_message_new(bus, PEERAUTH_IFACE_REQUESTER, member, &call);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", session);
        return r < 0 ? r : client_message_call(bus, call, timeout_usec, &reply, ret_error);
}

int client_session_opened(sd_bus *bus, const char *session, uint64_t timeout_usec, sd_bus_error *ret_error) {
        return tell_of_session(bus, "SessionOpened", session, timeout_usec, ret_error);
}

int client_session_closed(sd_bus *bus, const char *session, uint64_t timeout_usec, sd_bus_error *ret_error) {
        return tell_of_session(bus, "SessionClosed", session, timeout_usec, ret_error);
}
