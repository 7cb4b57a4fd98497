/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of a rule: each value, each default, and which keys make sense together, in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_key.h"
#include "common/strv.h"

enum { SECOND = 1000000 };

/* Lines of Key=Value -> a draft; the last of them first if backwards. */
static int apply(const char *text, bool backwards, PolicyDraft *draft, char **ret_problem) {
        char *copy = strdup(text), *rest = copy, *line, *lines[32];
        int n = 0, r = 0;

        *draft = (PolicyDraft){0};
        *ret_problem = NULL;
        while ((line = strsep(&rest, "\n")))
                if (*line)
                        lines[n++] = line;
        for (int i = 0; i < n && r == 0; i++) {
                char *value = lines[backwards ? n - 1 - i : i], *key = strsep(&value, "=");

                r = policy_key_apply(draft, key, value, ret_problem);
        }
        if (r == 0)
                r = policy_key_finish(draft, ret_problem);
        free(copy);
        return r;
}

static PolicyDraft parse(const char *text, bool backwards) {
        PolicyDraft draft;
        char *problem;
        int r = apply(text, backwards, &draft, &problem);

        if (r != 0 || problem)
                fail_msg("%d, \"%s\" for:\n%s", r, problem ? problem : "", text);
        return draft;
}

static const char every_key[] = "Service=sshd\n"
                                "User=alice bert\n"
                                "Group=staff\n"
                                "Tty=tty* /dev/pts/3\n"
                                "Location=remote\n"
                                "Address=10.0.0.0/8 2001:db8::/32\n"
                                "Time=Mon-Fri 08:00-18:00, Sun\n"
                                "Action=monitor\n"
                                "Reviewers=ops:2 or {mum dad}\n"
                                "EscalateTo=managers and {boss}\n"
                                "EscalateAfter=10s\n"
                                "Admins=bosses\n"
                                "DenyThreshold=32\n"
                                "SelfReview=yes\n"
                                "Code=compare\n"
                                "Note=required\n"
                                "Reason=match:(INC|CHG)[0-9]+( .*)?\n"
                                "WhenNobody=allow-and-record\n"
                                "Expires=11s\n"
                                "RemoteReviewers=yes\n";

static void test_every_key(void **unused) {
        (void)unused;
        for (int backwards = 0; backwards < 2; backwards++) {
                PolicyDraft draft = parse(every_key, backwards);
                const PolicyRule *rule = &draft.rule;

                assert_string_equal(rule->services[0], "sshd");
                assert_int_equal(strv_length(rule->users), 2);
                assert_string_equal(rule->groups[0], "staff");
                assert_string_equal(rule->ttys[1], "pts/3");
                assert_int_equal(rule->location, POLICY_REMOTE);
                assert_int_equal(rule->n_networks, 2);
                assert_int_equal(rule->networks[1].prefix, 32);
                assert_int_equal(rule->n_times, 2);
                assert_int_equal(rule->times[0].days, 31);
                assert_int_equal(rule->times[1].days, 64);
                assert_int_equal(rule->action, POLICY_MONITOR);
                /* The alternatives of Reviewers= come first, whatever was written first. */
                assert_int_equal(rule->quorum.n_alternatives, 3);
                assert_int_equal(rule->quorum.n_first, 2);
                assert_int_equal(rule->quorum.n_parts, 4);
                assert_string_equal(rule->parts[0].group, "ops");
                assert_null(rule->parts[0].users);
                assert_null(rule->parts[1].group);
                assert_string_equal(rule->parts[1].users[1], "dad");
                assert_string_equal(rule->parts[2].group, "managers");
                assert_string_equal(rule->parts[3].users[0], "boss");
                assert_int_equal(rule->quorum.needed[0], 2);
                assert_int_equal(rule->quorum.needed[3], 1);
                assert_int_equal(rule->quorum.alternatives[0], 1);
                assert_int_equal(rule->quorum.alternatives[1], 2);
                assert_int_equal(rule->quorum.alternatives[2], 4 | 8);
                assert_int_equal(rule->escalate_usec, 10 * SECOND);
                assert_string_equal(rule->admins_group, "bosses");
                assert_int_equal(rule->deny_threshold, 32);
                assert_true(rule->self_review);
                assert_int_equal(rule->code, CODE_COMPARE);
                assert_int_equal(rule->note.mode, POLICY_TEXT_REQUIRED);
                assert_null(rule->note.pattern);
                assert_null(rule->note.compiled);
                assert_int_equal(rule->reason.mode, POLICY_TEXT_PATTERN);
                assert_string_equal(rule->reason.pattern, "(INC|CHG)[0-9]+( .*)?");
                assert_int_equal(regexec(rule->reason.compiled, "INC17 disk", 0, NULL, 0), 0);
                assert_int_equal(regexec(rule->reason.compiled, "no INC17", 0, NULL, 0), REG_NOMATCH);
                assert_int_equal(rule->when_nobody, POLICY_NOBODY_ALLOW);
                assert_int_equal(rule->expires_usec, 11 * SECOND);
                assert_true(rule->remote_reviewers);
                policy_draft_done(&draft);
        }
}

static void test_defaults(void **unused) {
        (void)unused;
        static const char *const texts[] = {
                "Action=require\nReviewers=ops\n", "Action=monitor\nReviewers=ops\n",
                "Action=require\nAdmins=bosses\n", "Action=exempt\n", "Action=deny\n"};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                PolicyDraft draft = parse(texts[i], false);
                const PolicyRule *rule = &draft.rule;
                bool reviewers = strstr(texts[i], "Reviewers=");

                assert_null(rule->services);
                assert_null(rule->users);
                assert_null(rule->groups);
                assert_null(rule->ttys);
                assert_int_equal(rule->location, POLICY_ANYWHERE);
                assert_null(rule->networks);
                assert_int_equal(rule->n_networks, 0);
                assert_null(rule->times);
                assert_int_equal(rule->n_times, 0);
                assert_int_equal(rule->quorum.n_alternatives, reviewers);
                assert_int_equal(rule->quorum.n_first, reviewers);
                assert_int_equal(rule->quorum.n_parts, reviewers);
                assert_int_equal(rule->escalate_usec, 0);
                assert_int_equal(rule->admins_group != NULL, i == 2);
                assert_int_equal(rule->deny_threshold, 1);
                assert_false(rule->self_review);
                assert_int_equal(rule->code, CODE_ENTER);
                assert_int_equal(rule->note.mode, POLICY_TEXT_OPTIONAL);
                assert_int_equal(rule->reason.mode, POLICY_TEXT_OFF);
                assert_int_equal(rule->when_nobody, POLICY_NOBODY_WAIT);
                assert_int_equal(rule->expires_usec, 300 * SECOND);
                assert_false(rule->remote_reviewers);
                policy_draft_done(&draft);
        }
}

#define REQUIRE "Action=require\nReviewers=ops\n"

static void test_words(void **unused) {
        (void)unused;
        static const char *const actions[] = {"deny", "require", "exempt", "monitor"};
        static const char *const nobody[] = {"deny", "wait", "recovery-only", "allow-and-record"};
        static const char *const texts[] = {"off", "optional", "required", "match:x"};
        char text[256];

        for (unsigned i = 0; i < 4; i++) {
                PolicyDraft draft;

                snprintf(text, sizeof(text), "Action=%s\n%s", actions[i],
                         i == POLICY_REQUIRE || i == POLICY_MONITOR ? "Admins=bosses\n" : "");
                draft = parse(text, false);
                assert_int_equal(draft.rule.action, i);
                policy_draft_done(&draft);
                snprintf(text, sizeof(text), REQUIRE "WhenNobody=%s\nNote=%s\nReason=%s\nLocation=%s\n",
                         nobody[i], texts[i], texts[3 - i], i % 2 ? "local" : "remote");
                draft = parse(text, false);
                assert_int_equal(draft.rule.when_nobody, i);
                assert_int_equal(draft.rule.note.mode, i);
                assert_int_equal(draft.rule.reason.mode, 3 - i);
                assert_int_equal(draft.rule.location, i % 2 ? POLICY_LOCAL : POLICY_REMOTE);
                policy_draft_done(&draft);
        }
}

static void test_escalation(void **unused) {
        (void)unused;
        static const struct {
                const char *text;
                unsigned seconds, n_first, n_alternatives;
        } table[] = {
                {REQUIRE "EscalateTo=managers\n", 60, 1, 2},
                {REQUIRE "EscalateTo=managers\nExpires=61s\n", 60, 1, 2},
                {REQUIRE "EscalateTo=managers\nEscalateAfter=599s\nExpires=10min\n", 599, 1, 2},
                {REQUIRE "EscalateAfter=299s\nEscalateTo=a or b\n", 299, 1, 3},
                {"Action=require\nAdmins=bosses\nEscalateTo=managers\n", 60, 0, 1},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                for (int backwards = 0; backwards < 2; backwards++) {
                        PolicyDraft draft = parse(table[i].text, backwards);

                        assert_int_equal(draft.rule.escalate_usec, table[i].seconds * (uint64_t)SECOND);
                        assert_int_equal(draft.rule.quorum.n_first, table[i].n_first);
                        assert_int_equal(draft.rule.quorum.n_alternatives, table[i].n_alternatives);
                        policy_draft_done(&draft);
                }
}

/* Whatever the order of the keys. */
static const struct {
        const char *text, *problem;
} contradictions[] = {
        {"", "Action= is missing; write require, exempt, deny or monitor"},
        {"Reviewers=ops\n", "Action= is missing; write require, exempt, deny or monitor"},
        {"Action=require\n", "Action=require needs Reviewers= or Admins=, or nobody could approve"},
        {"Action=require\nEscalateTo=ops\n",
         "Action=require needs Reviewers= or Admins=, or nobody could approve"},
        {"Action=monitor\n",
         "Action=monitor needs Reviewers= or Admins=, for it records what Action=require would do"},
        {"Action=require\nAdmins=bosses\nDenyThreshold=1\n",
         "DenyThreshold= means nothing without Reviewers=; remove it"},
        {"Action=require\nAdmins=bosses\nEscalateTo=ops\nDenyThreshold=2\n",
         "DenyThreshold= means nothing without Reviewers=; remove it"},
        {REQUIRE "EscalateAfter=1min\n",
         "EscalateAfter= means nothing without EscalateTo=; remove it, or say who is asked then"},
        {REQUIRE "EscalateTo=managers\nEscalateAfter=5min\n",
         "EscalateAfter= is 300s and must be below Expires=, which is 300s if absent"},
        {REQUIRE "EscalateTo=managers\nExpires=60s\n",
         "EscalateAfter= is 60s if absent and must be below Expires=, which is 60s"},
        {REQUIRE "EscalateTo=managers\nEscalateAfter=31s\nExpires=30s\n",
         "EscalateAfter= is 31s and must be below Expires=, which is 30s"},
        {"Action=require\nReviewers=a or b or c or d\nEscalateTo=e or f or g or h or i\n",
         "more than 8 alternatives, those of Reviewers= and EscalateTo= together; put people into fewer groups"},
        {"Action=require\nReviewers=a and b and c and d and e and f and g and h and i\n"
         "EscalateTo=a and b and c and d and e and f and g and h\n",
         "more than 16 parts, those of Reviewers= and EscalateTo= together; put people into fewer groups"},
};

static void expect_problem(const char *text, bool backwards, const char *expected) {
        PolicyDraft draft;
        char *problem;
        int r = apply(text, backwards, &draft, &problem);

        if (r != -EINVAL || !problem || strcmp(problem, expected) != 0)
                fail_msg("%d, \"%s\"\ninstead of \"%s\"\nfor:\n%s", r, problem ? problem : "", expected,
                         text);
        free(problem);
        policy_draft_done(&draft);
}

static void test_contradictions(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++)
                for (int backwards = 0; backwards < 2; backwards++)
                        expect_problem(contradictions[i].text, backwards, contradictions[i].problem);
}

/* Each key behind Action= has no meaning where nothing is held, and each before it has one. */
static void test_keys_of_held_logins(void **unused) {
        (void)unused;
        static const char *const actions[] = {"exempt", "deny"};
        bool held_only = false;

        for (unsigned i = 0; i < 2; i++) {
                char *copy = strdup(every_key), *rest = copy, *line;

                held_only = false;
                while ((line = strsep(&rest, "\n")) && *line) {
                        char text[128], expected[128], *key = strndup(line, strcspn(line, "="));

                        snprintf(text, sizeof(text), "Action=%s\n%s\n", actions[i], line);
                        snprintf(expected, sizeof(expected),
                                 "%s= means nothing without Action=require or Action=monitor; remove it",
                                 key);
                        if (strcmp(key, "Action") == 0) {
                                held_only = true;
                        } else if (held_only) {
                                expect_problem(text, false, expected);
                        } else {
                                PolicyDraft draft = parse(text, true);

                                policy_draft_done(&draft);
                        }
                        free(key);
                }
                free(copy);
        }
        assert_true(held_only);
}

static const struct {
        const char *text, *problem;
} refused[] = {
        {"Action=allow\n", "Action=: 'allow' is not one of: deny require exempt monitor"},
        {"Action=deny\nAction=deny\n", "Action= is written twice"},
        {"Reviewers=a\nReviewers=b\n", "Reviewers= is written twice"},
        {"Note=match:x\nNote=match:x\n", "Note= is written twice"},
        {"Reviewers=ops:1 AND security:1\n", "Reviewers=: 'AND' is written in small letters: 'and', 'or'"},
        {"EscalateTo=ops:1 ops\n", "EscalateTo=: 'ops' has neither 'and' nor 'or' in front of it"},
        {"Admins=bosses:1\n", "Admins=: 'bosses:1' has a character that no name has"},
        {"Address=host.example\n",
         "Address=: 'host.example' is not an address; names are never resolved, write a whole address or a network "
         "such as 192.0.2.0/24 or 2001:db8::/32"},
        {"Tty=tt?\n", "Tty=: 'tt?' has a wildcard, and there is only a '*' at the end"},
        {"Time=25:00-26:00\n", "Time=: '25:00-26:00' has a time that no day has; a day is 00:00-24:00"},
        {"Location=console\n", "Location=: 'console' is not one of: local remote"},
        {"EscalateAfter=9s\n", "EscalateAfter=: 9s is not between 10s and 600s (it must be below Expires=)"},
        {"EscalateAfter=11min\n",
         "EscalateAfter=: 660s is not between 10s and 600s (it must be below Expires=)"},
        {"DenyThreshold=0\n", "DenyThreshold=: '0' is not a number of denials from 1 to 32"},
        {"DenyThreshold=33\n", "DenyThreshold=: '33' is not a number of denials from 1 to 32"},
        {"DenyThreshold=ops:2\n", "DenyThreshold=: 'ops:2' is not a number of denials from 1 to 32"},
        {"SelfReview=true\n", "SelfReview=: 'true' is not one of: no yes"},
        {"Note=on\n", "Note=: 'on' is not one of: off optional required match:REGEX"},
        {"Reason=match\n", "Reason=: 'match' is not one of: off optional required match:REGEX"},
        {"Reason=Match:x\n", "Reason=: 'Match:x' is not one of: off optional required match:REGEX"},
        {"Reason=match:\n", "Reason=: the pattern must stand right behind 'match:'"},
        {"Reason=match: INC\n", "Reason=: the pattern must stand right behind 'match:'"},
        {"Note=match:(\n", "Note=: '(' is not a regular expression: Unmatched ( or \\("},
        {"WhenNobody=allow\n",
         "WhenNobody=: 'allow' is not one of: deny wait recovery-only allow-and-record"},
        {"Escalate=ops\n", "unknown key 'Escalate'; did you mean 'EscalateTo'?"},
        {"EscalateToo=ops\n", "unknown key 'EscalateToo'; did you mean 'EscalateTo'?"},
        {"EscalationAfter=1min\n", "unknown key 'EscalationAfter'; see peerauth.conf(5)"},
        {"TTY=tty1\n", "unknown key 'TTY'; did you mean 'Tty'?"},
        {"Times=Mon\n", "unknown key 'Times'; did you mean 'Time'?"},
        {"Rhost=10.0.0.1\n", "unknown key 'Rhost'; see peerauth.conf(5)"},
        {"Addresses=10.0.0.1\n", "unknown key 'Addresses'; did you mean 'Address'?"},
};

static void test_refused(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                expect_problem(refused[i].text, false, refused[i].problem);
}

static void test_table_of_keys(void **unused) {
        (void)unused;
        static const char *const names[] = {
                "Service",       "User",   "Group",         "Tty",        "Location",
                "Address",       "Time",   "Action",        "Reviewers",  "EscalateTo",
                "EscalateAfter", "Admins", "DenyThreshold", "SelfReview", "Code",
                "Note",          "Reason", "WhenNobody",    "Expires",    "RemoteReviewers"};
        PolicyKeyRow row;
        size_t n = 0;

        for (; policy_key_get(n, &row); n++) {
                assert_in_range(n, 0, sizeof(names) / sizeof(names[0]) - 1);
                assert_string_equal(row.name, names[n]);
                assert_true(*row.type && *row.fallback && *row.help);
                assert_null(strpbrk(row.type, "\t\n"));
                assert_null(strpbrk(row.fallback, "\t\n"));
                assert_null(strpbrk(row.help, "\t\n"));
        }
        assert_int_equal(n, sizeof(names) / sizeof(names[0]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_key),      cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_words),          cmocka_unit_test(test_escalation),
                cmocka_unit_test(test_contradictions), cmocka_unit_test(test_keys_of_held_logins),
                cmocka_unit_test(test_refused),        cmocka_unit_test(test_table_of_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
