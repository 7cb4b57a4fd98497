/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notifications on the desktop, whatever server shows them. The only user of libnotify.
 *
 * Knows buttons and text, and nothing of requests or of the broker. libnotify's calls block until the
 * server answers, at most for D-Bus's 25 seconds.
 *
 * MUST 1: no text becomes markup (attack B18): entities if the server says that it reads markup, else what
 *         could be taken for markup is made visible. A server that does not say what it can do is shown
 *         nothing.
 * MUST 2: only a press of the button itself is that button: closing, and everything unknown, is
 *         POPUP_CLOSED.
 */
#pragma once

#include <stdbool.h>

typedef struct PopupDesk PopupDesk;
typedef struct Popup Popup;

typedef enum PopupEvent {
        POPUP_CLOSED = 0, /* by hand or by the server; says nothing about the request */
        POPUP_LATER,
        POPUP_DENY,
        POPUP_APPROVE,
} PopupEvent;

typedef struct PopupContent {
        const char *summary;
        const char *body; /* plain text, lines separated by newlines */
        const char *tag;  /* where servers can do that, a later popup with it takes the place of this one */
        bool brief;       /* goes away by itself */
        bool decide;      /* buttons Deny and Later */
        bool approve;     /* ... and Approve */
} PopupContent;

/* What the desk tells its one user. */
typedef struct PopupDeskEvents {
        void (*server_came)(void *userdata);  /* everything that should be seen must be shown again */
        void (*server_left)(void *userdata);  /* every popup is gone; they still want popup_close() */
        void (*session_over)(void *userdata); /* the session bus closed: the process has no more purpose */
} PopupDeskEvents;

/* Connects to the session bus; events arrive from the main loop. 0; -EEXIST: another notifier serves this
 * session; -ENOTCONN: there is no session bus, which is logged with the remedy. */
int popup_desk_open(const PopupDeskEvents *events, void *userdata, PopupDesk **ret_desk);
PopupDesk *popup_desk_close(PopupDesk *desk);

/* 1 if the server has buttons, 0 if not, or -ENOTCONN if there is no server (logged once for each loss). */
int popup_desk_has_buttons(PopupDesk *desk);
/* Whether somebody owns the server's name right now. */
bool popup_desk_has_server(const PopupDesk *desk);

/* callback comes at most once, after which only popup_close() may be called. It may be called from within. */
typedef void (*PopupCallback)(PopupEvent event, void *userdata);

/* Shows; the desk must outlive the popup. 0, or -ENOTCONN as above. */
int popup_show(PopupDesk *desk, const PopupContent *content, PopupCallback callback, void *userdata,
               Popup **ret_popup);
/* Changes the text of one that is shown. 0 or -ENOTCONN. */
int popup_update(Popup *popup, const PopupContent *content);
/* Shows a brief text that nobody waits for. 0 or -ENOTCONN. */
int popup_tell(PopupDesk *desk, const char *summary, const char *body);
/* Takes it off the screen if it is there, and frees it. Takes NULL, returns NULL. */
Popup *popup_close(Popup *popup);
