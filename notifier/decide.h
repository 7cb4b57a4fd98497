/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a click does: one call of the broker, and words for its failure.
 *
 * MUST 1: without the code that the broker shows for this request (Code=compare) nothing is approved; the
 *         broker checks it again (attack C6).
 * MUST 2: the code goes from GetRequest into Approve and nowhere else, and is wiped.
 */
#pragma once

#include <systemd/sd-bus.h>

/* 0 once the broker has recorded it, else a negative errno and one sentence for the person who clicked
 * (caller frees; NULL if memory ran out). */
int decide_approve(sd_bus *bus, const char *id, char **ret_reason);
int decide_deny(sd_bus *bus, const char *id, char **ret_reason);
