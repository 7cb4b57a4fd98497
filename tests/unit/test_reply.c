/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A held call, between two real sd-bus connections over a socket pair: it is answered once, whatever happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>

#include "broker/reply.h"

typedef struct Pair {
        sd_bus *server, *client;
        Reply *held;
        unsigned answers;
        char name[128], text[256]; /* of the error, or of the answer */
} Pair;

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pair *pair = userdata;

        (void)error;
        if (!sd_bus_message_is_method_call(m, "a.b", "C"))
                return 0;
        pair->held = reply_new(m);
        return 1;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const char *text = "";
        Pair *pair = userdata;

        (void)unused;
        pair->answers++;
        if (!error)
                (void)sd_bus_message_read(m, "s", &text);
        (void)snprintf(pair->name, sizeof(pair->name), "%s", error ? error->name : "");
        (void)snprintf(pair->text, sizeof(pair->text), "%s", error ? error->message : text);
        return 1;
}

static void turn(Pair *pair) {
        for (unsigned idle = 0; idle < 3;) {
                int s = sd_bus_process(pair->server, NULL), c = sd_bus_process(pair->client, NULL);

                assert_true(s >= 0 && c >= 0);
                idle = s + c > 0 ? 0 : idle + 1;
        }
}

static int setup(void **state) {
        Pair *pair = calloc(1, sizeof(*pair));
        sd_id128_t id = {.bytes = {1}};
        int fds[2];

        *state = pair;
        if (!pair || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
            sd_bus_new(&pair->server) < 0 || sd_bus_set_fd(pair->server, fds[0], fds[0]) < 0 ||
            sd_bus_set_server(pair->server, 1, id) < 0 ||
            sd_bus_add_filter(pair->server, NULL, on_call, pair) < 0 || sd_bus_start(pair->server) < 0 ||
            sd_bus_new(&pair->client) < 0 || sd_bus_set_fd(pair->client, fds[1], fds[1]) < 0 ||
            sd_bus_start(pair->client) < 0)
                return -1;
        if (sd_bus_call_method_async(pair->client, NULL, NULL, "/x", "a.b", "C", on_answer, pair, "s",
                                     "question") < 0)
                return -1;
        for (unsigned i = 0; i < 1000 && !pair->held; i++)
                turn(pair);
        return pair->held ? 0 : -1;
}

static int teardown(void **state) {
        Pair *pair = *state;

        sd_bus_close_unref(pair->server);
        sd_bus_close_unref(pair->client);
        free(pair);
        return 0;
}

static void assert_answer(Pair *pair, const char *name, const char *text) {
        turn(pair);
        assert_int_equal(pair->answers, 1);
        assert_string_equal(pair->name, name);
        assert_string_equal(pair->text, text);
}

static sd_bus_message *answer(Pair *pair, const char *text) {
        sd_bus_message *m = NULL;

        assert_int_equal(reply_begin(pair->held, &m), 0);
        assert_true(sd_bus_message_append(m, "s", text) >= 0);
        return m;
}

static void nothing_is_sent_while_it_is_held(void **state) {
        Pair *pair = *state;

        reply_prepare(pair->held, answer(pair, "yes"));
        turn(pair);
        assert_int_equal(pair->answers, 0);
        assert_null(reply_free(pair->held));
        assert_answer(pair, "", "yes");
}

static void freed_unanswered_it_denies(void **state) {
        Pair *pair = *state;

        assert_null(reply_free(pair->held));
        assert_answer(pair, SD_BUS_ERROR_ACCESS_DENIED, "The request was not granted.");
        assert_null(reply_free(NULL));
}

static void the_last_one_prepared_counts(void **state) {
        Pair *pair = *state;

        reply_prepare(pair->held, answer(pair, "approved"));
        reply_prepare_error(pair->held, "x.y.Error", "%s %d", "because", 7);
        reply_free(pair->held);
        assert_answer(pair, "x.y.Error", "because 7");
}

/* An answer that could not be built leaves denial, also where another had been prepared. */
static void no_answer_takes_an_earlier_one_away(void **state) {
        Pair *pair = *state;

        reply_prepare(pair->held, answer(pair, "approved"));
        reply_prepare(pair->held, NULL);
        reply_free(pair->held);
        assert_answer(pair, SD_BUS_ERROR_ACCESS_DENIED, "The request was not granted.");
}

static void empty_success(void **state) {
        Pair *pair = *state;

        reply_prepare_empty(pair->held);
        reply_free(pair->held);
        assert_answer(pair, "", "");
}

static void the_call_can_be_read(void **state) {
        Pair *pair = *state;
        const char *text;

        assert_int_equal(sd_bus_message_read(reply_call(pair->held), "s", &text), 1);
        assert_string_equal(text, "question");
        reply_free(pair->held);
        assert_answer(pair, SD_BUS_ERROR_ACCESS_DENIED, "The request was not granted.");
}

static void the_caller_is_gone(void **state) {
        Pair *pair = *state;

        sd_bus_close(pair->client);
        while (sd_bus_process(pair->server, NULL) > 0)
                ;
        reply_prepare(pair->held, answer(pair, "too late"));
        assert_null(reply_free(pair->held));
        assert_int_equal(pair->answers, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(nothing_is_sent_while_it_is_held),
                TEST(freed_unanswered_it_denies),
                TEST(the_last_one_prepared_counts),
                TEST(no_answer_takes_an_earlier_one_away),
                TEST(empty_success),
                TEST(the_call_can_be_read),
                TEST(the_caller_is_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
