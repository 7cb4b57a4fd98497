/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See board.h. Changes are gathered for a moment before the screen follows, so that a burst of requests
 * is one round of calls to the notification server; what must disappear disappears at once. One timer
 * wakes for the next thing to do, and there is none while nothing waits.
 */
#include "notifier/board.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "notifier/describe.h"
#include "notifier/popup.h"

#define USEC_PER_MSEC 1000ULL
enum {
        SETTLE_MSEC = 50,
        SERVER_BACK_SEC = 2,   /* a server that went away is given this long before our call starts one */
        SERVER_STUCK_SEC = 60, /* one that is there and does not answer is left alone for so long */
};

typedef struct Card {
        Board *board;
        ClientRequest request;
        Popup *popup;               /* NULL: not on the screen */
        uint64_t hidden_until_usec; /* CLOCK_BOOTTIME; 0: not hidden */
} Card;

struct Board {
        BoardEvents events;
        void *userdata;
        PopupDesk *desk;
        uint64_t later_usec;
        Card *cards[BOARD_REQUESTS_MAX]; /* oldest first */
        size_t n_cards;
        Popup *more;
        unsigned more_count;       /* what it says */
        unsigned more_dismissed;   /* closed by hand when it said so */
        uint64_t quiet_until_usec; /* CLOCK_BOOTTIME: no server before that; UINT64_MAX: until one comes */
        unsigned timer;
        uint64_t timer_at_usec; /* CLOCK_BOOTTIME */
};

static void wake_at(Board *board, uint64_t at_usec);

static Card *card_free(Card *card) {
        popup_close(card->popup);
        client_request_done(&card->request);
        g_free(card);
        return NULL;
}

static size_t find(const Board *board, const char *id) {
        size_t i = 0;

        while (i < board->n_cards && strcmp(board->cards[i]->request.id, id) != 0)
                i++;
        return i;
}

static void remove_at(Board *board, size_t i) {
        card_free(board->cards[i]);
        board->n_cards--;
        memmove(board->cards + i, board->cards + i + 1, (board->n_cards - i) * sizeof(board->cards[0]));
}

static void settle(Board *board) {
        wake_at(board, clock_boottime_usec() + SETTLE_MSEC * USEC_PER_MSEC);
}

static void hide(Card *card) {
        card->popup = popup_close(card->popup);
        card->hidden_until_usec = clock_boottime_usec() + card->board->later_usec;
        settle(card->board);
}

static void on_popup(PopupEvent event, void *userdata) {
        Card *card = userdata;
        Board *board = card->board;
        _cleanup_free_ char *id = NULL, *user = NULL;

        if (event != POPUP_DENY && event != POPUP_APPROVE) {
                hide(card);
                return;
        }
        /* The owner may remove the card while it reads these. */
        id = strdup(card->request.id);
        user = describe_user(&card->request);
        card->popup = popup_close(card->popup);
        if (id && user)
                board->events.answered(event == POPUP_APPROVE ? BOARD_APPROVE : BOARD_DENY, id, user,
                                       board->userdata);
        settle(board);
}

static void on_more(PopupEvent event, void *userdata) {
        Board *board = userdata;

        (void)event;
        board->more = popup_close(board->more);
        board->more_dismissed = board->more_count;
}

static void server_failed(Board *board) {
        board->quiet_until_usec = popup_desk_has_server(board->desk)
                                          ? clock_boottime_usec() + SERVER_STUCK_SEC * PEERAUTH_USEC_PER_SEC
                                          : UINT64_MAX;
}

static int show_card(Board *board, Card *card) {
        PEERAUTH_CLEANUP(description_done) Description text = {0};
        uint64_t now = clock_boottime_usec(), deadline = MAX(card->request.deadline_usec, now);
        char tag[sizeof("peerauth-") + PEERAUTH_ID_HEX];
        int buttons = popup_desk_has_buttons(board->desk), r;

        if (buttons < 0)
                return buttons;
        r = describe_request(&card->request, buttons, clock_realtime_usec() + (deadline - now), &text);
        if (r < 0)
                return r;
        (void)snprintf(tag, sizeof(tag), "peerauth-%s", card->request.id);
        const PopupContent content = {.summary = text.summary,
                                      .body = text.body,
                                      .tag = tag,
                                      .decide = true,
                                      .approve = describe_one_click(&card->request)};
        return card->popup ? popup_update(card->popup, &content)
                           : popup_show(board->desk, &content, on_popup, card, &card->popup);
}

static int show_more(Board *board, unsigned count) {
        PEERAUTH_CLEANUP(description_done) Description text = {0};
        int r;

        /* Closed by hand it stays away until it would say a greater number. */
        if (count <= board->more_dismissed || count == 0) {
                board->more_dismissed = count;
                board->more = popup_close(board->more);
                return 0;
        }
        if (board->more && count == board->more_count)
                return 0;
        board->more_dismissed = 0;
        r = describe_more(count, &text);
        if (r < 0)
                return r;
        board->more_count = count;
        const PopupContent content = {.summary = text.summary, .body = text.body, .tag = "peerauth-more"};
        return board->more ? popup_update(board->more, &content)
                           : popup_show(board->desk, &content, on_more, board, &board->more);
}

static void drop_expired(Board *board, uint64_t now) {
        for (size_t i = board->n_cards; i-- > 0;)
                if (board->cards[i]->request.deadline_usec <= now)
                        remove_at(board, i);
}

/* Puts on the screen what belongs there and is not. 0, or -ENOTCONN at the first failure. */
static int fill_screen(Board *board, uint64_t now) {
        unsigned shown = 0, waiting = 0;
        int r = 0;

        for (size_t i = 0; i < board->n_cards; i++)
                shown += board->cards[i]->popup != NULL;
        for (size_t i = 0; i < board->n_cards && r >= 0; i++) {
                Card *card = board->cards[i];

                if (card->popup || card->hidden_until_usec > now)
                        continue;
                if (shown == BOARD_POPUPS) {
                        waiting++;
                        continue;
                }
                r = show_card(board, card);
                shown++;
        }
        return r < 0 ? r : show_more(board, waiting);
}

/* When something has to be done although nothing happens: an end of time, an end of Later. */
static uint64_t next_wake(const Board *board, uint64_t now) {
        uint64_t next = UINT64_MAX;

        for (size_t i = 0; i < board->n_cards; i++) {
                const Card *card = board->cards[i];

                next = MIN(next, card->request.deadline_usec);
                if (card->hidden_until_usec > now)
                        next = MIN(next, card->hidden_until_usec);
        }
        if (board->n_cards > 0 && board->quiet_until_usec > now)
                next = MIN(next, board->quiet_until_usec);
        return next;
}

static gboolean on_timer(void *userdata) {
        Board *board = userdata;
        uint64_t now = clock_boottime_usec(), next;

        board->timer = 0;
        drop_expired(board, now);
        if (board->quiet_until_usec <= now && fill_screen(board, now) < 0)
                server_failed(board);
        next = next_wake(board, clock_boottime_usec());
        if (next != UINT64_MAX)
                wake_at(board, next);
        return G_SOURCE_REMOVE;
}

/* An earlier wake-up that is already set stays. */
static void wake_at(Board *board, uint64_t at_usec) {
        uint64_t now = clock_boottime_usec();

        if (board->timer && board->timer_at_usec <= at_usec)
                return;
        if (board->timer)
                g_source_remove(board->timer);
        board->timer_at_usec = at_usec;
        /* One millisecond more, because rounding down would come too early and find nothing to do. */
        board->timer = g_timeout_add((unsigned)(at_usec > now ? (at_usec - now) / USEC_PER_MSEC + 1 : 0),
                                     on_timer, board);
}

static void forget_popups(Board *board) {
        for (size_t i = 0; i < board->n_cards; i++)
                board->cards[i]->popup = popup_close(board->cards[i]->popup);
        board->more = popup_close(board->more);
}

static void on_server_came(void *userdata) {
        Board *board = userdata;

        forget_popups(board);
        board->quiet_until_usec = 0;
        settle(board);
}

static void on_server_left(void *userdata) {
        Board *board = userdata;

        forget_popups(board);
        /* Many are started by the first call; a call at once would fight with the one that is starting. */
        board->quiet_until_usec = clock_boottime_usec() + SERVER_BACK_SEC * PEERAUTH_USEC_PER_SEC;
        settle(board);
}

static void on_session_over(void *userdata) {
        Board *board = userdata;

        board->events.session_over(board->userdata);
}

int board_open(const BoardEvents *events, unsigned later_sec, void *userdata, Board **ret_board) {
        static const PopupDeskEvents desk_events = {
                .server_came = on_server_came,
                .server_left = on_server_left,
                .session_over = on_session_over,
        };
        Board *board = g_new0(Board, 1);
        int r;

        board->events = *events;
        board->userdata = userdata;
        board->later_usec = later_sec * PEERAUTH_USEC_PER_SEC;
        r = popup_desk_open(&desk_events, board, &board->desk);
        if (r < 0) {
                g_free(board);
                return r;
        }
        *ret_board = board;
        return 0;
}

Board *board_close(Board *board) {
        if (!board)
                return NULL;
        board_keep_only(board, NULL);
        popup_close(board->more);
        if (board->timer)
                g_source_remove(board->timer);
        popup_desk_close(board->desk);
        g_free(board);
        return NULL;
}

static void insert(Board *board, Card *card) {
        size_t i = board->n_cards++;

        for (; i > 0 && board->cards[i - 1]->request.created_usec > card->request.created_usec; i--)
                board->cards[i] = board->cards[i - 1];
        board->cards[i] = card;
}

/* Whether its notice says something else now. */
static bool reads_differently(const ClientRequest *a, const ClientRequest *b) {
        return a->missing != b->missing || a->needed != b->needed || a->denials != b->denials ||
               a->escalated != b->escalated || strcmp(a->reviewers, b->reviewers) != 0;
}

static void replace(Card *card, ClientRequest *request) {
        bool changed = reads_differently(&card->request, request);

        client_request_done(&card->request);
        card->request = *request;
        if (card->popup && changed && show_card(card->board, card) < 0)
                server_failed(card->board);
}

void board_put(Board *board, ClientRequest *request) {
        size_t i = find(board, request->id);

        if (i < board->n_cards) {
                replace(board->cards[i], request);
        } else if (board->n_cards == BOARD_REQUESTS_MAX) {
                log_warning("more than %d requests wait; this one is not shown", BOARD_REQUESTS_MAX);
                client_request_done(request);
        } else {
                Card *card = g_new0(Card, 1);

                card->board = board;
                card->request = *request;
                insert(board, card);
                /* A server may have been installed since: one call tells. */
                if (board->quiet_until_usec == UINT64_MAX)
                        board->quiet_until_usec = 0;
        }
        explicit_bzero(request, sizeof(*request)); /* handed over */
        settle(board);
}

void board_remove(Board *board, const char *id) {
        size_t i = find(board, id);

        if (i == board->n_cards)
                return;
        remove_at(board, i);
        settle(board);
}

static bool listed(const ClientRequestList *list, const char *id) {
        for (size_t i = 0; list && i < list->n_items; i++)
                if (strcmp(list->items[i].id, id) == 0)
                        return true;
        return false;
}

void board_keep_only(Board *board, const ClientRequestList *list) {
        for (size_t i = board->n_cards; i-- > 0;)
                if (!listed(list, board->cards[i]->request.id))
                        remove_at(board, i);
        settle(board);
}

void board_tell(Board *board, const char *summary, const char *body) {
        if (popup_tell(board->desk, summary, body) < 0)
                log_warning("%s: %s", summary, body);
}
