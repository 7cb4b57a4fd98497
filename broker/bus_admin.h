/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of administrators. */
#pragma once

#include <systemd/sd-bus.h>

#include "broker/flow.h"

int bus_admin_add(sd_bus *bus, Flow *flow);
