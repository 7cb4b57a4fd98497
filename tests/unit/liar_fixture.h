/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A broker that lies: a thread at the other end of a socket pair answers each call with a message made by the
 * test.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/client.h"
#include "common/client_message.h"

#define ID   "0123456789abcdef0123456789abcdef"
#define CODE "042913"

/* An answer with these arguments, as for sd_bus_message_append(). */
#define LIE(name, ...)                                        \
        static int name(sd_bus_message *m) {                  \
                return sd_bus_message_append(m, __VA_ARGS__); \
        }

typedef int (*Answer)(sd_bus_message *reply);

typedef struct Liar {
        int fd;
        Answer answer;                  /* NULL: says nothing at all */
        sd_bus_message_handler_t hears; /* NULL, or what looks at each call before it is answered */
        pthread_t thread;
        sd_bus *client;
} Liar;

static int answer_call(sd_bus_message *call, Answer answer) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = answer(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Liar *liar = userdata;
        int r;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 1;
        r = liar->hears ? liar->hears(m, NULL, error) : 0;
        if (r >= 0 && liar->answer)
                r = answer_call(m, liar->answer);
        return r < 0 ? r : 1;
}

static void *liar_run(void *userdata) {
        Liar *liar = userdata;
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_fd(bus, liar->fd, liar->fd);
        if (r >= 0)
                r = sd_bus_set_server(bus, true, (sd_id128_t){.bytes = {1}});
        if (r >= 0)
                r = sd_bus_set_anonymous(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, liar);
        while (r >= 0) { /* until the other end is closed */
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        sd_bus_close_unref(bus);
        return NULL;
}

static void liar_start_hearing(Liar *liar, Answer answer, sd_bus_message_handler_t hears) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        *liar = (Liar){.fd = fds[1], .answer = answer, .hears = hears};
        assert_int_equal(pthread_create(&liar->thread, NULL, liar_run, liar), 0);
        assert_true(sd_bus_new(&liar->client) >= 0);
        assert_true(sd_bus_set_fd(liar->client, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_set_anonymous(liar->client, true) >= 0);
        assert_true(sd_bus_start(liar->client) >= 0);
}

static inline void liar_start(Liar *liar, Answer answer) {
        liar_start_hearing(liar, answer, NULL);
}

static void liar_stop(Liar *liar) {
        sd_bus_close_unref(liar->client);
        pthread_join(liar->thread, NULL);
}
