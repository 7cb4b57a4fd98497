/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One poll loop over the bus, the login's connection and caught signals; no thread and no event library. */
#include "pam_peerauth/wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "common/clock.h"
#include "common/protocol.h"

/* poll() does not count the time that the machine was suspended, so it is not asked for long sleeps. */
#define WAIT_SLEEP_MAX_USEC (5 * PEERAUTH_USEC_PER_SEC)
/* To read what came while a prompt was open, also if that was too long. */
#define WAIT_LEAST_USEC (PEERAUTH_USEC_PER_SEC / 10)

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Wait *wait = userdata;
        Outcome outcome = outcome_from_reply(reply);

        (void)ret_error;
        /* Who sat at a prompt for too long is still told why: a refusal may be late. */
        if (clock_boottime_usec() >= wait->end_usec && outcome.kind != OUTCOME_DENIED &&
            outcome.kind != OUTCOME_EXPIRED)
                return 0;
        wait->outcome = outcome;
        wait->answered = true;
        return 0;
}

int wait_begin(Wait *wait, sd_bus *bus, const char *id, uint64_t end_usec) {
        uint64_t now = clock_boottime_usec();

        wait->bus = bus;
        wait->end_usec = end_usec;
        /* libsystemd counts on a clock that stands still in suspend: its time-out is a second line only, and
         * so late that it takes no answer away that came while a prompt was open. */
        return client_wait_decision(bus, id,
                                    (end_usec > now ? end_usec - now : 0) + PEERAUTH_EXPIRES_MAX_USEC,
                                    &wait->slot, on_reply, wait);
}

void wait_watch(Wait *wait, const char *rhost) {
        wait->hangup = hangup_open(rhost);
        wait->interrupt = interrupt_begin();
}

void wait_unwatch(Wait *wait) {
        hangup_close(&wait->hangup);
        interrupt_end(&wait->interrupt);
}

void wait_done(Wait *wait) {
        sd_bus_slot_unref(wait->slot);
        wait->slot = NULL;
        wait_unwatch(wait);
}

static uint64_t sleep_usec(sd_bus *bus, uint64_t left_usec) {
        uint64_t sleep = clock_earlier(left_usec, WAIT_SLEEP_MAX_USEC), due, now;

        if (sd_bus_get_timeout(bus, &due) <= 0 || due == UINT64_MAX)
                return sleep;
        now = clock_usec(CLOCK_MONOTONIC);
        return due > now ? clock_earlier(sleep, due - now) : 0;
}

/* Sleeps until something happens. 0, or why the wait must end. */
static int wait_poll(Wait *wait, uint64_t left_usec) {
        enum { BUS, INTERRUPT, HANGUP, N_FDS = HANGUP + HANGUP_FDS };
        struct pollfd fds[N_FDS] = {
                [BUS] = {.fd = sd_bus_get_fd(wait->bus)},
                [INTERRUPT] = {.fd = wait->interrupt.fd, .events = POLLIN},
        };
        int events = sd_bus_get_events(wait->bus);
        uint64_t usec = sleep_usec(wait->bus, left_usec);
        struct timespec timeout = {
                .tv_sec = (time_t)(usec / PEERAUTH_USEC_PER_SEC),
                .tv_nsec = (long)(usec % PEERAUTH_USEC_PER_SEC) * 1000,
        };

        if (fds[BUS].fd < 0 || events < 0)
                return fds[BUS].fd < 0 ? fds[BUS].fd : events;
        fds[BUS].events = (short)events;
        hangup_pollfds(&wait->hangup, &fds[HANGUP]);
        if (ppoll(fds, N_FDS, &timeout, NULL) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[INTERRUPT].revents)
                return -ECANCELED;
        for (int i = HANGUP; i < N_FDS; i++)
                if (fds[i].revents)
                        return -EPIPE;
        return 0;
}

int wait_until(Wait *wait, uint64_t until_usec) {
        uint64_t least = clock_boottime_usec() + WAIT_LEAST_USEC;

        until_usec = until_usec > least ? until_usec : least;
        for (wait->woken = false;;) {
                int r = sd_bus_process(wait->bus, NULL);
                uint64_t now = clock_boottime_usec();

                if (wait->answered)
                        return 1;
                if (r < 0)
                        return r;
                /* Asked each time: a flood of messages from a stranger must not stretch the wait. */
                if (now >= until_usec || wait->woken)
                        return 0;
                if (r == 0)
                        r = wait_poll(wait, until_usec - now);
                if (r < 0)
                        return r;
        }
}
