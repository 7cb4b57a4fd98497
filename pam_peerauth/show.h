/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the person sees: the code, once, and how it ended.
 *
 * Front ends differ in what they do with a message, so the form depends on the PAM service. PAM_SILENT is
 * not obeyed: sudo always sets it, and a login whose code is not shown cannot be approved.
 *
 * MUST 1: the code is shown exactly once and wiped from every buffer of this file.
 * MUST 2: what a person types at the code is never looked at, unless the account has a way of recovery: then
 *         it is handed over to recover.c, unread. Every answer is wiped, here or by whom it is handed to.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/client.h"
#include "pam_peerauth/outcome.h"

/* Whether the front end of this service asks the person, and never answers with the password by itself. */
bool show_can_ask(const char *service);

/*
 * Asks the broker's question, echoed; again: the answer before was too long. Returns 0 and *ret_typed, which
 * the caller wipes and frees, or -ECANCELED. The question stands in the prompt, as sshd before 10.3 would
 * hold a message before it back.
 */
int show_question(pam_handle_t *pamh, const char *service, const char *question, bool again,
                  char **ret_typed);

/*
 * 0, or -ECANCELED if the conversation failed: the person gave up, or cannot be shown anything. *ret_typed is
 * what was typed, for the caller to wipe and free, if the code stood in a question and
 * show_offers_recovery(); else NULL.
 */
int show_code(pam_handle_t *pamh, const char *service, const ClientCreated *created, uint64_t left_usec,
              char **ret_typed);

/*
 * Whether a person may type a recovery code: if the account has a way of recovery and the front end asks the
 * person. Where the code stands in no question, only if those who are there cannot approve it, as a question
 * holds up everything that could be shown meanwhile.
 */
bool show_offers_recovery(const char *service, const ClientCreated *created);
/* Asks for one, echoed; notice says what was wrong with the last, NULL: nothing. 0 and *ret_typed, which the
 * caller wipes and frees, or -ECANCELED. */
int show_recovery(pam_handle_t *pamh, const char *service, const char *notice, char **ret_typed);
/* Nothing more is asked. 0 or -ECANCELED. */
int show_waiting(pam_handle_t *pamh, const char *notice);

/* The time left at which the next line of the countdown is due, below left_usec; 0: none. */
uint64_t show_next_mark(const char *service, uint64_t left_usec);
/* 0 or -ECANCELED. */
int show_left(pam_handle_t *pamh, uint64_t left_usec);

/* A failure to say how it ended changes nothing about that. */
void show_outcome(pam_handle_t *pamh, const Outcome *outcome);
