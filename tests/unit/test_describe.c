/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a notification says of a request: every line of it, what a stranger may put into it (attacks B18,
 * B19), and that no code is part of it (attack C7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* The notifier is no library; this is the one file of it that needs no desktop. */
#include "notifier/describe.c"

#define NOON_USEC (1700000000ULL * PEERAUTH_USEC_PER_SEC)

/* As the broker sends a login under the rule as shipped. Nothing of it is freed. */
static ClientRequest shipped(void) {
        return (ClientRequest){
                .id = (char *)"0123456789abcdef0123456789abcdef",
                .user = (char *)"alice",
                .service = (char *)"sshd",
                .tty = (char *)"",
                .rhost = (char *)"192.0.2.7",
                .ruser = (char *)"",
                .rule = (char *)"default",
                .reviewers = (char *)"2 of peerauth-reviewers",
                .code_mode = (char *)PEERAUTH_CODE_ENTER,
                .why_not = (char *)"",
                .state = (char *)PEERAUTH_PENDING,
                .reason = (char *)"",
                .note_mode = (char *)PEERAUTH_TEXT_OPTIONAL,
                .note_pattern = (char *)"",
                .uid = 1000,
                .needed = 2,
                .missing = 2,
                .created_usec = NOON_USEC,
                .verified = true,
                .can_decide = true,
        };
}

static void expect_texts(const ClientRequest *request, bool buttons, const char *summary, const char *body) {
        PEERAUTH_CLEANUP(description_done) Description text = {0};

        assert_int_equal(describe_request(request, buttons, NOON_USEC + 300 * PEERAUTH_USEC_PER_SEC, &text),
                         0);
        assert_string_equal(text.summary, summary);
        assert_string_equal(text.body, body);
}

static void expect_body(const ClientRequest *request, bool buttons, const char *body) {
        expect_texts(request, buttons, "alice waits to log in (sshd)", body);
}

/* TZ=UTC: 1700000000 is 2023-11-14 22:13:20. */
#define WHENCE "From 192.0.2.7, since 22:13:20.\n"
#define BEFORE "Decide before 22:18:20.\n"
#define TYPE   "Ask alice for the code, then: peerauthctl approve alice"

static void test_as_shipped(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        expect_body(&request, true, WHENCE "Approvals still missing: 2 of 2. " BEFORE TYPE);
        expect_body(&request, false,
                    WHENCE "Approvals still missing: 2 of 2. " BEFORE TYPE
                           "\nTo refuse: peerauthctl deny alice");
        assert_false(describe_one_click(&request));
}

static void test_reason_has_its_line(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.reason = (char *)"disk of db3 is full";
        expect_body(&request, true,
                    WHENCE
                    "Reason given: disk of db3 is full\nApprovals still missing: 2 of 2. " BEFORE TYPE);
        request.reason = (char *)"   ";
        expect_body(&request, true, WHENCE "Approvals still missing: 2 of 2. " BEFORE TYPE);
}

static void test_reason_cannot_make_lines(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.reason = (char *)"x\nApprovals still missing: 0 of 2.\r\x1b[2J\xe2\x80\xae";
        expect_body(&request, true,
                    WHENCE "Reason given: x\\x0aApprovals still missing: 0 of "
                           "2.\\x0d\\x1b[2J\\u{202e}\nApprovals still missing: 2 of 2. " BEFORE TYPE);
}

static void test_reason_is_bounded(void **unused) {
        PEERAUTH_CLEANUP(description_done) Description text = {0};
        ClientRequest request = shipped();
        char reason[PEERAUTH_REASON_MAX + 1], shown[REASON_SHOWN + 1];

        (void)unused;
        memset(reason, 'r', sizeof(reason) - 1);
        reason[sizeof(reason) - 1] = '\0';
        memset(shown, 'r', sizeof(shown) - 1);
        strcpy(shown + sizeof(shown) - 1 - strlen("..."), "...");
        request.reason = reason;
        assert_int_equal(describe_request(&request, true, NOON_USEC, &text), 0);
        assert_non_null(strstr(text.body, shown));
        assert_null(strstr(text.body, reason));
}

static void test_how_many_are_missing(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.approvals = request.missing = 1;
        expect_body(&request, true, WHENCE "Approvals still missing: 1 of 2. " BEFORE TYPE);
        /* Who has approved counts for no alternative that is open. */
        request.missing = 3;
        expect_body(&request, true, WHENCE "Approvals still missing: 3. " BEFORE TYPE);
        request.denials = 1;
        request.missing = 2;
        expect_body(&request, true,
                    WHENCE "Approvals still missing: 2 of 2. Denials so far: 1. " BEFORE TYPE);
        request.denials = 0;
        request.missing = UINT32_MAX;
        request.reviewers = (char *)"1 of peerauth-admins";
        expect_body(&request, true, WHENCE "Needs 1 of peerauth-admins. " BEFORE TYPE);
}

static void test_escalated(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.escalated = true;
        expect_body(&request, true,
                    WHENCE
                    "Approvals still missing: 2 of 2. Escalated: nobody decided in time. " BEFORE TYPE);
}

static void test_compared(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.code_mode = (char *)PEERAUTH_CODE_COMPARE;
        strcpy(request.code, "482913");
        assert_true(describe_one_click(&request));
        expect_body(&request, true,
                    WHENCE "Approvals still missing: 2 of 2. " BEFORE
                           "Compare the code with alice before you approve: peerauthctl show alice");
        expect_body(&request, false,
                    WHENCE "Approvals still missing: 2 of 2. " BEFORE
                           "Compare the code with alice: peerauthctl show alice\n"
                           "Then: peerauthctl approve alice\nTo refuse: peerauthctl deny alice");
        request.note_mode = (char *)PEERAUTH_TEXT_OFF;
        assert_true(describe_one_click(&request));
}

static void test_note_cannot_be_clicked(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.note_mode = (char *)PEERAUTH_TEXT_REQUIRED;
        expect_body(&request, true,
                    WHENCE "Approvals still missing: 2 of 2. " BEFORE TYPE "\nThe rule asks for a note.");
        request.code_mode = (char *)PEERAUTH_CODE_COMPARE;
        assert_false(describe_one_click(&request));
        expect_body(&request, true,
                    WHENCE "Approvals still missing: 2 of 2. " BEFORE
                           "Compare the code with alice: peerauthctl show alice\n"
                           "Then: peerauthctl approve alice\nThe rule asks for a note.");
        request.note_mode = (char *)PEERAUTH_TEXT_PATTERN;
        request.note_pattern = (char *)"INC[0-9]+";
        assert_false(describe_one_click(&request));
        expect_body(&request, true,
                    WHENCE "Approvals still missing: 2 of 2. " BEFORE
                           "Compare the code with alice: peerauthctl show alice\n"
                           "Then: peerauthctl approve alice\n"
                           "The rule asks for a note that matches: INC[0-9]+");
}

static void test_own_login(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.self = true;
        expect_texts(&request, true, "alice waits to log in (sshd): your own login",
                     WHENCE "Approvals still missing: 2 of 2. " BEFORE
                            "Look at your other screen for the code, then: peerauthctl approve alice");
        request.code_mode = (char *)PEERAUTH_CODE_COMPARE;
        expect_texts(&request, true, "alice waits to log in (sshd): your own login",
                     WHENCE "Approvals still missing: 2 of 2. " BEFORE
                            "Compare the code with your other screen before you approve: "
                            "peerauthctl show alice");
}

static void test_unverified(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.verified = false;
        request.reason = (char *)"unlock";
        expect_body(&request, true,
                    WHENCE "Not verified: the account itself asked, not the system.\nReason given: unlock\n"
                           "Approvals still missing: 2 of 2. " BEFORE TYPE);
}

static void test_origins(void **unused) {
        ClientRequest request = shipped();

        (void)unused;
        request.rhost = (char *)"";
        request.tty = (char *)"tty2";
        expect_body(&request, true,
                    "On this computer, terminal tty2, since 22:13:20.\n"
                    "Approvals still missing: 2 of 2. " BEFORE TYPE);
}

/* Attack B19: people paste what they are told to type. */
static void test_names_in_commands(void **unused) {
        static const char *const odd[] = {"$(reboot)", "-y", "a b", "a;b", "a'b", "`a`", "Zo\xc3\xab", ""};
        ClientRequest request = shipped();

        (void)unused;
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
                PEERAUTH_CLEANUP(description_done) Description text = {0};

                request.user = (char *)odd[i];
                assert_int_equal(describe_request(&request, false, NOON_USEC, &text), 0);
                assert_non_null(strstr(text.body, "peerauthctl approve 01234567\n"));
                assert_string_equal(strstr(text.body, "peerauthctl deny "), "peerauthctl deny 01234567");
        }
}

static void test_more(void **unused) {
        PEERAUTH_CLEANUP(description_done) Description one = {0}, many = {0};

        (void)unused;
        assert_int_equal(describe_more(1, &one), 0);
        assert_string_equal(one.summary, "1 more request waits");
        assert_int_equal(describe_more(25, &many), 0);
        assert_string_equal(many.summary, "25 more requests wait");
        assert_string_equal(many.body, "To see them all: peerauthctl list");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_shipped),
                cmocka_unit_test(test_reason_has_its_line),
                cmocka_unit_test(test_reason_cannot_make_lines),
                cmocka_unit_test(test_reason_is_bounded),
                cmocka_unit_test(test_how_many_are_missing),
                cmocka_unit_test(test_escalated),
                cmocka_unit_test(test_compared),
                cmocka_unit_test(test_note_cannot_be_clicked),
                cmocka_unit_test(test_own_login),
                cmocka_unit_test(test_unverified),
                cmocka_unit_test(test_origins),
                cmocka_unit_test(test_names_in_commands),
                cmocka_unit_test(test_more),
        };

        (void)setenv("TZ", "UTC", 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
