/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A secret as a QR code on the terminal, for a phone's camera. The only user of libqrencode.
 *
 * Two modules stand in one character, as half blocks, light on dark with the quiet zone of four modules that
 * readers need. A code that does not fit the terminal whole could be read by nobody, so then the secret
 * stands there as text, to be typed.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

typedef struct QrPlace {
        unsigned columns, rows; /* 0: unknown, so nothing is drawn there */
        bool colour;            /* escape sequences, so that it is light on dark under every theme */
        bool blocks;            /* the character set has half blocks */
} QrPlace;

/* What stands behind fd; zero if that is no terminal. Call after setlocale(). */
void qr_place(int fd, QrPlace *ret_place);

/* Draws text, or prints secret (a line of words) and why it is not drawn. 0, 1: printed instead, or
 * -ENOMEM: nothing was written. */
int qr_print(FILE *out, const QrPlace *place, const char *text, const char *secret);
