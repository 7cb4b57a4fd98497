/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PAM entry points: one login is asked about, and the answer is given to PAM.
 *
 * This code runs inside sshd, sudo and screen lockers. It keeps no state between calls, changes nothing
 * of the process, reads no environment, and leaves no descriptor open.
 *
 * MUST 1: whatever fails on the way ends in a refusal (attack A1).
 * MUST 2: approval serves the call that asked for it, and nothing later (attack A8): no PAM data is kept.
 */
#include <errno.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/client.h"
#include "common/clock.h"
#include "pam_peerauth/limit.h"
#include "pam_peerauth/options.h"
#include "pam_peerauth/origin.h"
#include "pam_peerauth/outcome.h"
#include "pam_peerauth/show.h"
#include "pam_peerauth/wait.h"

/* How long after a deadline the broker's own word for it may still arrive. */
#define ATTEMPT_SLACK_USEC (3 * PEERAUTH_USEC_PER_SEC)
/* Nobody can be told a code, find a colleague and be approved in less. */
#define ATTEMPT_LEAST_USEC (5 * PEERAUTH_USEC_PER_SEC)

typedef struct Attempt {
        pam_handle_t *pamh;
        Options options;
        Origin origin;
        uint64_t end_usec; /* CLOCK_BOOTTIME: when the module must return */
} Attempt;

static void attempt_done(Attempt *attempt) {
        origin_done(&attempt->origin);
}

PEERAUTH_DEFINE_CLEANUP(sd_bus *, sd_bus_close_unref);

/* Everything else is hidden by the build; pam_peerauth.map says so once more. */
#define EXPORTED __attribute__((visibility("default")))

static void debug(const Attempt *attempt, const char *what, uint64_t usec) {
        if (attempt->options.debug && usec == LIMIT_NONE)
                pam_syslog(attempt->pamh, LOG_DEBUG, "%s: no limit", what);
        else if (attempt->options.debug)
                pam_syslog(attempt->pamh, LOG_DEBUG, "%s: %llu ms", what, (unsigned long long)(usec / 1000));
}

static Outcome outcome_of_early_end(int r) {
        switch (r) {
        case -EPIPE:
                return outcome_make(OUTCOME_CANCELLED, NULL, "cancelled: the connection was closed");
        case -ECANCELED:
                return outcome_make(OUTCOME_CANCELLED, NULL, "cancelled by the person or a signal");
        default:
                return outcome_from_error("wait for the decision", r, NULL);
        }
}

static Outcome outcome_of_silence(const ClientCreated *created) {
        if (clock_boottime_usec() >= created->deadline_usec)
                return outcome_from_error("wait for the decision", -ETIMEDOUT, NULL);
        return outcome_make(OUTCOME_EXPIRED, "Nobody decided in the time that\nthis login allows.",
                            "expired: the front end allows no longer wait");
}

/* The whole wait, with the lines of the countdown in between. */
static Outcome await(const Attempt *attempt, Wait *wait, const ClientCreated *created, uint64_t deadline) {
        uint64_t left = deadline - clock_earlier(deadline, clock_boottime_usec()), mark;
        int r;

        while ((mark = show_next_mark(attempt->origin.service, left)) > 0) {
                r = wait_until(wait, deadline - mark);
                if (r == 0)
                        r = show_left(attempt->pamh, mark);
                if (r != 0)
                        return r > 0 ? wait->outcome : outcome_of_early_end(r);
                left = mark;
        }
        r = wait_until(wait, deadline + ATTEMPT_SLACK_USEC);
        if (r > 0)
                return wait->outcome;
        return r < 0 ? outcome_of_early_end(r) : outcome_of_silence(created);
}

/* Takes a request that nobody has decided back; the end of the connection does so too. */
static Outcome show_and_wait(const Attempt *attempt, sd_bus *bus, const ClientCreated *created) {
        PEERAUTH_CLEANUP(wait_done) Wait wait = WAIT_INIT;
        uint64_t now = clock_boottime_usec();
        uint64_t deadline = clock_earlier(created->deadline_usec, attempt->end_usec - ATTEMPT_SLACK_USEC);
        uint64_t left = deadline - clock_earlier(deadline, now);
        Outcome outcome;
        int r;

        debug(attempt, "the request is pending; time left", left);
        if (left == 0)
                return outcome_from_error("use the request, which came too late", -ETIMEDOUT, NULL);
        r = wait_begin(&wait, bus, created->id, deadline + ATTEMPT_SLACK_USEC);
        if (r < 0)
                return outcome_from_error("ask for the decision", r, NULL);
        if (show_code(attempt->pamh, attempt->origin.service, created, left) < 0)
                outcome = outcome_make(OUTCOME_CANCELLED, NULL, "cancelled: the code could not be shown");
        else {
                wait_watch(&wait, attempt->origin.rhost);
                outcome = await(attempt, &wait, created, deadline);
        }
        if (!wait.answered)
                (void)client_cancel_request(bus, created->id);
        return outcome;
}

static Outcome ask(const Attempt *attempt) {
        PEERAUTH_CLEANUP(sd_bus_close_unref_p) sd_bus *bus = NULL;
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        PEERAUTH_CLEANUP(client_created_done) ClientCreated created = {0};
        uint64_t left = attempt->end_usec - clock_earlier(attempt->end_usec, clock_boottime_usec());
        ClientLogin login;
        int r;

        if (left < ATTEMPT_SLACK_USEC + ATTEMPT_LEAST_USEC)
                return outcome_make(OUTCOME_EXPIRED,
                                    "Too little time is left for an approval.\n"
                                    "Please start the login again.",
                                    "too little time is left: %llu s",
                                    (unsigned long long)(left / PEERAUTH_USEC_PER_SEC));
        r = client_connect(attempt->options.bus, &bus);
        if (r < 0)
                return outcome_from_error("connect to the bus", r, NULL);
        login = origin_login(&attempt->origin, left - ATTEMPT_SLACK_USEC);
        r = client_create_request(bus, &login, clock_earlier(attempt->options.connect_usec, left / 2),
                                  &created, &error);
        if (r < 0)
                return outcome_from_error("create the request", r, &error);
        if (created.outcome != VERDICT_PENDING)
                return outcome_from_created(&created);
        return show_and_wait(attempt, bus, &created);
}

static Outcome attempt_run(Attempt *attempt, int argc, const char **argv) {
        const char *what;
        uint64_t left;
        int r;

        if (options_parse(argc, argv, &attempt->options, &what) < 0)
                return outcome_make(OUTCOME_UNAVAILABLE,
                                    "The PAM configuration of this login is wrong.\n"
                                    "Please call an administrator.",
                                    "argument \"%.64s\" is unknown or malformed; see pam_peerauth(8)", what);
        r = origin_read(attempt->pamh, &attempt->origin, &what);
        if (r == -EINVAL)
                return outcome_make(OUTCOME_DENIED, OUTCOME_NOT_ALLOWED,
                                    "the %s is missing, too long or not plain text", what);
        if (r < 0)
                return outcome_from_error("copy PAM's items", r, NULL);
        left = limit_left_usec(attempt->origin.service, &attempt->options);
        debug(attempt, "the front end allows", left);
        attempt->end_usec = clock_boottime_usec() + clock_earlier(left, attempt->options.timeout_usec);
        return ask(attempt);
}

/* After the last message, as every conversation is a chance to change the name. */
static Outcome attempt_check_user(const Attempt *attempt, Outcome outcome) {
        bool lets_in = outcome.kind == OUTCOME_APPROVED || outcome.kind == OUTCOME_EXEMPT;

        if (lets_in && !origin_same_user(attempt->pamh, &attempt->origin))
                return outcome_make(OUTCOME_DENIED, NULL,
                                    "the account name was changed while this login waited");
        return outcome;
}

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        PEERAUTH_CLEANUP(attempt_done) Attempt attempt = {.pamh = pamh};
        Outcome outcome;

        (void)flags;
        if (origin_is_review(pamh))
                return PAM_IGNORE;
        outcome = attempt_run(&attempt, argc, argv);
        show_outcome(pamh, &outcome);
        outcome = attempt_check_user(&attempt, outcome);
        if (outcome.kind != OUTCOME_EXEMPT || attempt.options.debug)
                pam_syslog(pamh, outcome_priority(outcome.kind), "login of \"%s\": %s",
                           attempt.origin.user ? attempt.origin.user : "?", outcome.log);
        return outcome_to_pam(outcome.kind);
}

/* Approval gives no credentials; PAM's other modules set them. */
EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        (void)pamh;
        (void)flags;
        (void)argc;
        (void)argv;
        return PAM_IGNORE;
}
