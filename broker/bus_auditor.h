/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of people who read the ledger: org.peerauth.PeerAuth1.Auditor. */
#pragma once

#include <systemd/sd-bus.h>

#include "broker/flow.h"

/* Adds the interface to the bus object; userdata of its handlers is flow. 0 or a negative errno. */
int bus_auditor_add(sd_bus *bus, Flow *flow);
