/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See watch.h. Two levels: the connection to the bus (connect_bus, lose_bus) and, while there is one, the
 * broker on it (follow_broker, lose_broker). Failures of either are retried with a growing pause; a broker
 * that is absent is not, the bus daemon tells when it comes.
 *
 * What somebody chose is under way until the broker answers. Meanwhile the request is not shown: the person
 * is asked nothing twice, and sees it again only if the answer is that it does not count.
 */
#include "notifier/watch.h"

#include <errno.h>
#include <glib.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strv.h"
#include "notifier/bus_source.h"
#include "notifier/decide.h"

enum {
        RETRY_MIN_SEC = 1,
        RETRY_MAX_SEC = 60,
        REFRESH_MSEC = 300, /* a session that locks changes several properties at once */
};

/* Whether a request may be decided depends on the reviewer's session: locked or not, active or not. */
#define SESSION_MATCH                                                                                     \
        "type='signal',sender='org.freedesktop.login1',path_namespace='/org/freedesktop/login1/session'," \
        "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'"

/* A choice that the broker has not answered yet. */
typedef struct Answer {
        Watch *watch;
        Decision *decision;
        char *id, *user;
        bool approve;
} Answer;

struct Watch {
        const char *address;
        char *account; /* this person's name, "" if it has none */
        Board *board;
        sd_bus *bus; /* NULL: not connected */
        GSource *source;
        char *owner; /* the broker's unique name, NULL: none that serves us */
        unsigned retry, retry_sec;
        unsigned refresh;
        bool loss_told;
        GList *answers; /* Answer; one a request, so fewer than requests can wait */
};

static void retry_later(Watch *watch);

/* ---- what waits ---- */

static bool is_under_way(const Watch *watch, const char *id) {
        for (const GList *item = watch->answers; item; item = item->next)
                if (strcmp(((const Answer *)item->data)->id, id) == 0)
                        return true;
        return false;
}

/* Whoever approved already could still deny, but need not be asked again. */
static bool is_wanted(const Watch *watch, const ClientRequest *request) {
        return request->can_decide && verdict_from_string(request->state) == VERDICT_PENDING &&
               !strv_contains(request->voters, watch->account) && !is_under_way(watch, request->id);
}

static void show_list(Watch *watch, ClientRequestList *list) {
        board_keep_only(watch->board, list);
        for (size_t i = 0; i < list->n_items; i++) {
                ClientRequest *request = &list->items[i];

                if (is_wanted(watch, request))
                        board_put(watch->board, request);
                else
                        board_remove(watch->board, request->id);
        }
}

static int refresh_all(Watch *watch) {
        PEERAUTH_CLEANUP(client_request_list_done) ClientRequestList list = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = client_list_requests(watch->bus, &list, &error);

        if (r < 0)
                return r;
        show_list(watch, &list);
        return 0;
}

static void refresh_one(Watch *watch, const char *id) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = client_get_request(watch->bus, id, &request, &error);

        explicit_bzero(request.code, sizeof(request.code)); /* asked for again when it is needed */
        if (r < 0 && r != -EREMOTEIO) /* no answer, which says nothing about the request */
                retry_later(watch);
        else if (r < 0 || !is_wanted(watch, &request))
                board_remove(watch->board, id);
        else
                board_put(watch->board, &request);
}

static int on_request_changed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error) {
        Watch *watch = userdata;
        const char *id, *state;

        (void)ret_error;
        if (!client_signal_is_genuine(signal, watch->owner) ||
            sd_bus_message_read(signal, "ss", &id, &state) < 0)
                return 0;
        if (verdict_from_string(state) == VERDICT_PENDING)
                refresh_one(watch, id);
        else
                board_remove(watch->board, id);
        return 0;
}

static gboolean on_refresh(void *userdata) {
        Watch *watch = userdata;

        watch->refresh = 0;
        if (watch->owner && refresh_all(watch) < 0)
                retry_later(watch);
        return G_SOURCE_REMOVE;
}

/* Whoever sent it: it costs one call, at most three times a second. */
static int on_session_changed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error) {
        Watch *watch = userdata;

        (void)signal;
        (void)ret_error;
        if (watch->owner && !watch->refresh)
                watch->refresh = g_timeout_add(REFRESH_MSEC, on_refresh, watch);
        return 0;
}

/* ---- the broker ---- */

static void lose_broker(Watch *watch) {
        free(watch->owner);
        watch->owner = NULL;
        board_keep_only(watch->board, NULL); /* a broker takes its requests with it */
}

static bool is_refusal(int r, const sd_bus_error *error) {
        return r == -EREMOTEIO && (sd_bus_error_has_name(error, PEERAUTH_ERROR_NOT_ELIGIBLE) ||
                                   sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED));
}

static void follow_broker(Watch *watch) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        lose_broker(watch);
        r = client_broker_owner(watch->bus, &watch->owner);
        if (r == -ENXIO) {
                log_info("the broker is not running; waiting for it");
                return;
        }
        if (r >= 0)
                r = client_subscribe(watch->bus, &error);
        if (is_refusal(r, &error)) {
                log_info("this account reviews nothing on this host: %s",
                         error.message ? error.message : error.name);
                lose_broker(watch);
                return;
        }
        if (r >= 0)
                r = refresh_all(watch);
        if (r >= 0) {
                watch->retry_sec = 0;
                log_info("following the broker");
                return;
        }
        log_warning("the broker does not answer (%s); trying again",
                    error.message ? error.message : strerror(-r));
        lose_broker(watch);
        retry_later(watch);
}

static int on_owner_changed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error) {
        Watch *watch = userdata;
        const char *owner;

        (void)ret_error;
        if (client_owner_parse(signal, &owner) < 0)
                return 0;
        if (*owner)
                follow_broker(watch);
        else
                lose_broker(watch);
        return 0;
}

/* ---- what somebody chose ---- */

static Answer *answer_free(Answer *answer) {
        decision_free(answer->decision);
        g_free(answer->id);
        g_free(answer->user);
        g_free(answer);
        return NULL;
}

static void tell_failure(const Answer *answer, const char *reason) {
        g_autofree char *summary = NULL;

        log_warning("cannot %s request %.8s: %s", answer->approve ? "approve" : "deny", answer->id, reason);
        summary = g_strdup_printf("The login of %s was not %s", answer->user,
                                  answer->approve ? "approved" : "denied");
        board_tell(answer->watch->board, summary, reason);
}

static void finish(Answer *answer, const char *reason) {
        Watch *watch = answer->watch;

        watch->answers = g_list_remove(watch->answers, answer);
        if (reason) {
                tell_failure(answer, reason);
                if (watch->owner)
                        refresh_one(watch, answer->id);
        } else {
                log_info("%s request %.8s", answer->approve ? "approved" : "denied", answer->id);
        }
        answer_free(answer);
}

static void on_answered(const char *reason, void *userdata) {
        finish(userdata, reason);
}

void watch_answer(Watch *watch, BoardAnswer chosen, const char *id, const char *user) {
        bool approve = chosen == BOARD_APPROVE;
        _cleanup_free_ char *reason = NULL;
        Answer *answer;
        int r;

        if (!watch->owner || is_under_way(watch, id)) {
                if (!watch->owner)
                        board_tell(watch->board, "Nothing was decided", "The broker is out of reach.");
                return;
        }
        answer = g_new0(Answer, 1);
        *answer = (Answer){.watch = watch, .id = g_strdup(id), .user = g_strdup(user), .approve = approve};
        r = (approve ? decision_approve : decision_deny)(watch->bus, id, on_answered, answer,
                                                         &answer->decision, &reason);
        if (r < 0) {
                finish(answer, reason ? reason : strerror(-r));
                return;
        }
        watch->answers = g_list_prepend(watch->answers, answer);
        /* Once it is recorded it may wait for others, but not for this person. */
        board_remove(watch->board, answer->id);
}

/* The connection that their answers would come by is gone. */
static void give_up_answers(Watch *watch) {
        while (watch->answers)
                finish(watch->answers->data,
                       "The system bus was lost, so it is not known whether it counts: see peerauthctl list.");
}

/* ---- the bus ---- */

static void lose_bus(int error, void *userdata) {
        Watch *watch = userdata;

        log_warning("the system bus was lost: %s; trying again", strerror(-error));
        free(watch->owner); /* nothing is asked of a connection that is gone */
        watch->owner = NULL;
        give_up_answers(watch);
        watch->source = bus_source_free(watch->source);
        watch->bus = sd_bus_close_unref(watch->bus);
        lose_broker(watch);
        retry_later(watch);
}

static int set_up(Watch *watch) {
        int r;

        r = client_connect(watch->address, &watch->bus);
        if (r >= 0)
                r = client_match_owner(watch->bus, NULL, on_owner_changed, watch);
        if (r >= 0)
                r = client_match_changed(watch->bus, NULL, on_request_changed, watch);
        if (r >= 0)
                r = sd_bus_add_match(watch->bus, NULL, SESSION_MATCH, on_session_changed, watch);
        if (r < 0)
                return r;
        watch->source = bus_source_new(watch->bus, lose_bus, watch);
        return watch->source ? 0 : -EBADF;
}

static void connect_bus(Watch *watch) {
        int r = set_up(watch);

        if (r < 0) {
                if (!watch->loss_told)
                        log_error("cannot reach the system bus at %s: %s; trying again, at last every %d s",
                                  watch->address ? watch->address : PEERAUTH_SYSTEM_BUS_ADDRESS, strerror(-r),
                                  RETRY_MAX_SEC);
                watch->loss_told = true;
                watch->bus = sd_bus_close_unref(watch->bus);
                retry_later(watch);
                return;
        }
        watch->loss_told = false;
        watch->retry_sec = 0;
        follow_broker(watch);
}

static gboolean on_retry(void *userdata) {
        Watch *watch = userdata;

        watch->retry = 0;
        if (watch->bus)
                follow_broker(watch);
        else
                connect_bus(watch);
        return G_SOURCE_REMOVE;
}

static void retry_later(Watch *watch) {
        watch->retry_sec = CLAMP(watch->retry_sec * 2, RETRY_MIN_SEC, RETRY_MAX_SEC);
        if (!watch->retry)
                watch->retry = g_timeout_add_seconds(watch->retry_sec, on_retry, watch);
}

Watch *watch_new(const char *address, Board *board) {
        const struct passwd *account = getpwuid(getuid());
        Watch *watch = g_new0(Watch, 1);

        watch->address = address;
        watch->account = g_strdup(account ? account->pw_name : "");
        watch->board = board;
        connect_bus(watch);
        return watch;
}

Watch *watch_free(Watch *watch) {
        if (!watch)
                return NULL;
        if (watch->retry)
                g_source_remove(watch->retry);
        if (watch->refresh)
                g_source_remove(watch->refresh);
        for (GList *item = watch->answers; item; item = item->next)
                answer_free(item->data);
        g_list_free(watch->answers);
        bus_source_free(watch->source);
        sd_bus_close_unref(watch->bus);
        free(watch->owner);
        g_free(watch->account);
        g_free(watch);
        return NULL;
}
