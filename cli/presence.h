/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is logged in now, from logind, by the sessions that count for the broker too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

typedef struct PresencePerson {
        uid_t uid;
        bool local; /* has a local session that counts; else only remote ones */
} PresencePerson;

typedef struct Presence {
        PresencePerson *people; /* each once */
        size_t n;
} Presence;

/* bus is connected. 0, or a negative errno: it cannot be known. */
int presence_get(sd_bus *bus, Presence *ret_presence);
void presence_done(Presence *presence);
