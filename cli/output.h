/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints records as tables, as lists of fields and as JSON, from the same data. Every string that comes
 * from outside becomes harmless here (attack B18): text through text_safe(), JSON as ASCII escapes.
 *
 * Must stay the only user of libsmartcols and jansson.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/args.h"
#include "common/cleanup.h"

typedef struct OutputStyle {
        JsonMode json;
        bool legend, colour;
} OutputStyle;

/* Whether standard output is a terminal. */
bool output_is_terminal(void);

/* Colour only on a terminal that can, and not if NO_COLOR is set to anything (no-color.org). */
bool output_wants_colour(void);

/* One thing with named fields. Errors (no memory) stick and are reported when it is printed. */
typedef struct Record Record;
Record *record_new(void);
Record *record_free(Record *record);

/* Several. */
typedef struct Records {
        Record **items;
        size_t n;
} Records;
/* Takes over record; NULL is one that there was no memory for. 0 or -ENOMEM. */
int records_add(Records *records, Record *record);
void records_done(Records *records);
#define _cleanup_records_ PEERAUTH_CLEANUP(records_done)

PEERAUTH_DEFINE_CLEANUP(Record *, record_free);
#define _cleanup_record_ PEERAUTH_CLEANUP(record_free_p)

/* A field: key in JSON, title in a list of fields (NULL: only in JSON). Where text is an argument it is what
 * people see in place of the value (NULL: the value itself). */
void record_string(Record *record, const char *key, const char *title, const char *value);
void record_uint(Record *record, const char *key, const char *title, uint64_t value, const char *text);
void record_bool(Record *record, const char *key, const char *title, bool value);
void record_strings(Record *record, const char *key, const char *title, char *const *values);
/* In JSON only, and wiped with the record. */
void record_secret(Record *record, const char *key, const char *value);
void record_secrets(Record *record, const char *key, const char *const *values, size_t n);
/* A value that is not known, null in JSON. */
void record_null(Record *record, const char *key, const char *title, const char *text);
/* A list of records inside this one, in JSON only. */
void record_list(Record *record, const char *key, const Records *list);
/* A field for people only, which a table finds by its key. */
void record_text(Record *record, const char *key, const char *title, const char *text);
/* What the record is about needs attention: its line is coloured. */
void record_alert(Record *record);

/* Reads a JSON object as a record: its strings, numbers and lists of strings. NULL: not an object. */
Record *record_parse(const char *json);

/* A number in it; 0 if there is none. */
uint64_t record_number(const Record *record, const char *key);

/* Text that is harmless already, with its spaces made visible: by them an account name that a stranger made
 * up could look like several columns. NULL: no memory; caller frees. */
char *output_word(const char *safe);

typedef struct OutputColumn {
        const char *key, *title;
        bool right; /* aligned */
        bool cut;   /* may be cut when the terminal is narrow */
        bool word;  /* shown by output_word() */
} OutputColumn;

/* Each returns 0 or a negative errno. columns ends with a NULL key. */
int output_table(const OutputStyle *style, const OutputColumn *columns, const Records *records);
int output_record(const OutputStyle *style, const Record *record);
/* One line of JSON, whatever the style. */
int output_json_line(const Record *record);
