/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bounded calls on the broker and the reader of its dictionaries.
 *
 * Lives inside login programs too: libsystemd only, no state, no log, no environment, never an
 * unbounded wait.
 */
#include "common/client_message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/client.h"
#include "common/clock.h"
#include "common/protocol.h"
#include "common/strv.h"

_Static_assert((int)CLIENT_STRINGS_MAX >= (int)PEERAUTH_ENTRIES_PAGE, "a page of entries must fit");

int client_message_read_error(int r) {
        if (r >= 0)
                return 0;
        return r == -ENOMEM ? r : -EBADMSG;
}

int client_message_new(sd_bus *bus, const char *interface, const char *member, sd_bus_message **ret_message) {
        return sd_bus_message_new_method_call(bus, ret_message, PEERAUTH_BUS_NAME, PEERAUTH_OBJECT_PATH,
                                              interface, member);
}

int client_message_wait_ready(sd_bus *bus, uint64_t timeout_usec) {
        uint64_t now = clock_boottime_usec(), deadline;
        int r;

        /* sd_bus_call() alone would wait 90 s for a bus daemon that accepts and then stays silent. */
        if (__builtin_add_overflow(now, timeout_usec, &deadline))
                deadline = UINT64_MAX;
        while ((r = sd_bus_is_ready(bus)) == 0) {
                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                now = clock_boottime_usec();
                if (now >= deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, deadline - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return r < 0 ? r : 0;
}

int client_message_call(sd_bus *bus, sd_bus_message *call, uint64_t timeout_usec, sd_bus_message **ret_reply,
                        sd_bus_error *ret_error) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t start = clock_boottime_usec(), spent;
        int r;

        r = client_message_wait_ready(bus, timeout_usec);
        if (r < 0)
                return r;
        spent = clock_boottime_usec() - start;
        /* 0 would mean libsystemd's own default, which the environment can change. */
        r = sd_bus_call(bus, call, spent < timeout_usec ? timeout_usec - spent : 1, &error, ret_reply);
        if (r >= 0)
                return 0;
        if (!sd_bus_error_is_set(&error))
                return r;
        if (ret_error)
                (void)sd_bus_error_move(ret_error, &error);
        return -EREMOTEIO;
}

int client_message_ask(sd_bus *bus, const char *interface, const char *member, uint64_t timeout_usec,
                       sd_bus_message **ret_reply, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = client_message_new(bus, interface, member, &call);
        if (r < 0)
                return r;
        return client_message_call(bus, call, timeout_usec, ret_reply, ret_error);
}

int client_message_read_strings(sd_bus_message *message, char ***ret_strings) {
        _cleanup_strv_ char **strings = NULL;
        const char *text;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "s");
        if (r < 0)
                return client_message_read_error(r);
        while ((r = sd_bus_message_read_basic(message, 's', &text)) > 0) {
                if (n++ == CLIENT_STRINGS_MAX)
                        return -EBADMSG;
                r = strv_append(&strings, text);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r < 0)
                return client_message_read_error(r);
        *ret_strings = STEAL_PTR(strings);
        return 0;
}

static int read_string(sd_bus_message *message, char **slot) {
        const char *text;
        char *copy;
        int r;

        r = sd_bus_message_read_basic(message, 's', &text);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        copy = strndup(text, CLIENT_TEXT_MAX);
        if (!copy)
                return -ENOMEM;
        free(*slot);
        *slot = copy;
        return 0;
}

static int read_code(sd_bus_message *message, char *slot) {
        const char *text;
        int r;

        (void)sd_bus_message_sensitive(message); /* wiped when it is freed */
        r = sd_bus_message_read_basic(message, 's', &text);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (text[0] == '\0') {
                slot[0] = '\0';
                return 0;
        }
        if (strlen(text) != PEERAUTH_CODE_DIGITS || strspn(text, "0123456789") != PEERAUTH_CODE_DIGITS)
                return -EBADMSG;
        memcpy(slot, text, PEERAUTH_CODE_DIGITS + 1);
        return 0;
}

static int read_bool(sd_bus_message *message, bool *slot) {
        int value, r;

        r = sd_bus_message_read_basic(message, 'b', &value); /* an int on the C side */
        if (r > 0)
                *slot = value;
        return r;
}

static int read_strings_field(sd_bus_message *message, char ***slot) {
        char **strings;
        int r;

        r = client_message_read_strings(message, &strings);
        if (r < 0)
                return r;
        strv_free(*slot);
        *slot = strings;
        return 0;
}

static int read_value(sd_bus_message *message, const ClientField *field, void *target) {
        void *slot = (char *)target + field->offset;

        switch (field->type) {
        case 's':
                return read_string(message, slot);
        case 'S':
                return read_strings_field(message, slot);
        case 'c':
                return read_code(message, slot);
        case 'b':
                return read_bool(message, slot);
        default: /* 'u', 't' */
                return sd_bus_message_read_basic(message, field->type, slot);
        }
}

static const char *wire_type(char type) {
        switch (type) {
        case 'S':
                return "as";
        case 'b':
                return "b";
        case 'u':
                return "u";
        case 't':
                return "t";
        default:
                return "s";
        }
}

static int read_pair(sd_bus_message *message, const ClientField *fields, void *target) {
        const ClientField *field;
        const char *key;
        int r;

        r = sd_bus_message_read_basic(message, 's', &key);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        for (field = fields; field->key; field++)
                if (strcmp(field->key, key) == 0)
                        break;
        if (!field->key) /* a newer broker may say more */
                return sd_bus_message_skip(message, "v");
        r = sd_bus_message_enter_container(message, 'v', wire_type(field->type));
        if (r >= 0)
                r = read_value(message, field, target);
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

int client_message_read_dict(sd_bus_message *message, const ClientField *fields, void *target) {
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return client_message_read_error(r);
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = read_pair(message, fields, target);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return client_message_read_error(r);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        return client_message_read_error(r);
}

int client_message_fill_empty(const ClientField *fields, void *target) {
        for (const ClientField *field = fields; field->key; field++) {
                char **slot = (char **)((char *)target + field->offset);

                if (field->type != 's' || *slot)
                        continue;
                *slot = strdup("");
                if (!*slot)
                        return -ENOMEM;
        }
        return 0;
}

void client_message_done(const ClientField *fields, void *target) {
        for (const ClientField *field = fields; field->key; field++) {
                void *slot = (char *)target + field->offset;

                if (field->type == 's') {
                        free(*(char **)slot);
                        *(char **)slot = NULL;
                } else if (field->type == 'S') {
                        strv_free(*(char ***)slot);
                        *(char ***)slot = NULL;
                } else if (field->type == 'c')
                        explicit_bzero(slot, PEERAUTH_CODE_DIGITS + 1);
        }
}
