/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polkit's own agent for the terminal, for as long as a call may have to ask the person to authenticate.
 *
 * MUST 1: the agent is started by its fixed path and gets none of the environment but how to write on the
 *         terminal.
 * MUST 2: without it the call goes on: whether it is needed is polkit's matter.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

typedef struct Agent {
        pid_t pid; /* 0: none was started */
        struct termios terminal;
        bool terminal_known;
} Agent;

/* Returns when the agent is ready, or without one. Not for root, whom polkit is not asked about, nor where
 * nobody could answer. bus: the address that the call goes to, NULL for the system bus. */
void agent_start(Agent *agent, const char *bus);

/* Ends it and puts the terminal right if it was asking. Safe on a zeroed struct. */
void agent_stop(Agent *agent);
