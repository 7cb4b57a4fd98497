/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options and verbs: read, checked and explained from the same two tables.
 */
#include "cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "common/text.h"

enum { OPTION_JSON = 0x100, OPTION_NO_PAGER, OPTION_TEXT, OPTION_FLAG, LONG_OPTION = 0x200 };

typedef struct Option {
        const char *name;
        char letter;
        const char *argument; /* NULL: takes none */
        int kind;             /* OPTION_TEXT or _FLAG: stored at offset; else store() knows it */
        size_t offset;
        unsigned bit; /* 0: every verb takes it */
        const char *help;
} Option;

static const Option options[] = {
        {"json", 0, "pretty|short|off", OPTION_JSON, 0, 0, "Print JSON instead of text"},
        {NULL, 'j', NULL, 'j', 0, 0, "Same as --json=pretty on a terminal, --json=short otherwise"},
        {"no-legend", 0, NULL, OPTION_FLAG, offsetof(Args, no_legend), 0, "Print no column headings"},
        {"no-pager", 0, NULL, OPTION_NO_PAGER, 0, 0, "Accepted for habit; no pager is ever started"},
        {"quiet", 'q', NULL, OPTION_FLAG, offsetof(Args, quiet), 0, "Print errors only"},
        {"bus", 0, "ADDRESS", OPTION_TEXT, offsetof(Args, bus), 0, "Use this D-Bus address (for tests)"},
        {"help", 'h', NULL, OPTION_FLAG, offsetof(Args, help), 0, "Print this help"},
        {"version", 0, NULL, OPTION_FLAG, offsetof(Args, version), 0, "Print the version"},
        {"note", 'm', "TEXT", OPTION_TEXT, offsetof(Args, note), ARG_NOTE, "Why; recorded in the ledger"},
        {"yes", 'y', NULL, OPTION_FLAG, offsetof(Args, yes), ARG_YES,
         "Do not ask: with --all, where the rule shows the code (Code=compare), or before something is void"},
        {"all", 0, NULL, OPTION_FLAG, offsetof(Args, all), ARG_ALL,
         "Every request that waits and that the following options fit"},
        {"user", 'u', "ACCOUNT", OPTION_TEXT, offsetof(Args, user), ARG_USER,
         "Account that logs in, or whose ways of recovery are meant"},
        {"service", 's', "SERVICE", OPTION_TEXT, offsetof(Args, service), ARG_SERVICE, "PAM service"},
        {"rhost", 0, "HOST", OPTION_TEXT, offsetof(Args, rhost), ARG_RHOST, "Host that the login comes from"},
        {"tty", 0, "TERMINAL", OPTION_TEXT, offsetof(Args, tty), ARG_TTY, "Terminal of the login"},
        {"time", 0, "TIME", OPTION_TEXT, offsetof(Args, time), ARG_TIME,
         "\"2026-11-21 22:30\" or \"Sat 22:30\"; now if not given"},
        {"stage", 0, "auth|account", OPTION_TEXT, offsetof(Args, stage), ARG_STAGE,
         "account: the login was authenticated without peerauth"},
        {"conf-dir", 0, "DIR", OPTION_TEXT, offsetof(Args, conf_dir), ARG_CONF_DIR,
         "Administrator's policy (default /etc/peerauth)"},
        {"vendor-dir", 0, "DIR", OPTION_TEXT, offsetof(Args, vendor_dir), ARG_VENDOR_DIR,
         "Shipped policy (default /usr/lib/peerauth)"},
        {"strict", 0, NULL, OPTION_FLAG, offsetof(Args, strict), ARG_STRICT, "Fail if there are warnings"},
        {"format", 0, "sqlite|jsonl", OPTION_TEXT, offsetof(Args, format), ARG_FORMAT, "Form of the export"},
        {"output", 'o', "FILE", OPTION_TEXT, offsetof(Args, output), ARG_OUTPUT,
         "Where to write it; - is the standard output (jsonl only)"},
        {"force", 'f', NULL, OPTION_FLAG, offsetof(Args, force), ARG_FORCE, "Replace files that exist"},
        {"checkpoint", 0, "FILE", OPTION_TEXT, offsetof(Args, checkpoint), ARG_CHECKPOINT,
         "Earlier checkpoint that the ledger must still contain"},
        {"vkey", 0, "KEY|FILE", OPTION_TEXT, offsetof(Args, vkey), ARG_VKEY,
         "Verifier key, or a file with it"},
        {"lines", 'n', "NUMBER", 'n', 0, ARG_LINES, "Print the newest NUMBER entries (default: all)"},
};
enum { N_OPTIONS = sizeof(options) / sizeof(options[0]) };

static int parse_json(Args *args, const char *word) {
        if (strcmp(word, "pretty") == 0)
                args->json = JSON_PRETTY;
        else if (strcmp(word, "short") == 0)
                args->json = JSON_SHORT;
        else if (strcmp(word, "off") == 0)
                args->json = JSON_OFF;
        else
                return -EINVAL;
        return 0;
}

static int parse_number(const char *word, uint64_t *ret) {
        char *end;

        errno = 0;
        *ret = strtoull(word, &end, 10);
        /* strtoull() takes "-1" and " 1" too */
        return errno || *end || word[0] < '0' || word[0] > '9' || *ret == 0 ? -EINVAL : 0;
}

static int store(Args *args, const Option *option, const char *value) {
        void *slot = (char *)args + option->offset;
        int r = 0;

        switch (option->kind) {
        case OPTION_TEXT:
                *(const char **)slot = value;
                break;
        case OPTION_FLAG:
                *(bool *)slot = true;
                break;
        case OPTION_JSON:
                r = parse_json(args, value);
                break;
        case 'j':
                args->json = output_is_terminal() ? JSON_PRETTY : JSON_SHORT;
                break;
        case 'n':
                r = parse_number(value, &args->lines);
                break;
        default: /* --no-pager */
                break;
        }
        if (r < 0)
                (void)cli_fail(r, "--%s takes %s, not '%s'; see peerauthctl --help", option->name,
                               option->argument, value);
        args->given |= option->bit;
        return r;
}

/* Makes getopt's two descriptions; LONG_OPTION + 1 + N of the long ones stands for options[N]. */
static void describe(struct option ret_long[N_OPTIONS + 1], char ret_short[2 * N_OPTIONS + 2]) {
        size_t n_long = 0, n_short = 0;

        ret_short[n_short++] = ':'; /* we report errors ourselves, on one line and harmless */
        for (int i = 0; i < N_OPTIONS; i++) {
                if (options[i].name)
                        ret_long[n_long++] = (struct option){
                                options[i].name, options[i].argument ? required_argument : no_argument, NULL,
                                LONG_OPTION + 1 + i};
                if (options[i].letter) {
                        ret_short[n_short++] = options[i].letter;
                        if (options[i].argument)
                                ret_short[n_short++] = ':';
                }
        }
        ret_long[n_long] = (struct option){0};
        ret_short[n_short] = '\0';
}

static const Option *find_option(int value) {
        if (value > LONG_OPTION)
                return &options[value - LONG_OPTION - 1];
        for (int i = 0; i < N_OPTIONS; i++)
                if (options[i].letter == value)
                        return &options[i];
        return NULL;
}

int args_check_note(const char *note) {
        size_t size = note ? strlen(note) : 0;
        uint32_t character;
        int length;

        if (size > PEERAUTH_NOTE_MAX)
                return cli_fail(-EINVAL, "a note has at most %d bytes; this one has %zu", PEERAUTH_NOTE_MAX,
                                size);
        for (size_t i = 0; i < size; i += (size_t)length) {
                length = text_decode_utf8(note + i, size - i, &character);
                if (length < 0)
                        return cli_fail(-EINVAL, "the note is not UTF-8; check the locale of your terminal");
        }
        return 0;
}

int args_parse(int argc, char **argv, Args *ret_args) {
        struct option long_options[N_OPTIONS + 1];
        char short_options[2 * N_OPTIONS + 2];
        Args args = {0};
        int value, r;

        describe(long_options, short_options);
        while ((value = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
                /* Of a cluster such as -jX getopt is still inside that word. */
                const char *word = optind > 1 && optind <= argc ? argv[optind - 1] : "";

                if (value == ':')
                        return cli_fail(-EINVAL, "option '%s' needs a value; see peerauthctl --help", word);
                if (value == '?' && optopt > LONG_OPTION)
                        return cli_fail(-EINVAL, "option '%s' takes no value; see peerauthctl --help", word);
                if (value == '?')
                        return cli_fail(
                                -EINVAL,
                                "unknown option in '%s'; see peerauthctl --help, and write -- before a name "
                                "that begins with a dash",
                                optopt ? (char[]){'-', (char)optopt, '\0'} : word);
                r = store(&args, find_option(value), optarg);
                if (r < 0)
                        return r;
        }
        args.words = argv + optind;
        r = args_check_note(args.note);
        if (r < 0)
                return r;
        *ret_args = args;
        return 0;
}

/* How many words of the command line the verb's name is: 0 if it is another verb. */
static unsigned match_verb(const Verb *verb, char **words) {
        const char *second = strchr(verb->name, ' ');
        size_t size = second ? (size_t)(second - verb->name) : strlen(verb->name);

        if (!words[0] || strlen(words[0]) != size || strncmp(words[0], verb->name, size) != 0)
                return 0;
        if (!second)
                return 1;
        return words[1] && strcmp(words[1], second + 1) == 0 ? 2 : 0;
}

static int check_options(const Args *args, const Verb *verb) {
        for (int i = 0; i < N_OPTIONS; i++)
                if (options[i].bit & args->given & ~verb->options)
                        return cli_fail(-EINVAL, "'%s' takes no --%s; see peerauthctl %s --help", verb->name,
                                        options[i].name, verb->name);
        return 0;
}

static int unknown_verb(const Verb *verbs, char **words) {
        size_t size = strlen(words[0]);

        for (const Verb *verb = verbs; verb->name; verb++)
                if (strncmp(verb->name, words[0], size) == 0 && verb->name[size] == ' ')
                        return cli_fail(-EINVAL,
                                        "'%s' needs one of its own verbs, as in '%s'; see peerauthctl --help",
                                        words[0], verb->name);
        return cli_fail(-EINVAL, "unknown verb '%s'; see peerauthctl --help", words[0]);
}

int args_find_verb(const Args *args, const Verb *verbs, const Verb **ret_verb, char ***ret_words) {
        const Verb *verb = verbs;
        unsigned name_words = 0, n_words = 0;
        char **words = args->words;

        if (words[0]) {
                while (verb->name && (name_words = match_verb(verb, words)) == 0)
                        verb++;
                if (!verb->name)
                        return unknown_verb(verbs, words);
        }
        words += name_words;
        while (words[n_words])
                n_words++;
        if (!args->help) {
                if (n_words < verb->min_words || n_words > verb->max_words)
                        return cli_fail(-EINVAL, "usage: peerauthctl %s%s%s; see peerauthctl %s --help",
                                        verb->name, *verb->arguments ? " " : "", verb->arguments, verb->name);
                if (check_options(args, verb) < 0)
                        return -EINVAL;
        }
        *ret_verb = verb;
        *ret_words = words;
        return 0;
}

static void print_option(const Option *option) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s%.1s%s%s%s%s%s", option->letter ? "-" : "  ",
                       option->letter ? &option->letter : "", option->letter && option->name ? " " : "",
                       option->name ? "--" : "", option->name ? option->name : "",
                       option->argument ? "=" : "", option->argument ? option->argument : "");
        (void)printf("  %-28s %s\n", text, option->help);
}

void args_print_help(const Verb *verbs, const Verb *verb) {
        char text[64];

        if (verb)
                (void)printf("peerauthctl [OPTION...] %s%s%s\n\n%s.\n\n", verb->name,
                             *verb->arguments ? " " : "", verb->arguments, verb->help);
        else {
                (void)printf(
                        "peerauthctl [OPTION...] [VERB [ARGUMENT...]]\n\n"
                        "Review the logins that wait for a colleague, and audit past decisions.\n\nVerbs:\n");
                for (const Verb *v = verbs; v->name; v++) {
                        (void)snprintf(text, sizeof(text), "%s %s", v->name, v->arguments);
                        (void)printf("  %-28s %s\n", text, v->help);
                }
                (void)printf("\n");
        }
        (void)printf("Options:\n");
        for (int i = 0; i < N_OPTIONS; i++)
                if (!verb || !options[i].bit || (options[i].bit & verb->options))
                        print_option(&options[i]);
        (void)printf("\nExit status: 0 ok, 1 error, 2 usage, 3 not found or expired, 4 refused,\n"
                     "5 ledger does not verify, 6 broker out of reach, 7 needs privilege.\n"
                     "See peerauthctl(1).\n");
}
