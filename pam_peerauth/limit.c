/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two ways to know: a running alarm of this process (login(1), ftp daemons), and the age of the process
 * that sshd forked for this connection.
 */
#include "pam_peerauth/limit.h"

#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "pam_peerauth/process.h"

/* For the message with the outcome, the modules after us, and the clock ticks in which ages are known. */
#define LIMIT_MARGIN_USEC (5 * PEERAUTH_USEC_PER_SEC)

static uint64_t alarm_left_usec(void) {
        struct itimerval timer = {0};

        if (getitimer(ITIMER_REAL, &timer) < 0 || (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0))
                return LIMIT_NONE;
        return (uint64_t)timer.it_value.tv_sec * PEERAUTH_USEC_PER_SEC + (uint64_t)timer.it_value.tv_usec;
}

/* How long the login has lasted. A connection that outlived its grace has more than sshd's usual one: then
 * our own age counts. */
static uint64_t login_age_usec(uint64_t grace_usec) {
        uint64_t age;

        if (process_parent_is_monitor() && process_age_usec(getppid(), &age) >= 0 && age < grace_usec)
                return age;
        return process_age_usec(getpid(), &age) >= 0 ? age : 0;
}

/* Other programs that keep a limit run an alarm. Of those that do not, some are as old as the desktop. */
static uint64_t grace_left_usec(const char *service, const Options *options) {
        uint64_t age;

        if (options->grace_usec == 0 || strcmp(service, "sshd") != 0)
                return LIMIT_NONE;
        age = login_age_usec(options->grace_usec);
        return age < options->grace_usec ? options->grace_usec - age : 0;
}

static uint64_t without_margin(uint64_t left_usec) {
        if (left_usec == LIMIT_NONE)
                return LIMIT_NONE;
        return left_usec > LIMIT_MARGIN_USEC ? left_usec - LIMIT_MARGIN_USEC : 0;
}

uint64_t limit_left_usec(const char *service, const Options *options) {
        return without_margin(clock_earlier(alarm_left_usec(), grace_left_usec(service, options)));
}

uint64_t limit_alarm_usec(void) {
        return without_margin(alarm_left_usec());
}
