/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helpers over sd-bus. */
#include "broker/bus.h"

#include <stdarg.h>

int bus_call(sd_bus *bus, sd_bus_slot **ret_slot, const char *destination, const char *path,
             const char *interface, const char *member, sd_bus_message_handler_t callback, void *userdata,
             const char *types, ...) {
        _cleanup_message_ sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, destination, path, interface, member);
        if (r < 0)
                return r;
        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r < 0)
                return r;
        /* A look-up must not start a service that is not running. */
        r = sd_bus_message_set_auto_start(m, 0);
        if (r < 0)
                return r;
        r = sd_bus_call_async(bus, ret_slot, m, callback, userdata, BUS_LOOKUP_TIMEOUT_USEC);
        return r < 0 ? r : 0;
}

int bus_dict_next(sd_bus_message *m, const char **ret_key, const char **ret_type) {
        int r;

        r = sd_bus_message_enter_container(m, 'e', "sv");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "s", ret_key);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(m, NULL, ret_type);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'v', *ret_type);
        return r < 0 ? r : 1;
}

int bus_dict_exit(sd_bus_message *m) {
        int r;

        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int bus_dict_skip(sd_bus_message *m, const char *type) {
        int r;

        r = sd_bus_message_skip(m, type);
        return r < 0 ? r : bus_dict_exit(m);
}

int bus_dict_read(sd_bus_message *m, unsigned max, BusDictTake take, void *target, sd_bus_error *error) {
        const char *key, *type;
        unsigned n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = bus_dict_next(m, &key, &type)) > 0) {
                /* A message of 32 MiB may hold a million of them. */
                if (++n > max)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Too many keys.");
                r = take(m, key, type, target, error);
                if (r >= 0)
                        r = bus_dict_exit(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int dict_open_entry(sd_bus_message *m, const char *key, const char *type) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

static int dict_close_entry(sd_bus_message *m) {
        int r;

        r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_dict_add(sd_bus_message *m, const char *key, const char *type, ...) {
        va_list ap;
        int r;

        r = dict_open_entry(m, key, type);
        if (r < 0)
                return r;
        va_start(ap, type);
        r = sd_bus_message_appendv(m, type, ap);
        va_end(ap);
        return r < 0 ? r : dict_close_entry(m);
}

int bus_dict_add_string(sd_bus_message *m, const char *key, const char *value) {
        return value ? bus_dict_add(m, key, "s", value) : 0;
}

int bus_dict_add_strings(sd_bus_message *m, const char *key, char *const *values) {
        int r;

        r = dict_open_entry(m, key, "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **)values);
        return r < 0 ? r : dict_close_entry(m);
}
