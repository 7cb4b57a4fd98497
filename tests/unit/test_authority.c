/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The question to polkit: what is asked, what each answer and each failure means, and taking it back. */
#include "tests/unit/peers_fixture.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/authority.h"

#define ERROR_FAILED "org.freedesktop.PolicyKit1.Error.Failed"

/* polkit, and whoever asks it. */
typedef struct Fixture {
        Peers peers;
        Authority *authority;
        sd_bus_message *call;      /* CheckAuthorization, not answered yet */
        unsigned calls, cancelled; /* CancelCheckAuthorization */
        char cancellation[64];
        unsigned answers;
        AuthorityAnswer answer;
        char why[256];
} Fixture;

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fixture *f = userdata;
        const char *id;

        (void)error;
        if (sd_bus_message_is_method_call(m, "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization")) {
                f->calls++;
                f->call = sd_bus_message_ref(m);
                return 1;
        }
        if (sd_bus_message_is_method_call(m, "org.freedesktop.PolicyKit1.Authority",
                                          "CancelCheckAuthorization")) {
                assert_true(sd_bus_message_read(m, "s", &id) > 0);
                (void)snprintf(f->cancellation, sizeof(f->cancellation), "%s", id);
                f->cancelled++;
                return 1;
        }
        return 0;
}

static void on_answer(AuthorityAnswer answer, const char *why, void *userdata) {
        Fixture *f = userdata;

        f->answers++;
        f->answer = answer;
        (void)snprintf(f->why, sizeof(f->why), "%s", why);
        f->authority = authority_free(f->authority);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        peers_open(&f->peers, on_message, f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        authority_free(f->authority);
        sd_bus_message_unref(f->call);
        peers_close(&f->peers);
        free(f);
        return 0;
}

static void ask(Fixture *f, bool interactive, uint64_t timeout_usec) {
        const AuthorityQuestion question = {.sender = ":1.42",
                                            .user = "alice\x1b[1m",
                                            .service = "sudo",
                                            .interactive = interactive,
                                            .timeout_usec = timeout_usec,
                                            .done = on_answer,
                                            .userdata = f};

        assert_int_equal(authority_check(f->peers.ours, &question, &f->authority), 0);
        peers_turn(&f->peers);
        assert_int_equal(f->calls, 1);
        assert_int_equal(f->answers, 0);
}

/* polkit says this, from sender if that is not NULL. */
static void say_message(Fixture *f, sd_bus_message *m, const char *sender) {
        if (sender)
                assert_true(sd_bus_message_set_sender(m, sender) >= 0);
        assert_true(sd_bus_send(f->peers.service, m, NULL) >= 0);
        sd_bus_message_unref(m);
        peers_turn(&f->peers);
        assert_int_equal(f->answers, 1);
}

static void say(Fixture *f, bool authorized, bool challenge, const char *key) {
        sd_bus_message *m;

        assert_true(sd_bus_message_new_method_return(f->call, &m) >= 0);
        assert_true(sd_bus_message_append(m, "(bba{ss})", authorized, challenge, key ? 1 : 0, key, "true") >=
                    0);
        say_message(f, m, NULL);
}

static void say_error(Fixture *f, const char *name, const char *text, const char *sender) {
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text);
        sd_bus_message *m;

        assert_true(sd_bus_message_new_method_error(f->call, &m, &error) >= 0);
        say_message(f, m, sender);
}

static void assert_question(Fixture *f, uint32_t flags, bool cancellable) {
        const char *kind, *key, *name, *action, *cancellation;
        const char *details[4];
        uint32_t asked;

        assert_string_equal(sd_bus_message_get_destination(f->call), "org.freedesktop.PolicyKit1");
        assert_string_equal(sd_bus_message_get_path(f->call), "/org/freedesktop/PolicyKit1/Authority");
        assert_int_equal(sd_bus_message_get_auto_start(f->call), 1); /* polkitd may not run yet */
        assert_true(sd_bus_message_has_signature(f->call, "(sa{sv})sa{ss}us"));
        assert_true(sd_bus_message_read(f->call, "(sa{sv})", &kind, 1, &key, "s", &name) > 0);
        assert_string_equal(kind, "system-bus-name");
        assert_string_equal(key, "name");
        assert_string_equal(name, ":1.42");
        assert_true(sd_bus_message_read(f->call, "s", &action) > 0);
        assert_string_equal(action, "org.peerauth.peerauth1.review");
        assert_true(sd_bus_message_read(f->call, "a{ss}", 2, &details[0], &details[1], &details[2],
                                        &details[3]) > 0);
        assert_string_equal(details[0], "requester");
        assert_string_equal(details[1], "alice\\x1b[1m");
        assert_string_equal(details[2], "service");
        assert_string_equal(details[3], "sudo");
        assert_true(sd_bus_message_read(f->call, "us", &asked, &cancellation) > 0);
        assert_int_equal(asked, flags);
        assert_int_equal(*cancellation != '\0', cancellable);
        (void)snprintf(f->cancellation, sizeof(f->cancellation), "%s", cancellation);
}

static void what_is_asked(void **state) {
        ask(*state, false, 0);
        assert_question(*state, 0, false);
}

static void what_is_asked_of_a_person(void **state) {
        ask(*state, true, 60000000);
        assert_question(*state, 1, true);
}

static void each_answer(void **state) {
        static const struct {
                bool interactive, authorized, challenge;
                const char *detail;
                AuthorityAnswer answer;
                const char *why; /* a part of it */
        } rows[] = {
                {false, true, false, NULL, AUTHORITY_GRANTED, NULL},
                {true, true, false, "polkit.retains_authorization_after_challenge", AUTHORITY_GRANTED, NULL},
                {false, false, true, NULL, AUTHORITY_CHALLENGE, "authenticate again"},
                {true, false, true, NULL, AUTHORITY_CHALLENGE, "pkttyagent"},
                {true, false, true, "polkit.dismissed", AUTHORITY_DENIED, "dismissed"},
                {true, false, false, "polkit.dismissed", AUTHORITY_DENIED, "dismissed"},
                {false, false, false, NULL, AUTHORITY_DENIED, "org.peerauth.peerauth1.review"},
                {true, false, false, NULL, AUTHORITY_DENIED, "org.peerauth.peerauth1.review"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                void *fixture;
                Fixture *f;

                setup(&fixture);
                f = fixture;
                ask(f, rows[i].interactive, 0);
                say(f, rows[i].authorized, rows[i].challenge, rows[i].detail);
                assert_int_equal(f->answer, rows[i].answer);
                if (rows[i].why)
                        assert_non_null(strstr(f->why, rows[i].why));
                else
                        assert_string_equal(f->why, "");
                assert_int_equal(f->cancelled, 0);
                teardown(&fixture);
        }
}

/* Only the bus daemon knows that there is no polkit. */
static void each_failure(void **state) {
        static const struct {
                const char *name, *sender;
                AuthorityAnswer answer;
        } rows[] = {
                {"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus", AUTHORITY_ABSENT},
                {"org.freedesktop.DBus.Error.ServiceUnknown", ":1.7", AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.ServiceUnknown", NULL, AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus", AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus", AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.LimitsExceeded", "org.freedesktop.DBus", AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus", AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.UnknownMethod", ":1.7", AUTHORITY_DENIED},
                {"org.freedesktop.DBus.Error.Spawn.ChildExited", "org.freedesktop.DBus", AUTHORITY_DENIED},
                {ERROR_FAILED, ":1.7", AUTHORITY_DENIED},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                void *fixture;
                Fixture *f;

                setup(&fixture);
                f = fixture;
                ask(f, false, 0);
                say_error(f, rows[i].name, "so it is", rows[i].sender);
                assert_int_equal(f->answer, rows[i].answer);
                assert_int_equal(f->why[0] == '\0', rows[i].answer == AUTHORITY_ABSENT);
                teardown(&fixture);
        }
}

static void what_polkit_says_is_made_harmless(void **state) {
        char text[2000];
        Fixture *f = *state;

        memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        memcpy(text, "\x1b]0;\n", 5);
        ask(f, false, 0);
        say_error(f, ERROR_FAILED, text, ":1.7");
        assert_int_equal(f->answer, AUTHORITY_DENIED);
        assert_non_null(strstr(f->why, "\\x1b]0;\\x0a"));
        assert_null(strchr(f->why, '\x1b'));
}

static void nonsense_is_denied(void **state) {
        static const char *const signatures[] = {"", "s", "b", "(bb)", "bb", "(bbs)", "(bba{sv})"};

        (void)state;
        for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
                sd_bus_message *m;
                void *fixture;
                Fixture *f;

                setup(&fixture);
                f = fixture;
                ask(f, false, 0);
                assert_true(sd_bus_message_new_method_return(f->call, &m) >= 0);
                if (strcmp(signatures[i], "s") == 0)
                        assert_true(sd_bus_message_append(m, "s", "yes") >= 0);
                else if (strcmp(signatures[i], "(bbs)") == 0)
                        assert_true(sd_bus_message_append(m, "(bbs)", 1, 0, "yes") >= 0);
                else if (strcmp(signatures[i], "(bba{sv})") == 0)
                        assert_true(sd_bus_message_append(m, "(bba{sv})", 1, 0, 0) >= 0);
                else if (*signatures[i])
                        assert_true(sd_bus_message_append(m, signatures[i], 1, 1) >= 0);
                say_message(f, m, NULL);
                assert_int_equal(f->answer, AUTHORITY_DENIED);
                assert_non_null(strstr(f->why, "no sense"));
                teardown(&fixture);
        }
}

/* Nobody typed the password in time: denied, and the window goes away. */
static void too_late(void **state) {
        Fixture *f = *state;

        ask(f, true, 50000);
        assert_question(f, 1, true);
        (void)usleep(60000);
        peers_turn(&f->peers);
        assert_int_equal(f->answers, 1);
        assert_int_equal(f->answer, AUTHORITY_DENIED);
        assert_non_null(strstr(f->why, "in time"));
        assert_int_equal(f->cancelled, 1);
}

static void freeing_takes_the_question_back(void **state) {
        char asked[64];
        Fixture *f = *state;

        ask(f, true, 60000000);
        assert_question(f, 1, true);
        (void)snprintf(asked, sizeof(asked), "%s", f->cancellation);
        f->authority = authority_free(f->authority);
        peers_turn(&f->peers);
        assert_int_equal(f->cancelled, 1);
        assert_string_equal(f->cancellation, asked);
        assert_int_equal(f->answers, 0);
        assert_null(authority_free(NULL));
}

static void freeing_what_asks_nobody_is_silent(void **state) {
        sd_bus_message *m;
        Fixture *f = *state;

        ask(f, false, 0);
        f->authority = authority_free(f->authority);
        assert_true(sd_bus_message_new_method_return(f->call, &m) >= 0);
        assert_true(sd_bus_message_append(m, "(bba{ss})", 1, 0, 0) >= 0);
        assert_true(sd_bus_send(f->peers.service, m, NULL) >= 0);
        sd_bus_message_unref(m);
        peers_turn(&f->peers);
        assert_int_equal(f->cancelled, 0);
        assert_int_equal(f->answers, 0);
}

static void each_question_has_a_name_of_its_own(void **state) {
        char first[64];
        Fixture *f = *state;

        ask(f, true, 0);
        assert_question(f, 1, true);
        (void)snprintf(first, sizeof(first), "%s", f->cancellation);
        say(f, false, false, NULL);
        f->call = sd_bus_message_unref(f->call);
        f->calls = f->answers = 0;
        ask(f, true, 0);
        assert_question(f, 1, true);
        assert_string_not_equal(f->cancellation, first);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_is_asked, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_asked_of_a_person, setup, teardown),
                cmocka_unit_test(each_answer),
                cmocka_unit_test(each_failure),
                cmocka_unit_test_setup_teardown(what_polkit_says_is_made_harmless, setup, teardown),
                cmocka_unit_test(nonsense_is_denied),
                cmocka_unit_test_setup_teardown(too_late, setup, teardown),
                cmocka_unit_test_setup_teardown(freeing_takes_the_question_back, setup, teardown),
                cmocka_unit_test_setup_teardown(freeing_what_asks_nobody_is_silent, setup, teardown),
                cmocka_unit_test_setup_teardown(each_question_has_a_name_of_its_own, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
