/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking a person. Reads byte by byte: stdio would keep a copy of the code in its buffer.
 */
#include "cli/prompt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "common/text.h"

enum { LINE_MAX_BYTES = 128, TRIES = 3 };

bool prompt_has_terminal(void) {
        return isatty(STDIN_FILENO) == 1;
}

/* One line without its newline; of one that does not fit nothing is left. 0, or -ECANCELED at the end. */
static int read_line(char *ret, size_t size) {
        size_t n = 0;
        ssize_t k;
        char c;

        while ((k = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
                ret[n < size - 1 ? n++ : n] = c;
        ret[n] = '\0';
        if (n == size - 1)
                ret[0] = '\0';
        explicit_bzero(&c, sizeof(c));
        return k == 1 || n > 0 ? 0 : -ECANCELED;
}

int prompt_code(const char *question, char ret[PEERAUTH_CODE_DIGITS + 1]) {
        int tries = prompt_has_terminal() ? TRIES : 1, r = -EINVAL;

        while (r == -EINVAL && tries-- > 0) {
                char line[LINE_MAX_BYTES];

                if (prompt_has_terminal())
                        (void)fprintf(stderr, "%s", question);
                r = read_line(line, sizeof(line));
                if (r == 0)
                        r = text_parse_code(line, ret);
                explicit_bzero(line, sizeof(line));
                if (r == -EINVAL && tries > 0)
                        (void)fprintf(stderr, "A code is six digits, such as 482 913.\n");
        }
        return r;
}

bool prompt_yes(const char *question) {
        char line[LINE_MAX_BYTES];

        if (prompt_has_terminal()) /* what was typed before the question is no answer to it */
                (void)tcflush(STDIN_FILENO, TCIFLUSH);
        (void)fprintf(stderr, "%s [y/N] ", question);
        if (read_line(line, sizeof(line)) < 0)
                return false;
        return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}

int prompt_note(const char *question, bool must, char ret[PROMPT_NOTE_SIZE]) {
        int r = 0;

        *ret = '\0';
        for (int tries = must ? TRIES : 1; r == 0 && !*ret && tries > 0; tries--) {
                (void)fprintf(stderr, "%s", question);
                r = read_line(ret, PROMPT_NOTE_SIZE);
        }
        return r;
}
