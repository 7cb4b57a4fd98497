/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notices that nobody is at the other end of the login any more.
 *
 * While sshd waits for PAM's answer it reads nothing from its client, so a person who closed the laptop
 * would leave a request behind that a reviewer could still approve (attack A14). The module therefore
 * looks at the login's TCP connection itself.
 *
 * MUST 1: the connection is the host's: it is polled, never read, written or closed.
 */
#pragma once

#include <poll.h>

enum { HANGUP_FDS = 2 };

typedef struct Hangup {
        int socket; /* borrowed from the host program; -1: none */
        int parent; /* owned: pidfd of sshd's process for this connection; -1: none */
} Hangup;

#define HANGUP_NONE ((Hangup){.socket = -1, .parent = -1})

/* rhost is PAM_RHOST, NULL for a local login. What cannot be found is not watched. */
Hangup hangup_open(const char *rhost);
void hangup_close(Hangup *hangup);

/* What to poll for; poll() ignores the entries without a descriptor. Any event in them is a hang-up. */
void hangup_pollfds(const Hangup *hangup, struct pollfd ret_fds[HANGUP_FDS]);
