/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signalfd that is polled and never read. */
#include "pam_peerauth/interrupt.h"

#include <stdbool.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What people and systems send to make a login stop. */
static const int stop_signals[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM};

/*
 * A signal that would simply end the program needs no help. One that is caught does. One that is blocked
 * does too if it comes from the keyboard; others are blocked by services that read them elsewhere.
 */
static bool needs_help(int signo, const sigset_t *blocked) {
        struct sigaction action;

        if (sigaction(signo, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
                return false;
        if (sigismember(blocked, signo) == 1)
                return signo == SIGINT || signo == SIGQUIT;
        return action.sa_handler != SIG_DFL;
}

static bool collect(const sigset_t *blocked, sigset_t *ret_set) {
        bool any = false;

        (void)sigemptyset(ret_set);
        for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
                if (needs_help(stop_signals[i], blocked)) {
                        (void)sigaddset(ret_set, stop_signals[i]);
                        any = true;
                }
        return any;
}

Interrupt interrupt_begin(void) {
        Interrupt interrupt = INTERRUPT_NONE;
        sigset_t set;

        if (pthread_sigmask(SIG_BLOCK, NULL, &interrupt.mask) != 0 || !collect(&interrupt.mask, &set))
                return interrupt;
        interrupt.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (interrupt.fd >= 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
                (void)close(interrupt.fd);
                interrupt.fd = -1;
        }
        return interrupt;
}

void interrupt_end(Interrupt *interrupt) {
        if (interrupt->fd < 0)
                return;
        (void)close(interrupt->fd);
        interrupt->fd = -1;
        (void)pthread_sigmask(SIG_SETMASK, &interrupt->mask, NULL);
}
