/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes text from outside harmless for a terminal, a notification and a log line.
 *
 * Everything that a stranger can choose (account name, remote host, terminal, note) is kept and recorded as
 * it came, and goes through here before a person sees it (attack B18). Escaping is unambiguous, so it is not
 * idempotent (a backslash is doubled each time): it belongs where text is shown, once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies text so that it is one line of valid UTF-8 without effects. Written as visible escapes are:
 * controls (C0, DEL, C1), bidi controls and other invisible format characters, line separators, spaces
 * that only look like U+0020, private-use characters and noncharacters as \u{202e} (below U+0080: \x1b);
 * bytes that are not UTF-8 as \xff; the backslash as \\. At most max bytes of output are made, cut
 * between characters with "..." at the end if text was longer.
 * Returns a string that the caller frees, or NULL when memory ran out. NULL text gives "".
 */
char *text_safe(const char *text, size_t max);

/* Whether text would leave text_safe() unchanged; NULL counts as "". */
bool text_is_safe(const char *text, size_t max);

/* The same, but for backslashes, which people see as they are: names from Windows domains have one. */
bool text_is_plain(const char *text, size_t max);

/* Decodes the UTF-8 character at text, of which size bytes may be read: its length (1 to 4) and
 * *ret_character, or -EILSEQ for anything that RFC 3629 forbids (overlong, surrogate, above U+10FFFF, cut)
 * and for size 0. NUL is a character like any other. */
int text_decode_utf8(const char *text, size_t size, uint32_t *ret_character);

/* Whether word is one of the words of list, which have commas, spaces or both between them. NULL is an empty
 * list; "" is in none. */
bool text_lists(const char *list, const char *word);

/* "482913" -> "482 913"; anything that is not six digits gives -EINVAL. ret has room for 8 bytes. */
int text_group_code(const char *code, char ret[8]);

/* Keeps the six digits of what a person typed ("482 913", "482-913", surrounding space); -EINVAL if it
 * is not six digits. ret has room for 7 bytes; the caller wipes it. */
int text_parse_code(const char *typed, char ret[7]);
