/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to the person at the terminal. What is asked goes to stderr; answers come from standard
 * input, so a script can pipe them in. Nothing that was typed stays in memory.
 */
#pragma once

#include <stdbool.h>

#include "common/protocol.h"

/* Whether somebody can be asked. */
bool prompt_has_terminal(void);

/* Asks for a code and checks its form only; a person at a terminal may try thrice. 0, -ECANCELED: end of
 * input, -EINVAL: not six digits. The caller wipes ret. */
int prompt_code(const char *question, char ret[PEERAUTH_CODE_DIGITS + 1]);

/* Asks a question whose answer is no unless it is "y" or "yes" (either case). */
bool prompt_yes(const char *question);

enum { PROMPT_NOTE_SIZE = PEERAUTH_NOTE_MAX + 2 };

/* Asks for a note; if there must be one up to three times. "" if there is none. 0, or -ECANCELED: end of
 * input. */
int prompt_note(const char *question, bool must, char ret[PROMPT_NOTE_SIZE]);
