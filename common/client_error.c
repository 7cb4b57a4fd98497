/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of errors: D-Bus name, exit status, remedy. Pure.
 */
#include "common/client_error.h"

#include <errno.h>
#include <string.h>

#include "common/protocol.h"

#define START_BROKER "see `systemctl status peerauth-broker`, or start it: `systemctl start peerauth-broker`"
#define LOOK_AGAIN   "look at `peerauthctl list` for what is waiting"
#define ASK_ADMIN \
        "ask an administrator; peerauthctl(1) says who may do what, and a polkit rule may refuse too"
#define SAME_VERSION "the broker and peerauthctl may be of different versions; restart peerauth-broker"

static const ClientError errors[] = {
        {PEERAUTH_ERROR_NO_SUCH_REQUEST, CLIENT_EXIT_GONE, LOOK_AGAIN},
        {PEERAUTH_ERROR_ALREADY_DECIDED, CLIENT_EXIT_GONE, LOOK_AGAIN},
        {PEERAUTH_ERROR_EXPIRED, CLIENT_EXIT_GONE, "let the person log in again for a new request"},
        {PEERAUTH_ERROR_NOT_ELIGIBLE, CLIENT_EXIT_REFUSED, "leave it to somebody whom the rule names"},
        {PEERAUTH_ERROR_SELF_REVIEW, CLIENT_EXIT_REFUSED, "ask another person to review your login"},
        {PEERAUTH_ERROR_CODE_MISMATCH, CLIENT_EXIT_REFUSED,
         "if the person is sure of it, this is not their login: deny it"},
        {PEERAUTH_ERROR_RATE_LIMITED, CLIENT_EXIT_REFUSED, "wait a minute, then try again"},
        {PEERAUTH_ERROR_LOCKED, CLIENT_EXIT_REFUSED, "wait until the lock ends, or ask an administrator"},
        {PEERAUTH_ERROR_NOTE_NEEDED, CLIENT_EXIT_USAGE,
         "write --note=TEXT as the rule wants it, or leave it out"},
        {PEERAUTH_ERROR_POLICY_INVALID, CLIENT_EXIT_ERROR,
         "correct it, then run `peerauthctl policy reload` again: the old policy stays in force"},
        {PEERAUTH_ERROR_LEDGER_UNAVAILABLE, CLIENT_EXIT_ERROR,
         "tell an administrator: no login is approved until the ledger can be written (`peerauthctl "
         "status`)"},
        {SD_BUS_ERROR_ACCESS_DENIED, CLIENT_EXIT_PRIVILEGE, ASK_ADMIN},
        {SD_BUS_ERROR_AUTH_FAILED, CLIENT_EXIT_PRIVILEGE, ASK_ADMIN},
        {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, CLIENT_EXIT_PRIVILEGE,
         "approve at a terminal or in a desktop session, where you can be asked to authenticate"},
        {SD_BUS_ERROR_SERVICE_UNKNOWN, CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {SD_BUS_ERROR_NAME_HAS_NO_OWNER, CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {SD_BUS_ERROR_NO_REPLY, CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {SD_BUS_ERROR_TIMEOUT, CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {"org.freedesktop.DBus.Error.TimedOut", CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {SD_BUS_ERROR_DISCONNECTED, CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {SD_BUS_ERROR_NO_SERVER, CLIENT_EXIT_UNREACHABLE, START_BROKER},
        {SD_BUS_ERROR_LIMITS_EXCEEDED, CLIENT_EXIT_REFUSED, "wait a minute, then try again"},
        {SD_BUS_ERROR_NO_MEMORY, CLIENT_EXIT_ERROR, "free some memory"},
        {SD_BUS_ERROR_UNKNOWN_METHOD, CLIENT_EXIT_ERROR, SAME_VERSION},
        {SD_BUS_ERROR_UNKNOWN_INTERFACE, CLIENT_EXIT_ERROR, SAME_VERSION},
        {SD_BUS_ERROR_UNKNOWN_OBJECT, CLIENT_EXIT_ERROR, SAME_VERSION},
        {SD_BUS_ERROR_INVALID_ARGS, CLIENT_EXIT_ERROR, SAME_VERSION},
        {SD_BUS_ERROR_INVALID_SIGNATURE, CLIENT_EXIT_ERROR, SAME_VERSION},
};

/* dbus-daemon reports a failed activation by one of a family of names. */
#define SPAWN_PREFIX   "org.freedesktop.DBus.Error.Spawn."
#define SYSTEMD_PREFIX "org.freedesktop.systemd1."
static const ClientError not_started = {NULL, CLIENT_EXIT_UNREACHABLE, START_BROKER};
static const ClientError no_bus = {NULL, CLIENT_EXIT_UNREACHABLE,
                                   "check that the system bus runs: `systemctl status dbus`"};
static const ClientError bad_answer = {NULL, CLIENT_EXIT_ERROR, SAME_VERSION};
static const ClientError unknown = {NULL, CLIENT_EXIT_ERROR, "see `journalctl -u peerauth-broker`"};

static const ClientError *explain_local(int r) {
        switch (r) {
        case -EBADMSG:
        case -ENXIO:
                return &bad_answer;
        case -ENOENT:
        case -ECONNREFUSED:
        case -ECONNRESET:
        case -ENOTCONN:
        case -EPIPE:
        case -ESHUTDOWN:
        case -ETIMEDOUT:
        case -EACCES:
        case -EPERM:
        case -EAGAIN:
                return &no_bus;
        default:
                return &unknown;
        }
}

const ClientError *client_error_explain(int r, const sd_bus_error *error) {
        if (r != -EREMOTEIO || !error || !error->name)
                return explain_local(r);
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
                if (strcmp(errors[i].name, error->name) == 0)
                        return &errors[i];
        if (strncmp(error->name, SPAWN_PREFIX, strlen(SPAWN_PREFIX)) == 0 ||
            strncmp(error->name, SYSTEMD_PREFIX, strlen(SYSTEMD_PREFIX)) == 0)
                return &not_started;
        return &unknown;
}
