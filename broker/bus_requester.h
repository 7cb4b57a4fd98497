/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of whoever logs in: org.peerauth.PeerAuth1.Requester. */
#pragma once

#include <systemd/sd-bus.h>

#include "broker/flow.h"

/* Adds the interface to the bus object; userdata of its handlers is flow. 0 or a negative errno. */
int bus_requester_add(sd_bus *bus, Flow *flow);
