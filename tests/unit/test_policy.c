/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which rule decides, who may decide, and the copies that requests keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy.h"
#include "common/strv.h"

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

/* For policies whose strings are literals: policy_free() is not for them. */
#define POLICY(...)                                     \
        ((Policy){.rules = (PolicyRule[]){__VA_ARGS__}, \
                  .n_rules = sizeof((PolicyRule[]){__VA_ARGS__}) / sizeof(PolicyRule)})

static const char *decide(const Policy *policy, const char *service, const char *user, char *const *groups) {
        PolicyQuery query = {.service = service, .user = user, .groups = groups};
        const PolicyRule *rule = policy_decide(policy, &query);

        return rule ? rule->name : "no rule";
}

static void test_no_rule_matches(void **unused) {
        (void)unused;
        Policy empty = {0};
        Policy policy = POLICY({.name = (char *)"ssh", .services = LIST((char *)"sshd")});

        assert_string_equal(decide(&empty, "sshd", "alice", NULL), "no rule");
        assert_string_equal(decide(&policy, "login", "alice", NULL), "no rule");
}

/* MUST 1. */
static void test_the_first_match_decides(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = (char *)"one", .users = LIST((char *)"alice")},
                               {.name = (char *)"two", .services = LIST((char *)"sshd", (char *)"login")},
                               {.name = (char *)"three"},
                               {.name = (char *)"four", .users = LIST((char *)"bert")});

        assert_string_equal(decide(&policy, "sshd", "alice", NULL), "one");
        assert_string_equal(decide(&policy, "login", "bert", NULL), "two");
        assert_string_equal(decide(&policy, "su", "bert", NULL), "three");
}

static const char *by_service(const Policy *policy, const char *service) {
        const PolicyRule *rule = policy_decide_by_service(policy, service);

        return rule ? rule->name : "depends";
}

/* Known without the account only if every rule up to the first that takes the service asks for the service
 * alone. */
static void test_some_services_decide_alone(void **unused) {
        (void)unused;
        Policy policy = POLICY(
                {.name = (char *)"root", .services = LIST((char *)"su"), .users = LIST((char *)"root")},
                {.name = (char *)"staff", .services = LIST((char *)"sudo"), .groups = LIST((char *)"staff")},
                {.name = (char *)"jobs", .services = LIST((char *)"cron", (char *)"su", (char *)"sudo")},
                {.name = (char *)"alice", .users = LIST((char *)"alice")}, {.name = (char *)"rest"});

        assert_string_equal(by_service(&policy, "cron"), "jobs");
        assert_string_equal(by_service(&policy, "su"), "depends");
        assert_string_equal(by_service(&policy, "sudo"), "depends");
        assert_string_equal(by_service(&policy, "sshd"), "depends");
        policy.n_rules = 3;
        assert_string_equal(by_service(&policy, "sshd"), "depends");
}

/* Every key must match, and in a list one entry. All eight combinations. */
static void test_keys_are_joined_by_and(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = (char *)"all",
                                .services = LIST((char *)"sshd", (char *)"login"),
                                .users = LIST((char *)"alice", (char *)"bert"),
                                .groups = LIST((char *)"staff", (char *)"ops")});

        for (unsigned bits = 0; bits < 8; bits++)
                assert_string_equal(
                        decide(&policy, bits & 1 ? "login" : "cron", bits & 2 ? "bert" : "carl",
                               bits & 4 ? LIST((char *)"users", (char *)"ops") : LIST((char *)"users")),
                        bits == 7 ? "all" : "no rule");
}

static void test_names_match_as_a_whole(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = (char *)"x", .users = LIST((char *)"alice")});
        static const char *const others[] = {"Alice", "alice ", " alice", "alic", "alicee", "", "*"};

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_string_equal(decide(&policy, "sshd", others[i], NULL), "no rule");
}

/* What is not known matches no list, and what is not asked for needs no answer. */
static void test_missing_facts(void **unused) {
        (void)unused;
        Policy service = POLICY({.name = (char *)"x", .services = LIST((char *)"sshd")});
        Policy user = POLICY({.name = (char *)"x", .users = LIST((char *)"alice")});
        Policy group = POLICY({.name = (char *)"x", .groups = LIST((char *)"staff")});
        Policy any = POLICY({.name = (char *)"x"});

        assert_string_equal(decide(&service, NULL, "alice", NULL), "no rule");
        assert_string_equal(decide(&user, "sshd", NULL, NULL), "no rule");
        assert_string_equal(decide(&group, "sshd", "alice", NULL), "no rule");
        assert_string_equal(decide(&any, NULL, NULL, NULL), "x");
}

/* MUST 2. */
static void test_zeroed_rule_denies(void **unused) {
        (void)unused;
        PolicyRule rule;
        PolicyRole role;

        memset(&rule, 0, sizeof(rule));
        role = policy_role(&rule, 0, LIST((char *)"wheel", (char *)""));
        assert_int_equal(rule.action, POLICY_DENY);
        assert_int_equal(rule.code, CODE_ENTER);
        assert_false(rule.remote_reviewers);
        assert_false(role.reviewer);
        assert_false(role.admin);
}

static void test_roles(void **unused) {
        (void)unused;
        PolicyRule both = {.reviewers_group = (char *)"peers", .admins_group = (char *)"admins"};
        PolicyRule peers = {.reviewers_group = (char *)"peers"}, admins = {.admins_group = (char *)"admins"};
        const struct {
                const PolicyRule *rule;
                uid_t uid;
                char **groups;
                bool reviewer, admin;
        } table[] = {
                {&both, 1000, NULL, false, false},
                {&both, 1000, LIST((char *)"users"), false, false},
                {&both, 1000, LIST((char *)"users", (char *)"peers"), true, false},
                {&both, 1000, LIST((char *)"admins"), false, true},
                {&both, 1000, LIST((char *)"admins", (char *)"peers"), true, true},
                {&both, 0, NULL, false, true}, /* root, but not as a peer */
                {&both, 0, LIST((char *)"peers"), true, true},
                {&peers, 0, LIST((char *)"admins"), false, false}, /* where there are no administrators */
                {&peers, 1000, LIST((char *)"peers"), true, false},
                {&admins, 0, NULL, false, true},
                {&admins, 1000, LIST((char *)"peers"), false, false},
                {&admins, (uid_t)-1, NULL, false, false},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                PolicyRole role = policy_role(table[i].rule, table[i].uid, table[i].groups);

                assert_int_equal(role.reviewer, table[i].reviewer);
                assert_int_equal(role.admin, table[i].admin);
        }
}

static void expect_list(char *const *list, char *const *expected) {
        assert_int_equal(strv_length(list), strv_length(expected));
        for (size_t i = 0; expected && expected[i]; i++)
                assert_string_equal(list[i], expected[i]);
}

static void test_group_names_are_collected_once(void **unused) {
        (void)unused;
        Policy policy = POLICY({.groups = LIST((char *)"staff", (char *)"ops", (char *)"staff")},
                               {.reviewers_group = (char *)"ops", .admins_group = (char *)"admins"},
                               {.name = NULL},
                               {.groups = LIST((char *)"admins"), .reviewers_group = (char *)"peers"});

        assert_int_equal(policy_name_groups(&policy), 0);
        expect_list(policy.group_names,
                    LIST((char *)"staff", (char *)"ops", (char *)"admins", (char *)"peers"));
        expect_list(policy.login_groups, LIST((char *)"staff", (char *)"ops", (char *)"admins"));
        strv_free(policy.group_names);
        strv_free(policy.login_groups);
}

/* Every field, and nothing shared with the original. */
static void test_copy(void **unused) {
        (void)unused;
        PolicyRule rule = {
                .name = strdup("n"),
                .file = strdup("f"),
                .services = strv_concat(LIST((char *)"s1", (char *)"s2"), NULL),
                .users = strv_concat(LIST((char *)"u"), NULL),
                .groups = strv_concat(LIST((char *)"g"), NULL),
                .action = POLICY_REQUIRE,
                .reviewers_group = strdup("r"),
                .reviewers_needed = 3,
                .admins_group = strdup("a"),
                .code = CODE_COMPARE,
                .expires_usec = 42,
                .remote_reviewers = true,
        };
        PolicyRule *copy = policy_rule_copy(&rule);

        assert_non_null(copy);
        memset(rule.services[1], 'x', 2);
        policy_rule_done(&rule);
        assert_int_equal(rule.action, POLICY_DENY);
        assert_null(rule.name);

        assert_string_equal(copy->name, "n");
        assert_string_equal(copy->file, "f");
        expect_list(copy->services, LIST((char *)"s1", (char *)"s2"));
        expect_list(copy->users, LIST((char *)"u"));
        expect_list(copy->groups, LIST((char *)"g"));
        assert_int_equal(copy->action, POLICY_REQUIRE);
        assert_string_equal(copy->reviewers_group, "r");
        assert_int_equal(copy->reviewers_needed, 3);
        assert_string_equal(copy->admins_group, "a");
        assert_int_equal(copy->code, CODE_COMPARE);
        assert_int_equal(copy->expires_usec, 42);
        assert_true(copy->remote_reviewers);
        assert_null(policy_rule_free(copy));
}

/* An absent list matches everything, so the copy must not turn it into an empty one, which matches nothing.
 */
static void test_copy_keeps_absence(void **unused) {
        (void)unused;
        PolicyRule rule = {.action = POLICY_EXEMPT};
        PolicyRule *copy = policy_rule_copy(&rule);

        assert_non_null(copy);
        assert_null(copy->services);
        assert_null(copy->users);
        assert_null(copy->groups);
        assert_null(copy->name);
        assert_null(copy->file);
        assert_null(copy->reviewers_group);
        assert_null(copy->admins_group);
        policy_rule_free(copy);
}

static void test_free_takes_null(void **unused) {
        (void)unused;
        assert_null(policy_free(NULL));
        assert_null(policy_rule_free(NULL));
        assert_null(policy_free(calloc(1, sizeof(Policy))));
}

static void test_reviewers_text(void **unused) {
        (void)unused;
        const struct {
                PolicyRule rule;
                const char *expected;
        } table[] = {
                {{.reviewers_group = (char *)"peers", .reviewers_needed = 2, .admins_group = (char *)"boss"},
                 "2 of peers, or 1 of boss"},
                {{.reviewers_group = (char *)"peers", .reviewers_needed = 1}, "1 of peers"},
                {{.admins_group = (char *)"boss"}, "1 of boss"},
                {{.action = POLICY_DENY}, "nobody"},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                char *text = policy_rule_reviewers_text(&table[i].rule);

                assert_string_equal(text, table[i].expected);
                free(text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_rule_matches),
                cmocka_unit_test(test_the_first_match_decides),
                cmocka_unit_test(test_some_services_decide_alone),
                cmocka_unit_test(test_keys_are_joined_by_and),
                cmocka_unit_test(test_names_match_as_a_whole),
                cmocka_unit_test(test_missing_facts),
                cmocka_unit_test(test_zeroed_rule_denies),
                cmocka_unit_test(test_roles),
                cmocka_unit_test(test_group_names_are_collected_once),
                cmocka_unit_test(test_copy),
                cmocka_unit_test(test_copy_keeps_absence),
                cmocka_unit_test(test_free_takes_null),
                cmocka_unit_test(test_reviewers_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
