/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What approve, deny and their bulk forms share: the note, and the call that polkit may hold up.
 */
#pragma once

#include "cli/cli.h"
#include "cli/prompt.h"

/* Says on stderr whose login it is, from where, and why the person says that they need it. CLIENT_EXIT_OK, or
 * an exit status after it was told why. */
int decision_introduce(const ClientRequest *request);

/* Whether the rule wants a note that was not given with --note. */
bool decision_lacks_note(const Cli *cli, const ClientRequest *request);

/* The note for the broker, "" for none: what was given, or, where the rule wants one, what the person at the
 * terminal types. A denial goes on without (must: false). CLIENT_EXIT_OK, or an exit status after it was told
 * why. */
int decision_note(const Cli *cli, const ClientRequest *request, bool must, char ret[PROMPT_NOTE_SIZE]);

/* client_approve_interactive() for as long as the request lives. */
int decision_approve(const Cli *cli, const ClientRequest *request, const char *code, const char *note,
                     Verdict *ret_state, unsigned *ret_missing, sd_bus_error *ret_error);
