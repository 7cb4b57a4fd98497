/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The grammar of a policy file, with the line of each error, through the real libeconf. What the keys mean is
 * in test_policy_key.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_load_file.h"
#include "common/strv.h"

#define REQUIRE "Action=require\nReviewers=peers:2\n"

static PolicyRules parse(const char *text) {
        PolicyRules read = {0};
        char *message = NULL;
        int r = policy_parse(text, strlen(text), "file", &read, &message);

        if (r != 0)
                fail_msg("%d: %s", r, message ? message : "no message");
        assert_null(message);
        return read;
}

/* The message must be one line that begins with "file:LINE: " and contains part. */
static void expect_error_in(const char *bytes, size_t size, unsigned line, const char *part) {
        PolicyRules read = {.n_rules = 77};
        char *message = NULL, start[64];
        int r = policy_parse(bytes, size, "file", &read, &message);

        snprintf(start, sizeof(start), "file:%u: ", line);
        if (r != -EINVAL || !message || strncmp(message, start, strlen(start)) != 0 ||
            !strstr(message, part) || strchr(message, '\n'))
                fail_msg("%d, \"%s\" instead of \"%s...%s\" for:\n%s", r, message ? message : "", start, part,
                         bytes);
        assert_int_equal(read.n_rules, 77); /* not written */
        free(message);
}

static void expect_error(const char *text, unsigned line, const char *part) {
        expect_error_in(text, strlen(text), line, part);
}

static void expect_names(char *const *list, const char *expected) {
        char joined[256] = "";

        for (; list && *list; list++)
                snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s ", *list);
        assert_string_equal(joined, expected);
}

static void test_every_key(void **unused) {
        (void)unused;
        PolicyRules read;
        const PolicyRule *rule;

        read = parse("# a comment = here [Rule no]\n"
                     "\n"
                     "  [Rule A.b_c-9] \t\n"
                     "Service=sshd, login,,su\tsudo\n"
                     "\tUser = alice  bert \n"
                     "Group=staff CORP\\ops m\xc3\xbcller\n"
                     "  # indented\n"
                     " \t\n"
                     "Action=require\n"
                     "Reviewers=peers:31 and security or {mum, dad}:2\n"
                     "Admins=bosses\n"
                     "Code=compare\n"
                     "Expires=1min 30s\n"
                     "RemoteReviewers=yes\n"
                     "Reason = match:(INC|a=b)[0-9]{6}\\.;[[:alpha:]] *\\\\+\n"
                     "Time=Mon-Fri 08:00-18:00, 22:00-06:00\n"
                     "Address=2001:db8::/32, 10.0.0.0/8\n"
                     "Tty=:0 /dev/tty*"); /* and no line end */
        assert_int_equal(read.n_rules, 1);
        rule = &read.rules[0];
        assert_string_equal(rule->name, "A.b_c-9");
        assert_string_equal(rule->file, "file");
        assert_int_equal(rule->line, 3);
        expect_names(rule->services, "sshd login su sudo ");
        expect_names(rule->users, "alice bert ");
        expect_names(rule->groups, "staff CORP\\ops m\xc3\xbcller ");
        assert_int_equal(rule->action, POLICY_REQUIRE);
        assert_int_equal(rule->quorum.n_alternatives, 2);
        assert_string_equal(rule->parts[0].group, "peers");
        assert_int_equal(rule->quorum.needed[0], 31);
        expect_names(rule->parts[2].users, "mum dad ");
        assert_string_equal(rule->admins_group, "bosses");
        assert_int_equal(rule->code, CODE_COMPARE);
        assert_int_equal(rule->expires_usec, 90000000);
        assert_true(rule->remote_reviewers);
        assert_string_equal(rule->reason.pattern, "(INC|a=b)[0-9]{6}\\.;[[:alpha:]] *\\\\+");
        assert_int_equal(regexec(rule->reason.compiled, "a=b123456.;x \\\\", 0, NULL, 0), 0);
        assert_int_equal(rule->n_times, 2);
        assert_int_equal(rule->n_networks, 2);
        expect_names(rule->ttys, ":0 tty* ");
        policy_rules_done(&read);
}

static void test_defaults(void **unused) {
        (void)unused;
        PolicyRules read;
        const PolicyRule *rule;

        read = parse(
                "[Rule a]\nAction=require\nReviewers=peers\n[Rule b]\nAction=exempt\n[Rule c]\nAction=deny\n"
                "[Rule d]\nAction=require\nAdmins=bosses\n");
        assert_int_equal(read.n_rules, 4);
        rule = &read.rules[0];
        assert_null(rule->services);
        assert_null(rule->users);
        assert_null(rule->groups);
        assert_int_equal(rule->quorum.needed[0], 1);
        assert_null(rule->admins_group);
        assert_int_equal(rule->code, CODE_ENTER);
        assert_int_equal(rule->expires_usec, 300000000);
        assert_false(rule->remote_reviewers);
        assert_int_equal(read.rules[1].action, POLICY_EXEMPT);
        assert_int_equal(read.rules[2].action, POLICY_DENY);
        assert_int_equal(read.rules[3].line, 8);
        assert_int_equal(read.rules[3].quorum.n_alternatives, 0);
        policy_rules_done(&read);
}

static void test_durations(void **unused) {
        (void)unused;
        static const struct {
                const char *text;
                uint64_t seconds; /* 0: refused */
        } table[] = {{"10s", 10},
                     {"10sec", 10},
                     {"5min", 300},
                     {"5 min", 300},
                     {"10min", 600},
                     {"600s", 600},
                     {"1min 30s", 90},
                     {"1min30s", 90},
                     {"0h 1min", 60},
                     {"00010s", 10},
                     {"9s", 0},
                     {"0s", 0},
                     {"601s", 0},
                     {"11min", 0},
                     {"10min 1s", 0},
                     {"1h", 0},
                     {"99999h", 0},
                     {"100000s", 0},
                     {"300", 0},
                     {"min", 0},
                     {"5 minutes", 0},
                     {"5m", 0},
                     {"-5min", 0},
                     {"5.5min", 0},
                     {"5min,", 0},
                     {"5MIN", 0},
                     {"1min 30", 0},
                     {"0x10s", 0},
                     {"18446744073709551626s", 0},
                     {"000600s", 0},
                     {"infinity", 0},
                     {"5min x", 0},
                     {"+5min", 0}};

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                char text[128];
                PolicyRules read;

                snprintf(text, sizeof(text), "[Rule a]\n" REQUIRE "Expires=%s\n", table[i].text);
                if (table[i].seconds == 0) {
                        expect_error(text, 4, "Expires=: ");
                        continue;
                }
                read = parse(text);
                assert_int_equal(read.rules[0].expires_usec, table[i].seconds * 1000000);
                policy_rules_done(&read);
        }
}

#define LINE_4096 "User=" /* 4091 bytes */ X1000 X1000 X1000 X1000 X50 X10 X10 X10 X10 "x"
#define X10       "xxxx,xxxx,"
#define X50       X10 X10 X10 X10 X10
#define X100      X50 X50
#define X1000     X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

/* Each with the line that is to be named. */
static const struct {
        const char *text;
        unsigned line;
        const char *part;
} malformed[] = {
        /* the form of lines */
        {"[Rule a]\nAction\n" REQUIRE, 2, "'Action' is neither"},
        {"[Rule a]\n" REQUIRE "goes on here\n", 4, "'goes on here' is neither"},
        {"[Rule a]\n" REQUIRE "  indented\n", 4, "'indented' is neither"},
        {"[Rule a]\n" REQUIRE ";comment\n", 4, "a comment begins with #"},
        {"Action=deny\n[Rule a]\nAction=deny\n", 1, "Action= stands above the first [Rule NAME]"},
        {"# x\n\n\nService=sshd", 4, "above the first"},
        {"[Rule a]\n=deny\n", 2, "name of a key"},
        {"[Rule a]\n = deny\n", 2, "name of a key"},
        {"[Rule a]\nMy Action=deny\n", 2, "name of a key"},
        {"[Rule a]\nAction.x=deny\n", 2, "name of a key"},
        {"[Rule a]\nAction=\n", 2, "Action= has no value"},
        {"[Rule a]\nAction= \t \n", 2, "Action= has no value"},
        {"[Rule a]\nAction=deny # never\n", 2, "a comment needs a line of its own"},
        {"[Rule a]\nUser=alice#bert\nAction=exempt\n", 2, "no value contains #"},
        {"[Rule a]\nAction=\"deny\"\n", 2, "quot"},
        {"[Rule a]\nUser='alice'\nAction=deny\n", 2, "quot"},
        {"[Rule a]\nUser=\"alice\nAction=deny\n", 2, "quot"},
        {"[Rule a]\r\nAction=deny\r\n", 1, "carriage return"},
        {"[Rule a]\nAction=deny\r", 2, "carriage return"},
        {"[Rule a]\nAction=deny\x1b[2J\n", 2, "control character 0x1b in byte 12"},
        {"[Rule a]\n# \x7f\nAction=deny\n", 2, "control character 0x7f"},
        {"[Rule a]\n# \xc2\x9b\nAction=deny\n", 2, "control character 0x9b"},
        {"[Rule a]\n# \xff\nAction=deny\n", 2, "byte 3 of the line is not UTF-8"},
        {"[Rule a]\nUser=\xc0\xaf\nAction=deny\n", 2, "byte 6 of the line is not UTF-8"},
        {"\xef\xbb\xbf[Rule a]\nAction=deny\n", 1, "is neither"},
        {"[Rule a]\nAction=deny\n" LINE_4096 "x\n", 3, "longer than 4096 bytes"},
        /* sections */
        {"[]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rule]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rule ]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule  a]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule a ]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule a b]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule -a]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule a]]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule \xc3\xa4]\nAction=deny\n", 1, "the name of a rule"},
        {"[Rule a1234567890123456789012345678901234567890123456789012345678901234]\nAction=deny\n", 1,
         "up to 64"},
        {"[rule a]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rules a]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[ Rule a]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[[Rule a]]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[_none_]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Broker]\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rule a\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rule a] x\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rule a] # x\nAction=deny\n", 1, "write [Rule NAME]"},
        {"[Rule a]\nAction=deny\n[Rule b]\nAction=deny\n[Rule a]\nAction=exempt\n", 5,
         "[Rule a] is already in line 1"},
        {"[Rule a]\n[Rule b]\nAction=deny\n", 1, "[Rule a]: Action= is missing"},
        {"[Rule b]\nAction=deny\n\n[Rule a]\n", 4, "[Rule a]: Action= is missing"},
        /* keys */
        {"[Rule a]\nAction=deny\nServce=sshd\n", 3, "unknown key 'Servce'; did you mean 'Service'?"},
        {"[Rule a]\nAction=deny\nservice=sshd\n", 3, "unknown key 'service'; did you mean 'Service'?"},
        {"[Rule a]\nACTION=deny\n", 2, "did you mean 'Action'?"},
        {"[Rule a]\nAction=deny\nReviewer=x\n", 3, "did you mean 'Reviewers'?"},
        {"[Rule a]\nAction=deny\nGroups=x\n", 3, "did you mean 'Group'?"},
        {"[Rule a]\nAction=deny\nColour=blue\n", 3, "unknown key 'Colour'; see peerauth.conf(5)"},
        {"[Rule a]\nAction=deny\nThisNameIsMuchLongerThanAnyKeyMayBeReally=1\n", 3, "...'; see"},
        {"[Rule a]\nAction=deny\nAction=exempt\n", 3, "Action= is written twice"},
        {"[Rule a]\nAction=deny\nUser=alice\n# x\nUser=alice\n", 5, "User= is written twice"},
        /* values */
        {"[Rule a]\nAction=allow\n", 2, "Action=: 'allow' is not one of: deny require exempt monitor"},
        {"[Rule a]\nAction=Exempt\n", 2, "Action=: 'Exempt' is not one of"},
        {"[Rule a]\nAction=exempt deny\n", 2, "is not one of"},
        {"[Rule a]\n" REQUIRE "Code=Enter\n", 4, "Code=: 'Enter' is not one of: enter compare"},
        {"[Rule a]\n" REQUIRE "RemoteReviewers=true\n", 4, "'true' is not one of: no yes"},
        {"[Rule a]\n" REQUIRE "RemoteReviewers=1\n", 4, "'1' is not one of: no yes"},
        {"[Rule a]\n" REQUIRE "Expires=11min\n", 4,
         "660s is not between 10s and 600s (NIST SP 800-63B-4, section 3.1.3.2, lets a code live for at most "
         "10 minutes)"},
        {"[Rule a]\n" REQUIRE "Expires=300\n", 4, "'300' is not a duration; write a number and s, min or h"},
        {"[Rule a]\nAction=require\nReviewers=peers:0\n", 3,
         "Reviewers=: '0' is not a number of approvals from 1 to 32"},
        {"[Rule a]\nAction=require\nReviewers=peers:2, ops:1\n", 3,
         "'peers:2,' is not understood; parts are joined by"},
        {"[Rule a]\nAction=require\nReviewers={mum dad\n", 3, "'{mum dad' has a '{' without its '}'"},
        {"[Rule a]\nAction=require\n\nReviewers=peers or\n", 4, "'peers or' ends where a group"},
        {"[Rule a]\n" REQUIRE "Time=Mon\xe2\x80\x93"
         "Fri\n",
         4, "has a dash that is not '-'"},
        {"[Rule a]\n" REQUIRE "Address=10.0.0.1/8\n", 4, "write 10.0.0.0/8 for the network"},
        {"[Rule a]\n" REQUIRE "Reason=match:[\n", 4, "is not a regular expression"},
        {"[Rule a]\nAction=require\nAdmins=a,b\n", 3, "more than one name"},
        {"[Rule a]\nAction=require\nAdmins=a:1\n", 3, "has a character that no name has"},
        {"[Rule a]\nUser=*\nAction=deny\n", 2, "User=: '*' has a wildcard, and there are none"},
        {"[Rule a]\nUser=al?ce\nAction=deny\n", 2, "wildcard"},
        {"[Rule a]\nUser=alice !bert\nAction=deny\n", 2, "'!bert' cannot be turned round"},
        {"[Rule a]\nUser=-bert\nAction=deny\n", 2, "cannot be turned round or begin with '-'"},
        {"[Rule a]\nUser=@staff\nAction=deny\n", 2, "a group is named by Group="},
        {"[Rule a]\nUser=%staff\nAction=deny\n", 2, "a group is named by Group="},
        {"[Rule a]\nUser=alice;bert\nAction=deny\n", 2, "has a character that no name has"},
        {"[Rule a]\nUser=1000\nAction=deny\n", 2, "'1000' is a number; write the name"},
        {"[Rule a]\nUser=, ,\nAction=deny\n", 2, "there is no name in the list"},
        {"[Rule a]\nUser=ali\xe2\x80\x8b"
         "ce\nAction=deny\n",
         2, "'ali\\u{200b}ce' has an invisible character"},
        {"[Rule a]\nUser=root\xc2\xa0\nAction=deny\n", 2, "'root\\u{a0}' has an invisible character"},
        {"[Rule a]\nUser=" X100 X100 "x"
         "yyyyyyyyyy\nAction==deny\n",
         3, "'=deny' is not one of"},
        /* rules that contradict themselves */
        {"[Rule a]\nAction=require\n", 1, "[Rule a]: Action=require needs Reviewers= or Admins="},
        {"[Rule x]\nAction=deny\n[Rule a]\nExpires=1min\nAction=require\n", 3, "needs Reviewers= or Admins="},
        {"\n[Rule a]\nAction=exempt\nReviewers=peers\n", 2,
         "[Rule a]: Reviewers= means nothing without Action=require or Action=monitor; remove it"},
        {"[Rule x]\nAction=deny\n[Rule a]\nEscalateTo=x\nAction=require\nAdmins=y\nExpires=60s\n", 3,
         "[Rule a]: EscalateAfter= is 60s if absent and must be below Expires=, which is 60s"},
        {"[Rule a]\nAction=deny\nAdmins=peers\n", 1, "Admins= means nothing"},
        {"[Rule a]\nAction=deny\nCode=enter\n", 1, "Code= means nothing"},
        {"[Rule a]\nAction=deny\nExpires=5min\n", 1, "Expires= means nothing"},
        {"[Rule a]\nAction=deny\nRemoteReviewers=no\n", 1, "RemoteReviewers= means nothing"},
};

static void test_malformed(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
                expect_error(malformed[i].text, malformed[i].line, malformed[i].part);
}

static void test_the_longest_line_is_read(void **unused) {
        (void)unused;
        PolicyRules read;

        assert_int_equal(strlen(LINE_4096), 4096);
        read = parse("[Rule a]\nAction=deny\n" LINE_4096 "\n");
        assert_int_equal(strv_length(read.rules[0].users), 819);
        policy_rules_done(&read);
}

static void test_names_are_bounded(void **unused) {
        (void)unused;
        char text[400] = "[Rule a]\nAction=deny\nUser=";
        size_t prefix = strlen(text);
        PolicyRules read;

        memset(text + prefix, 'u', 257);
        expect_error(text, 3, "...' is longer than a name may be");
        text[prefix + 256] = '\0';
        read = parse(text);
        assert_int_equal(strlen(read.rules[0].users[0]), 256);
        policy_rules_done(&read);
}

/* libeconf stops at a NUL, so what stands behind it would be a comment that nobody sees. */
static void test_nul_byte(void **unused) {
        (void)unused;
        static const char in_value[] = "[Rule a]\nAction=exempt\0\nUser=bert\n";
        static const char in_comment[] = "[Rule a]\nAction=deny\n# \0\n";

        expect_error_in(in_value, sizeof(in_value) - 1, 2, "control character 0x00 in byte 14");
        expect_error_in(in_comment, sizeof(in_comment) - 1, 3, "control character 0x00");
}

/* With this variable libeconf joins the values of equal keys. */
static void test_the_environment_changes_nothing(void **unused) {
        (void)unused;
        PolicyRules read;

        assert_int_equal(setenv("ECONF_JOIN_SAME_ENTRIES", "1", 1), 0);
        expect_error("[Rule a]\nUser=alice\nAction=exempt\nUser=bert\n", 2,
                     "libeconf reads this line differently");
        read = parse("[Rule a]\nAction=deny\n[Rule b]\nAction=deny\n");
        assert_int_equal(read.n_rules, 2);
        policy_rules_done(&read);
        assert_int_equal(unsetenv("ECONF_JOIN_SAME_ENTRIES"), 0);
}

static void test_no_rule(void **unused) {
        (void)unused;
        static const char *const texts[] = {"", "\n", "# nothing but words", " \t\n\n"};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                PolicyRules read = parse(texts[i]);

                assert_int_equal(read.n_rules, 0);
                policy_rules_done(&read);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_key),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_durations),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_the_longest_line_is_read),
                cmocka_unit_test(test_names_are_bounded),
                cmocka_unit_test(test_nul_byte),
                cmocka_unit_test(test_the_environment_changes_nothing),
                cmocka_unit_test(test_no_rule),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
