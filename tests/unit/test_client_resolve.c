/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of requests: the one that is meant, or none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/client_resolve.h"

#define ID_A "abcdef00000000000000000000000000"
#define ID_B "abcdef11111111111111111111111111"
#define ID_C "482913aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_D "beefbeefbeefbeefbeefbeefbeefbeef"

static ClientRequest items[] = {
        {.id = (char *)ID_A, .user = (char *)"alice"},
        {.id = (char *)ID_B, .user = (char *)"bob"},
        {.id = (char *)ID_C, .user = (char *)"bob"},
        {.id = (char *)ID_D, .user = (char *)"abcdef1"},
};
static const ClientRequestList list = {items, sizeof(items) / sizeof(items[0])};

static void assert_means(const char *name, int expected, size_t expected_index) {
        size_t index = SIZE_MAX;
        int r = client_resolve(&list, name, &index);

        if (r != expected || index != expected_index)
                print_error("client_resolve(\"%s\") gave %d and %zd\n", name, r, (ssize_t)index);
        assert_int_equal(r, expected);
        assert_int_equal(index, expected_index);
}

static void test_account_names_its_only_request(void **state) {
        (void)state;
        assert_means("alice", 0, 0);
}

static void test_account_with_two_requests_is_ambiguous(void **state) {
        (void)state;
        assert_means("bob", -ENOTUNIQ, SIZE_MAX);
}

static void test_account_is_not_abbreviated_nor_case_folded(void **state) {
        (void)state;
        assert_means("alic", -ENOENT, SIZE_MAX);
        assert_means("Alice", -ENOENT, SIZE_MAX);
        assert_means("alice ", -ENOENT, SIZE_MAX);
        assert_means("", -ENOENT, SIZE_MAX);
}

static void test_prefix_of_id_needs_four_digits(void **state) {
        (void)state;
        assert_means("bee", -ENOENT, SIZE_MAX);
        assert_means("beef", 0, 3);
        assert_means("BEEFbe", 0, 3);
        assert_means("beeg", -ENOENT, SIZE_MAX);
}

static void test_shared_prefix_is_ambiguous(void **state) {
        (void)state;
        assert_means("abcd", -ENOTUNIQ, SIZE_MAX);
        assert_means("abcdef0", 0, 0);
}

/* Somebody logs in as an account whose name begins another request's id: nobody is picked. */
static void test_account_that_looks_like_an_id_is_ambiguous(void **state) {
        (void)state;
        assert_means("abcdef1", -ENOTUNIQ, SIZE_MAX);
        assert_means("abcdef11", 0, 1);
}

static void test_complete_id_is_never_ambiguous(void **state) {
        ClientRequest two[] = {{.id = (char *)ID_A, .user = (char *)ID_B},
                               {.id = (char *)ID_B, .user = (char *)"x"}};
        const ClientRequestList both = {two, 2};
        size_t index = SIZE_MAX;

        (void)state;
        assert_int_equal(client_resolve(&both, ID_B, &index), 0);
        assert_int_equal(index, 1);
        assert_means(ID_A "0", -ENOENT, SIZE_MAX);
}

static void test_code_in_the_wrong_place_is_recognised(void **state) {
        (void)state;
        assert_means("000000", -EINVAL, SIZE_MAX);
        assert_means("482 913", -EINVAL, SIZE_MAX);
        /* although an id begins with it */
        assert_means("482913", -EINVAL, SIZE_MAX);
        assert_means("482913a", 0, 2);
        assert_means("48291", 0, 2);
}

static void test_account_of_six_digits_is_no_code(void **state) {
        ClientRequest student[] = {{.id = (char *)ID_A, .user = (char *)"123456"}};
        const ClientRequestList one = {student, 1};
        size_t index = SIZE_MAX;

        (void)state;
        assert_int_equal(client_resolve(&one, "123456", &index), 0);
        assert_int_equal(index, 0);
}

static void test_shell_metacharacters_and_dashes_are_only_text(void **state) {
        (void)state;
        assert_means("$(id)", -ENOENT, SIZE_MAX);
        assert_means("-rf", -ENOENT, SIZE_MAX);
        assert_means("*", -ENOENT, SIZE_MAX);
        assert_means("alice\n", -ENOENT, SIZE_MAX);
        assert_means("%s%n", -ENOENT, SIZE_MAX);
}

/* What `list` shows must lead back to the same request. */
static void test_short_id_finds_its_request(void **state) {
        (void)state;
        for (size_t i = 0; i < list.n_items; i++) {
                char name[PEERAUTH_ID_HEX + 1];

                (void)snprintf(name, sizeof(name), "%.*s", (int)client_resolve_short(&list, i), items[i].id);
                assert_means(name, 0, i);
        }
}

static void test_short_id_is_as_short_as_it_can_be(void **state) {
        (void)state;
        assert_int_equal(client_resolve_short(&list, 0), strlen("abcdef0"));
        assert_int_equal(client_resolve_short(&list, 1), strlen("abcdef11")); /* abcdef1 is an account */
        assert_int_equal(client_resolve_short(&list, 2), 4);
        assert_int_equal(client_resolve_short(&list, 3), 4);
}

/* Six digits would be refused as a code, so one more is shown. */
static void test_short_id_is_never_six_decimal_digits(void **state) {
        ClientRequest two[] = {{.id = (char *)"48291300000000000000000000000000", .user = (char *)"a"},
                               {.id = (char *)"48291400000000000000000000000000", .user = (char *)"b"}};
        const ClientRequestList both = {two, 2};

        (void)state;
        assert_int_equal(client_resolve_short(&both, 0), 7);
}

static void test_nothing_is_found_in_an_empty_list(void **state) {
        const ClientRequestList empty = {0};
        size_t index = SIZE_MAX;

        (void)state;
        assert_int_equal(client_resolve(&empty, "alice", &index), -ENOENT);
        assert_int_equal(index, SIZE_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_account_names_its_only_request),
                cmocka_unit_test(test_account_with_two_requests_is_ambiguous),
                cmocka_unit_test(test_account_is_not_abbreviated_nor_case_folded),
                cmocka_unit_test(test_prefix_of_id_needs_four_digits),
                cmocka_unit_test(test_shared_prefix_is_ambiguous),
                cmocka_unit_test(test_account_that_looks_like_an_id_is_ambiguous),
                cmocka_unit_test(test_complete_id_is_never_ambiguous),
                cmocka_unit_test(test_code_in_the_wrong_place_is_recognised),
                cmocka_unit_test(test_account_of_six_digits_is_no_code),
                cmocka_unit_test(test_shell_metacharacters_and_dashes_are_only_text),
                cmocka_unit_test(test_short_id_finds_its_request),
                cmocka_unit_test(test_short_id_is_as_short_as_it_can_be),
                cmocka_unit_test(test_short_id_is_never_six_decimal_digits),
                cmocka_unit_test(test_nothing_is_found_in_an_empty_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
