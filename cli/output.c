/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records, and their three forms: table, list of fields, JSON.
 */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

enum { RECORD_FIELDS = 32, TEXT_MAX = 1024 };

typedef struct Field {
        const char *key, *title; /* literals, or NULL title */
        char *text;
} Field;

struct Record {
        json_t *object;
        Field fields[RECORD_FIELDS];
        size_t n_fields;
        bool alert;
        int error;
};

PEERAUTH_DEFINE_CLEANUP(json_t *, json_decref);
#define _cleanup_json_ PEERAUTH_CLEANUP(json_decref_p)

bool output_is_terminal(void) {
        return isatty(STDOUT_FILENO) == 1;
}

bool output_wants_colour(void) {
        const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

        return output_is_terminal() && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

Record *record_new(void) {
        Record *record = calloc(1, sizeof(*record));

        if (!record)
                return NULL;
        record->object = json_object();
        return record->object ? record : record_free(record);
}

Record *record_free(Record *record) {
        if (!record)
                return NULL;
        for (size_t i = 0; i < record->n_fields; i++)
                free(record->fields[i].text);
        json_decref(record->object);
        free(record);
        return NULL;
}

static void add_text(Record *record, const char *key, const char *title, const char *text) {
        Field *field = &record->fields[record->n_fields];

        if (record->n_fields == RECORD_FIELDS) {
                record->error = -ENOBUFS;
                return;
        }
        *field = (Field){key, title, text_safe(text, TEXT_MAX)};
        if (field->text)
                record->n_fields++;
        else
                record->error = -ENOMEM;
}

static void add_value(Record *record, const char *key, json_t *value) {
        if (!value || json_object_set_new(record->object, key, value) < 0) /* takes value, also if it fails */
                record->error = -ENOMEM;
}

void record_string(Record *record, const char *key, const char *title, const char *value) {
        add_value(record, key, json_string(value));
        add_text(record, key, title, value);
}

void record_uint(Record *record, const char *key, const char *title, uint64_t value, const char *text) {
        char digits[24];

        /* JSON has no unsigned type; what does not fit is no time and no count of ours */
        add_value(record, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
        (void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
        add_text(record, key, title, text ? text : digits);
}

void record_bool(Record *record, const char *key, const char *title, bool value) {
        add_value(record, key, json_boolean(value));
        add_text(record, key, title, value ? "yes" : "no");
}

static char *join(json_t *strings) {
        char *joined = NULL;
        size_t size = 0, i;
        json_t *item;
        FILE *f = open_memstream(&joined, &size);

        if (!f)
                return NULL;
        json_array_foreach(strings, i, item) {
                (void)fprintf(f, "%s%s", i ? ", " : "",
                              json_string_value(item) ? json_string_value(item) : "?");
        }
        if (fclose(f) == 0)
                return joined;
        free(joined);
        return NULL;
}

static void add_strings(Record *record, const char *key, const char *title, json_t *strings) {
        _cleanup_free_ char *joined = strings ? join(strings) : NULL;

        add_value(record, key, strings);
        if (joined)
                add_text(record, key, title, joined);
        else
                record->error = -ENOMEM;
}

void record_strings(Record *record, const char *key, const char *title, char *const *values) {
        json_t *strings = json_array();

        for (; strings && values && *values; values++)
                if (json_array_append_new(strings, json_string(*values)) < 0)
                        record->error = -ENOMEM;
        add_strings(record, key, title, strings);
}

void record_text(Record *record, const char *key, const char *title, const char *text) {
        add_text(record, key, title, text);
}

void record_alert(Record *record) {
        record->alert = true;
}

Record *record_parse(const char *text) {
        _cleanup_json_ json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        Record *record = object && json_is_object(object) ? record_new() : NULL;
        const char *key;
        json_t *value;

        if (!record)
                return NULL;
        json_decref(record->object);
        record->object = json_incref(object); /* keys of the fields live as long as it does */
        json_object_foreach(object, key, value) {
                _cleanup_free_ char *joined = json_is_array(value) ? join(value) : NULL;
                char digits[24];

                (void)snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
                if (json_is_string(value))
                        add_text(record, key, key, json_string_value(value));
                else if (json_is_integer(value))
                        add_text(record, key, key, digits);
                else if (joined)
                        add_text(record, key, key, joined);
        }
        return record;
}

uint64_t record_number(const Record *record, const char *key) {
        json_int_t value = json_integer_value(json_object_get(record->object, key));

        return value > 0 ? (uint64_t)value : 0;
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

static int print_json_list(const OutputStyle *style, Record *const *records, size_t n) {
        _cleanup_json_ json_t *list = json_array();

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                if (records[i]->error)
                        return records[i]->error;
                if (json_array_append(list, records[i]->object) < 0)
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

int output_table(const OutputStyle *style, const OutputColumn *columns, Record *const *records, size_t n) {
        PEERAUTH_CLEANUP(scols_unref_table_p) struct libscols_table *table = NULL;
        int r = 0;

        if (style->json != JSON_OFF)
                return print_json_list(style, records, n);
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
        for (size_t i = 0; i < n && r == 0; i++)
                r = add_line(table, columns, records[i]);
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
