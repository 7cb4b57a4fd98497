/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sessions began with an approval. The processes are real, pids that are used again too; logind is
 * played. */
#include "tests/unit/peers_fixture.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/approved.h"
#include "common/clock.h"

enum { ALICE = 1001, BOB = 1002, LATER = 60000000 };

/* What logind says of the one session that it knows. */
typedef struct Logind {
        const char *id;
        uid_t uid;
        pid_t leader;
        uint64_t since_usec, since_mono_usec;
        bool silent, fails, without_leader;
} Logind;

typedef struct Fixture {
        Peers peers;
        Approved *approved;
        Logind logind;
        unsigned answers;
        int answer;
} Fixture;

static int append(sd_bus_message *m, const char *key, const char *type, ...) {
        va_list ap;
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        va_start(ap, type);
        if (r >= 0)
                r = sd_bus_message_appendv(m, type, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* With the properties that nobody asked for, and in logind's types. */
static void answer_properties(Fixture *f, sd_bus_message *call) {
        const Logind *logind = &f->logind;
        sd_bus_message *m;

        assert_true(sd_bus_message_new_method_return(call, &m) >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(append(m, "Id", "s", logind->id) >= 0);
        assert_true(append(m, "User", "(uo)", (uint32_t)logind->uid, "/org/freedesktop/login1/user/_1001") >=
                    0);
        assert_true(append(m, "Timestamp", "t", logind->since_usec) >= 0);
        assert_true(append(m, "TimestampMonotonic", "t", logind->since_mono_usec) >= 0);
        assert_true(append(m, "VTNr", "u", 7U) >= 0);
        assert_true(append(m, "Seat", "(so)", "seat0", "/org/freedesktop/login1/seat/seat0") >= 0);
        if (!logind->without_leader)
                assert_true(append(m, "Leader", "u", (uint32_t)logind->leader) >= 0);
        assert_true(append(m, "State", "s", "opening") >= 0);
        assert_true(append(m, "Class", "s", "user") >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_send(f->peers.service, m, NULL) >= 0);
        sd_bus_message_unref(m);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fixture *f = userdata;
        char path[128];

        (void)error;
        if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll") ||
            f->logind.silent)
                return 1;
        (void)snprintf(path, sizeof(path), "/org/freedesktop/login1/session/%s%s",
                       *f->logind.id == '1' ? "_3" : "", f->logind.id);
        if (f->logind.fails || strcmp(sd_bus_message_get_path(m), path) != 0)
                assert_true(sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "no such session") >=
                            0);
        else
                answer_properties(f, m);
        return 1;
}

static void on_opened(int r, void *userdata) {
        Fixture *f = userdata;

        f->answers++;
        f->answer = r;
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        peers_open(&f->peers, on_message, f);
        assert_int_equal(approved_new(f->peers.ours, &f->approved), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        assert_null(approved_free(f->approved));
        peers_close(&f->peers);
        free(f);
        return 0;
}

/* Ends with us, whatever becomes of the test. */
static void sleep_forever(void) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                pause();
}

static pid_t child(void) {
        pid_t pid = fork();

        if (pid == 0)
                sleep_forever();
        assert_true(pid > 0);
        return pid;
}

static void end(pid_t pid) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
}

/* Another process with that pid; 0 if this machine does not let us choose. */
static pid_t child_again(pid_t pid) {
        struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
        pid_t again = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

        if (again == 0)
                sleep_forever();
        return again < 0 ? 0 : again;
}

/* logind's session of alice that began just now. */
static Logind session_of(const char *id, pid_t leader) {
        return (Logind){.id = id,
                        .uid = ALICE,
                        .leader = leader,
                        .since_usec = clock_realtime_usec(),
                        .since_mono_usec = clock_usec(CLOCK_MONOTONIC)};
}

static int opened(Fixture *f, const char *id) {
        f->answers = 0;
        assert_int_equal(approved_open(f->approved, id, on_opened, f), 0);
        assert_int_equal(f->answers, 0);
        peers_turn(&f->peers);
        assert_int_equal(f->answers, 1);
        return f->answer;
}

/* The session as a later look at logind shows it. */
static LogindSession seen(const Fixture *f) {
        LogindSession session = {.uid = f->logind.uid,
                                 .leader = f->logind.leader,
                                 .since_usec = f->logind.since_usec,
                                 .since_mono_usec = f->logind.since_mono_usec};

        (void)snprintf(session.id, sizeof(session.id), "%s", f->logind.id);
        return session;
}

static bool counts(const Fixture *f) {
        const LogindSession session = seen(f);

        return approved_has(f->approved, &session, f->logind.since_usec + LATER);
}

static void the_process_that_asked_leads_it(void **state) {
        Fixture *f = *state;
        pid_t pid = child();

        approved_expect(f->approved, ALICE, pid, getpid());
        f->logind = session_of("c1", pid);
        assert_false(counts(f)); /* an approval alone is no session */
        assert_int_equal(opened(f, "c1"), 1);
        assert_true(counts(f));
        end(pid);
        assert_true(counts(f)); /* some leaders end while the session goes on */
}

/* sshd asks in a child of the process that opens the session; and ids that begin with a digit. */
static void the_parent_leads_it(void **state) {
        Fixture *f = *state;
        pid_t pid = child();

        approved_expect(f->approved, ALICE, pid, getpid());
        end(pid);
        f->logind = session_of("17", getpid());
        assert_int_equal(opened(f, "17"), 1);
        assert_true(counts(f));
}

static void an_approval_serves_one_session(void **state) {
        Fixture *f = *state;

        approved_expect(f->approved, ALICE, getpid(), getppid());
        f->logind = session_of("c1", getpid());
        assert_int_equal(opened(f, "c1"), 1);
        f->logind = session_of("c2", getpid());
        assert_int_equal(opened(f, "c2"), 0);
        assert_false(counts(f));
}

static void nobody_was_approved(void **state) {
        pid_t pid = child(), other = child();
        Fixture *f = *state;

        f->logind = session_of("c1", getpid());
        assert_int_equal(opened(f, "c1"), 0);
        approved_expect(f->approved, BOB, getpid(), getppid()); /* somebody else was */
        assert_int_equal(opened(f, "c1"), 0);
        approved_expect(f->approved, ALICE, pid, other); /* another process; and its parent is not that one */
        assert_int_equal(opened(f, "c1"), 0);
        f->logind = session_of("c1", other);
        assert_int_equal(opened(f, "c1"), 0);
        assert_false(counts(f));
        end(pid);
        end(other);
}

static void it_began_after_the_approval_and_soon(void **state) {
        static const struct {
                int64_t after_usec;
                int answer;
        } rows[] = {{-1000000, 0}, {0, 1}, {1000000, 1}, {299000000, 1}, {301000000, 0}, {86400000000, 0}};
        Fixture *f = *state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                approved_expect(f->approved, ALICE, getpid(), getppid());
                f->logind = session_of("c1", getpid());
                f->logind.since_mono_usec += (uint64_t)rows[i].after_usec;
                assert_int_equal(opened(f, "c1"), rows[i].answer);
                approved_free(f->approved);
                assert_int_equal(approved_new(f->peers.ours, &f->approved), 0);
        }
}

/* A later process with the pid of the one that asked. */
static void a_pid_that_is_used_again(void **state) {
        pid_t pid = child(), again;
        Fixture *f = *state;

        approved_expect(f->approved, ALICE, pid, getpid());
        end(pid);
        (void)usleep(30000); /* start times are ticks of 10 ms */
        again = child_again(pid);
        if (again == 0) {
                print_message("skip: choosing a pid takes root and a kernel with clone3\n");
                skip();
        }
        assert_int_equal(again, pid);
        f->logind = session_of("c1", pid);
        assert_int_equal(opened(f, "c1"), 0);
        end(pid);
        f->logind = session_of("c1", pid); /* and one that has ended leads nothing */
        assert_int_equal(opened(f, "c1"), 0);
}

/* Whoever waited is gone before it was approved. */
static void nobody_waits(void **state) {
        Fixture *f = *state;
        pid_t pid = child();

        end(pid);
        approved_expect(f->approved, ALICE, pid, getpid());
        approved_expect(f->approved, ALICE, 0, getpid());
        approved_expect(f->approved, ALICE, -1, getpid());
        approved_expect(f->approved, ALICE, 1, 0);
        f->logind = session_of("c1", getpid());
        assert_int_equal(opened(f, "c1"), 0);
        f->logind.leader = 1;
        assert_int_equal(opened(f, "c1"), 0);
        f->logind.without_leader = true;
        f->logind.leader = 0;
        assert_int_equal(opened(f, "c1"), 0);
}

static void logind_does_not_know_it(void **state) {
        Fixture *f = *state;

        approved_expect(f->approved, ALICE, getpid(), getppid());
        f->logind = session_of("c1", getpid());
        assert_true(opened(f, "c2") < 0);
        f->logind.fails = true;
        assert_true(opened(f, "c1") < 0);
        f->logind.fails = false;
        f->logind.uid = (uid_t)-1;
        assert_true(opened(f, "c1") < 0);
        f->logind.uid = ALICE;
        f->logind.id = ""; /* logind's answer is about another one */
        assert_true(opened(f, "") < 0);
        f->logind.id = "c1";
        assert_int_equal(opened(f, "c1"), 1); /* none of this has used the approval up */
}

static void it_is_over(void **state) {
        Fixture *f = *state;

        approved_expect(f->approved, ALICE, getpid(), getppid());
        f->logind = session_of("c1", getpid());
        assert_int_equal(opened(f, "c1"), 1);
        approved_close(f->approved, "c2");
        approved_close(f->approved, "");
        assert_true(counts(f));
        approved_close(f->approved, "c1");
        assert_false(counts(f));
}

static void only_that_very_session(void **state) {
        LogindSession session;
        Fixture *f = *state;

        approved_expect(f->approved, ALICE, getpid(), getppid());
        f->logind = session_of("c1", getpid());
        assert_int_equal(opened(f, "c1"), 1);
        session = seen(f);
        assert_true(approved_has(f->approved, &session, session.since_usec + 1));
        assert_false(
                approved_has(f->approved, &session, session.since_usec)); /* not older than the request */
        assert_false(approved_has(f->approved, &session, session.since_usec - 1));
        session.uid = BOB;
        assert_false(approved_has(f->approved, &session, session.since_usec + LATER));
        session = seen(f);
        session.since_usec++; /* another one that has the same id */
        assert_false(approved_has(f->approved, &session, session.since_usec + LATER));
        session = seen(f);
        session.since_mono_usec++;
        assert_false(approved_has(f->approved, &session, session.since_usec + LATER));
        session = seen(f);
        session.leader++;
        assert_false(approved_has(f->approved, &session, session.since_usec + LATER));
        session = (LogindSession){0};
        assert_false(approved_has(f->approved, &session, LATER));
        session.since_usec = 1;
        assert_false(approved_has(f->approved, &session, LATER));
}

static void the_oldest_is_forgotten(void **state) {
        char ids[APPROVED_MAX + 1][16];
        Logind first;
        Fixture *f = *state;

        for (unsigned i = 0; i <= APPROVED_MAX; i++) {
                (void)snprintf(ids[i], sizeof(ids[i]), "c%u", i);
                approved_expect(f->approved, ALICE, getpid(), getppid());
                f->logind = session_of(ids[i], getpid());
                assert_int_equal(opened(f, ids[i]), 1);
                if (i == 0)
                        first = f->logind;
        }
        assert_true(counts(f));
        f->logind = first;
        assert_false(counts(f));
        /* Approvals are forgotten too: the one of a process behind so many others. */
        approved_expect(f->approved, BOB, getpid(), getppid());
        for (unsigned i = 0; i < APPROVED_MAX; i++)
                approved_expect(f->approved, ALICE, getpid(), getppid());
        f->logind = session_of("c1", getpid());
        f->logind.uid = BOB;
        assert_int_equal(opened(f, "c1"), 0);
}

static void look_ups_are_bounded_and_end(void **state) {
        Fixture *f = *state;

        f->logind.id = "c1";
        f->logind.silent = true;
        for (unsigned i = 0; i < APPROVED_OPENING_MAX; i++)
                assert_int_equal(approved_open(f->approved, "c1", on_opened, f), 0);
        assert_int_equal(approved_open(f->approved, "c1", on_opened, f), -ENOBUFS);
        peers_turn(&f->peers);
        assert_int_equal(f->answers, 0);
        f->approved = approved_free(f->approved);
        assert_int_equal(f->answers, APPROVED_OPENING_MAX);
        assert_int_equal(f->answer, -ECANCELED);
        peers_turn(&f->peers);
        assert_null(approved_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_process_that_asked_leads_it, setup, teardown),
                cmocka_unit_test_setup_teardown(the_parent_leads_it, setup, teardown),
                cmocka_unit_test_setup_teardown(an_approval_serves_one_session, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_was_approved, setup, teardown),
                cmocka_unit_test_setup_teardown(it_began_after_the_approval_and_soon, setup, teardown),
                cmocka_unit_test_setup_teardown(a_pid_that_is_used_again, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_waits, setup, teardown),
                cmocka_unit_test_setup_teardown(logind_does_not_know_it, setup, teardown),
                cmocka_unit_test_setup_teardown(it_is_over, setup, teardown),
                cmocka_unit_test_setup_teardown(only_that_very_session, setup, teardown),
                cmocka_unit_test_setup_teardown(the_oldest_is_forgotten, setup, teardown),
                cmocka_unit_test_setup_teardown(look_ups_are_bounded_and_end, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
