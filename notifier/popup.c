/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See popup.h. What a server can do is asked once for each owner of its name: another server, with other
 * habits, may take the name at any time.
 */
#include "notifier/popup.h"

#include <errno.h>
#include <gio/gio.h>
#include <libnotify/notify.h>
#include <string.h>

#include "common/log.h"

#define SERVER_NAME   "org.freedesktop.Notifications"
#define INSTANCE_NAME "org.peerauth.Notifier1"
#define APP_NAME      "peerauth"
#define DESKTOP_ENTRY "peerauth-notifier"
/* The Desktop Notifications Specification has no category for this, and asks vendors to say x-vendor. */
#define CATEGORY "x-peerauth.login.request"
#define ICON     "dialog-password"

/* In the order in which servers show them. GNOME Shell shows three at most. */
static const struct {
        const char *action, *label;
        PopupEvent event;
} buttons[] = {
        {"approve", "Approve", POPUP_APPROVE},
        {"deny", "Deny", POPUP_DENY},
        {"later", "Later", POPUP_LATER},
};

struct PopupDesk {
        PopupDeskEvents events;
        void *userdata;
        GDBusConnection *session;
        unsigned watch;
        char *server;        /* unique name of the server, NULL: nobody */
        unsigned generation; /* grows whenever that changes */
        bool caps_known, buttons, markup;
        bool failure_told;
};

struct Popup {
        PopupDesk *desk;
        NotifyNotification *handle;
        PopupCallback callback;
        void *userdata;
        unsigned generation;
        bool on_screen;
};

/* Whether that is news. */
static bool set_server(PopupDesk *desk, const char *server) {
        if (g_strcmp0(desk->server, server) == 0)
                return false;
        g_free(desk->server);
        desk->server = g_strdup(server);
        desk->generation++;
        desk->caps_known = desk->failure_told = false;
        return true;
}

static void on_server_came(GDBusConnection *session, const char *name, const char *owner, void *userdata) {
        PopupDesk *desk = userdata;

        (void)session;
        (void)name;
        /* One that our own call started is known already, and shows what it was called for. */
        if (set_server(desk, owner))
                desk->events.server_came(desk->userdata);
}

static void on_server_left(GDBusConnection *session, const char *name, void *userdata) {
        PopupDesk *desk = userdata;

        (void)session;
        (void)name;
        if (set_server(desk, NULL))
                desk->events.server_left(desk->userdata);
}

static void on_session_over(GDBusConnection *session, gboolean vanished, GError *error, void *userdata) {
        PopupDesk *desk = userdata;

        (void)session;
        (void)vanished;
        (void)error;
        desk->events.session_over(desk->userdata);
}

static GVariant *call_daemon(GDBusConnection *session, const char *member, GVariant *args,
                             const char *reply_type, GError **error) {
        return g_dbus_connection_call_sync(session, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", member, args, G_VARIANT_TYPE(reply_type),
                                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
}

/* One notifier a session: the user unit and the autostart file may both start it. */
static int claim_session(GDBusConnection *session) {
        const unsigned do_not_queue = 4, primary_owner = 1; /* D-Bus specification, RequestName */
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply = NULL;
        unsigned result = 0;

        reply = call_daemon(session, "RequestName", g_variant_new("(su)", INSTANCE_NAME, do_not_queue), "(u)",
                            &error);
        if (!reply) {
                log_error("cannot take the name " INSTANCE_NAME " on the session bus: %s", error->message);
                return -ENOTCONN;
        }
        g_variant_get(reply, "(u)", &result);
        return result == primary_owner ? 0 : -EEXIST;
}

int popup_desk_open(const PopupDeskEvents *events, void *userdata, PopupDesk **ret_desk) {
        g_autoptr(GDBusConnection) session = NULL;
        g_autoptr(GError) error = NULL;
        PopupDesk *desk;
        int r;

        session = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &error);
        if (!session || !notify_init(APP_NAME)) {
                log_error("no session bus, so nothing can be shown: %s; start this program from a desktop "
                          "session",
                          error ? error->message : "libnotify did not start");
                return -ENOTCONN;
        }
        r = claim_session(session);
        if (r < 0)
                return r;
        desk = g_new0(PopupDesk, 1);
        desk->events = *events;
        desk->userdata = userdata;
        desk->session = g_steal_pointer(&session);
        g_dbus_connection_set_exit_on_close(desk->session, FALSE);
        g_signal_connect(desk->session, "closed", G_CALLBACK(on_session_over), desk);
        desk->watch = g_bus_watch_name_on_connection(desk->session, SERVER_NAME,
                                                     G_BUS_NAME_WATCHER_FLAGS_NONE, on_server_came,
                                                     on_server_left, desk, NULL);
        *ret_desk = desk;
        return 0;
}

PopupDesk *popup_desk_close(PopupDesk *desk) {
        if (!desk)
                return NULL;
        g_bus_unwatch_name(desk->watch);
        g_signal_handlers_disconnect_by_data(desk->session, desk);
        notify_uninit();
        g_object_unref(desk->session);
        g_free(desk->server);
        g_free(desk);
        return NULL;
}

static int failed(PopupDesk *desk, const char *why) {
        if (!desk->failure_told)
                log_error("no notification can be shown (%s): start a notification server, such as the one "
                          "of a desktop, or dunst; meanwhile requests are listed by: peerauthctl list",
                          why);
        desk->failure_told = true;
        return -ENOTCONN;
}

static void learn_server(PopupDesk *desk) {
        g_autoptr(GVariant) reply = NULL;
        const char *owner;

        reply = call_daemon(desk->session, "GetNameOwner", g_variant_new("(s)", SERVER_NAME), "(s)", NULL);
        if (!reply)
                return;
        g_variant_get(reply, "(&s)", &owner);
        (void)set_server(desk, owner);
}

static int learn_caps(PopupDesk *desk) {
        GList *caps;

        if (desk->caps_known)
                return 0;
        caps = notify_get_server_caps();
        learn_server(desk); /* the call may have started it */
        if (!caps)
                return failed(desk, "no notification server answers on the session bus");
        desk->buttons = g_list_find_custom(caps, "actions", (GCompareFunc)g_strcmp0) != NULL;
        desk->markup = g_list_find_custom(caps, "body-markup", (GCompareFunc)g_strcmp0) != NULL;
        g_list_free_full(caps, g_free);
        desk->caps_known = true;
        return 0;
}

int popup_desk_has_buttons(PopupDesk *desk) {
        int r = learn_caps(desk);

        return r < 0 ? r : desk->buttons;
}

bool popup_desk_has_server(const PopupDesk *desk) {
        return desk->server != NULL;
}

static void report(Popup *popup, PopupEvent event) {
        PopupCallback callback = popup->callback;

        popup->callback = NULL;
        if (callback)
                callback(event, popup->userdata);
}

static void on_closed(NotifyNotification *handle, void *userdata) {
        Popup *popup = userdata;

        (void)handle;
        popup->on_screen = false;
        report(popup, POPUP_CLOSED);
}

static void on_button(NotifyNotification *handle, char *action, void *userdata) {
        PopupEvent event = POPUP_CLOSED; /* MUST 2 */

        (void)handle;
        for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++)
                if (strcmp(action, buttons[i].action) == 0)
                        event = buttons[i].event;
        report(userdata, event);
}

/* Writes what could be markup in the notation of text_safe(). Entities would be shown as they stand by a
 * server that reads no markup; and some read it without saying so, dunst with a rule of its user's. Caller
 * frees. */
static char *without_markup(const char *text) {
        GString *safe = g_string_new(NULL);

        for (const char *c = text; *c; c++)
                if (strchr("<>&", *c))
                        g_string_append_printf(safe, "\\x%02x", (unsigned)*c);
                else
                        g_string_append_c(safe, *c);
        return g_string_free(safe, FALSE);
}

/* The caller frees. */
static char *body_for_server(const PopupDesk *desk, const char *body) {
        return desk->markup ? g_markup_escape_text(body, -1) : without_markup(body);
}

static NotifyNotification *build(const PopupDesk *desk, const PopupContent *content, Popup *popup) {
        g_autofree char *body = body_for_server(desk, content->body),
                        *summary = without_markup(content->summary);
        NotifyNotification *handle = notify_notification_new(summary, body, ICON);

        notify_notification_set_urgency(handle,
                                        content->brief ? NOTIFY_URGENCY_NORMAL : NOTIFY_URGENCY_CRITICAL);
        notify_notification_set_timeout(handle,
                                        content->brief ? NOTIFY_EXPIRES_DEFAULT : NOTIFY_EXPIRES_NEVER);
        notify_notification_set_category(handle, CATEGORY);
        notify_notification_set_hint(handle, "desktop-entry", g_variant_new_string(DESKTOP_ENTRY));
        /* What a notifier that was killed left on the screen has buttons that nobody hears. */
        if (content->tag)
                notify_notification_set_hint(handle, "x-dunst-stack-tag", g_variant_new_string(content->tag));
        /* No "default" action: a click beside the buttons must not decide anything. */
        for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++)
                if (popup && desk->buttons && content->decide &&
                    (content->approve || buttons[i].event != POPUP_APPROVE))
                        notify_notification_add_action(handle, buttons[i].action, buttons[i].label, on_button,
                                                       popup, NULL);
        if (popup)
                g_signal_connect(handle, "closed", G_CALLBACK(on_closed), popup);
        return handle;
}

static int put_on_screen(PopupDesk *desk, NotifyNotification *handle) {
        g_autoptr(GError) error = NULL;

        if (notify_notification_show(handle, &error))
                return 0;
        desk->caps_known = false; /* another server may answer the next time */
        return failed(desk, error ? error->message : "the server refused it");
}

int popup_show(PopupDesk *desk, const PopupContent *content, PopupCallback callback, void *userdata,
               Popup **ret_popup) {
        Popup *popup;
        int r = learn_caps(desk);

        if (r < 0)
                return r;
        popup = g_new0(Popup, 1);
        popup->desk = desk;
        popup->callback = callback;
        popup->userdata = userdata;
        popup->generation = desk->generation;
        popup->handle = build(desk, content, popup);
        r = put_on_screen(desk, popup->handle);
        if (r < 0) {
                popup_close(popup);
                return r;
        }
        popup->on_screen = true;
        *ret_popup = popup;
        return 0;
}

int popup_update(Popup *popup, const PopupContent *content) {
        g_autofree char *body = body_for_server(popup->desk, content->body);
        g_autofree char *summary = without_markup(content->summary);

        notify_notification_update(popup->handle, summary, body, ICON);
        return put_on_screen(popup->desk, popup->handle);
}

int popup_tell(PopupDesk *desk, const char *summary, const char *body) {
        const PopupContent content = {.summary = summary, .body = body, .brief = true};
        NotifyNotification *handle;
        int r = learn_caps(desk);

        if (r < 0)
                return r;
        handle = build(desk, &content, NULL);
        r = put_on_screen(desk, handle);
        g_object_unref(handle);
        return r;
}

Popup *popup_close(Popup *popup) {
        if (!popup)
                return NULL;
        g_signal_handlers_disconnect_by_data(popup->handle, popup);
        /* Another server would take the number for one of its own, and a missing one would be started. A
         * server that no longer knows the popup answers with an error, which is as good as done. */
        if (popup->on_screen && popup->desk->server && popup->generation == popup->desk->generation)
                (void)notify_notification_close(popup->handle, NULL);
        g_object_unref(popup->handle);
        g_free(popup);
        return NULL;
}
