/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PAM entry points: one login is asked about, and the answer is given to PAM.
 *
 * This code runs inside sshd, sudo and screen lockers. It changes nothing of the process, reads no
 * environment, and leaves no descriptor open. Between calls it keeps the one approval in approval.c.
 *
 * MUST 1: whatever fails on the way ends in a refusal (attack A1).
 * MUST 2: the account stage passes only what this handle's own authentication was allowed, or what the
 *         broker exempts: a login that skipped that stage (public key, autologin, fingerprint) is refused
 *         (attacks A8, A13).
 * MUST 3: no session hook blocks or ends a login.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "pam_peerauth/approval.h"
#include "pam_peerauth/attempt.h"
#include "pam_peerauth/options.h"
#include "pam_peerauth/origin.h"
#include "pam_peerauth/outcome.h"
#include "pam_peerauth/session.h"
#include "pam_peerauth/show.h"

/* Everything else is hidden by the build; pam_peerauth.map says so once more. */
#define EXPORTED __attribute__((visibility("default")))

static bool lets_in(const Outcome *outcome) {
        return outcome->kind == OUTCOME_APPROVED || outcome->kind == OUTCOME_EXEMPT;
}

/* After the last message, as every conversation is a chance to change the name. */
static Outcome check_user(const Attempt *attempt, Outcome outcome) {
        if (lets_in(&outcome) && attempt->origin.user && !origin_same_user(attempt->pamh, &attempt->origin))
                return outcome_make(OUTCOME_DENIED, NULL,
                                    "the account name was changed while this login waited");
        return outcome;
}

/* The authentication has logged its approval; exempt jobs come by here every minute. */
static bool is_news(const Attempt *attempt, OutcomeKind kind) {
        return attempt->options.debug ||
               (kind != OUTCOME_EXEMPT && !(attempt->account && kind == OUTCOME_APPROVED));
}

static int finish(const Attempt *attempt, const Outcome *outcome) {
        if (is_news(attempt, outcome->kind))
                pam_syslog(attempt->pamh, outcome_priority(outcome->kind), "login of \"%s\"%s: %s",
                           attempt->origin.user ? attempt->origin.user : "?",
                           attempt->account ? ", account stage" : "", outcome->log);
        return outcome_to_pam(outcome->kind);
}

static Outcome bad_argument(const char *argument) {
        return outcome_make(OUTCOME_UNAVAILABLE,
                            "The PAM configuration of this login is wrong.\nPlease call an administrator.",
                            "argument \"%.64s\" is unknown or malformed; see pam_peerauth(8)", argument);
}

static Outcome authenticate(Attempt *attempt, int argc, const char **argv) {
        const char *what;

        /* First: a second try that fails must not leave the first one's approval behind. */
        if (approval_drop(attempt->pamh) < 0)
                return outcome_make(OUTCOME_UNAVAILABLE, NULL, "cannot forget an earlier approval");
        if (options_parse(argc, argv, &attempt->options, &what) < 0)
                return bad_argument(what);
        return attempt_hold(attempt);
}

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        PEERAUTH_CLEANUP(attempt_done) Attempt attempt = {.pamh = pamh};
        Outcome outcome;

        (void)flags;
        if (origin_is_review(pamh))
                return PAM_IGNORE;
        outcome = authenticate(&attempt, argc, argv);
        show_outcome(pamh, &outcome);
        outcome = check_user(&attempt, outcome);
        if (lets_in(&outcome) && approval_keep(pamh, attempt.origin.user, outcome.kind) < 0)
                outcome = outcome_make(OUTCOME_UNAVAILABLE, NULL, "cannot keep the approval: out of memory");
        return finish(&attempt, &outcome);
}

static Outcome account(Attempt *attempt, int argc, const char **argv) {
        const char *what = NULL;
        Outcome outcome;

        (void)options_parse(argc, argv, &attempt->options, &what);
        if (approval_redeem(attempt->pamh, &outcome) > 0)
                return what ? bad_argument(what) : outcome;
        /* Before a bad argument is complained of: a typing error must stop neither jobs nor root's su. */
        if (origin_is_skipped(attempt->pamh, &attempt->options))
                return outcome_make(OUTCOME_EXEMPT, NULL, "this service is no login of its own");
        return what ? bad_argument(what) : attempt_account(attempt);
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        PEERAUTH_CLEANUP(attempt_done) Attempt attempt = {.pamh = pamh, .account = true};
        Outcome outcome;

        (void)flags;
        if (origin_is_review(pamh))
                return PAM_IGNORE;
        outcome = account(&attempt, argc, argv);
        show_outcome(pamh, &outcome);
        outcome = check_user(&attempt, outcome);
        return finish(&attempt, &outcome);
}

/* Approval gives no credentials; PAM's other modules set them. */
EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        (void)pamh;
        (void)flags;
        (void)argc;
        (void)argv;
        return PAM_IGNORE;
}

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        (void)flags;
        session_tell(pamh, SESSION_OPENED, argc, argv);
        return PAM_IGNORE;
}

EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv) {
        (void)flags;
        session_tell(pamh, SESSION_CLOSED, argc, argv);
        return PAM_IGNORE;
}
