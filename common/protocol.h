/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every name, signature, limit and error that two peerauth programs share on the bus.
 *
 * The module, the broker, the notifier and the command line tool all read this file, and nothing
 * here is repeated elsewhere in C. packaging/dbus/interfaces holds the same contract as
 * introspection XML; tests/bus compares the two.
 */
#pragma once

#define PEERAUTH_BUS_NAME        "org.peerauth.PeerAuth1"
#define PEERAUTH_OBJECT_PATH     "/org/peerauth/PeerAuth1"
#define PEERAUTH_IFACE_REQUESTER "org.peerauth.PeerAuth1.Requester"
#define PEERAUTH_IFACE_REVIEWER  "org.peerauth.PeerAuth1.Reviewer"
#define PEERAUTH_IFACE_AUDITOR   "org.peerauth.PeerAuth1.Auditor"
#define PEERAUTH_IFACE_ADMIN     "org.peerauth.PeerAuth1.Administrator"
#define PEERAUTH_SIGNAL_CHANGED  "RequestChanged"

/* The module never reads the address from its environment, which is hostile under su and sudo. */
#define PEERAUTH_SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"

/* Errors: "no such request" also covers requests that the caller may not see (attack B8). */
#define PEERAUTH_ERROR_NO_SUCH_REQUEST    "org.peerauth.PeerAuth1.Error.NoSuchRequest"
#define PEERAUTH_ERROR_ALREADY_DECIDED    "org.peerauth.PeerAuth1.Error.AlreadyDecided"
#define PEERAUTH_ERROR_NOT_ELIGIBLE       "org.peerauth.PeerAuth1.Error.NotEligible"
#define PEERAUTH_ERROR_SELF_REVIEW        "org.peerauth.PeerAuth1.Error.SelfReview"
#define PEERAUTH_ERROR_CODE_MISMATCH      "org.peerauth.PeerAuth1.Error.CodeMismatch"
#define PEERAUTH_ERROR_EXPIRED            "org.peerauth.PeerAuth1.Error.Expired"
#define PEERAUTH_ERROR_RATE_LIMITED       "org.peerauth.PeerAuth1.Error.RateLimited"
#define PEERAUTH_ERROR_LOCKED             "org.peerauth.PeerAuth1.Error.Locked"
#define PEERAUTH_ERROR_LEDGER_UNAVAILABLE "org.peerauth.PeerAuth1.Error.LedgerUnavailable"
/* CreateRequest: the rule asks for the requester's reason. The message is the question: ask it, call again.
 */
#define PEERAUTH_ERROR_REASON_NEEDED "org.peerauth.PeerAuth1.Error.ReasonNeeded"
/* Approve: the rule asks for another note, and the message says for which. */
#define PEERAUTH_ERROR_NOTE_NEEDED "org.peerauth.PeerAuth1.Error.NoteNeeded"
/* ReloadPolicy: the message says where the mistake is; the old policy stays in force. */
#define PEERAUTH_ERROR_POLICY_INVALID "org.peerauth.PeerAuth1.Error.PolicyInvalid"

#define PEERAUTH_POLKIT_ACTION "org.peerauth.peerauth1.review"

/*
 * Keys of the a{sv} arguments and results. A key that is not listed for a method is refused with
 * InvalidArgs: nobody may believe that a uid or pid passed as an argument means anything (B4).
 */
#define PEERAUTH_KEY_USER      "user"      /* s  CreateRequest; request */
#define PEERAUTH_KEY_SERVICE   "service"   /* s  CreateRequest; request */
#define PEERAUTH_KEY_TTY       "tty"       /* s  CreateRequest; request */
#define PEERAUTH_KEY_RHOST     "rhost"     /* s  CreateRequest; request */
#define PEERAUTH_KEY_RUSER     "ruser"     /* s  CreateRequest; request */
#define PEERAUTH_KEY_TIME_LEFT "time-left" /* t  CreateRequest: usec the front end allows */
#define PEERAUTH_KEY_STAGE     "stage"     /* s  CreateRequest: "auth" (as if absent) or "account" */
#define PEERAUTH_KEY_CAN_ASK   "can-ask"   /* b  CreateRequest: the front end can ask for a reason */
#define PEERAUTH_KEY_RULE      "rule"      /* s  CreateRequest result; request */
#define PEERAUTH_KEY_NEEDED    "needed"    /* u  CreateRequest result; request */
#define PEERAUTH_KEY_REVIEWERS "reviewers" /* s  CreateRequest result; request: for people */
#define PEERAUTH_KEY_REACHABLE "reachable" /* u  CreateRequest result: reviewers logged in */
#define PEERAUTH_KEY_MESSAGE   "message"   /* s  CreateRequest result: why denied */
#define PEERAUTH_KEY_RECOVERY  "recovery"  /* b  CreateRequest result: the account has a way of recovery */
#define PEERAUTH_KEY_ENOUGH    "enough"    /* b  CreateRequest result: those could approve it together */
#define PEERAUTH_KEY_REASON                                                                                  \
        "reason"                       /* s  CreateRequest, request: the requester's; "": asked, none given; \
                                        *    WaitDecision details: why it ended so, for people */
#define PEERAUTH_KEY_BY        "by"    /* as WaitDecision details: who decided */
#define PEERAUTH_KEY_NOTE      "note"  /* s  WaitDecision details: the reviewer's note */
#define PEERAUTH_KEY_ID        "id"    /* s  request: 32 lower-case hex digits */
#define PEERAUTH_KEY_UID       "uid"   /* u  request; 4294967295 for an unknown account */
#define PEERAUTH_KEY_STATE     "state" /* s  request */
#define PEERAUTH_KEY_CREATED   "created"   /* t  request: usec since the Unix epoch */
#define PEERAUTH_KEY_DEADLINE  "deadline"  /* t  request: usec of CLOCK_BOOTTIME */
#define PEERAUTH_KEY_APPROVALS "approvals" /* u  request: approving people so far */
#define PEERAUTH_KEY_DENIALS   "denials"   /* u  request: people who denied so far */
#define PEERAUTH_KEY_MISSING \
        "missing" /* u  request: reviewers still missing; 4294967295: only administrators */
#define PEERAUTH_KEY_ESCALATED    "escalated"    /* b  request: the second group is asked as well */
#define PEERAUTH_KEY_NOTE_MODE    "note-mode"    /* s  request: "off", "optional", "required" or "pattern" */
#define PEERAUTH_KEY_NOTE_PATTERN "note-pattern" /* s  request: with "pattern" */
#define PEERAUTH_KEY_SELF         "self"         /* b  request: it is the caller's own login */
#define PEERAUTH_KEY_VOTERS       "voters"       /* as request: their account names */
#define PEERAUTH_KEY_CODE_MODE    "code-mode"    /* s  request: "enter" or "compare" */
#define PEERAUTH_KEY_CODE         "code"         /* s  request: GetRequest under Code=compare only */
#define PEERAUTH_KEY_VERIFIED     "verified"     /* b  request: made by root, not by its own user */
#define PEERAUTH_KEY_CAN_DECIDE   "can-decide"   /* b  request: may this caller decide it now */
#define PEERAUTH_KEY_WHY_NOT      "why-not"      /* s  request: if not, why */
#define PEERAUTH_KEY_OFFSET       "offset"       /* u  ListRequests filter */

/* GetStatistics */
#define PEERAUTH_KEY_LEDGER_SIZE    "ledger-size"  /* t  entries */
#define PEERAUTH_KEY_PENDING        "pending"      /* u  requests that wait */
#define PEERAUTH_KEY_SUBSCRIBERS    "subscribers"  /* u  connections that hear of changes */
#define PEERAUTH_KEY_STARTED        "started"      /* t  usec since the Unix epoch */
#define PEERAUTH_KEY_POLICY_VALID   "policy-valid" /* b  */
#define PEERAUTH_KEY_POLICY_HASH    "policy-hash"  /* s  hex SHA-256 of the files in force; "" if none are */
#define PEERAUTH_KEY_POLICY_MESSAGE "policy-message" /* s  what is wrong with it */
#define PEERAUTH_KEY_LEDGER_MESSAGE "ledger-message" /* s  what is wrong with it */
#define PEERAUTH_KEY_VERSION        "version"        /* s  of the broker */
#define PEERAUTH_KEY_ROLES          "roles"          /* as the caller's: reviewer, administrator, auditor */

/* Outcomes of CreateRequest, verdicts of WaitDecision, states of a request. */
#define PEERAUTH_PENDING   "pending"
#define PEERAUTH_EXEMPT    "exempt"
#define PEERAUTH_APPROVED  "approved"
#define PEERAUTH_DENIED    "denied"
#define PEERAUTH_EXPIRED   "expired"
#define PEERAUTH_CANCELLED "cancelled"

#define PEERAUTH_STAGE_AUTH    "auth"
#define PEERAUTH_STAGE_ACCOUNT "account"

#define PEERAUTH_TEXT_OFF      "off"
#define PEERAUTH_TEXT_OPTIONAL "optional"
#define PEERAUTH_TEXT_REQUIRED "required"
#define PEERAUTH_TEXT_PATTERN  "pattern"

/*
 * Services in whose account stage the module asks nobody; it takes no part at all in polkit's own, for a
 * review could ask polkit again. Why each of them is here: pam_peerauth(8). Never an autologin service of a
 * display manager: that one starts a person's session.
 */
#define PEERAUTH_SERVICE_POLKIT "polkit-1"
#define PEERAUTH_SERVICES_SKIPPED                                        \
        "su, su-l, sudo, sudo-i, doas, runuser, runuser-l, chfn, chsh, " \
        "cron, crond, fcron, atd, systemd-user, "                        \
        "gdm-launch-environment, greetd-greeter, lightdm-greeter, sddm-greeter"

#define PEERAUTH_CODE_ENTER   "enter"
#define PEERAUTH_CODE_COMPARE "compare"

enum {
        PEERAUTH_CODE_DIGITS = 6,
        PEERAUTH_ID_HEX = 32,        /* 128 random bits */
        PEERAUTH_ID_PREFIX_MIN = 4,  /* hex digits that name a request, if they are unambiguous */
        PEERAUTH_PAGE = 25,          /* requests in one ListRequests answer */
        PEERAUTH_ENTRIES_PAGE = 256, /* entries in one ReadEntries answer */
        PEERAUTH_PENDING_MAX = 64,   /* dbus-daemon gives uid 0 256 connections */
        PEERAUTH_WRONG_CODES_MAX = 3,
        PEERAUTH_APPROVALS_MAX = 32, /* that a rule may ask for */
        PEERAUTH_USER_MAX = 256,     /* bytes, as every length below; sysconf(LOGIN_NAME_MAX) */
        PEERAUTH_SERVICE_MAX = 64,
        PEERAUTH_TTY_MAX = 64,
        PEERAUTH_RHOST_MAX = 256,
        PEERAUTH_NOTE_MAX = 500,
        PEERAUTH_REASON_MAX = 200,
        PEERAUTH_SECRET_MAX = 64, /* a recovery code or one-time password, as typed */
};

#define PEERAUTH_USEC_PER_SEC 1000000ULL
/* NIST SP 800-63B-4 section 3.1.3.2: an out-of-band code is valid for at most 10 minutes. */
#define PEERAUTH_EXPIRES_MAX_USEC (600 * PEERAUTH_USEC_PER_SEC)
