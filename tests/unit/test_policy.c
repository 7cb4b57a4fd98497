/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which rule decides a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "common/policy.h"

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})
#define S(text)   ((char *)(text))

/* For policies whose strings are literals: policy_unref() is not for them. */
#define POLICY(...)                                     \
        ((Policy){.rules = (PolicyRule[]){__VA_ARGS__}, \
                  .n_rules = sizeof((PolicyRule[]){__VA_ARGS__}) / sizeof(PolicyRule)})

static const PolicyOrigin LOCAL = {.kind = POLICY_ORIGIN_LOCAL};
static const PolicyOrigin NAMED = {.kind = POLICY_ORIGIN_NAME};
static const PolicyOrigin LAB = {.kind = POLICY_ORIGIN_ADDRESS, .bits = 32, .address = {10, 1, 2, 3}};
static const PolicyOrigin FAR = {.kind = POLICY_ORIGIN_ADDRESS, .bits = 32, .address = {192, 0, 2, 1}};
static PolicyNetwork lab_network = {.bits = 32, .prefix = 8, .address = {10}};
static PolicyTime office_hours = {.days = 31, .from = 8 * 60, .to = 18 * 60};

/* ---- which rule decides ---- */

static const char *decide(const Policy *policy, const char *service, const char *user, char *const *groups) {
        PolicyQuery query = {.service = service, .user = user, .groups = groups};
        PolicyDecision decision = policy_decide(policy, &query);

        assert_false(decision.unsure);
        return decision.rule ? decision.rule->name : "no rule";
}

static void test_no_rule_matches(void **unused) {
        (void)unused;
        Policy empty = {0};
        Policy policy = POLICY({.name = S("ssh"), .services = LIST(S("sshd"))});

        assert_string_equal(decide(&empty, "sshd", "alice", NULL), "no rule");
        assert_string_equal(decide(&policy, "login", "alice", NULL), "no rule");
}

/* MUST 1. */
static void test_the_first_match_decides(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = S("one"), .users = LIST(S("alice"))},
                               {.name = S("two"), .services = LIST(S("sshd"), S("login"))},
                               {.name = S("three")}, {.name = S("four"), .users = LIST(S("bert"))});

        assert_string_equal(decide(&policy, "sshd", "alice", NULL), "one");
        assert_string_equal(decide(&policy, "login", "bert", NULL), "two");
        assert_string_equal(decide(&policy, "su", "bert", NULL), "three");
}

/* Every key must match; if several do not, the answer names one of them. All 128 combinations. */
static void test_keys_are_joined_by_and(void **unused) {
        (void)unused;
        static const PolicyFit misfits[] = {
                POLICY_FIT_NOT_SERVICE,  POLICY_FIT_NOT_USER, POLICY_FIT_NOT_GROUP,  POLICY_FIT_NOT_TTY,
                POLICY_FIT_NOT_LOCATION, POLICY_FIT_NOT_TIME, POLICY_FIT_NOT_ADDRESS};
        PolicyRule rule = {
                .name = S("all"),
                .services = LIST(S("sshd"), S("login")),
                .users = LIST(S("alice"), S("bert")),
                .groups = LIST(S("staff"), S("ops")),
                .ttys = LIST(S("tty1"), S("pts/*")),
                .location = POLICY_REMOTE,
                .networks = &lab_network,
                .n_networks = 1,
                .times = &office_hours,
                .n_times = 1,
        };

        for (unsigned bits = 0; bits < 128; bits++) {
                PolicyQuery query = {
                        .service = bits & 1 ? "login" : "cron",
                        .user = bits & 2 ? "bert" : "carl",
                        .groups = bits & 4 ? LIST(S("users"), S("ops")) : LIST(S("users")),
                        .tty = bits & 8 ? "pts/3" : "tty2",
                        .origin = bits & 64   ? LAB
                                  : bits & 16 ? FAR
                                              : LOCAL,
                        .moment = {.weekday = 2, .minute = bits & 32 ? 600 : 300},
                };
                PolicyFit fit = policy_fit(&rule, &query);
                bool remote = (bits & 16) || (bits & 64);
                unsigned fits = remote ? bits | 16 : bits;

                if (fits == 127)
                        assert_int_equal(fit, POLICY_FIT_YES);
                for (unsigned i = 0; i < 7; i++)
                        if (fit == misfits[i])
                                assert_false(fits & 1U << i);
                assert_true((fit == POLICY_FIT_YES) == (fits == 127));
                assert_int_not_equal(fit, POLICY_FIT_UNSURE);
        }
}

/* Lists of ttys, networks and times fit by any of their entries; absent ones always. */
static void test_one_entry_is_enough(void **unused) {
        (void)unused;
        PolicyNetwork networks[] = {{.bits = 32, .prefix = 32, .address = {192, 0, 2, 1}}, lab_network};
        PolicyTime times[] = {{.days = 64, .from = 0, .to = 1440}, office_hours};
        PolicyRule rule = {.networks = networks, .n_networks = 2, .times = times, .n_times = 2};
        PolicyQuery query = {.origin = LAB, .moment = {.weekday = 0, .minute = 480}};

        assert_int_equal(policy_fit(&rule, &query), POLICY_FIT_YES);
        query.moment.minute = 479;
        assert_int_equal(policy_fit(&rule, &query), POLICY_FIT_NOT_TIME);
        query.moment.weekday = 6;
        assert_int_equal(policy_fit(&rule, &query), POLICY_FIT_YES);
        query.origin = FAR;
        assert_int_equal(policy_fit(&rule, &query), POLICY_FIT_YES);
        query.origin.address[3]++;
        assert_int_equal(policy_fit(&rule, &query), POLICY_FIT_NOT_ADDRESS);
        query.origin = LOCAL;
        assert_int_equal(policy_fit(&rule, &query), POLICY_FIT_NOT_ADDRESS);
}

static void test_location(void **unused) {
        (void)unused;
        const struct {
                PolicyLocation location;
                const PolicyOrigin *origin;
                PolicyFit expected;
        } table[] = {
                {POLICY_ANYWHERE, &LOCAL, POLICY_FIT_YES},
                {POLICY_ANYWHERE, &NAMED, POLICY_FIT_YES},
                {POLICY_ANYWHERE, &LAB, POLICY_FIT_YES},
                {POLICY_LOCAL, &LOCAL, POLICY_FIT_YES},
                {POLICY_LOCAL, &NAMED, POLICY_FIT_NOT_LOCATION},
                {POLICY_LOCAL, &LAB, POLICY_FIT_NOT_LOCATION},
                {POLICY_REMOTE, &LOCAL, POLICY_FIT_NOT_LOCATION},
                {POLICY_REMOTE, &NAMED, POLICY_FIT_YES},
                {POLICY_REMOTE, &LAB, POLICY_FIT_YES},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                PolicyRule rule = {.location = table[i].location};
                PolicyQuery query = {.origin = *table[i].origin};

                assert_int_equal(policy_fit(&rule, &query), table[i].expected);
        }
}

static void test_names_match_as_a_whole(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = S("x"), .users = LIST(S("alice"))});
        static const char *const others[] = {"Alice", "alice ", " alice", "alic", "alicee", "", "*"};

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_string_equal(decide(&policy, "sshd", others[i], NULL), "no rule");
}

/* What is not known matches no list, and what is not asked for needs no answer. */
static void test_missing_facts(void **unused) {
        (void)unused;
        Policy service = POLICY({.name = S("x"), .services = LIST(S("sshd"))});
        Policy user = POLICY({.name = S("x"), .users = LIST(S("alice"))});
        Policy group = POLICY({.name = S("x"), .groups = LIST(S("staff"))});
        Policy tty = POLICY({.name = S("x"), .ttys = LIST(S("tty1"), S("*"))});
        Policy any = POLICY({.name = S("x")});
        PolicyQuery no_tty = {.tty = ""};

        assert_string_equal(decide(&service, NULL, "alice", NULL), "no rule");
        assert_string_equal(decide(&user, "sshd", NULL, NULL), "no rule");
        assert_string_equal(decide(&group, "sshd", "alice", NULL), "no rule");
        assert_string_equal(decide(&tty, "sshd", "alice", NULL), "no rule");
        assert_int_equal(policy_fit(&tty.rules[0], &no_tty), POLICY_FIT_NOT_TTY);
        assert_string_equal(decide(&any, NULL, NULL, NULL), "x");
}

/* MUST 2. */
static void test_zeroed_rule_denies(void **unused) {
        (void)unused;
        PolicyRule rule;
        PolicyRole role;
        PolicyPerson root = {.uid = 0, .name = "root", .groups = LIST(S("wheel"), S(""))};

        memset(&rule, 0, sizeof(rule));
        role = policy_role(&rule, &root);
        assert_int_equal(rule.action, POLICY_DENY);
        assert_int_equal(rule.code, CODE_ENTER);
        assert_int_equal(rule.when_nobody, POLICY_NOBODY_DENY);
        assert_false(rule.remote_reviewers);
        assert_false(rule.self_review);
        assert_int_equal(role.parts, 0);
        assert_false(role.admin);
}

/* MUST 3: of a host of which only the name is known it cannot be told whether it lies in a network. */
static void test_an_unsure_rule_decides(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = S("lab"),
                                .users = LIST(S("alice")),
                                .networks = &lab_network,
                                .n_networks = 1,
                                .times = &office_hours,
                                .n_times = 1,
                                .action = POLICY_EXEMPT},
                               {.name = S("rest"), .action = POLICY_EXEMPT});
        PolicyQuery query = {.user = "alice", .origin = NAMED, .moment = {.weekday = 0, .minute = 600}};
        PolicyDecision decision = policy_decide(&policy, &query);

        assert_ptr_equal(decision.rule, &policy.rules[0]);
        assert_true(decision.unsure);
        assert_int_equal(policy_fit(&policy.rules[0], &query), POLICY_FIT_UNSURE);
        /* Where another key says no, the address does not matter. */
        query.moment.minute = 0;
        decision = policy_decide(&policy, &query);
        assert_ptr_equal(decision.rule, &policy.rules[1]);
        assert_false(decision.unsure);
        query = (PolicyQuery){.user = "bert", .origin = NAMED, .moment = {.weekday = 0, .minute = 600}};
        assert_ptr_equal(policy_decide(&policy, &query).rule, &policy.rules[1]);
        /* With an address it can be told. */
        query = (PolicyQuery){.user = "alice", .origin = LAB, .moment = {.weekday = 0, .minute = 600}};
        decision = policy_decide(&policy, &query);
        assert_ptr_equal(decision.rule, &policy.rules[0]);
        assert_false(decision.unsure);
        query.origin = LOCAL;
        assert_ptr_equal(policy_decide(&policy, &query).rule, &policy.rules[1]);
}

/* ---- what is known by the service alone ---- */

static const char *by_service(const Policy *policy, const char *service) {
        const PolicyRule *rule = policy_decide_by_service(policy, service);

        return rule ? rule->name : "depends";
}

/* Only if every rule up to the first that takes the service asks for the service alone. */
static void test_some_services_decide_alone(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = S("root"), .services = LIST(S("su")), .users = LIST(S("root"))},
                               {.name = S("staff"), .services = LIST(S("sudo")), .groups = LIST(S("staff"))},
                               {.name = S("jobs"), .services = LIST(S("cron"), S("su"), S("sudo"))},
                               {.name = S("alice"), .users = LIST(S("alice"))}, {.name = S("rest")});

        assert_string_equal(by_service(&policy, "cron"), "jobs");
        assert_string_equal(by_service(&policy, "su"), "depends");
        assert_string_equal(by_service(&policy, "sudo"), "depends");
        assert_string_equal(by_service(&policy, "sshd"), "depends");
        policy.n_rules = 3;
        assert_string_equal(by_service(&policy, "sshd"), "depends");
}

static void test_every_other_key_makes_a_service_depend(void **unused) {
        (void)unused;
        const PolicyRule rules[] = {
                {.users = LIST(S("a"))},
                {.groups = LIST(S("a"))},
                {.ttys = LIST(S("a"))},
                {.location = POLICY_LOCAL},
                {.location = POLICY_REMOTE},
                {.networks = &lab_network, .n_networks = 1},
                {.times = &office_hours, .n_times = 1},
        };

        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
                Policy policy = POLICY(rules[i], {.name = S("rest")});

                assert_string_equal(by_service(&policy, "cron"), "depends");
        }
}

/* A group that could not be found out matters for those logins only that its rule would decide. */
static void test_what_rests_on_groups(void **unused) {
        (void)unused;
        Policy policy = POLICY({.name = S("root"), .users = LIST(S("root"))},
                               {.name = S("net"),
                                .services = LIST(S("cups")),
                                .groups = LIST(S("gone")),
                                .networks = &lab_network,
                                .n_networks = 1},
                               {.name = S("group"), .services = LIST(S("sshd")), .groups = LIST(S("gone"))},
                               {.name = S("rest"), .services = LIST(S("sshd"), S("login"))});
        const struct {
                const char *service, *user;
                PolicyOrigin origin;
                bool rests;
        } table[] = {
                {"sshd", "root", LOCAL, false},   {"sshd", "alice", LOCAL, true},
                {"login", "alice", LOCAL, false}, {"atd", "alice", LOCAL, false},
                {"cups", "alice", LAB, true},     {"cups", "alice", FAR, false},
                {"cups", "alice", NAMED, true},
        };
        char *const member[] = {S("gone"), NULL};

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                PolicyQuery query = {
                        .service = table[i].service, .user = table[i].user, .origin = table[i].origin};

                assert_int_equal(policy_rests_on_groups(&policy, &query), table[i].rests);
                query.groups = member; /* known to belong: nothing is open */
                assert_false(policy_rests_on_groups(&policy, &query));
        }
        /* A rule that is unsure decides, before any group is looked at. */
        policy.rules[1].groups = NULL;
        assert_false(policy_rests_on_groups(
                &policy, &(PolicyQuery){.service = "cups", .user = "alice", .origin = NAMED}));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_rule_matches),
                cmocka_unit_test(test_the_first_match_decides),
                cmocka_unit_test(test_keys_are_joined_by_and),
                cmocka_unit_test(test_one_entry_is_enough),
                cmocka_unit_test(test_location),
                cmocka_unit_test(test_names_match_as_a_whole),
                cmocka_unit_test(test_missing_facts),
                cmocka_unit_test(test_zeroed_rule_denies),
                cmocka_unit_test(test_an_unsure_rule_decides),
                cmocka_unit_test(test_what_rests_on_groups),
                cmocka_unit_test(test_some_services_decide_alone),
                cmocka_unit_test(test_every_other_key_makes_a_service_depend),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
