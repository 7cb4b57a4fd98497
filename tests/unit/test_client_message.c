/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client against a broker that lies. Nothing but a well-formed answer may be believed, and nothing may
 * crash.
 */
#include "tests/unit/liar_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- CreateRequest ---- */

static int create(Answer answer, uint64_t timeout_usec, ClientCreated *created) {
        const ClientLogin login = {.user = "alice", .service = "sshd"};
        Liar liar;
        int r;

        liar_start(&liar, answer);
        r = client_create_request(liar.client, &login, timeout_usec, created, NULL);
        liar_stop(&liar);
        return r;
}

static int created_well(sd_bus_message *m) {
        return sd_bus_message_append(m,
                                     "ssst"
                                     "a{sv}",
                                     "pending", ID, CODE, UINT64_C(77), 3, "needed", "u", 2U, "future",
                                     "(sa{sv})", "x", 1, "y", "as", 1, "z", "message", "s", "hello");
}

static void test_created_is_read_and_unknown_keys_are_skipped(void **state) {
        ClientCreated created = {0};

        (void)state;
        assert_int_equal(create(created_well, 5000000, &created), 0);
        assert_int_equal(created.outcome, VERDICT_PENDING);
        assert_string_equal(created.id, ID);
        assert_string_equal(created.code, CODE);
        assert_int_equal(created.deadline_usec, 77);
        assert_int_equal(created.needed, 2);
        assert_string_equal(created.message, "hello");
        assert_string_equal(created.reviewers, ""); /* missing is empty */
        client_created_done(&created);
        assert_string_equal(created.code, "");
        assert_string_equal(created.id, "");
}

LIE(created_empty, "")
LIE(created_other_types, "uuu", 1U, 2U, 3U)
LIE(created_approved, "sssta{sv}", "approved", ID, CODE, UINT64_C(1), 0)
LIE(created_unknown_outcome, "sssta{sv}", "welcome", ID, CODE, UINT64_C(1), 0)
LIE(created_no_code, "sssta{sv}", "pending", ID, "", UINT64_C(1), 0)
LIE(created_bad_code, "sssta{sv}", "pending", ID, "12345x", UINT64_C(1), 0)
LIE(created_long_id, "sssta{sv}", "pending", ID "0", CODE, UINT64_C(1), 0)
LIE(created_id_and_more, "sssta{sv}", "pending", ID "zz", CODE, UINT64_C(1), 0)
LIE(created_bad_id, "sssta{sv}", "pending", "../../../../etc/shadow0123456789", CODE, UINT64_C(1), 0)
LIE(created_wrong_value, "sssta{sv}", "pending", ID, CODE, UINT64_C(1), 1, "needed", "s", "2")
LIE(created_no_dict, "ssst", "pending", ID, CODE, UINT64_C(1))

static void test_malformed_created_is_refused(void **state) {
        static const Answer lies[] = {created_empty,           created_other_types, created_approved,
                                      created_unknown_outcome, created_no_code,     created_bad_code,
                                      created_long_id,         created_id_and_more, created_bad_id,
                                      created_wrong_value,     created_no_dict};

        (void)state;
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                ClientCreated created = {0};
                int r = create(lies[i], 5000000, &created);

                if (r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, r);
                assert_int_equal(r, -EBADMSG);
                assert_int_equal(created.outcome, VERDICT_DENIED);
                assert_string_equal(created.code, "");
        }
}

static void test_a_silent_broker_is_given_up_in_time(void **state) {
        ClientCreated created = {0};
        int r;

        (void)state;
        r = create(NULL, 200000, &created);
        assert_true(r == -ETIMEDOUT || r == -EREMOTEIO);
}

/* The peer accepts the connection and never says a word: not even the handshake ends. */
static void test_a_silent_peer_is_given_up_in_time(void **state) {
        const ClientLogin login = {.user = "alice", .service = "sshd"};
        ClientCreated created = {0};
        sd_bus *bus = NULL;
        int fds[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        assert_int_equal(client_create_request(bus, &login, 200000, &created, NULL), -ETIMEDOUT);
        sd_bus_close_unref(bus);
        close(fds[1]);
}

/* ---- WaitDecision ---- */

typedef struct Heard {
        bool done;
        int r;
        ClientDecision decision;
} Heard;

static int on_decision(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Heard *heard = userdata;

        (void)error;
        heard->decision.verdict = VERDICT_APPROVED; /* must be overwritten, whatever comes */
        heard->r = client_decision_parse(reply, &heard->decision);
        heard->done = true;
        return 1;
}

static Heard decide(Answer answer, uint64_t timeout_usec) {
        sd_bus_slot *slot = NULL;
        Heard heard = {0};
        Liar liar;

        liar_start(&liar, answer);
        assert_int_equal(client_wait_decision(liar.client, ID, timeout_usec, &slot, on_decision, &heard), 0);
        while (!heard.done && sd_bus_process(liar.client, NULL) >= 0)
                (void)sd_bus_wait(liar.client, 100000);
        sd_bus_slot_unref(slot);
        liar_stop(&liar);
        return heard;
}

LIE(decision_well, "sa{sv}", "approved", 2, "by", "as", 2, "bob", "eve\x1b[2J", "note", "s", "fine\n")
LIE(decision_denied, "sa{sv}", "denied", 0)
LIE(decision_pending, "sa{sv}", "pending", 0)
LIE(decision_exempt, "sa{sv}", "exempt", 0)
LIE(decision_unknown, "sa{sv}", "Approved", 0)
LIE(decision_empty, "")
LIE(decision_number, "u", 1U)
LIE(decision_no_details, "s", "approved")
LIE(decision_wrong_details, "sa{sv}", "approved", 1, "by", "s", "bob")

static void test_decision_is_read_and_harmless(void **state) {
        Heard heard = decide(decision_well, 5000000);

        (void)state;
        assert_int_equal(heard.r, 0);
        assert_int_equal(heard.decision.verdict, VERDICT_APPROVED);
        assert_string_equal(heard.decision.by, "bob, eve\\x1b[2J");
        assert_string_equal(heard.decision.note, "fine\\x0a");
        assert_null(heard.decision.reason);
        client_decision_done(&heard.decision);

        heard = decide(decision_denied, 5000000);
        assert_int_equal(heard.r, 0);
        assert_int_equal(heard.decision.verdict, VERDICT_DENIED);
        assert_null(heard.decision.by);
}

static void test_malformed_decision_is_denial(void **state) {
        static const Answer lies[] = {decision_pending,      decision_exempt, decision_unknown,
                                      decision_empty,        decision_number, decision_no_details,
                                      decision_wrong_details};

        (void)state;
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                Heard heard = decide(lies[i], 5000000);

                if (heard.r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, heard.r);
                assert_int_equal(heard.r, -EBADMSG);
                assert_int_equal(heard.decision.verdict, VERDICT_DENIED);
        }
}

static void test_no_decision_in_time_is_denial(void **state) {
        Heard heard = decide(NULL, 100000);

        (void)state;
        assert_true(heard.done);
        assert_int_equal(heard.r, -EREMOTEIO);
        assert_int_equal(heard.decision.verdict, VERDICT_DENIED);
}

/* ---- ListRequests, GetRequest ---- */

static int get(Answer answer, ClientRequest *request) {
        Liar liar;
        int r;

        liar_start(&liar, answer);
        r = client_get_request(liar.client, ID, request, NULL);
        liar_stop(&liar);
        return r;
}

LIE(request_bare, "a{sv}", 1, "id", "s", ID)
LIE(request_twice, "a{sv}", 5, "id", "s", ID, "user", "s", "alice", "user", "s", "bob", "voters", "as", 1,
    "x", "voters", "as", 1, "y")
LIE(request_no_id, "a{sv}", 1, "user", "s", "alice")
LIE(request_bad_id, "a{sv}", 1, "id", "s", "0123456789ABCDEF0123456789ABCDEF")
LIE(request_bad_code, "a{sv}", 2, "id", "s", ID, "code", "s", "1234567")
LIE(request_no_dict, "as", 1, "id")
LIE(request_uid_text, "a{sv}", 2, "id", "s", ID, "uid", "s", "0")

static void test_missing_values_are_empty_and_never_root(void **state) {
        ClientRequest request = {0};

        (void)state;
        assert_int_equal(get(request_bare, &request), 0);
        assert_string_equal(request.user, "");
        assert_string_equal(request.why_not, "");
        assert_int_equal(request.uid, UINT32_MAX);
        assert_false(request.can_decide);
        assert_false(request.verified);
        assert_null(request.voters);
        client_request_done(&request);
}

static void test_a_doubled_key_leaks_nothing(void **state) {
        ClientRequest request = {0};

        (void)state;
        assert_int_equal(get(request_twice, &request), 0);
        assert_string_equal(request.user, "bob");
        assert_string_equal(request.voters[0], "y");
        client_request_done(&request);
}

static void test_malformed_request_is_refused(void **state) {
        static const Answer lies[] = {request_no_id, request_bad_id, request_bad_code, request_no_dict,
                                      request_uid_text};

        (void)state;
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                ClientRequest request = {0};
                int r = get(lies[i], &request);

                if (r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, r);
                assert_int_equal(r, -EBADMSG);
        }
}

/* Says that there is always more, and gives a new request each time. */
static int list_without_end(sd_bus_message *m) {
        static unsigned count;
        char id[PEERAUTH_ID_HEX + 1];

        (void)snprintf(id, sizeof(id), "%032x", count++);
        return sd_bus_message_append(m, "aa{sv}u", 1, 1, "id", "s", id, UINT32_MAX);
}

/* Gives the same request on every page. */
LIE(list_doubled, "aa{sv}u", 1, 1, "id", "s", ID, 3U)
LIE(list_total_without_items, "aa{sv}u", 0, 1000000U)

static int list_all(Answer answer, ClientRequestList *list) {
        Liar liar;
        int r;

        liar_start(&liar, answer);
        r = client_list_requests(liar.client, list, NULL);
        liar_stop(&liar);
        return r;
}

static void test_lists_are_bounded(void **state) {
        ClientRequestList list = {0};

        (void)state;
        assert_int_equal(list_all(list_without_end, &list), -EBADMSG);
        assert_int_equal(list_all(list_total_without_items, &list), 0);
        assert_int_equal(list.n_items, 0);
        assert_int_equal(list_all(list_doubled, &list), 0);
        assert_int_equal(list.n_items, 1);
        client_request_list_done(&list);
}

/* ---- signals (attack B5) ---- */

typedef struct Signal {
        const char *sender, *path, *interface, *member, *signature;
} Signal;

static const Signal genuine = {":1.5", "/org/peerauth/PeerAuth1", "org.peerauth.PeerAuth1.Reviewer",
                               "RequestChanged", "ss"};

static bool believed(const Signal *s, const char *owner) {
        _cleanup_message_ sd_bus_message *m = NULL;
        bool result;
        Liar liar;

        liar_start(&liar, NULL);
        assert_true(sd_bus_message_new_signal(liar.client, &m, s->path, s->interface, s->member) >= 0);
        if (s->sender)
                assert_true(sd_bus_message_set_sender(m, s->sender) >= 0);
        assert_true((strcmp(s->signature, "ss") == 0 ? sd_bus_message_append(m, "ss", ID, "approved")
                                                     : sd_bus_message_append(m, "su", ID, 1U)) >= 0);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        result = client_signal_is_genuine(m, owner);
        m = sd_bus_message_unref(m);
        liar_stop(&liar);
        return result;
}

static void test_only_the_broker_s_own_connection_is_believed(void **state) {
        Signal forged;

        (void)state;
        assert_true(believed(&genuine, ":1.5"));
        assert_false(believed(&genuine, ":1.50"));
        assert_false(believed(&genuine, ":1.4"));
        assert_false(believed(&genuine, NULL)); /* nobody owns the name now */
        forged = genuine;
        forged.sender = NULL;
        assert_false(believed(&forged, ":1.5"));
        forged = genuine;
        forged.path = "/org/peerauth/PeerAuth1/other";
        assert_false(believed(&forged, ":1.5"));
        forged = genuine;
        forged.interface = "org.peerauth.PeerAuth1.Requester";
        assert_false(believed(&forged, ":1.5"));
        forged = genuine;
        forged.member = "Changed";
        assert_false(believed(&forged, ":1.5"));
        forged = genuine;
        forged.signature = "su";
        assert_false(believed(&forged, ":1.5"));
}

static int parse_owner(const char *sender, const char *name, char ret_owner[32]) {
        _cleanup_message_ sd_bus_message *m = NULL;
        const char *owner = "";
        Liar liar;
        int r;

        liar_start(&liar, NULL);
        assert_true(sd_bus_message_new_signal(liar.client, &m, "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameOwnerChanged") >= 0);
        assert_true(sd_bus_message_set_sender(m, sender) >= 0);
        assert_true(sd_bus_message_append(m, "sss", name, ":1.5", ":1.9") >= 0);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        r = client_owner_parse(m, &owner);
        (void)snprintf(ret_owner, 32, "%s", owner);
        m = sd_bus_message_unref(m);
        liar_stop(&liar);
        return r;
}

static void test_only_the_bus_daemon_says_who_owns_the_name(void **state) {
        char owner[32];

        (void)state;
        assert_int_equal(parse_owner("org.freedesktop.DBus", "org.peerauth.PeerAuth1", owner), 0);
        assert_string_equal(owner, ":1.9");
        assert_int_equal(parse_owner(":1.7", "org.peerauth.PeerAuth1", owner), -EPERM);
        assert_string_equal(owner, "");
        assert_int_equal(parse_owner("org.freedesktop.DBus", "org.peerauth.PeerAuth10", owner), -EBADMSG);
        assert_string_equal(owner, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_created_is_read_and_unknown_keys_are_skipped),
                cmocka_unit_test(test_malformed_created_is_refused),
                cmocka_unit_test(test_a_silent_broker_is_given_up_in_time),
                cmocka_unit_test(test_a_silent_peer_is_given_up_in_time),
                cmocka_unit_test(test_decision_is_read_and_harmless),
                cmocka_unit_test(test_malformed_decision_is_denial),
                cmocka_unit_test(test_no_decision_in_time_is_denial),
                cmocka_unit_test(test_missing_values_are_empty_and_never_root),
                cmocka_unit_test(test_a_doubled_key_leaks_nothing),
                cmocka_unit_test(test_malformed_request_is_refused),
                cmocka_unit_test(test_lists_are_bounded),
                cmocka_unit_test(test_only_the_broker_s_own_connection_is_believed),
                cmocka_unit_test(test_only_the_bus_daemon_says_who_owns_the_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
