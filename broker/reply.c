/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Held messages. */
#include "broker/reply.h"

#include <stdarg.h>
#include <stdlib.h>

#include "broker/bus.h"

struct Reply {
        sd_bus_message *call;
        sd_bus_message *answer;
};

Reply *reply_new(sd_bus_message *call) {
        Reply *reply = calloc(1, sizeof(*reply));

        if (reply)
                reply->call = sd_bus_message_ref(call);
        return reply;
}

Reply *reply_free(Reply *reply) {
        if (!reply)
                return NULL;
        if (reply->answer)
                (void)sd_bus_send(NULL, reply->answer, NULL);
        else
                (void)sd_bus_reply_method_errorf(reply->call, SD_BUS_ERROR_ACCESS_DENIED,
                                                 "The request was not granted.");
        sd_bus_message_unref(reply->answer);
        sd_bus_message_unref(reply->call);
        free(reply);
        return NULL;
}

sd_bus_message *reply_call(const Reply *reply) {
        return reply->call;
}

void reply_prepare(Reply *reply, sd_bus_message *answer) {
        sd_bus_message_unref(reply->answer);
        reply->answer = answer;
}

void reply_prepare_error(Reply *reply, const char *name, const char *format, ...) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *answer = NULL;
        va_list ap;

        va_start(ap, format);
        (void)sd_bus_error_setfv(&error, name, format, ap);
        va_end(ap);
        (void)sd_bus_message_new_method_error(reply->call, &answer, &error);
        reply_prepare(reply, STEAL_PTR(answer));
}

int reply_begin(const Reply *reply, sd_bus_message **ret_answer) {
        return sd_bus_message_new_method_return(reply->call, ret_answer);
}

void reply_prepare_empty(Reply *reply) {
        _cleanup_message_ sd_bus_message *answer = NULL;

        (void)reply_begin(reply, &answer);
        reply_prepare(reply, STEAL_PTR(answer));
}
