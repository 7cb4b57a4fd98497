/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three forms of records: table, list of fields, JSON.
 */
#include "cli/output_internal.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

bool output_is_terminal(void) {
        return isatty(STDOUT_FILENO) == 1;
}

bool output_wants_colour(void) {
        const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

        return output_is_terminal() && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

static const char *find_text(const Record *record, const char *key) {
        for (size_t i = 0; i < record->n_fields; i++)
                if (strcmp(record->fields[i].key, key) == 0)
                        return record->fields[i].text;
        return "";
}

static int print_json(const json_t *value, bool pretty) {
        /* ASCII only: a terminal must not act on a name that somebody chose */
        if (json_dumpf(value, stdout, JSON_ENSURE_ASCII | (pretty ? JSON_INDENT(2) : JSON_COMPACT)) < 0)
                return -EIO;
        return putchar('\n') == EOF ? -EIO : 0;
}

static int print_json_list(const OutputStyle *style, const Records *records) {
        _cleanup_json_ json_t *list = json_array();

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < records->n; i++) {
                if (records->items[i]->error)
                        return records->items[i]->error;
                if (json_array_append(list, records->items[i]->object) < 0)
                        return -ENOMEM;
        }
        return print_json(list, style->json == JSON_PRETTY);
}

char *output_word(const char *safe) {
        char *word = calloc(1, strlen("\\x20") * strlen(safe) + 1), *end = word;

        if (!word)
                return NULL;
        for (; *safe; safe++)
                if (*safe == ' ')
                        end = stpcpy(end, "\\x20");
                else
                        *end++ = *safe;
        return word;
}

static int add_cell(struct libscols_line *line, size_t n, const OutputColumn *column, const char *text) {
        char *cell = column->word ? output_word(text) : strdup(text);

        if (!cell)
                return -ENOMEM;
        if (scols_line_refer_data(line, n, cell) == 0) /* takes cell */
                return 0;
        free(cell);
        return -ENOMEM;
}

static int add_line(struct libscols_table *table, const OutputColumn *columns, const Record *record) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        size_t n = 0;

        if (record->error)
                return record->error;
        if (!line)
                return -ENOMEM;
        if (record->alert && scols_line_set_color(line, "red") < 0)
                return -ENOMEM;
        for (const OutputColumn *column = columns; column->key; column++)
                if (add_cell(line, n++, column, find_text(record, column->key)) < 0)
                        return -ENOMEM;
        return 0;
}

PEERAUTH_DEFINE_CLEANUP(struct libscols_table *, scols_unref_table);

int output_table(const OutputStyle *style, const OutputColumn *columns, const Records *records) {
        PEERAUTH_CLEANUP(scols_unref_table_p) struct libscols_table *table = NULL;
        int r = 0;

        if (style->json != JSON_OFF)
                return print_json_list(style, records);
        table = scols_new_table();
        if (!table)
                return -ENOMEM;
        (void)scols_table_enable_noencoding(table, 1); /* it would escape our escapes */
        (void)scols_table_enable_noheadings(table, !style->legend);
        (void)scols_table_enable_colors(table, style->colour);
        for (const OutputColumn *column = columns; column->key; column++)
                if (!scols_table_new_column(table, column->title, 0,
                                            (column->right ? SCOLS_FL_RIGHT : 0) |
                                                    (column->cut ? SCOLS_FL_TRUNC : 0)))
                        return -ENOMEM;
        for (size_t i = 0; i < records->n && r == 0; i++)
                r = add_line(table, columns, records->items[i]);
        return r == 0 && scols_print_table(table) < 0 ? -EIO : r;
}

int output_record(const OutputStyle *style, const Record *record) {
        int width = 0;

        if (record->error)
                return record->error;
        if (style->json != JSON_OFF)
                return print_json(record->object, style->json == JSON_PRETTY);
        for (size_t i = 0; i < record->n_fields; i++)
                if (record->fields[i].title && (int)strlen(record->fields[i].title) > width)
                        width = (int)strlen(record->fields[i].title);
        for (size_t i = 0; i < record->n_fields; i++)
                if (record->fields[i].title && *record->fields[i].text)
                        (void)printf("%*s: %s\n", width, record->fields[i].title, record->fields[i].text);
        return 0;
}

int output_json_line(const Record *record) {
        return record->error ? record->error : print_json(record->object, false);
}
