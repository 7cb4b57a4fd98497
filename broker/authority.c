/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One CheckAuthorization call, its answer, and taking it back. */
#include "broker/authority.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/text.h"

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define BUS_DAEMON       "org.freedesktop.DBus"

enum { POLKIT_ALLOW_USER_INTERACTION = 1, AUTHORITY_WHY_SIZE = 256 };

struct Authority {
        sd_bus *bus;
        sd_bus_slot *slot;
        AuthorityDone done;
        void *userdata;
        bool interactive;
        bool asking; /* polkit has not answered */
        char cancellation[32];
        char why[AUTHORITY_WHY_SIZE];
};

/* Only what asks a person is taken back: everything else is over before that. */
static void authority_cancel(Authority *authority) {
        _cleanup_message_ sd_bus_message *m = NULL;

        if (!authority->asking || !authority->interactive)
                return;
        authority->asking = false;
        if (sd_bus_message_new_method_call(authority->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization") >= 0 &&
            sd_bus_message_append(m, "s", authority->cancellation) >= 0 &&
            sd_bus_message_set_expect_reply(m, 0) >= 0)
                (void)sd_bus_send(authority->bus, m, NULL);
}

Authority *authority_free(Authority *authority) {
        if (!authority)
                return NULL;
        authority_cancel(authority);
        sd_bus_slot_unref(authority->slot);
        sd_bus_unref(authority->bus);
        free(authority);
        return NULL;
}

/* ---- the answer ---- */

/* MUST 2: polkit itself, or anybody who forwards to it, may have errors of that name too. */
static bool is_absent(sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);

        return sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN) && sender &&
               strcmp(sender, BUS_DAEMON) == 0;
}

static AuthorityAnswer read_failure(Authority *authority, sd_bus_message *m) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        _cleanup_free_ char *safe = NULL;

        if (is_absent(m))
                return AUTHORITY_ABSENT;
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY)) {
                authority_cancel(authority);
                (void)snprintf(authority->why, sizeof(authority->why), "polkit did not answer in time");
                return AUTHORITY_DENIED;
        }
        safe = text_safe(error ? error->message : NULL, AUTHORITY_WHY_SIZE / 2);
        (void)snprintf(authority->why, sizeof(authority->why), "polkit could not be asked: %s",
                       safe ? safe : "");
        return AUTHORITY_DENIED;
}

/* Whether the person closed the window. */
static int read_details(sd_bus_message *m, bool *ret_dismissed) {
        const char *key, *value;
        bool dismissed = false;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
                dismissed |= strcmp(key, "polkit.dismissed") == 0;
        if (r >= 0)
                *ret_dismissed = dismissed;
        return r;
}

static const char *explain(const Authority *authority, bool challenge, bool dismissed) {
        if (dismissed)
                return "the authentication was dismissed";
        if (!challenge)
                return "polkit does not allow " PEERAUTH_POLKIT_ACTION " to you";
        return authority->interactive ? "no polkit agent is there to ask for your password; pkttyagent is one"
                                      : "you have to authenticate again";
}

static AuthorityAnswer read_answer(Authority *authority, sd_bus_message *m) {
        int authorized = 0, challenge = 0;
        bool dismissed = false;
        int r = sd_bus_message_has_signature(m, "(bba{ss})") ? 0 : -EBADMSG;

        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(m, "bb", &authorized, &challenge);
        if (r >= 0)
                r = read_details(m, &dismissed);
        if (r < 0) {
                (void)snprintf(authority->why, sizeof(authority->why), "polkit's answer makes no sense");
                return AUTHORITY_DENIED;
        }
        if (authorized)
                return AUTHORITY_GRANTED;
        (void)snprintf(authority->why, sizeof(authority->why), "%s",
                       explain(authority, challenge, dismissed));
        return challenge && !dismissed ? AUTHORITY_CHALLENGE : AUTHORITY_DENIED;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Authority *authority = userdata;
        AuthorityAnswer answer;

        (void)ret_error;
        if (sd_bus_message_is_method_error(m, NULL))
                answer = read_failure(authority, m);
        else
                answer = read_answer(authority, m);
        authority->asking = false;
        if (answer == AUTHORITY_DENIED)
                log_debug("polkit: %s", authority->why);
        authority->done(answer, authority->why, authority->userdata); /* which frees it */
        return 0;
}

/* ---- the question ---- */

static int append_detail(sd_bus_message *m, const char *key, const char *value) {
        _cleanup_free_ char *safe = NULL;

        if (!value)
                return 0;
        safe = text_safe(value, PEERAUTH_USER_MAX);
        return safe ? sd_bus_message_append(m, "{ss}", key, safe) : -ENOMEM;
}

static int append_question(sd_bus_message *m, const Authority *authority, const AuthorityQuestion *question) {
        int r;

        r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s", question->sender,
                                  PEERAUTH_POLKIT_ACTION);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r >= 0)
                r = append_detail(m, "requester", question->user);
        if (r >= 0)
                r = append_detail(m, "service", question->service);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "us", authority->interactive ? POLKIT_ALLOW_USER_INTERACTION : 0,
                                          authority->cancellation);
        return r;
}

/* Unlike other look-ups this one may start its service: polkitd often runs only when it is needed. */
static int authority_ask(Authority *authority, const AuthorityQuestion *question) {
        _cleanup_message_ sd_bus_message *m = NULL;
        uint64_t timeout = authority->interactive && question->timeout_usec > 0 ? question->timeout_usec
                                                                                : AUTHORITY_QUICK_USEC;
        int r;

        r = sd_bus_message_new_method_call(authority->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r >= 0)
                r = append_question(m, authority, question);
        if (r >= 0)
                r = sd_bus_call_async(authority->bus, &authority->slot, m, on_answer, authority, timeout);
        authority->asking = r >= 0;
        return r < 0 ? r : 0;
}

int authority_check(sd_bus *bus, const AuthorityQuestion *question, Authority **ret_authority) {
        static uint64_t number; /* polkit tells one caller's questions apart by what the caller calls them */
        Authority *authority = calloc(1, sizeof(*authority));
        int r;

        if (!authority)
                return -ENOMEM;
        *authority = (Authority){.bus = sd_bus_ref(bus),
                                 .done = question->done,
                                 .userdata = question->userdata,
                                 .interactive = question->interactive};
        if (authority->interactive)
                (void)snprintf(authority->cancellation, sizeof(authority->cancellation), "review-%" PRIu64,
                               ++number);
        r = authority_ask(authority, question);
        if (r < 0) {
                authority_free(authority);
                return r;
        }
        *ret_authority = authority;
        return 0;
}
