/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of notes and reasons. See policy_pattern.h. */
#include "common/policy_pattern.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/policy_value.h"
#include "common/text.h"

static void regex_free_p(regex_t **regex) {
        free(*regex);
}

/* Behind a [...] that begins at p, in which ')' and '\' are characters like any other. */
static const char *skip_bracket(const char *p) {
        p += p[1] == '^' ? 2 : 1;
        p += *p == ']';
        while (*p && *p != ']') {
                char end[] = {p[1], ']', '\0'};
                const char *close = *p == '[' && p[1] && strchr(".:=", p[1]) ? strstr(p + 2, end) : NULL;

                p = close ? close + 2 : p + 1;
        }
        return *p ? p + 1 : p;
}

/* No more than is needed to be refused. */
static unsigned long bounded(unsigned long number) {
        return number > POLICY_PATTERN_COST ? POLICY_PATTERN_COST + 1 : number;
}

/* How often glibc writes out what stands in front of a {2,5}, {2,} or {2} that begins at p; *ret_end is
 * behind it. {2,} is twice and a third time with a star. */
static unsigned long repetitions(const char *p, const char **ret_end) {
        char *end;
        unsigned long low = bounded(strtoul(p + 1, &end, 10)), high = low;

        if (*end == ',' && end[1] == '}')
                high = low + 1;
        else if (*end == ',')
                high = bounded(strtoul(end + 1, &end, 10));
        end += strcspn(end, "}");
        *ret_end = *end ? end + 1 : end;
        return high > low ? high : low;
}

/* Part of a pattern: how long it is with repetitions written out, and how deep they are in one another. */
typedef struct Extent {
        unsigned long size;
        unsigned height;
} Extent;

/* A pattern while it is read: what each open parenthesis holds, and what was read last. */
typedef struct Measure {
        Extent level[POLICY_PATTERN_MAX + 1], last;
        unsigned depth;
        bool repeated; /* what was read last was a repetition */
} Measure;

static void add(Measure *measure, Extent extent) {
        Extent *level = &measure->level[measure->depth];

        level->size += extent.size;
        level->height = extent.height > level->height ? extent.height : level->height;
        measure->last = extent;
        measure->repeated = false;
}

/* What was read last is there so many times. */
static const char *repeat(Measure *measure, unsigned long times) {
        Extent last = measure->last;

        if (measure->repeated)
                return "repeats a repetition; write one, as in {2,5}";
        measure->level[measure->depth].size -= last.size;
        add(measure, (Extent){.size = last.size * times, .height = last.height + 1});
        measure->repeated = true;
        return NULL;
}

/* Takes what is at *p, a character or more. Returns what is wrong with it. */
static const char *take_one(Measure *measure, const char **p) {
        const char *at = *p;

        *p = at + 1;
        switch (*at) {
        case '(':
                measure->level[++measure->depth] = (Extent){.size = 1};
                measure->last = (Extent){0};
                measure->repeated = false;
                return NULL;
        case ')': /* MUST 1: glibc takes one too many for a character, and ours would not be the last */
                if (measure->depth == 0)
                        return "has a ')' without its '('; write \\) for the character";
                measure->depth--;
                add(measure, measure->level[measure->depth + 1]);
                return NULL;
        case '{':
                return repeat(measure, repetitions(at, p));
        case '*':
        case '?':
                return repeat(measure, 1);
        case '+':
                return repeat(measure, 2);
        case '[':
                *p = skip_bracket(at);
                break;
        case '\\':
                *p = at + (at[1] ? 2 : 1);
                if (at[1] >= '1' && at[1] <= '9')
                        return "refers back, which is not supported";
                break;
        default:
                break;
        }
        add(measure, (Extent){.size = 1});
        return NULL;
}

/* MUST 2: (((a{99}){99}){99}){99} fits into a line, and not into memory; and with each loop around a loop
 * compiling takes several times as long. */
static const char *wrong_pattern(const char *pattern) {
        Measure measure = {.depth = 0};

        for (const char *p = pattern; *p;) {
                const char *wrong = take_one(&measure, &p);

                if (wrong)
                        return wrong;
                for (unsigned i = 0; i <= measure.depth; i++) {
                        if (measure.level[i].size > POLICY_PATTERN_COST)
                                return "repeats too much; use smaller numbers in {}";
                        if (measure.level[i].height > POLICY_PATTERN_HEIGHT)
                                return "has repetitions in repetitions in repetitions; use fewer";
                }
        }
        return NULL;
}

/* pattern is compiled alone first, so that the message is about what was written. */
static int compile(const char *pattern, regex_t *ret_regex, char **ret_problem) {
        char anchored[POLICY_PATTERN_MAX + sizeof("^()$")], text[128];
        int e = regcomp(ret_regex, pattern, REG_EXTENDED | REG_NOSUB);

        if (e == 0) {
                regfree(ret_regex);
                (void)snprintf(anchored, sizeof(anchored), "^(%s)$", pattern);
                e = regcomp(ret_regex, anchored, REG_EXTENDED | REG_NOSUB);
        }
        if (e == 0)
                return 0;
        if (e == REG_ESPACE)
                return -ENOMEM;
        (void)regerror(e, NULL, text, sizeof(text));
        return policy_problem(ret_problem, "'%s' is not a regular expression: %s", pattern, text);
}

/* MUST 3. Only this thread's locale changes, and only meanwhile. */
static int compile_alike(const char *pattern, regex_t *ret_regex, char **ret_problem) {
        locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before;
        int r;

        if (!plain)
                return -ENOMEM;
        before = uselocale(plain);
        r = compile(pattern, ret_regex, ret_problem);
        (void)uselocale(before);
        freelocale(plain);
        return r;
}

int policy_pattern_parse(const char *pattern, regex_t **ret_compiled, char **ret_problem) {
        PEERAUTH_CLEANUP(regex_free_p) regex_t *compiled = NULL;
        const char *wrong = NULL;
        int r;

        if (pattern[0] == '\0' || pattern[0] == ' ' || pattern[0] == '\t')
                return policy_problem(ret_problem, "the pattern must stand right behind 'match:'");
        if (strlen(pattern) > POLICY_PATTERN_MAX)
                return policy_problem(ret_problem, "the pattern is longer than %d bytes", POLICY_PATTERN_MAX);
        wrong = text_is_plain(pattern, SIZE_MAX) ? wrong_pattern(pattern)
                                                 : "has an invisible character, or is not UTF-8";
        if (wrong)
                return policy_problem_value(ret_problem, pattern, wrong);
        compiled = calloc(1, sizeof(*compiled));
        if (!compiled)
                return -ENOMEM;
        r = compile_alike(pattern, compiled, ret_problem);
        if (r == 0)
                *ret_compiled = STEAL_PTR(compiled);
        return r;
}
