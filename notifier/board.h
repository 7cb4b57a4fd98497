/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the requests that wait are on the screen: at most BOARD_POPUPS of them, oldest first, the rest
 * as one line; hidden for a while after Later; gone at their deadline; shown again when a notification
 * server comes.
 *
 * Takes no decision: a button is reported to the owner, with the request's id.
 */
#pragma once

#include "common/client.h"

enum { BOARD_POPUPS = 5, BOARD_REQUESTS_MAX = PEERAUTH_PENDING_MAX, BOARD_LATER_SEC = 120 };

typedef struct Board Board;

typedef enum BoardAnswer {
        BOARD_DENY = 0,
        BOARD_APPROVE,
} BoardAnswer;

typedef struct BoardEvents {
        /* Somebody pressed a button. user is safe to show; both strings last for the call. */
        void (*answered)(BoardAnswer answer, const char *id, const char *user, void *userdata);
        void (*session_over)(void *userdata);
} BoardEvents;

/* later_sec: how long a request stays hidden after Later or a close. Results as of popup_desk_open(). */
int board_open(const BoardEvents *events, unsigned later_sec, void *userdata, Board **ret_board);
/* Withdraws everything. Takes NULL, returns NULL. */
Board *board_close(Board *board);

/* Adds or replaces a request that this person may decide; takes over what it holds and empties it. */
void board_put(Board *board, ClientRequest *request);
void board_remove(Board *board, const char *id);
/* Removes all that are not in the list; NULL: all. */
void board_keep_only(Board *board, const ClientRequestList *list);
/* Shows a brief text. */
void board_tell(Board *board, const char *summary, const char *body);
