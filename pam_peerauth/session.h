/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells the broker which session a login got, and that it ended.
 *
 * MUST 1: nothing here blocks or ends a login: two seconds in all, nothing printed, no result.
 * MUST 2: the session is the one in PAM's environment, where pam_systemd put it; the process's own
 *         environment is the caller's under su and sudo (attack A9).
 */
#pragma once

#include <security/pam_modules.h>

typedef enum SessionEvent { SESSION_OPENED, SESSION_CLOSED } SessionEvent;

void session_tell(pam_handle_t *pamh, SessionEvent event, int argc, const char **argv);
