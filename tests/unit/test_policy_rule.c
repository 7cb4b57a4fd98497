/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a rule makes of people and of what they write, how it reads in words, and the life of rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy.h"
#include "common/strv.h"
#include "tests/unit/failing_alloc.h"

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})
#define S(text)   ((char *)(text))

/* ---- roles ---- */

static void test_roles(void **unused) {
        (void)unused;
        PolicyRule both = {
                .quorum = {.n_parts = 3},
                .parts = {{.group = S("peers")}, {.users = LIST(S("mum"), S("dad"))}, {.group = S("peers")}},
                .admins_group = S("admins")};
        PolicyRule peers = {.quorum = {.n_parts = 1},
                            .parts = {{.group = S("peers")}, {.group = S("users")}}};
        PolicyRule admins = {.admins_group = S("admins")};
        const struct {
                const PolicyRule *rule;
                uid_t uid;
                const char *name;
                char **groups;
                unsigned parts;
                bool admin;
        } table[] = {
                {&both, 1000, "ann", NULL, 0, false},
                {&both, 1000, "ann", LIST(S("users")), 0, false},
                {&both, 1000, "ann", LIST(S("users"), S("peers")), 5, false},
                {&both, 1000, "mum", NULL, 2, false},
                {&both, 1000, "dad", LIST(S("peers")), 7, false},
                {&both, 1000, "Dad", LIST(S("Peers")), 0, false},
                {&both, 1000, NULL, LIST(S("peers")), 5, false},  /* whose name is not known is not named */
                {&both, 1000, "peers", LIST(S("mum")), 0, false}, /* accounts and groups are not mixed up */
                {&both, 1000, "ann", LIST(S("admins")), 0, true},
                {&both, 1000, "ann", LIST(S("admins"), S("peers")), 5, true},
                {&both, 0, "root", NULL, 0, true}, /* root, but not as a peer */
                {&both, 0, "root", LIST(S("peers")), 5, true},
                {&peers, 0, "root", LIST(S("admins")), 0, false}, /* where there are no administrators */
                {&peers, 1000, "ann", LIST(S("peers"), S("users")), 1, false},
                {&admins, 0, "root", NULL, 0, true},
                {&admins, 1000, "ann", LIST(S("peers")), 0, false},
                {&admins, (uid_t)-1, NULL, NULL, 0, false},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                PolicyPerson person = {table[i].uid, table[i].name, table[i].groups};
                PolicyRole role = policy_role(table[i].rule, &person);

                assert_int_equal(role.parts, table[i].parts);
                assert_int_equal(role.admin, table[i].admin);
        }
}

/* ---- notes and reasons ---- */

static void test_texts(void **unused) {
        (void)unused;
        regex_t ticket;
        PolicyText pattern = {.mode = POLICY_TEXT_PATTERN, .compiled = &ticket};
        const PolicyText off = {0}, optional = {.mode = POLICY_TEXT_OPTIONAL};
        const PolicyText required = {.mode = POLICY_TEXT_REQUIRED};
        const struct {
                const PolicyText *rule;
                const char *text;
                PolicyTextVerdict expected;
        } table[] = {
                {&off, NULL, POLICY_TEXT_FINE},           {&off, "", POLICY_TEXT_FINE},
                {&off, "why", POLICY_TEXT_UNWANTED},      {&optional, NULL, POLICY_TEXT_FINE},
                {&optional, "", POLICY_TEXT_FINE},        {&optional, "why", POLICY_TEXT_FINE},
                {&required, NULL, POLICY_TEXT_MISSING},   {&required, "", POLICY_TEXT_MISSING},
                {&required, " \t ", POLICY_TEXT_MISSING}, {&required, " x", POLICY_TEXT_FINE},
                {&pattern, NULL, POLICY_TEXT_MISSING},    {&pattern, " ", POLICY_TEXT_MISSING},
                {&pattern, "INC12", POLICY_TEXT_FINE},    {&pattern, "INC", POLICY_TEXT_WRONG},
                {&pattern, "xINC12", POLICY_TEXT_WRONG},
        };

        assert_int_equal(regcomp(&ticket, "^(INC[0-9]+)$", REG_EXTENDED | REG_NOSUB), 0);
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                assert_int_equal(policy_text_check(table[i].rule, table[i].text), table[i].expected);
        regfree(&ticket);
}

/* ---- who approves, in words ---- */

static char *family[] = {S("mum"), S("dad"), S("gran"), NULL}, *boss[] = {S("boss"), NULL};
static const PolicyRule all_kinds = {
        .quorum = {.n_parts = 4,
                   .needed = {1, 2, 2, 1},
                   .n_alternatives = 3,
                   .alternatives = {3, 4, 8},
                   .n_first = 2},
        .parts = {{.group = S("ops")}, {.group = S("security")}, {.users = family}, {.users = boss}},
        .admins_group = S("admins"),
};

static void test_reviewers_text(void **unused) {
        (void)unused;
        const PolicyRule peers = {.quorum = {.n_parts = 1,
                                             .needed = {2},
                                             .n_alternatives = 1,
                                             .alternatives = {1},
                                             .n_first = 1},
                                  .parts = {{.group = S("peers")}},
                                  .admins_group = S("boss")};
        const PolicyRule admins = {.admins_group = S("boss")}, nobody = {0};
        const struct {
                const PolicyRule *rule;
                bool escalated;
                const char *expected;
        } table[] = {
                {&peers, false, "2 of peers, or 1 of boss"},
                {&admins, false, "1 of boss"},
                {&nobody, true, "nobody"},
                {&all_kinds, false, "1 of ops and 2 of security, or 2 of {mum dad gran}, or 1 of admins"},
                {&all_kinds, true,
                 "1 of ops and 2 of security, or 2 of {mum dad gran}, or 1 of {boss}, or 1 of admins"},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                char *text = policy_reviewers_text(table[i].rule, table[i].escalated);

                assert_string_equal(text, table[i].expected);
                free(text);
        }
}

/* Half a text would be a lie. */
static void test_reviewers_text_without_memory(void **unused) {
        (void)unused;
        const PolicyRule nobody = {0};
        const PolicyRule *const rules[] = {&all_kinds, &nobody};

        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
                for (unsigned n = 0;; n++) {
                        char *text;
                        bool met;

                        failing_alloc_at(n);
                        text = policy_reviewers_text(rules[i], true);
                        met = failing_alloc_met();
                        if (met)
                                assert_null(text);
                        else
                                assert_non_null(text);
                        free(text);
                        if (!met) {
                                assert_in_range(n, 2, 200);
                                break;
                        }
                }
}

/* ---- the life of rules ---- */

static char **copy_of(char *const *list) {
        return strv_concat(list, NULL);
}

static regex_t *compiled(const char *pattern) {
        regex_t *regex = calloc(1, sizeof(*regex));

        assert_int_equal(regcomp(regex, pattern, REG_EXTENDED), 0);
        return regex;
}

/* A rule that owns something in every field. */
static PolicyRule full_rule(void) {
        PolicyRule rule = {
                .name = strdup("n"),
                .file = strdup("f"),
                .services = copy_of(LIST(S("s1"), S("s2"))),
                .users = copy_of(LIST(S("u"))),
                .groups = copy_of(LIST(S("g"))),
                .ttys = copy_of(LIST(S("t"))),
                .networks = calloc(1, sizeof(PolicyNetwork)),
                .n_networks = 1,
                .times = calloc(1, sizeof(PolicyTime)),
                .n_times = 1,
                .action = POLICY_REQUIRE,
                .quorum = {.n_parts = QUORUM_PARTS_MAX, .n_alternatives = 1, .n_first = 1},
                .admins_group = strdup("a"),
                .note = {POLICY_TEXT_PATTERN, strdup("x"), compiled("x")},
                .reason = {POLICY_TEXT_PATTERN, strdup("y"), compiled("y")},
        };

        for (unsigned i = 0; i < QUORUM_PARTS_MAX; i++)
                if (i % 2 == 0)
                        rule.parts[i].group = strdup("p");
                else
                        rule.parts[i].users = copy_of(LIST(S("m"), S("d")));
        return rule;
}

/* MUST 2; that all is freed is the leak checker's to say. */
static void test_a_rule_that_is_done_denies(void **unused) {
        (void)unused;
        static const PolicyRule zero;
        PolicyRule rule = full_rule(), empty = {.action = POLICY_EXEMPT};

        policy_rule_done(&rule);
        assert_memory_equal(&rule, &zero, sizeof(rule));
        policy_rule_done(&rule);
        policy_rule_done(&empty);
        assert_int_equal(empty.action, POLICY_DENY);
}

static void test_a_policy_lives_until_its_last_owner_leaves(void **unused) {
        (void)unused;
        Policy *policy = calloc(1, sizeof(*policy));

        assert_null(policy_ref(NULL));
        assert_null(policy_unref(NULL));
        policy->rules = calloc(2, sizeof(PolicyRule));
        policy->rules[0] = full_rule();
        policy->rules[1] = full_rule();
        policy->n_rules = 2;
        assert_int_equal(policy_name_groups(policy), 0);
        assert_ptr_equal(policy_ref(policy), policy);
        assert_null(policy_unref(policy));
        assert_string_equal(policy->rules[1].name, "n"); /* still there */
        assert_null(policy_unref(policy));
}

static void expect_list(char *const *list, char *const *expected) {
        assert_int_equal(strv_length(list), strv_length(expected));
        for (size_t i = 0; expected && expected[i]; i++)
                assert_string_equal(list[i], expected[i]);
}

static char *staff[] = {S("staff"), S("ops"), S("staff"), NULL}, *bosses[] = {S("admins"), NULL};
static char *parents[] = {S("mum"), NULL};
static PolicyRule group_rules[] = {
        {.groups = staff},
        {.quorum = {.n_parts = 3},
         .parts = {{.group = S("ops")}, {.users = parents}, {.group = S("later")}, {.group = S("beyond")}},
         .admins_group = S("admins")},
        {.name = NULL},
        {.groups = bosses, .quorum = {.n_parts = 1}, .parts = {{.group = S("peers")}}},
};

static Policy group_policy(void) {
        return (Policy){.rules = group_rules, .n_rules = sizeof(group_rules) / sizeof(group_rules[0])};
}

static void test_group_names_are_collected_once(void **unused) {
        (void)unused;
        Policy policy = group_policy();
        static const char *const expected[] = {"staff", "ops", "admins", "later", "peers"};

        assert_int_equal(policy_name_groups(&policy), 0);
        assert_int_equal(strv_length(policy.group_names), 5);
        for (unsigned i = 0; i < 5; i++)
                assert_true(strv_contains(policy.group_names, expected[i]));
        expect_list(policy.login_groups, LIST(S("staff"), S("ops"), S("admins")));
        strv_free(policy.group_names);
        strv_free(policy.login_groups);
}

static void test_group_names_without_memory(void **unused) {
        (void)unused;
        for (unsigned n = 0;; n++) {
                Policy policy = group_policy();
                bool met;
                int r;

                failing_alloc_at(n);
                r = policy_name_groups(&policy);
                met = failing_alloc_met();
                assert_int_equal(r, met ? -ENOMEM : 0);
                strv_free(policy.group_names);
                strv_free(policy.login_groups);
                if (!met) {
                        assert_int_equal(n, 2 * (5 + 3)); /* a copy and a place for each name */
                        break;
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_roles),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_reviewers_text),
                cmocka_unit_test(test_reviewers_text_without_memory),
                cmocka_unit_test(test_a_rule_that_is_done_denies),
                cmocka_unit_test(test_a_policy_lives_until_its_last_owner_leaves),
                cmocka_unit_test(test_group_names_are_collected_once),
                cmocka_unit_test(test_group_names_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
