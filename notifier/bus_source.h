/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs an sd-bus connection inside a GLib main loop, so that the typed client of common/ serves here too
 * and no bus client is written twice. Wakes up for traffic and for the connection's own time-outs only.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* Called once, from the loop, when the connection is of no more use; the source is already spent. The
 * callee may release the bus. error is a negative errno. */
typedef void (*BusSourceClosed)(int error, void *userdata);

/* Attaches bus, which must live as long as the source, to the default main context. NULL: the connection
 * has no descriptor to wait for. */
GSource *bus_source_new(sd_bus *bus, BusSourceClosed closed, void *userdata);
/* Detaches; takes NULL, and spent sources. Returns NULL. */
GSource *bus_source_free(GSource *source);
