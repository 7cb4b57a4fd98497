/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who must approve: how expressions are read, and what people write instead, with the remedy they get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_expression.h"

/* "ops:1&security:1|mum,dad:2", and a '/' where those begin that open later. */
static void describe(const Quorum *quorum, const PolicyPart *parts, char ret[512]) {
        FILE *f = fmemopen(ret, 512, "w");

        for (unsigned i = 0; i < quorum->n_alternatives; i++) {
                const char *separator = i == 0 ? "" : "|";

                for (unsigned part = 0; part < quorum->n_parts; part++) {
                        char **users = parts[part].users;

                        if (!(quorum->alternatives[i] & 1U << part))
                                continue;
                        assert_true(!users != !parts[part].group);
                        fputs(i == quorum->n_first && strcmp(separator, "&") != 0 ? "/" : separator, f);
                        fputs(users ? users[0] : parts[part].group, f);
                        for (users = users ? users + 1 : NULL; users && *users; users++)
                                fprintf(f, ",%s", *users);
                        fprintf(f, ":%u", quorum->needed[part]);
                        separator = "&";
                }
        }
        fclose(f);
}

static const struct {
        const char *value, *expected;
} accepted[] = {
        {"ops", "ops:1"},
        {"ops:2", "ops:2"},
        {"ops:32", "ops:32"},
        {" \tops  ", "ops:1"},
        {"ops:1 and security:1", "ops:1&security:1"},
        {"ops or security", "ops:1|security:1"},
        {"ops:1 and security:1 or managers:2 or {mum dad}", "ops:1&security:1|managers:2|mum,dad:1"},
        {"a or b and c", "a:1|b:1&c:1"},
        {"a and b\tor  c and d", "a:1&b:1|c:1&d:1"},
        {"{mum dad}:2", "mum,dad:2"},
        {"{ mum, dad }:2 and ops", "mum,dad:2&ops:1"},
        {"{mum}", "mum:1"},
        {"{mum} and {dad}", "mum:1&dad:1"},
        {"ops and ops", "ops:1&ops:1"}, /* two of them, as ops:2 */
        {"android or ori", "android:1|ori:1"},
        {"c++-devs and R&D", "c++-devs:1&R&D:1"},
        {"CORP\\ops:2", "CORP\\ops:2"},
        {"a:16 and b:16 or c:32", "a:16&b:16|c:32"},
        {"a or b or c or d or e or f or g or h", "a:1|b:1|c:1|d:1|e:1|f:1|g:1|h:1"},
        {"a and b and c and d and e and f and g and h and i and j and k and l and m and n and o and p",
         "a:1&b:1&c:1&d:1&e:1&f:1&g:1&h:1&i:1&j:1&k:1&l:1&m:1&n:1&o:1&p:1"},
};

static void test_accepted(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
                PolicyExpression expression = {0};
                char *problem = NULL, text[512] = "";
                int r = policy_expression_parse(accepted[i].value, &expression, &problem);

                if (r != 0 || problem)
                        fail_msg("%d, \"%s\" for \"%s\"", r, problem ? problem : "", accepted[i].value);
                describe(&expression.quorum, expression.parts, text);
                assert_string_equal(text, accepted[i].expected);
                assert_int_equal(expression.quorum.n_first, expression.quorum.n_alternatives);
                policy_expression_done(&expression);
                assert_int_equal(expression.quorum.n_alternatives, 0);
        }
}

#define JOIN      "is not understood; parts are joined by the words 'and' and 'or'"
#define SMALL     "is written in small letters: 'and', 'or'"
#define MISSING   "joins two parts, and one is missing; a group of this name cannot be used here"
#define NO_JOINT  "has neither 'and' nor 'or' in front of it"
#define ENDS      "ends where a group or {accounts} must stand"
#define PREFIX    "has a prefix; a group is named without one"
#define OPEN      "has a '{' without its '}'; write accounts as in {mum dad}:2"
#define BRACE     "has a brace that has no counterpart; accounts are listed as in {mum dad}:2"
#define TOO_MANY  "asks for more people than it lists; name more accounts, or ask for fewer"
#define TOGETHER  "those of Reviewers= and EscalateTo= together; put people into fewer groups"
#define WILDCARD  "has a wildcard, and there are none; name a group, and a number as in ops:2"
#define NO_NUMBER "is not a number of approvals from 1 to 32"
#define PARENTHESIS \
        "has a parenthesis, and there are none; 'and' binds tighter than 'or', so write every alternative out"
#define GOES_ON "goes on behind '}'; write a number as in {mum dad}:2, or 'and' or 'or' with spaces"

static const struct {
        const char *value, *problem;
} refused[] = {
        {"", "'' " ENDS},
        {"   ", "'   ' " ENDS},
        {"ops:1 AND security:1", "'AND' " SMALL},
        {"ops Or security", "'Or' " SMALL},
        {"ops:1, security:1", "'ops:1,' " JOIN},
        {"ops:1,security:1", "'ops:1,security:1' " JOIN},
        {"ops:1 , security:1", "',' " JOIN},
        {"ops;security", "'ops;security' " JOIN},
        {"ops & security", "'&' " JOIN},
        {"ops&&security", "'ops&&security' " JOIN},
        {"ops || security", "'||' " JOIN},
        {"ops|security", "'ops|security' " JOIN},
        {"ops + security", "'+' " JOIN},
        {"{mum dad}, ops", "'{mum dad},' " GOES_ON},
        {"ops security", "'security' " NO_JOINT},
        {"ops:1 security:1", "'security:1' " NO_JOINT},
        {"ops {mum dad}", "'{mum dad}' " NO_JOINT},
        {"ops not security", "'not' " NO_JOINT},
        {"ops and", "'ops and' " ENDS},
        {"ops or ", "'ops or ' " ENDS},
        {"and ops", "'and' " MISSING},
        {"ops or or security", "'or' " MISSING},
        {"ops and or security", "'or' " MISSING},
        {"AND", "'AND' " MISSING},
        {"@ops", "'@ops' " PREFIX},
        {"%ops:2", "'%ops:2' " PREFIX},
        {"(ops or security) and managers", "'(ops' " PARENTHESIS},
        {"ops(2)", "'ops(2)' " PARENTHESIS},
        {"ops*2", "'ops*2' " WILDCARD},
        /* numbers */
        {"ops:0", "'0' " NO_NUMBER},
        {"ops:33", "'33' " NO_NUMBER},
        {"ops:4294967297", "'4294967297' " NO_NUMBER},
        {"ops:-1", "'-1' " NO_NUMBER},
        {"ops:02", "'02' " NO_NUMBER},
        {"ops:2x", "'2x' " NO_NUMBER},
        {"ops:two", "'two' " NO_NUMBER},
        {"2:ops", "'ops' " NO_NUMBER},
        {"ops:", "'ops:' has no number behind ':'; write it without a space, as in ops:2"},
        {"ops: 2", "'ops:' has no number behind ':'; write it without a space, as in ops:2"},
        {"ops :2", "':2' stands behind a space; write it without, as in ops:2"},
        {"{mum dad} :2", "':2' stands behind a space; write it without, as in ops:2"},
        {":2", "':2' has no group in front of ':'; write the name, as in ops:2"},
        {"2 ops", "'2' is a number; it stands behind the group, as in ops:2"},
        {"1000:2", "'1000' is a number; write the name"},
        {"ops:2:2", "'ops:2' has a character that no name has"},
        {"a:16 and b:17", "one alternative asks for more than 32 approvals; ask for fewer"},
        {"a or {b}:1 and c:32", "one alternative asks for more than 32 approvals; ask for fewer"},
        /* braces */
        {"{mum dad", "'{mum dad' " OPEN},
        {"{mum dad or ops", "'{mum dad or ops' " OPEN},
        {"{", "'{' " OPEN},
        {"{mum {dad}}", "'{mum {dad}}' " OPEN},
        {"mum dad}", "'dad}' " NO_JOINT},
        {"mum}", "'mum}' " BRACE},
        {"ops:{mum}", "'ops:{mum}' " BRACE},
        {"}", "'}' " BRACE},
        {"{mum dad}2", "'{mum dad}2' " GOES_ON},
        {"{mum}or{dad}", "'{mum}or{dad}' " GOES_ON},
        {"{mum}}", "'{mum}}' " GOES_ON},
        {"{}", "'{}' has no account; write them as in {mum dad}"},
        {"{ , }:1", "'{}' has no account; write them as in {mum dad}"},
        {"{mum dad}:3", "'{mum dad}:3' " TOO_MANY},
        {"{mum dad}:0", "'0' " NO_NUMBER},
        {"{mum dad}:", "'' " NO_NUMBER},
        {"{mum mum}:2", "'mum' stands twice in the braces, and counts once"},
        {"{mum:1 dad}", "'mum:1' has a number; it stands behind the brace, as in {mum dad}:2"},
        {"{mum and dad}", "'and' stands in braces; accounts are separated by spaces, and one of this name "
                          "cannot be used here"},
        {"{@ops}", "'@ops' is a group, and braces hold accounts; write it without prefix and braces"},
        {"{mum *}", "'*' has a wildcard, and there are none; name the accounts"},
        {"{mum 1000}", "'1000' is a number; write the name"},
        /* limits, and text that must not reach a terminal */
        {"a or b or c or d or e or f or g or h or i", "more than 8 alternatives, " TOGETHER},
        {"a and b and c and d and e and f and g and h and i and j and k and l and m and n and o and p or q",
         "more than 16 parts, " TOGETHER},
        {"ops\x1b]2J", "'ops\\x1b]2J' " WILDCARD},
        {"o\xe2\x80\x8bps", "'o\\u{200b}ps' has an invisible character, or is not UTF-8"},
};

static void test_refused(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
                PolicyExpression expression = {.quorum.n_parts = 77};
                char *problem = NULL;
                int r = policy_expression_parse(refused[i].value, &expression, &problem);

                if (r != -EINVAL || !problem || strcmp(problem, refused[i].problem) != 0)
                        fail_msg("%d, \"%s\"\ninstead of \"%s\"\nfor \"%s\"", r, problem ? problem : "",
                                 refused[i].problem, refused[i].value);
                assert_int_equal(expression.quorum.n_parts, 77); /* not written */
                free(problem);
        }
}

static PolicyExpression parse(const char *value) {
        PolicyExpression expression = {0};
        char *problem = NULL;

        if (*value)
                assert_int_equal(policy_expression_parse(value, &expression, &problem), 0);
        return expression;
}

static void test_join(void **unused) {
        (void)unused;
        static const struct {
                const char *first, *later, *expected, *problem;
        } table[] = {
                {"a and b or {c d}:2", "e or f:3 and g", "a:1&b:1|c,d:2/e:1|f:3&g:1", NULL},
                {"a", "", "a:1", NULL},
                {"", "a or b", "/a:1|b:1", NULL},
                {"a or b or c or d or e or f or g", "h", "a:1|b:1|c:1|d:1|e:1|f:1|g:1/h:1", NULL},
                {"a or b or c or d or e or f or g", "h or i", NULL, "more than 8 alternatives, " TOGETHER},
                {"a and b and c and d and e and f and g and h", "a and b and c and d and e and f and g and h",
                 "a:1&b:1&c:1&d:1&e:1&f:1&g:1&h:1/a:1&b:1&c:1&d:1&e:1&f:1&g:1&h:1", NULL},
                {"a and b and c and d and e and f and g and h",
                 "a and b and c and d and e and f and g and h or i", NULL, "more than 16 parts, " TOGETHER},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                PolicyExpression first = parse(table[i].first), later = parse(table[i].later);
                PolicyRule rule = {0};
                char *problem = NULL, text[512] = "";
                int r = policy_expression_join(&first, &later, &rule, &problem);

                assert_int_equal(r, table[i].problem ? -EINVAL : 0);
                if (table[i].problem)
                        assert_string_equal(problem, table[i].problem);
                describe(&rule.quorum, rule.parts, text);
                assert_string_equal(text, table[i].expected ? table[i].expected : "");
                free(problem);
                policy_expression_done(&first);
                policy_expression_done(&later);
                policy_rule_done(&rule);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_join),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
