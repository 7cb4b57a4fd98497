/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of the policy, each with the message that its author needs. See policy_value.h. */
#include "common/policy_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/protocol.h"
#include "common/strv.h"
#include "common/text.h"

enum { SHOWN_MAX = 80 }; /* bytes of a value that a message repeats */

#define NAME_SEPARATORS " \t,"

int policy_problem(char **ret_problem, const char *format, ...) {
        char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;
        *ret_problem = text;
        return -EINVAL;
}

int policy_problem_value(char **ret_problem, const char *value, const char *rest) {
        _cleanup_free_ char *shown = text_safe(value, SHOWN_MAX);

        return shown ? policy_problem(ret_problem, "'%s' %s", shown, rest) : -ENOMEM;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Characters that stand for something in other programs' rules (sudoers, access.conf, sssd) or in this
 * one. Taken literally they would match nobody. */
static const char *wrong_name(const char *name) {
        if (strpbrk(name, NAME_SEPARATORS))
                return "is more than one name, and one is expected";
        if (strlen(name) > PEERAUTH_USER_MAX)
                return "is longer than a name may be";
        if (strpbrk(name, "*?[]"))
                return "has a wildcard, and there are none; leave the key out to match everything";
        if (strchr("!~-", name[0]))
                return "cannot be turned round or begin with '-'; write an earlier rule for the exception";
        if (strchr("%@+&:", name[0]))
                return "has a prefix; a group is named by Group=, without a prefix";
        if (strpbrk(name, "\"'#;=:/<>(){}|`"))
                return "has a character that no name has";
        if (name[strspn(name, "0123456789")] == '\0')
                return "is a number; write the name";
        return NULL;
}

int policy_value_name(const char *value, char **ret_name, char **ret_problem) {
        const char *wrong = wrong_name(value);
        char *name;

        if (value[0] == '\0')
                return policy_problem(ret_problem, "a name is missing");
        if (!wrong && !text_is_plain(value, SIZE_MAX))
                wrong = "has an invisible character, or is not UTF-8";
        if (wrong)
                return policy_problem_value(ret_problem, value, wrong);
        name = strdup(value);
        if (!name)
                return -ENOMEM;
        *ret_name = name;
        return 0;
}

int policy_value_names(const char *value, char ***ret_names, char **ret_problem) {
        _cleanup_strv_ char **names = NULL;
        const char *p = value + strspn(value, NAME_SEPARATORS);

        while (*p) {
                size_t size = strcspn(p, NAME_SEPARATORS);
                _cleanup_free_ char *word = strndup(p, size), *name = NULL;
                int r;

                if (!word)
                        return -ENOMEM;
                r = policy_value_name(word, &name, ret_problem);
                if (r < 0)
                        return r;
                r = strv_append(&names, name);
                if (r < 0)
                        return r;
                p += size;
                p += strspn(p, NAME_SEPARATORS);
        }
        if (!names)
                return policy_problem(ret_problem, "there is no name in the list");
        *ret_names = STEAL_PTR(names);
        return 0;
}

int policy_value_number(const char *value, unsigned max, const char *what, unsigned *ret_number,
                        char **ret_problem) {
        size_t n_digits = strspn(value, "0123456789");
        unsigned number = 0;

        for (size_t i = 0; i < n_digits && number <= max; i++)
                number = number * 10 + (unsigned)(value[i] - '0');
        if (n_digits == 0 || value[n_digits] != '\0' || value[0] == '0' || number > max) {
                _cleanup_free_ char *shown = text_safe(value, SHOWN_MAX);

                if (!shown)
                        return -ENOMEM;
                return policy_problem(ret_problem, "'%s' is not a number of %s from 1 to %u", shown, what,
                                      max);
        }
        *ret_number = number;
        return 0;
}

/* One NUMBER UNIT at *p, which moves behind it. At most five digits, so that no sum of a line's worth of
 * hours overflows. */
static int duration_part(const char **p, uint64_t *usec) {
        static const struct {
                const char *name;
                uint64_t seconds;
        } units[] = {{"s", 1}, {"sec", 1}, {"min", 60}, {"h", 3600}};
        uint64_t number = 0;
        unsigned n_digits = 0;
        size_t size;

        for (; is_digit(**p); (*p)++, n_digits++)
                number = n_digits < 5 ? number * 10 + (uint64_t)(**p - '0') : number;
        *p += strspn(*p, " \t");
        size = strspn(*p, "abcdefghijklmnopqrstuvwxyz");
        for (size_t i = 0; n_digits > 0 && n_digits <= 5 && i < sizeof(units) / sizeof(units[0]); i++) {
                if (strlen(units[i].name) != size || strncmp(*p, units[i].name, size) != 0)
                        continue;
                *usec += number * units[i].seconds * PEERAUTH_USEC_PER_SEC;
                *p += size;
                *p += strspn(*p, " \t");
                return 0;
        }
        return -EINVAL;
}

int policy_value_duration(const char *value, const PolicyLimits *limits, uint64_t *ret_usec,
                          char **ret_problem) {
        uint64_t usec = 0;
        const char *p = value;
        int r;

        do
                r = duration_part(&p, &usec);
        while (r == 0 && *p);
        if (r < 0)
                return policy_problem_value(ret_problem, value,
                                            "is not a duration; write a number and s, min or h, as in 5min");
        if (usec < limits->min_usec || usec > limits->max_usec)
                return policy_problem(ret_problem, "%llus is not between %llus and %llus (%s)",
                                      usec / PEERAUTH_USEC_PER_SEC, limits->min_usec / PEERAUTH_USEC_PER_SEC,
                                      limits->max_usec / PEERAUTH_USEC_PER_SEC, limits->max_reason);
        *ret_usec = usec;
        return 0;
}

int policy_value_boolean(const char *value, bool *ret_boolean, char **ret_problem) {
        static const char *const words[] = {"no", "yes"};
        unsigned i = 0;
        int r = policy_value_word(value, words, 2, &i, ret_problem);

        if (r == 0)
                *ret_boolean = i == 1;
        return r;
}

int policy_value_word(const char *value, const char *const *words, unsigned n, unsigned *ret_index,
                      char **ret_problem) {
        char expected[128] = "is not one of:";
        size_t used = strlen(expected);

        for (unsigned i = 0; i < n; i++) {
                if (strcmp(value, words[i]) == 0) {
                        *ret_index = i;
                        return 0;
                }
                used += (size_t)snprintf(expected + used, sizeof(expected) - used, " %s", words[i]);
        }
        return policy_problem_value(ret_problem, value, expected);
}
