/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the module's calls carry, byte for byte as the broker sees them, and what becomes of the answers. The
 * broker is a thread at the other end of a socket pair that keeps the call and answers as the test says.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/client.h"
#include "common/client_message.h"
#include "common/clock.h"

#define ID   "0123456789abcdef0123456789abcdef"
#define CODE "042913"

typedef int (*Answer)(sd_bus_message *call);

typedef struct Seen {
        char member[32], arguments[512]; /* "user=alice stage=account can-ask=1", or words */
        bool auto_start;
} Seen;

typedef struct Peer {
        int fd;
        Answer answer; /* NULL: says nothing at all */
        Seen seen;
        pthread_t thread;
        sd_bus *client;
} Peer;

__attribute__((format(printf, 2, 3))) static void note(Seen *seen, const char *format, ...) {
        size_t size = strlen(seen->arguments);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(seen->arguments + size, sizeof(seen->arguments) - size, format, ap);
        va_end(ap);
}

static void note_variant(sd_bus_message *m, Seen *seen, const char *key) {
        const char *type, *text;
        uint64_t usec;
        int flag;

        assert_true(sd_bus_message_peek_type(m, NULL, &type) > 0);
        if (strcmp(type, "s") == 0 && sd_bus_message_read(m, "v", "s", &text) > 0)
                note(seen, "%s=%s ", key, text);
        else if (strcmp(type, "b") == 0 && sd_bus_message_read(m, "v", "b", &flag) > 0)
                note(seen, "%s:%d ", key, flag);
        else if (strcmp(type, "t") == 0 && sd_bus_message_read(m, "v", "t", &usec) > 0)
                note(seen, "%s:%llu ", key, (unsigned long long)usec);
        else
                note(seen, "%s?%s ", key, type);
}

static void note_dict(sd_bus_message *m, Seen *seen) {
        const char *key;

        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &key) > 0);
                note_variant(m, seen, key);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peer *peer = userdata;
        const char *word;

        (void)error;
        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 1;
        (void)snprintf(peer->seen.member, sizeof(peer->seen.member), "%s", sd_bus_message_get_member(m));
        peer->seen.auto_start = sd_bus_message_get_auto_start(m) > 0;
        if (sd_bus_message_has_signature(m, "a{sv}") > 0)
                note_dict(m, &peer->seen);
        else
                while (sd_bus_message_read(m, "s", &word) > 0)
                        note(&peer->seen, "%s ", word);
        return peer->answer && peer->answer(m) < 0 ? -EIO : 1;
}

static void *peer_run(void *userdata) {
        Peer *peer = userdata;
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_fd(bus, peer->fd, peer->fd);
        if (r >= 0)
                r = sd_bus_set_server(bus, true, (sd_id128_t){.bytes = {1}});
        if (r >= 0)
                r = sd_bus_set_anonymous(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, peer);
        while (r >= 0) { /* until the other end is closed */
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        sd_bus_close_unref(bus);
        return NULL;
}

static void peer_start(Peer *peer, Answer answer) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        *peer = (Peer){.fd = fds[1], .answer = answer};
        assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
        assert_true(sd_bus_new(&peer->client) >= 0);
        assert_true(sd_bus_set_fd(peer->client, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_set_anonymous(peer->client, true) >= 0);
        assert_true(sd_bus_start(peer->client) >= 0);
}

static void peer_stop(Peer *peer) {
        sd_bus_close_unref(peer->client);
        pthread_join(peer->thread, NULL);
}

/* ---- CreateRequest ---- */

static int answer_exempt(sd_bus_message *call) {
        return sd_bus_reply_method_return(call,
                                          "ssst"
                                          "a{sv}",
                                          "exempt", "", "", UINT64_C(0), 0);
}

static int answer_reason_needed(sd_bus_message *call) {
        return sd_bus_reply_method_errorf(call, PEERAUTH_ERROR_REASON_NEEDED, "Why?");
}

static void expect_create(const ClientLogin *login, const char *arguments) {
        ClientCreated created = {0};
        Peer peer;

        peer_start(&peer, answer_exempt);
        assert_int_equal(client_create_request(peer.client, login, 5000000, &created, NULL), 0);
        peer_stop(&peer);
        assert_int_equal(created.outcome, VERDICT_EXEMPT);
        client_created_done(&created);
        assert_string_equal(peer.seen.member, "CreateRequest");
        assert_string_equal(peer.seen.arguments, arguments);
}

static void test_only_what_is_known_is_sent(void **state) {
        (void)state;
        expect_create(&(ClientLogin){.user = "alice", .service = "sshd"}, "user=alice service=sshd ");
        expect_create(&(ClientLogin){.user = "a", .service = "b", .time_left_usec = 7},
                      "user=a service=b time-left:7 ");
}

static void test_stage_and_reason_are_sent(void **state) {
        (void)state;
        expect_create(&(ClientLogin){.user = "a", .service = "b", .stage = PEERAUTH_STAGE_ACCOUNT},
                      "user=a service=b stage=account ");
        expect_create(&(ClientLogin){.user = "a", .service = "b", .can_ask = true},
                      "user=a service=b can-ask:1 ");
        expect_create(&(ClientLogin){.user = "a", .service = "b", .can_ask = true, .reason = ""},
                      "user=a service=b reason= can-ask:1 ");
        expect_create(&(ClientLogin){.user = "a", .service = "b", .can_ask = true, .reason = "x y"},
                      "user=a service=b reason=x y can-ask:1 ");
}

static void test_the_question_comes_as_an_error(void **state) {
        const ClientLogin login = {.user = "a", .service = "b", .can_ask = true};
        sd_bus_error error = SD_BUS_ERROR_NULL;
        ClientCreated created = {0};
        Peer peer;

        (void)state;
        peer_start(&peer, answer_reason_needed);
        assert_int_equal(client_create_request(peer.client, &login, 5000000, &created, &error), -EREMOTEIO);
        peer_stop(&peer);
        assert_string_equal(error.name, PEERAUTH_ERROR_REASON_NEEDED);
        assert_string_equal(error.message, "Why?");
        sd_bus_error_free(&error);
}

#define PENDING(name, ...)                                                                        \
        static int name(sd_bus_message *call) {                                                   \
                return sd_bus_reply_method_return(call,                                           \
                                                  "ssst"                                          \
                                                  "a{sv}",                                        \
                                                  "pending", ID, CODE, UINT64_C(9), __VA_ARGS__); \
        }
PENDING(pending_unsaid, 0)
PENDING(pending_enough, 1, PEERAUTH_KEY_ENOUGH, "b", true)
PENDING(pending_not_enough, 1, PEERAUTH_KEY_ENOUGH, "b", false)
PENDING(pending_odd, 1, PEERAUTH_KEY_ENOUGH, "s", "no")

static void expect_enough(Answer answer, int result, bool enough) {
        const ClientLogin login = {.user = "a", .service = "b"};
        ClientCreated created = {0};
        Peer peer;

        peer_start(&peer, answer);
        assert_int_equal(client_create_request(peer.client, &login, 5000000, &created, NULL), result);
        peer_stop(&peer);
        if (result == 0)
                assert_int_equal(created.enough, enough);
        client_created_done(&created);
}

static void test_enough_is_read(void **state) {
        (void)state;
        expect_enough(pending_unsaid, 0, true);
        expect_enough(pending_enough, 0, true);
        expect_enough(pending_not_enough, 0, false);
        expect_enough(pending_odd, -EBADMSG, false);
}

PENDING(pending_recovery, 1, PEERAUTH_KEY_RECOVERY, "b", true)
PENDING(pending_no_recovery, 1, PEERAUTH_KEY_RECOVERY, "b", false)
PENDING(pending_odd_recovery, 1, PEERAUTH_KEY_RECOVERY, "u", 1)

static void expect_recovery(Answer answer, int result, bool recovery) {
        const ClientLogin login = {.user = "a", .service = "b"};
        ClientCreated created = {0};
        Peer peer;

        peer_start(&peer, answer);
        assert_int_equal(client_create_request(peer.client, &login, 5000000, &created, NULL), result);
        peer_stop(&peer);
        if (result == 0)
                assert_int_equal(created.recovery, recovery);
        client_created_done(&created);
}

static void test_recovery_is_read(void **state) {
        (void)state;
        expect_recovery(pending_unsaid, 0, false);
        expect_recovery(pending_recovery, 0, true);
        expect_recovery(pending_no_recovery, 0, false);
        expect_recovery(pending_odd_recovery, -EBADMSG, false);
}

/* ---- Redeem ---- */

static int answer_empty(sd_bus_message *call) {
        return sd_bus_reply_method_return(call, "");
}

static int answer_mismatch(sd_bus_message *call) {
        return sd_bus_reply_method_errorf(call, PEERAUTH_ERROR_CODE_MISMATCH, "no");
}

typedef struct Redeemed {
        bool came;
        char error[64]; /* empty: it was taken */
} Redeemed;

static int on_redeemed(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Redeemed *redeemed = userdata;

        (void)ret_error;
        redeemed->came = true;
        (void)snprintf(redeemed->error, sizeof(redeemed->error), "%s", error ? error->name : "");
        return 0;
}

static void expect_redeemed(Answer answer, uint64_t timeout_usec, const char *error) {
        uint64_t end = clock_boottime_usec() + 5000000;
        Redeemed redeemed = {0};
        sd_bus_slot *slot = NULL;
        Peer peer;
        int r = 0;

        peer_start(&peer, answer);
        assert_int_equal(client_redeem(peer.client, ID, "8K3V-0QWX-7N2P-ABCD", timeout_usec, &slot,
                                       on_redeemed, &redeemed),
                         0);
        assert_false(redeemed.came); /* a callback at once would surprise who just called */
        while (r >= 0 && !redeemed.came && clock_boottime_usec() < end) {
                r = sd_bus_process(peer.client, NULL);
                if (r == 0)
                        r = sd_bus_wait(peer.client, 100000);
        }
        sd_bus_slot_unref(slot);
        peer_stop(&peer);
        assert_true(redeemed.came);
        assert_string_equal(redeemed.error, error);
        assert_string_equal(peer.seen.member, "Redeem");
        assert_string_equal(peer.seen.arguments, ID " 8K3V-0QWX-7N2P-ABCD ");
        assert_false(peer.seen.auto_start);
}

static void test_a_code_is_sent_and_the_answer_arrives(void **state) {
        (void)state;
        expect_redeemed(answer_empty, 5000000, "");
        expect_redeemed(answer_mismatch, 5000000, PEERAUTH_ERROR_CODE_MISMATCH);
        expect_redeemed(NULL, 200000, SD_BUS_ERROR_NO_REPLY);
}

/* ---- sessions ---- */

static int answer_refused(sd_bus_message *call) {
        return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "no");
}

static void test_sessions_are_told_and_no_broker_is_started(void **state) {
        Peer peer;

        (void)state;
        peer_start(&peer, answer_empty);
        assert_int_equal(client_session_opened(peer.client, "c4", 5000000, NULL), 0);
        peer_stop(&peer);
        assert_string_equal(peer.seen.member, "SessionOpened");
        assert_string_equal(peer.seen.arguments, "c4 ");
        assert_false(peer.seen.auto_start);

        peer_start(&peer, answer_empty);
        assert_int_equal(client_session_closed(peer.client, "c4", 5000000, NULL), 0);
        peer_stop(&peer);
        assert_string_equal(peer.seen.member, "SessionClosed");
        assert_string_equal(peer.seen.arguments, "c4 ");
        assert_false(peer.seen.auto_start);
}

static void test_refused_session(void **state) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Peer peer;

        (void)state;
        peer_start(&peer, answer_refused);
        assert_int_equal(client_session_closed(peer.client, "c4", 5000000, &error), -EREMOTEIO);
        peer_stop(&peer);
        assert_string_equal(error.name, SD_BUS_ERROR_ACCESS_DENIED);
        sd_bus_error_free(&error);
}

static void test_a_silent_broker_is_given_up_in_time(void **state) {
        uint64_t start = clock_boottime_usec(), spent;
        Peer peer;

        (void)state;
        peer_start(&peer, NULL);
        assert_true(client_session_opened(peer.client, "c4", 300000, NULL) < 0);
        peer_stop(&peer);
        spent = clock_boottime_usec() - start;
        assert_in_range(spent, 290000, 2000000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_what_is_known_is_sent),
                cmocka_unit_test(test_stage_and_reason_are_sent),
                cmocka_unit_test(test_the_question_comes_as_an_error),
                cmocka_unit_test(test_enough_is_read),
                cmocka_unit_test(test_recovery_is_read),
                cmocka_unit_test(test_a_code_is_sent_and_the_answer_arrives),
                cmocka_unit_test(test_sessions_are_told_and_no_broker_is_started),
                cmocka_unit_test(test_refused_session),
                cmocka_unit_test(test_a_silent_broker_is_given_up_in_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
