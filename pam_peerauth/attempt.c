/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Create the request, show the code, wait; a reason before that and a way of recovery in between, where they
 * belong. */
#include "pam_peerauth/attempt.h"

#include <errno.h>
#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/client.h"
#include "common/clock.h"
#include "pam_peerauth/limit.h"
#include "pam_peerauth/reason.h"
#include "pam_peerauth/recover.h"
#include "pam_peerauth/show.h"
#include "pam_peerauth/typed.h"
#include "pam_peerauth/wait.h"

/* How long after a deadline the broker's own word for it may still arrive. */
#define ATTEMPT_SLACK_USEC (3 * PEERAUTH_USEC_PER_SEC)
/* Nobody can be told a code, find a colleague and be approved in less. */
#define ATTEMPT_LEAST_USEC (5 * PEERAUTH_USEC_PER_SEC)
/* The broker is always given this long: an exempt or a forbidden login needs no time, and is told so. */
#define ATTEMPT_ANSWER_USEC PEERAUTH_USEC_PER_SEC

#define ATTEMPT_ACCOUNT_HINT                                                                             \
        "; this login skipped the approval: for ssh keys set \"AuthenticationMethods "                   \
        "publickey,keyboard-interactive\" in sshd_config, else write a rule with Action=exempt for the " \
        "service, see pam_peerauth(8)"

typedef struct Request {
        sd_bus *bus; /* the request lives as long as this connection */
        ClientCreated created;
        char *question; /* of REQUEST_ASKS */
} Request;

typedef enum RequestStep {
        REQUEST_ENDED = 0, /* there is an outcome */
        REQUEST_ASKS,      /* nothing was made: the person must give a reason first */
        REQUEST_PENDING,
} RequestStep;

void attempt_done(Attempt *attempt) {
        origin_done(&attempt->origin);
}

static void request_done(Request *request) {
        client_created_done(&request->created);
        sd_bus_close_unref(request->bus);
        free(request->question);
        *request = (Request){0};
}

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

/* left_usec: until the deadline. */
static Outcome show_and_wait(const Attempt *attempt, const ClientCreated *created, Wait *wait,
                             uint64_t deadline, uint64_t left_usec) {
        const Recover recover = {attempt->pamh, &attempt->origin, created, wait, deadline};
        char *typed = NULL;
        int r;

        if (show_code(attempt->pamh, attempt->origin.service, created, left_usec, &typed) < 0)
                return outcome_make(OUTCOME_CANCELLED, NULL, "cancelled: the code could not be shown");
        r = recover_offer(&recover, typed);
        if (r != 0)
                return r > 0 ? wait->outcome : outcome_of_early_end(r);
        wait_watch(wait, attempt->origin.rhost);
        return await(attempt, wait, created, deadline);
}

/* Takes a request that nobody has decided back; the end of the connection does so too. */
static Outcome request_hold(const Attempt *attempt, const Request *request) {
        PEERAUTH_CLEANUP(wait_done) Wait wait = WAIT_INIT;
        const ClientCreated *created = &request->created;
        uint64_t now = clock_boottime_usec();
        uint64_t deadline = clock_earlier(created->deadline_usec, attempt->end_usec - ATTEMPT_SLACK_USEC);
        uint64_t left = deadline - clock_earlier(deadline, now);
        Outcome outcome;
        int r;

        debug(attempt, "the request is pending; time left", left);
        if (left == 0)
                return outcome_from_error("use the request, which came too late", -ETIMEDOUT, NULL);
        r = wait_begin(&wait, request->bus, created->id, deadline + ATTEMPT_SLACK_USEC);
        if (r < 0)
                return outcome_from_error("ask for the decision", r, NULL);
        outcome = show_and_wait(attempt, created, &wait, deadline, left);
        if (!wait.answered)
                (void)client_cancel_request(request->bus, created->id);
        return outcome;
}

static uint64_t later(uint64_t a_usec, uint64_t b_usec) {
        return a_usec > b_usec ? a_usec : b_usec;
}

static uint64_t attempt_left_usec(const Attempt *attempt) {
        return attempt->end_usec - clock_earlier(attempt->end_usec, clock_boottime_usec());
}

/* Whether a login that is to be held comes too late for it; then *ret_outcome. */
static bool attempt_is_late(const Attempt *attempt, Outcome *ret_outcome) {
        uint64_t left = attempt_left_usec(attempt);

        if (left >= ATTEMPT_SLACK_USEC + ATTEMPT_LEAST_USEC)
                return false;
        *ret_outcome = outcome_make(
                OUTCOME_EXPIRED, "Too little time is left for an approval.\nPlease start the login again.",
                "too little time is left: %llu s", (unsigned long long)(left / PEERAUTH_USEC_PER_SEC));
        return true;
}

static ClientLogin login_of(const Attempt *attempt, uint64_t left_usec, const char *reason) {
        ClientLogin login = origin_login(&attempt->origin, 0);

        if (attempt->account) {
                login.stage = PEERAUTH_STAGE_ACCOUNT;
                return login;
        }
        /* Never 0, which is no limit: a request that comes too late is taken back at once. */
        login.time_left_usec = later(left_usec, ATTEMPT_SLACK_USEC + ATTEMPT_ANSWER_USEC) -
                               ATTEMPT_SLACK_USEC;
        login.can_ask = show_can_ask(attempt->origin.service);
        login.reason = reason;
        return login;
}

/* The rule's question, and no request; without memory for it the error is one like any other. */
static bool take_question(Request *request, const ClientLogin *login, const sd_bus_error *error) {
        if (!login->can_ask || login->reason || !sd_bus_error_has_name(error, PEERAUTH_ERROR_REASON_NEEDED))
                return false;
        request->question = strdup(error->message ? error->message : "");
        return request->question != NULL;
}

/* reason: NULL if the person was not asked for one. */
static RequestStep request_make(Request *request, const Attempt *attempt, const char *reason,
                                Outcome *ret_outcome) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t left = attempt_left_usec(attempt);
        uint64_t wait = clock_earlier(attempt->options.connect_usec, later(left / 2, ATTEMPT_ANSWER_USEC));
        ClientLogin login;
        int r;

        r = client_connect(attempt->options.bus, &request->bus);
        if (r < 0) {
                *ret_outcome = outcome_from_error("connect to the bus", r, NULL);
                return REQUEST_ENDED;
        }
        login = login_of(attempt, left, reason);
        r = client_create_request(request->bus, &login, wait, &request->created, &error);
        if (r == -EREMOTEIO && take_question(request, &login, &error))
                return REQUEST_ASKS;
        if (r >= 0 && request->created.outcome == VERDICT_PENDING)
                return REQUEST_PENDING;
        *ret_outcome = r < 0 ? outcome_from_error("create the request", r, &error)
                             : outcome_from_created(&request->created);
        return REQUEST_ENDED;
}

/* Everything that both stages need to know of the login. 0, or -1 and *ret_outcome. */
static int attempt_read(Attempt *attempt, Outcome *ret_outcome) {
        const char *what;
        uint64_t left;
        int r;

        r = origin_read(attempt->pamh, &attempt->origin, &what);
        if (r == -EINVAL)
                *ret_outcome = outcome_make(OUTCOME_DENIED, OUTCOME_NOT_ALLOWED,
                                            "the %s is missing, too long or not plain text", what);
        else if (r < 0)
                *ret_outcome = outcome_from_error("copy PAM's items", r, NULL);
        if (r < 0)
                return -1;
        left = attempt->account ? limit_alarm_usec()
                                : limit_left_usec(attempt->origin.service, &attempt->options);
        debug(attempt, "the front end allows", left);
        attempt->end_usec = clock_boottime_usec() + clock_earlier(left, attempt->options.timeout_usec);
        return 0;
}

Outcome attempt_hold(Attempt *attempt) {
        PEERAUTH_CLEANUP(request_done) Request request = {0};
        PEERAUTH_CLEANUP(typed_free_p) char *reason = NULL;
        _cleanup_free_ char *question = NULL;
        Outcome outcome;
        RequestStep step;

        if (attempt_read(attempt, &outcome) < 0)
                return outcome;
        step = request_make(&request, attempt, NULL, &outcome);
        if (step != REQUEST_ENDED && attempt_is_late(attempt, &outcome))
                return outcome; /* the end of the connection takes the request back */
        if (step == REQUEST_ASKS) {
                question = STEAL_PTR(request.question);
                request_done(&request); /* MUST 3 */
                if (reason_ask(attempt->pamh, attempt->origin.service, question, &reason, &outcome) < 0)
                        return outcome;
                if (attempt_is_late(attempt, &outcome)) /* by typing; only a login to be held is asked */
                        return outcome;
                step = request_make(&request, attempt, reason, &outcome);
        }
        return step == REQUEST_PENDING ? request_hold(attempt, &request) : outcome;
}

Outcome attempt_account(Attempt *attempt) {
        PEERAUTH_CLEANUP(request_done) Request request = {0};
        Outcome outcome;

        if (attempt_read(attempt, &outcome) < 0)
                return outcome;
        if (request_make(&request, attempt, NULL, &outcome) != REQUEST_ENDED)
                return outcome_from_error("take a request that nobody could be shown", -EBADMSG, NULL);
        if (outcome.kind == OUTCOME_DENIED)
                outcome_append_log(&outcome, ATTEMPT_ACCOUNT_HINT);
        return outcome;
}
