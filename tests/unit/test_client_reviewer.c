/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reviewer's calls: what goes out, and what of the answer is believed. */
#include "tests/unit/liar_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* What the broker heard of the last decision. Written by its thread, which has ended when the test reads it.
 */
typedef struct Decision {
        char member[16], id[PEERAUTH_ID_HEX + 1], code[PEERAUTH_CODE_DIGITS + 1], note[64];
        bool interactive, more;
} Decision;
static Decision heard;

static int hear(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *id = "", *code = "", *note = "";
        bool approve = sd_bus_message_is_method_call(call, PEERAUTH_IFACE_REVIEWER, "Approve") > 0;

        (void)userdata;
        (void)error;
        heard = (Decision){.interactive = sd_bus_message_get_allow_interactive_authorization(call) > 0};
        (void)snprintf(heard.member, sizeof(heard.member), "%s", sd_bus_message_get_member(call));
        if ((approve ? sd_bus_message_read(call, "ss", &id, &code) : sd_bus_message_read(call, "s", &id)) <
                    0 ||
            sd_bus_message_read(call, "s", &note) < 0)
                return -EBADMSG;
        (void)snprintf(heard.id, sizeof(heard.id), "%s", id);
        (void)snprintf(heard.code, sizeof(heard.code), "%s", code);
        (void)snprintf(heard.note, sizeof(heard.note), "%s", note);
        heard.more = sd_bus_message_has_signature(call, approve ? "sssa{sv}" : "ssa{sv}") <= 0;
        return 0;
}

LIE(voted, "su", "pending", 2U)
LIE(approved, "su", "approved", 0U)
LIE(invented_state, "su", "Denied!", 0U)
LIE(empty_state, "su", "", 0U)
LIE(no_state, "")
LIE(other_types, "us", 1U, "approved")
LIE(half, "s", "approved")

static int refuse(sd_bus_message *reply) {
        (void)reply;
        return -EACCES; /* sd-bus sends the error that it stands for */
}

/* ---- approve and deny, synchronously ---- */

typedef struct Outcome {
        int r;
        Verdict state;
        unsigned missing;
} Outcome;

static Outcome approve(Answer answer, bool interactive) {
        Outcome outcome = {.state = VERDICT_CANCELLED, .missing = 77};
        Liar liar;

        liar_start_hearing(&liar, answer, hear);
        outcome.r = interactive ? client_approve_interactive(liar.client, ID, CODE, "why", 5000000,
                                                             &outcome.state, &outcome.missing, NULL)
                                : client_approve(liar.client, ID, CODE, "why", &outcome.state,
                                                 &outcome.missing, NULL);
        liar_stop(&liar);
        return outcome;
}

static void test_approve_sends_id_code_and_note(void **state) {
        Outcome outcome = approve(voted, false);

        (void)state;
        assert_int_equal(outcome.r, 0);
        assert_int_equal(outcome.state, VERDICT_PENDING);
        assert_int_equal(outcome.missing, 2);
        assert_string_equal(heard.member, "Approve");
        assert_string_equal(heard.id, ID);
        assert_string_equal(heard.code, CODE);
        assert_string_equal(heard.note, "why");
        assert_false(heard.more);
}

/* polkit may ask a person only if the call says so. */
static void test_only_an_interactive_call_lets_polkit_ask(void **state) {
        (void)state;
        assert_int_equal(approve(approved, false).state, VERDICT_APPROVED);
        assert_false(heard.interactive);
        assert_int_equal(approve(approved, true).state, VERDICT_APPROVED);
        assert_true(heard.interactive);
}

static void test_deny_carries_no_code(void **state) {
        Liar liar;
        Verdict verdict = VERDICT_CANCELLED;

        (void)state;
        liar_start_hearing(&liar, voted, hear);
        assert_int_equal(client_deny(liar.client, ID, NULL, &verdict, NULL), 0);
        liar_stop(&liar);
        assert_int_equal(verdict, VERDICT_PENDING);
        assert_string_equal(heard.member, "Deny");
        assert_string_equal(heard.id, ID);
        assert_string_equal(heard.code, "");
        assert_string_equal(heard.note, "");
        assert_false(heard.more);
}

static void test_malformed_answers_are_refused(void **state) {
        static const Answer lies[] = {no_state, other_types, half, invented_state, empty_state};

        (void)state;
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                Outcome outcome = approve(lies[i], false);

                if (outcome.r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, outcome.r);
                assert_int_equal(outcome.r, -EBADMSG);
                assert_int_equal(outcome.state, VERDICT_CANCELLED); /* not written */
                assert_int_equal(outcome.missing, 77);
        }
}

/* A word that nobody knows reads as "denied" elsewhere; after a denial that would be success. */
static void test_a_denial_is_believed_by_its_word_only(void **state) {
        Verdict verdict = VERDICT_CANCELLED;
        Liar liar;

        (void)state;
        liar_start(&liar, invented_state);
        assert_int_equal(client_deny(liar.client, ID, NULL, &verdict, NULL), -EBADMSG);
        liar_stop(&liar);
        assert_int_equal(verdict, VERDICT_CANCELLED);
}

/* ---- approve, asynchronously ---- */

typedef struct Reply {
        bool done;
        Outcome outcome;
        char error[128];
} Reply;

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Reply *reply = userdata;

        (void)unused;
        reply->outcome = (Outcome){.state = VERDICT_CANCELLED, .missing = 77};
        reply->outcome.r = client_approve_parse(m, &reply->outcome.state, &reply->outcome.missing, &error);
        (void)snprintf(reply->error, sizeof(reply->error), "%s", error.name ? error.name : "");
        reply->done = true;
        return 1;
}

static Reply approve_async(Answer answer, uint64_t timeout_usec) {
        sd_bus_slot *slot = NULL;
        Reply reply = {0};
        Liar liar;

        liar_start_hearing(&liar, answer, hear);
        assert_int_equal(
                client_approve_async(liar.client, ID, CODE, NULL, timeout_usec, &slot, on_reply, &reply), 0);
        while (!reply.done && sd_bus_process(liar.client, NULL) >= 0)
                (void)sd_bus_wait(liar.client, 100000);
        sd_bus_slot_unref(slot);
        liar_stop(&liar);
        return reply;
}

static void test_async_approval_is_interactive_and_read(void **state) {
        Reply reply = approve_async(voted, 5000000);

        (void)state;
        assert_int_equal(reply.outcome.r, 0);
        assert_int_equal(reply.outcome.state, VERDICT_PENDING);
        assert_int_equal(reply.outcome.missing, 2);
        assert_true(heard.interactive);
        assert_string_equal(heard.code, CODE);
        assert_string_equal(heard.note, "");
}

static void test_async_refusal_is_an_error_with_its_name(void **state) {
        Reply reply = approve_async(refuse, 5000000);

        (void)state;
        assert_int_equal(reply.outcome.r, -EREMOTEIO);
        assert_string_equal(reply.error, "org.freedesktop.DBus.Error.AccessDenied");
        assert_int_equal(reply.outcome.state, VERDICT_CANCELLED); /* not written */
}

static void test_async_approval_ends_in_time(void **state) {
        Reply reply = approve_async(NULL, 100000);

        (void)state;
        assert_true(reply.done);
        assert_int_equal(reply.outcome.r, -EREMOTEIO);
        assert_int_equal(approve_async(half, 5000000).outcome.r, -EBADMSG);
}

/* ---- what the policy says of a request ---- */

LIE(request_full, "a{sv}", 8, "id", "s", ID, "reason", "s", "deploy", "note-mode", "s", "pattern",
    "note-pattern", "s", "OPS-[0-9]+", "denials", "u", 1U, "missing", "u", 4294967295U, "escalated", "b", 1,
    "self", "b", 1)
LIE(request_bare, "a{sv}", 1, "id", "s", ID)
LIE(request_other, "a{sv}", 2, "id", "s", "0123456789abcdef0123456789abcdee", "code", "s", CODE)

static ClientRequest get(Answer answer) {
        ClientRequest request = {0};
        Liar liar;

        liar_start(&liar, answer);
        assert_int_equal(client_get_request(liar.client, ID, &request, NULL), 0);
        liar_stop(&liar);
        return request;
}

static void test_the_terms_of_a_request_are_read(void **state) {
        PEERAUTH_CLEANUP(client_request_done)
        ClientRequest full = get(request_full), bare = get(request_bare);

        (void)state;
        assert_string_equal(full.reason, "deploy");
        assert_string_equal(full.note_mode, "pattern");
        assert_string_equal(full.note_pattern, "OPS-[0-9]+");
        assert_int_equal(full.denials, 1);
        assert_int_equal(full.missing, UINT32_MAX);
        assert_true(full.escalated);
        assert_true(full.self);
        assert_string_equal(bare.reason, "");
        assert_string_equal(bare.note_mode, "");
        assert_false(bare.escalated);
        assert_false(bare.self);
}

/* The code of one request must not approve another. */
static void test_an_answer_about_another_request_is_refused(void **state) {
        ClientRequest request = {0};
        Liar liar;

        (void)state;
        liar_start(&liar, request_other);
        assert_int_equal(client_get_request(liar.client, ID, &request, NULL), -EBADMSG);
        liar_stop(&liar);
        assert_null(request.id);
        assert_string_equal(request.code, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_approve_sends_id_code_and_note),
                cmocka_unit_test(test_only_an_interactive_call_lets_polkit_ask),
                cmocka_unit_test(test_deny_carries_no_code),
                cmocka_unit_test(test_malformed_answers_are_refused),
                cmocka_unit_test(test_a_denial_is_believed_by_its_word_only),
                cmocka_unit_test(test_an_answer_about_another_request_is_refused),
                cmocka_unit_test(test_async_approval_is_interactive_and_read),
                cmocka_unit_test(test_async_refusal_is_an_error_with_its_name),
                cmocka_unit_test(test_async_approval_ends_in_time),
                cmocka_unit_test(test_the_terms_of_a_request_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
