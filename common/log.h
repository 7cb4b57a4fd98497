/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log lines of the programs that run in the background: one line a message on standard error, with
 * the "<N>" priority of sd-daemon(3) in front when the journal reads it.
 *
 * Never used by the PAM module. Callers pass no code, password or key; text that a stranger chose
 * goes through text_safe() first. Whatever arrives here leaves as one line, so that nobody forges a
 * second one.
 */
#pragma once

#include <stdbool.h>
#include <syslog.h>

enum { LOG_LINE_MAX = 2048 }; /* bytes of one message; the rest is cut off */

/* Once, before any other thread runs. name is put before each line that does not go to the journal, and
 * stays the caller's. */
void log_init(const char *name);

/* Debug lines are dropped until this is called with true. */
void log_set_debug(bool on);

/* errno survives. Before log_init() the line has no name. */
void log_print(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_print(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_print(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_print(LOG_DEBUG, __VA_ARGS__)
