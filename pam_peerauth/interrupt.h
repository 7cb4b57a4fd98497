/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets Ctrl-C end a wait inside a program that catches or blocks it.
 *
 * Most front ends leave SIGINT alone, die of it, and so take the request back. sudo blocks it while PAM
 * works, so that nobody escapes the log of a failure, and catches other signals only to note them for
 * later: a person could not leave the wait. While the module waits, such signals are held back and looked
 * at, not taken: it refuses the login, and the program still gets them when the mask is restored.
 *
 * MUST 1: no disposition is changed, no signal is consumed, and the mask is put back as it was.
 */
#pragma once

#include <signal.h>

typedef struct Interrupt {
        sigset_t mask; /* the thread's mask before; meaningful if fd is open */
        int fd;        /* readable when a caught signal is pending; -1: nothing is held back */
} Interrupt;

#define INTERRUPT_NONE ((Interrupt){.fd = -1})

Interrupt interrupt_begin(void);
void interrupt_end(Interrupt *interrupt);
