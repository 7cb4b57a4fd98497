/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line: a table of verbs, a table of options, and the words that are left.
 *
 * Must never take a secret: there is no option for a code, and no word is read as one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum JsonMode { JSON_OFF = 0, JSON_PRETTY, JSON_SHORT } JsonMode;

typedef struct Args {
        JsonMode json;
        bool no_legend, quiet, yes, force, help, version, all, strict;
        const char *bus, *note, *format, *output, *checkpoint, *vkey; /* NULL: not given, as below */
        const char *user, *service, *rhost, *tty, *time, *stage;      /* of a login */
        const char *conf_dir, *vendor_dir;
        uint64_t lines; /* 0: not given */
        unsigned given; /* ARG_ bits of the options that were */
        char **words;   /* verb and its arguments, in argv */
} Args;

/* Options that not every verb takes. */
enum {
        ARG_NOTE = 1U << 0,
        ARG_YES = 1U << 1,
        ARG_FORMAT = 1U << 2,
        ARG_OUTPUT = 1U << 3,
        ARG_FORCE = 1U << 4,
        ARG_CHECKPOINT = 1U << 5,
        ARG_VKEY = 1U << 6,
        ARG_LINES = 1U << 7,
        ARG_ALL = 1U << 8,
        ARG_USER = 1U << 9,
        ARG_SERVICE = 1U << 10,
        ARG_RHOST = 1U << 11,
        ARG_TTY = 1U << 12,
        ARG_TIME = 1U << 13,
        ARG_STAGE = 1U << 14,
        ARG_CONF_DIR = 1U << 15,
        ARG_VENDOR_DIR = 1U << 16,
        ARG_STRICT = 1U << 17,
};

struct Cli;
typedef struct Verb {
        const char *name;      /* one word, or two with a space between */
        const char *arguments; /* for help */
        const char *help;
        unsigned min_words, max_words; /* after the name */
        unsigned options;              /* ARG_ bits */
        int (*run)(struct Cli *cli, char **words);
} Verb;

/* Reads argv (which it reorders). 0, or -EINVAL after saying on stderr what is wrong. */
int args_parse(int argc, char **argv, Args *ret_args);

/* Whether the broker could take this note (NULL: none). 0, or -EINVAL after saying what is wrong. */
int args_check_note(const char *note);

/*
 * Finds the verb that the words begin with (no words: the first of the table), checks number of words and
 * options. 0, *ret_verb and where its own words begin, or -EINVAL after saying what is wrong. verbs ends
 * with a NULL name.
 */
int args_find_verb(const Args *args, const Verb *verbs, const Verb **ret_verb, char ***ret_words);

/* Prints the help of everything, or of one verb (verb not NULL). */
void args_print_help(const Verb *verbs, const Verb *verb);
