/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Follows the broker on the system bus and keeps the board in step: which requests this person may decide
 * now. Survives the end of the broker and of the bus, and waits for both without polling the broker.
 *
 * MUST 1: a signal changes nothing unless the broker's own connection sent it (attack B5), and even then
 *         it is only a reason to ask.
 * MUST 2: never starts a broker: one that is stopped was stopped by somebody.
 */
#pragma once

#include "notifier/board.h"

typedef struct Watch Watch;

/* address: NULL for the system bus, must last. Never fails: what is not there yet is waited for. The board
 * outlives the watch. */
Watch *watch_new(const char *address, Board *board);
Watch *watch_free(Watch *watch);

/* Carries out what somebody chose on the board. */
void watch_answer(Watch *watch, BoardAnswer answer, const char *id, const char *user);
