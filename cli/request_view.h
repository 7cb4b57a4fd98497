/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a request looks to people and to programs: one record from which list, show, watch and JSON are
 * printed.
 */
#pragma once

#include <stddef.h>

#include "cli/output.h"
#include "common/client.h"

enum { REQUEST_VIEW_SPAN = 32 }; /* room for a time or a span of time, as text */

/* short_id: digits of the id that name the request in a list (0: none shown). NULL: no memory. */
Record *request_view(const ClientRequest *request, size_t short_id);

/* Who and where, and how it ended: what stays true afterwards. NULL: no memory. */
Record *request_view_ended(const ClientRequest *request, Verdict verdict);

/* Local time with seconds and zone offset. Returns ret. */
const char *request_view_time(uint64_t realtime_usec, char ret[REQUEST_VIEW_SPAN]);

/* Text from outside as one word: harmless, and without spaces, by which an account name that a stranger made
 * up could look like several fields. NULL: no memory; caller frees. */
char *request_view_word(const char *text);

/* "alice, sshd from 192.0.2.7": who and where, on one line; made harmless. NULL: no memory; caller frees. */
char *request_view_line(const ClientRequest *request);
