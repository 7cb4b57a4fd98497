/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the module's arguments; docs/pam_peerauth.8.scd is checked against it. */
#include "pam_peerauth/options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/protocol.h"
#include "common/text.h"

typedef enum OptionType { OPTION_FLAG, OPTION_SECONDS, OPTION_SERVICES, OPTION_ADDRESS } OptionType;

typedef struct OptionRow {
        const char *name;
        OptionType type;
        size_t offset;
        uint64_t min, max; /* seconds */
        const char *fallback, *help;
} OptionRow;

static const OptionRow option_rows[] = {
        {"timeout", OPTION_SECONDS, offsetof(Options, timeout_usec), 10, 600, "600",
         "longest wait for a decision; the rule and the front end may allow less"},
        {"connect", OPTION_SECONDS, offsetof(Options, connect_usec), 1, 60, "20",
         "longest wait for the broker's first answer, its start by the bus included"},
        {"grace", OPTION_SECONDS, offsetof(Options, grace_usec), 0, 3600, "120",
         "LoginGraceTime of sshd, whose logins alone it concerns; 0: no limit"},
        {"skip", OPTION_SERVICES, offsetof(Options, skip), 0, 0, PEERAUTH_SERVICES_SKIPPED,
         "further services, with commas between, whose account stage passes without the broker"},
        {"debug", OPTION_FLAG, offsetof(Options, debug), 0, 0, "off", "log each step"},
        {"bus", OPTION_ADDRESS, offsetof(Options, bus), 0, 0, "the system bus",
         "address of the message bus, for tests"},
};

static const char *const type_names[] = {[OPTION_FLAG] = "flag",
                                         [OPTION_SECONDS] = "seconds",
                                         [OPTION_SERVICES] = "services",
                                         [OPTION_ADDRESS] = "address"};

enum { OPTION_ROWS = sizeof(option_rows) / sizeof(option_rows[0]), SECONDS_DIGITS_MAX = 5 };

/* strtoul() would take signs, white space and overflow. */
static int parse_seconds(const char *text, const OptionRow *row, uint64_t *ret_usec) {
        size_t size = strlen(text);
        uint64_t value = 0;

        if (size == 0 || size > SECONDS_DIGITS_MAX || strspn(text, "0123456789") != size)
                return -EINVAL;
        for (const char *c = text; *c; c++)
                value = value * 10 + (uint64_t)(*c - '0');
        if (value < row->min || value > row->max)
                return -EINVAL;
        *ret_usec = value * PEERAUTH_USEC_PER_SEC;
        return 0;
}

/* PAM's names of services are lower case. What could never match is a typing error. */
static bool list_is_valid(const char *list) {
        for (const char *p = list;;) {
                size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789._@+-");

                if (n == 0 || n > PEERAUTH_SERVICE_MAX || (p[n] && p[n] != ','))
                        return false;
                if (!p[n])
                        return true;
                p += n + 1;
        }
}

static int parse_value(const OptionRow *row, const char *value, Options *options) {
        void *slot = (char *)options + row->offset;

        switch (row->type) {
        case OPTION_FLAG:
                if (value)
                        return -EINVAL;
                *(bool *)slot = true;
                return 0;
        case OPTION_SECONDS:
                return value ? parse_seconds(value, row, slot) : -EINVAL;
        case OPTION_SERVICES: /* given twice, the first would be lost without a word */
                if (!value || *(const char **)slot || !list_is_valid(value))
                        return -EINVAL;
                *(const char **)slot = value;
                return 0;
        case OPTION_ADDRESS:
                if (!value || strncmp(value, "unix:", strlen("unix:")) != 0)
                        return -EINVAL;
                *(const char **)slot = value;
                return 0;
        }
        return -EINVAL;
}

static int parse_argument(const char *argument, Options *options) {
        size_t size = strcspn(argument, "=");

        for (const OptionRow *row = option_rows; row < option_rows + OPTION_ROWS; row++)
                if (strlen(row->name) == size && strncmp(row->name, argument, size) == 0)
                        return parse_value(row, argument[size] ? argument + size + 1 : NULL, options);
        return -EINVAL;
}

int options_parse(int argc, const char **argv, Options *ret_options, const char **ret_bad) {
        Options options = {
                .timeout_usec = PEERAUTH_EXPIRES_MAX_USEC,
                .connect_usec = 20 * PEERAUTH_USEC_PER_SEC,
                .grace_usec = 120 * PEERAUTH_USEC_PER_SEC,
        };

        for (int i = 0; i < argc; i++)
                if (parse_argument(argv[i], &options) < 0) {
                        *ret_bad = argv[i];
                        return -EINVAL;
                }
        *ret_options = options;
        return 0;
}

bool options_skips(const Options *options, const char *service) {
        return text_lists(PEERAUTH_SERVICES_SKIPPED, service) || text_lists(options->skip, service);
}

void options_print(FILE *out) {
        for (const OptionRow *row = option_rows; row < option_rows + OPTION_ROWS; row++)
                (void)fprintf(out, "%s\t%s\t%s\t%s\n", row->name, type_names[row->type], row->fallback,
                              row->help);
}
