/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exit statuses: 0 ok, 1 error, 2 usage, 3 not found or expired, 4 refused, 5 ledger does not verify, 6
 * broker out of reach, 7 needs privilege. The numbers are an interface, so they stand here as numbers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/client_error.h"

static int status_of(const char *name) {
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, "text");

        return (int)client_error_explain(-EREMOTEIO, &error)->status;
}

static void test_requests_that_are_gone_are_3(void **state) {
        (void)state;
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.NoSuchRequest"), 3);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.Expired"), 3);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.AlreadyDecided"), 3);
}

static void test_refusals_are_4(void **state) {
        (void)state;
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.NotEligible"), 4);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.SelfReview"), 4);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.CodeMismatch"), 4);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.RateLimited"), 4);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.Locked"), 4);
}

static void test_a_broker_out_of_reach_is_6(void **state) {
        (void)state;
        assert_int_equal(status_of("org.freedesktop.DBus.Error.ServiceUnknown"), 6);
        assert_int_equal(status_of("org.freedesktop.DBus.Error.NoReply"), 6);
        assert_int_equal(status_of("org.freedesktop.DBus.Error.Disconnected"), 6);
        assert_int_equal(status_of("org.freedesktop.DBus.Error.Spawn.ChildExited"), 6);
        assert_int_equal(status_of("org.freedesktop.systemd1.NoSuchUnit"), 6);
        assert_int_equal(client_error_explain(-ECONNREFUSED, NULL)->status, 6);
        assert_int_equal(client_error_explain(-ENOENT, NULL)->status, 6);
        assert_int_equal(client_error_explain(-ETIMEDOUT, NULL)->status, 6);
}

static void test_missing_privilege_is_7(void **state) {
        (void)state;
        assert_int_equal(status_of("org.freedesktop.DBus.Error.AccessDenied"), 7);
        assert_int_equal(status_of("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"), 7);
}

/* What the person left out, they can add. */
static void test_a_missing_note_is_2(void **state) {
        (void)state;
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.NoteNeeded"), 2);
}

static const char *remedy_of(const char *name) {
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, "text");

        return client_error_explain(-EREMOTEIO, &error)->remedy;
}

/* polkit's two ways to say no: it could not ask, and a rule refuses. */
static void test_polkit_refusals_say_where_to_go(void **state) {
        (void)state;
        assert_non_null(strstr(remedy_of("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"),
                               "at a terminal or in a desktop session"));
        assert_non_null(strstr(remedy_of("org.freedesktop.DBus.Error.AccessDenied"), "polkit"));
}

static void test_an_invalid_policy_leaves_the_old_one(void **state) {
        (void)state;
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.PolicyInvalid"), 1);
        assert_non_null(strstr(remedy_of("org.peerauth.PeerAuth1.Error.PolicyInvalid"),
                               "the old policy stays in force"));
}

static void test_everything_else_is_1(void **state) {
        (void)state;
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.LedgerUnavailable"), 1);
        assert_int_equal(status_of("org.peerauth.PeerAuth1.Error.NotInventedYet"), 1);
        assert_int_equal(status_of("org.freedesktop.DBus.Error.Spawn"), 1);
        assert_int_equal(client_error_explain(-EBADMSG, NULL)->status, 1);
        assert_int_equal(client_error_explain(-ENOMEM, NULL)->status, 1);
        assert_int_equal(client_error_explain(-EREMOTEIO, NULL)->status, 1);
}

/* A stale error struct must not explain a failure that came from elsewhere. */
static void test_the_error_counts_only_with_its_errno(void **state) {
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST("org.freedesktop.DBus.Error.AccessDenied", "x");

        (void)state;
        assert_int_equal(client_error_explain(-ECONNREFUSED, &error)->status, 6);
}

static void test_every_failure_has_a_remedy(void **state) {
        (void)state;
        for (int r = 1; r < 134; r++) {
                const ClientError *explained = client_error_explain(-r, NULL);

                assert_non_null(explained->remedy);
                assert_true(strlen(explained->remedy) > 10);
                assert_int_not_equal(explained->status, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests_that_are_gone_are_3),
                cmocka_unit_test(test_refusals_are_4),
                cmocka_unit_test(test_a_broker_out_of_reach_is_6),
                cmocka_unit_test(test_missing_privilege_is_7),
                cmocka_unit_test(test_a_missing_note_is_2),
                cmocka_unit_test(test_polkit_refusals_say_where_to_go),
                cmocka_unit_test(test_an_invalid_policy_leaves_the_old_one),
                cmocka_unit_test(test_everything_else_is_1),
                cmocka_unit_test(test_the_error_counts_only_with_its_errno),
                cmocka_unit_test(test_every_failure_has_a_remedy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
