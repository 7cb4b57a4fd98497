/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two real sd-bus connections over a socket pair: ours, and a service of the system that a test plays. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

typedef struct Peers {
        sd_bus *ours, *service;
} Peers;

/* Every message that comes to the service goes to on_message. */
static inline void peers_open(Peers *peers, sd_bus_message_handler_t on_message, void *userdata) {
        sd_id128_t id = {.bytes = {1}};
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_bus_new(&peers->service) >= 0);
        assert_true(sd_bus_set_fd(peers->service, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_set_server(peers->service, 1, id) >= 0);
        assert_true(sd_bus_add_filter(peers->service, NULL, on_message, userdata) >= 0);
        assert_true(sd_bus_start(peers->service) >= 0);
        assert_true(sd_bus_new(&peers->ours) >= 0);
        assert_true(sd_bus_set_fd(peers->ours, fds[1], fds[1]) >= 0);
        assert_true(sd_bus_start(peers->ours) >= 0);
}

/* Until neither side has anything to do. */
static inline void peers_turn(Peers *peers) {
        for (unsigned idle = 0; idle < 3;) {
                int s = sd_bus_process(peers->service, NULL), o = sd_bus_process(peers->ours, NULL);

                assert_true(s >= 0 && o >= 0);
                idle = s + o > 0 ? 0 : idle + 1;
        }
}

static inline void peers_close(Peers *peers) {
        sd_bus_close_unref(peers->service);
        sd_bus_close_unref(peers->ours);
}
