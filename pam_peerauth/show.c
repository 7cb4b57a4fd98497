/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Short lines for 40 columns, no colours, one message. */
#include "pam_peerauth/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/protocol.h"
#include "common/text.h"
#include "pam_peerauth/typed.h"

typedef enum ShowStyle {
        SHOW_MESSAGE =
                0,   /* one message: greeters replace one by the next, swaylock answers a prompt itself */
        SHOW_LINES,  /* a terminal: messages follow each other */
        SHOW_PROMPT, /* sshd before 10.3 holds messages back until the next prompt */
} ShowStyle;

static const struct {
        const char *service;
        ShowStyle style;
} show_styles[] = {
        {"sshd", SHOW_PROMPT}, {"login", SHOW_LINES}, {"remote", SHOW_LINES}, {"su", SHOW_LINES},
        {"su-l", SHOW_LINES},  {"sudo", SHOW_LINES},  {"sudo-i", SHOW_LINES},
};

#define PROMPT_WAIT     "Press Enter, then wait. "
#define PROMPT_RECOVERY "Press Enter, then wait (or type a recovery code). "

static const unsigned countdown_marks[] = {60, 30, 10}; /* seconds left, descending */

/* Linux-PAM's PAM_MAX_MSG_SIZE, which some front ends take for a fact. */
enum { SHOW_MAX = 512, SHOW_REVIEWERS_MAX = 160, SHOW_QUESTION_MAX = 320 };

static ShowStyle show_style(const char *service) {
        for (size_t i = 0; i < sizeof(show_styles) / sizeof(show_styles[0]); i++)
                if (strcmp(service, show_styles[i].service) == 0)
                        return show_styles[i].style;
        return SHOW_MESSAGE;
}

bool show_can_ask(const char *service) {
        return show_style(service) != SHOW_MESSAGE;
}

/* A password may have been typed here by reflex. */
static void response_free(struct pam_response *response) {
        if (response)
                typed_free(response->resp);
        free(response);
}

/* ret_typed may be NULL; else it gets the answer to a prompt, which the caller owns and wipes. */
static int converse(pam_handle_t *pamh, int style, const char *text, char **ret_typed) {
        const struct pam_message message = {.msg_style = style, .msg = text};
        const struct pam_message *messages = &message;
        struct pam_response *response = NULL;
        const void *item = NULL;
        const struct pam_conv *conversation;
        bool complete;

        if (pam_get_item(pamh, PAM_CONV, &item) != PAM_SUCCESS || !item)
                return -ECANCELED;
        conversation = item;
        if (!conversation->conv ||
            conversation->conv(1, &messages, &response, conversation->appdata_ptr) != PAM_SUCCESS)
                return -ECANCELED;
        /* The end of the input is an answer without text. */
        complete = style != PAM_PROMPT_ECHO_ON || (response && response->resp);
        if (complete && ret_typed)
                *ret_typed = STEAL_PTR(response->resp);
        response_free(response);
        return complete ? 0 : -ECANCELED;
}

static int show(pam_handle_t *pamh, int style, const char *text) {
        return converse(pamh, style, text, NULL);
}

int show_question(pam_handle_t *pamh, const char *service, const char *question, bool again,
                  char **ret_typed) {
        _cleanup_free_ char *safe = text_safe(question, SHOW_QUESTION_MAX);
        char text[SHOW_MAX];

        if (!safe)
                return -ECANCELED;
        (void)snprintf(text, sizeof(text),
                       "%s%s%s\nReason (at most %d bytes): ", show_style(service) == SHOW_PROMPT ? "\n" : "",
                       again ? "That was too long.\n" : "",
                       *safe ? safe : "Please give a reason for this login.", PEERAUTH_REASON_MAX);
        return converse(pamh, PAM_PROMPT_ECHO_ON, text, ret_typed);
}

/* "1 min 50 s" */
static void format_left(uint64_t usec, char *ret, size_t size) {
        unsigned long seconds = (unsigned long)((usec + PEERAUTH_USEC_PER_SEC / 2) / PEERAUTH_USEC_PER_SEC);

        if (seconds < 60)
                (void)snprintf(ret, size, "%lu s", seconds);
        else if (seconds % 60 == 0)
                (void)snprintf(ret, size, "%lu min", seconds / 60);
        else
                (void)snprintf(ret, size, "%lu min %lu s", seconds / 60, seconds % 60);
}

static void format_reach(const ClientCreated *created, char *ret, size_t size) {
        if (created->reachable == 0)
                (void)snprintf(ret, size,
                               "NOBODY of them is logged in now.\n"
                               "Ask one to log in, or call an\nadministrator.");
        else
                (void)snprintf(ret, size, "Logged in now: %u of them%s", created->reachable,
                               created->enough ? "." : ",\nwhich is not enough.");
}

bool show_offers_recovery(const char *service, const ClientCreated *created) {
        switch (show_style(service)) {
        case SHOW_PROMPT:
                return created->recovery;
        case SHOW_LINES:
                return created->recovery && (created->reachable == 0 || !created->enough);
        case SHOW_MESSAGE:
                break;
        }
        return false;
}

/*
 * Under sshd the question is echoed: Enter is seen to be taken, and sshd's "password" method, which would
 * answer a hidden prompt unseen, refuses this one at once. A recovery code may be seen: it serves once.
 */
int show_code(pam_handle_t *pamh, const char *service, const ClientCreated *created, uint64_t left_usec,
              char **ret_typed) {
        _cleanup_free_ char *reviewers = text_safe(created->reviewers, SHOW_REVIEWERS_MAX);
        bool prompt = show_style(service) == SHOW_PROMPT;
        bool recovery = prompt && show_offers_recovery(service, created);
        const char *ask = !prompt ? "" : recovery ? "\n" PROMPT_RECOVERY : " " PROMPT_WAIT;
        char code[8], left[32], reach[96], text[SHOW_MAX];
        int r;

        *ret_typed = NULL;
        if (!reviewers || text_group_code(created->code, code) < 0)
                return -ECANCELED;
        format_left(left_usec, left, sizeof(left));
        format_reach(created, reach, sizeof(reach));
        (void)snprintf(text, sizeof(text), "%sCode %s: tell it to a colleague.\nNeeded: %s.\n%s\nValid %s.%s",
                       prompt ? "\n" : "", code, reviewers, reach, left, ask);
        r = converse(pamh, prompt ? PAM_PROMPT_ECHO_ON : PAM_TEXT_INFO, text, recovery ? ret_typed : NULL);
        explicit_bzero(code, sizeof(code));
        explicit_bzero(text, sizeof(text));
        return r;
}

int show_recovery(pam_handle_t *pamh, const char *service, const char *notice, char **ret_typed) {
        bool prompt = show_style(service) == SHOW_PROMPT;
        char text[SHOW_MAX];

        (void)snprintf(text, sizeof(text), "%s%s%s%s", prompt ? "\n" : "", notice ? notice : "",
                       notice ? "\n" : "", prompt ? PROMPT_RECOVERY : "Recovery code, or Enter to wait: ");
        return converse(pamh, PAM_PROMPT_ECHO_ON, text, ret_typed);
}

int show_waiting(pam_handle_t *pamh, const char *notice) {
        char text[SHOW_MAX];

        (void)snprintf(text, sizeof(text), "%s\nWaiting for approval.", notice);
        return show(pamh, PAM_TEXT_INFO, text);
}

uint64_t show_next_mark(const char *service, uint64_t left_usec) {
        if (show_style(service) != SHOW_LINES)
                return 0;
        for (size_t i = 0; i < sizeof(countdown_marks) / sizeof(countdown_marks[0]); i++)
                if (countdown_marks[i] * PEERAUTH_USEC_PER_SEC < left_usec)
                        return countdown_marks[i] * PEERAUTH_USEC_PER_SEC;
        return 0;
}

int show_left(pam_handle_t *pamh, uint64_t left_usec) {
        char left[32], text[80];

        format_left(left_usec, left, sizeof(left));
        (void)snprintf(text, sizeof(text), "Still waiting for approval: %s left.", left);
        return show(pamh, PAM_TEXT_INFO, text);
}

void show_outcome(pam_handle_t *pamh, const Outcome *outcome) {
        if (outcome->text[0])
                (void)show(pamh, outcome->kind == OUTCOME_APPROVED ? PAM_TEXT_INFO : PAM_ERROR_MSG,
                           outcome->text);
}
