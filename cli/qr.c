/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lets libqrencode make the modules, and draws them. */
#include "cli/qr.h"

#include <errno.h>
#include <langinfo.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/cleanup.h"

enum { QUIET_ZONE = 4 }; /* modules on each side: ISO/IEC 18004 */

/* The modules are the secret in another form. */
static void code_free(QRcode **code) {
        if (*code)
                explicit_bzero((*code)->data, (size_t)(*code)->width * (size_t)(*code)->width);
        QRcode_free(*code);
}

void qr_place(int fd, QrPlace *ret_place) {
        const char *term = getenv("TERM");
        struct winsize size = {0};

        *ret_place = (QrPlace){0};
        if (ioctl(fd, TIOCGWINSZ, &size) < 0)
                return;
        ret_place->columns = size.ws_col;
        ret_place->rows = size.ws_row;
        /* NO_COLOR does not count: which modules are dark is what the code says. */
        ret_place->colour = term && strcmp(term, "dumb") != 0;
        ret_place->blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Outside the symbol is quiet zone. */
static bool is_light(const QRcode *code, int x, int y) {
        if (x < 0 || y < 0 || x >= code->width || y >= code->width)
                return true;
        return !(code->data[y * code->width + x] & 1);
}

static void draw(FILE *out, const QRcode *code, bool colour) {
        static const char *const characters[] = {" ", "▄", "▀", "█"}; /* by upper light, lower light */

        for (int y = -QUIET_ZONE; y < code->width + QUIET_ZONE; y += 2) {
                if (colour)
                        (void)fputs("\033[40;37;1m", out);
                for (int x = -QUIET_ZONE; x < code->width + QUIET_ZONE; x++)
                        (void)fputs(characters[2 * is_light(code, x, y) + is_light(code, x, y + 1)], out);
                (void)fputs(colour ? "\033[0m\n" : "\n", out);
        }
}

int qr_print(FILE *out, const QrPlace *place, const char *text, const char *secret) {
        /* Level L: a screen has no dirt on it, and the symbol stays small. */
        PEERAUTH_CLEANUP(code_free) QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
        unsigned columns, rows;

        if (!code && errno != ERANGE)
                return -ENOMEM;
        columns = code ? (unsigned)code->width + 2 * QUIET_ZONE : 0;
        rows = (columns + 1) / 2;
        if (code && place->blocks && place->columns >= columns && place->rows > rows) {
                draw(out, code, place->colour);
                return 0;
        }
        if (code && place->blocks && place->columns > 0)
                (void)fprintf(out, "A QR code needs %u columns and %u lines; this terminal has %u and %u.\n",
                              columns, rows + 1, place->columns, place->rows);
        (void)fprintf(out, "Type this into the app: %s\n", secret);
        return 1;
}
