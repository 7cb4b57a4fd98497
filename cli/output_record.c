/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: the fields of one thing, as JSON and as harmless text. */
#include "cli/output_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

enum { TEXT_MAX = 1024 };

/* Codes and secrets are among the values. jansson grows its buffers by a new one and a free. */
static void wipe_and_free(void *p) {
        if (p)
                explicit_bzero(p, malloc_usable_size(p));
        free(p);
}

Record *record_new(void) {
        Record *record = calloc(1, sizeof(*record));

        json_set_alloc_funcs(malloc, wipe_and_free);
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

int records_add(Records *records, Record *record) {
        Record **items = record ? reallocarray(records->items, records->n + 1, sizeof(Record *)) : NULL;

        if (!items) {
                record_free(record);
                return -ENOMEM;
        }
        records->items = items;
        items[records->n++] = record;
        return 0;
}

void records_done(Records *records) {
        for (size_t i = 0; i < records->n; i++)
                record_free(records->items[i]);
        free(records->items);
        *records = (Records){0};
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

/* JSON has no bytes that are not UTF-8, which the names of files and what was typed may have: it gets them
 * escaped, as people do. */
static json_t *string_value(const char *value) {
        json_t *string = json_string(value);
        _cleanup_free_ char *safe = string ? NULL : text_safe(value, SIZE_MAX);

        return safe ? json_string(safe) : string;
}

void record_string(Record *record, const char *key, const char *title, const char *value) {
        add_value(record, key, string_value(value));
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
                if (json_array_append_new(strings, string_value(*values)) < 0)
                        record->error = -ENOMEM;
        add_strings(record, key, title, strings);
}

void record_secret(Record *record, const char *key, const char *value) {
        add_value(record, key, json_string(value));
}

void record_secrets(Record *record, const char *key, const char *const *values, size_t n) {
        json_t *strings = json_array();

        for (size_t i = 0; strings && i < n; i++)
                if (json_array_append_new(strings, json_string(values[i])) < 0)
                        record->error = -ENOMEM;
        add_value(record, key, strings);
}

void record_null(Record *record, const char *key, const char *title, const char *text) {
        add_value(record, key, json_null());
        add_text(record, key, title, text);
}

void record_text(Record *record, const char *key, const char *title, const char *text) {
        add_text(record, key, title, text);
}

void record_alert(Record *record) {
        record->alert = true;
}

void record_list(Record *record, const char *key, const Records *list) {
        json_t *array = json_array();

        for (size_t i = 0; array && i < list->n; i++) {
                if (list->items[i]->error)
                        record->error = list->items[i]->error;
                if (json_array_append(array, list->items[i]->object) < 0)
                        record->error = -ENOMEM;
        }
        add_value(record, key, array);
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
