/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See bus_source.h. GLib's conditions are poll(2)'s bits and its ready time is CLOCK_MONOTONIC in
 * microseconds, which is what sd_bus_get_events(3) and sd_bus_get_timeout(3) speak, so both pass through
 * unchanged.
 */
#include "notifier/bus_source.h"

#include <stdint.h>

typedef struct BusSource {
        GSource base;
        sd_bus *bus;
        void *fd_tag;
        int events;
        BusSourceClosed closed;
        void *userdata;
} BusSource;

static gboolean prepare(GSource *base, int *timeout) {
        BusSource *source = (BusSource *)base;
        int events = sd_bus_get_events(source->bus);
        uint64_t wake = UINT64_MAX;

        *timeout = -1;
        /* A connection that broke has neither; dispatch() finds out why. */
        if (events < 0 || sd_bus_get_timeout(source->bus, &wake) < 0)
                return TRUE;
        /* Without a change this would interrupt the sleep that prepares, for ever. */
        if (events != source->events)
                g_source_modify_unix_fd(base, source->fd_tag, (GIOCondition)events);
        source->events = events;
        g_source_set_ready_time(base, wake >= INT64_MAX ? -1 : (int64_t)wake);
        return wake == 0; /* messages that a blocking call read ahead */
}

static gboolean dispatch(GSource *base, GSourceFunc callback, void *userdata) {
        BusSource *source = (BusSource *)base;
        int r = sd_bus_process(source->bus, NULL);

        (void)callback;
        (void)userdata;
        if (r >= 0)
                return G_SOURCE_CONTINUE;
        source->closed(r, source->userdata);
        return G_SOURCE_REMOVE;
}

GSource *bus_source_new(sd_bus *bus, BusSourceClosed closed, void *userdata) {
        static GSourceFuncs funcs = {.prepare = prepare, .dispatch = dispatch};
        int fd = sd_bus_get_fd(bus);
        BusSource *source;

        if (fd < 0)
                return NULL;
        source = (BusSource *)g_source_new(&funcs, sizeof(*source));
        source->bus = bus;
        source->closed = closed;
        source->userdata = userdata;
        source->events = G_IO_IN;
        source->fd_tag = g_source_add_unix_fd(&source->base, fd, G_IO_IN);
        g_source_attach(&source->base, NULL);
        return &source->base;
}

GSource *bus_source_free(GSource *source) {
        if (!source)
                return NULL;
        g_source_destroy(source);
        g_source_unref(source);
        return NULL;
}
