/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How an attempt ended: what PAM is told, what the person is told, what the log says.
 *
 * MUST 1: denial is the zero value, and whatever this file does not know is denied.
 * MUST 2: exactly one line of the module can yield PAM_SUCCESS; it stands in outcome.c.
 * MUST 3: no text here ever holds the code.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "common/client.h"

/* Different PAM codes for different ends, so that faillock counts guesses and not outages. */
typedef enum OutcomeKind {
        OUTCOME_DENIED = 0,  /* PAM_PERM_DENIED */
        OUTCOME_EXPIRED,     /* PAM_AUTH_ERR: nobody decided in time */
        OUTCOME_LIMITED,     /* PAM_MAXTRIES: too many attempts, or locked */
        OUTCOME_UNAVAILABLE, /* PAM_AUTHINFO_UNAVAIL: the broker or the bus cannot be asked or believed */
        OUTCOME_CANCELLED,   /* PAM_CONV_ERR: the person is gone or cannot be told the code */
        OUTCOME_EXEMPT,      /* PAM_IGNORE: a rule lets this login pass without review */
        OUTCOME_APPROVED,
} OutcomeKind;

#define OUTCOME_NOT_ALLOWED "This login is not allowed."

enum { OUTCOME_TEXT_MAX = 400, OUTCOME_LOG_MAX = 640 };

typedef struct Outcome {
        OutcomeKind kind;
        char text[OUTCOME_TEXT_MAX]; /* for the person; empty: nothing is said */
        char log[OUTCOME_LOG_MAX];   /* for the administrator: what happened, with the value and the reason */
} Outcome;

int outcome_to_pam(OutcomeKind kind);
/* A priority for syslog(3). */
int outcome_priority(OutcomeKind kind);

/* An end that needs no broker. text may be NULL; the log line is printf(3)'s. */
Outcome outcome_make(OutcomeKind kind, const char *text, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Adds to the log line, as far as there is room. */
void outcome_append_log(Outcome *outcome, const char *more);

/* step, e.g. "create the request", failed with r; error may be NULL or not set. */
Outcome outcome_from_error(const char *step, int r, const sd_bus_error *error);

/* The broker's first answer, if it is final: exempt or denied. */
Outcome outcome_from_created(const ClientCreated *created);

/* The held reply, or the error that came in its place. */
Outcome outcome_from_reply(sd_bus_message *reply);
