/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which human is behind a process, and from where. The processes are real; what libsystemd says of their
 * control group is played here, in front of it, because only a booted system gives processes slices and
 * sessions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "broker/person.h"
#include "common/clock.h"

#define NONE ((uid_t)-1)

static int slice_result;
static uid_t slice_owner;
static const char *session, *user_unit; /* NULL: none */
static int session_result, unit_result; /* of a look-up that fails otherwise */

__attribute__((visibility("default"))) int sd_pid_get_owner_uid(pid_t pid, uid_t *ret_uid) {
        (void)pid;
        if (slice_result >= 0)
                *ret_uid = slice_owner;
        return slice_result;
}

static int answer(const char *text, int failure, char **ret) {
        if (failure < 0)
                return failure;
        if (!text)
                return -ENODATA;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

__attribute__((visibility("default"))) int sd_pid_get_session(pid_t pid, char **ret_session) {
        (void)pid;
        return answer(session, session_result, ret_session);
}

__attribute__((visibility("default"))) int sd_pid_get_user_unit(pid_t pid, char **ret_unit) {
        (void)pid;
        return answer(user_unit, unit_result, ret_unit);
}

static int setup(void **state) {
        (void)state;
        session = user_unit = NULL;
        session_result = unit_result = 0;
        slice_result = -ENODATA;
        slice_owner = 0;
        return 0;
}

static bool set_login_uid(uid_t uid) {
        FILE *f = fopen("/proc/self/loginuid", "w");
        bool ok = f && fprintf(f, "%u", (unsigned)uid) > 0;

        return f && fclose(f) == 0 && ok;
}

/* Ends with us, whatever becomes of the test. For after the uid is set, whose change forgets that. */
static void sleep_forever(void) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                pause();
}

/* A process that sleeps under uid with this login uid; 0 if this machine does not let us make one. */
static pid_t process(uid_t uid, uid_t login) {
        int ready[2];
        char c = 0;
        pid_t pid;

        if (geteuid() != 0)
                return 0;
        assert_int_equal(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                bool ok = set_login_uid(login) && setresuid(uid, uid, uid) == 0;

                (void)!write(ready[1], ok ? "+" : "-", 1);
                sleep_forever();
        }
        assert_true(pid > 0);
        (void)!read(ready[0], &c, 1);
        (void)close(ready[0]);
        (void)close(ready[1]);
        if (c == '+')
                return pid;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return 0;
}

static void end(pid_t pid) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
}

static void assert_person(uid_t uid, uid_t login, int result, uid_t expected) {
        pid_t pid = process(uid, login);
        Person person = {.uid = 4711};
        int r;

        if (pid == 0) {
                print_message(
                        "skip: making processes of other accounts takes root and a writable loginuid\n");
                skip();
        }
        r = person_look(pid, uid, &person);
        end(pid);
        assert_int_equal(r, result);
        assert_int_equal(person.uid, result < 0 ? 4711 : expected);
        assert_int_equal(person.parent, result < 0 ? 0 : getpid());
}

static void without_login_the_uid_is_the_person(void **state) {
        (void)state;
        assert_person(54321, NONE, 0, 54321);
}

static void root_without_login_is_root(void **state) {
        (void)state;
        assert_person(0, NONE, 0, 0);
}

static void su_does_not_change_the_person(void **state) {
        (void)state;
        assert_person(54321, 54322, 0, 54322);
}

static void sudo_does_not_change_the_person(void **state) {
        (void)state;
        assert_person(0, 54322, 0, 54322);
}

static void the_slice_names_the_person_without_audit(void **state) {
        (void)state;
        slice_result = 0;
        slice_owner = 54323;
        assert_person(54321, NONE, 0, 54323);
}

static void login_uid_and_slice_must_agree(void **state) {
        (void)state;
        slice_result = 0;
        slice_owner = 54323;
        assert_person(54321, 54322, -EPERM, 0);
}

static void for_root_the_login_uid_counts(void **state) {
        (void)state;
        slice_result = 0;
        slice_owner = 54323;
        assert_person(0, 54322, 0, 54322);
}

static void a_slice_that_cannot_be_read_is_an_error(void **state) {
        static const int failures[] = {-EIO, -EACCES, -ENOMEM, -EBADMSG};

        (void)state;
        for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
                slice_result = failures[i];
                assert_person(54321, 54321, failures[i], 0);
        }
}

static void the_process_must_be_the_uids(void **state) {
        Person person = {.uid = 4711};
        pid_t pid = process(54321, NONE);

        (void)state;
        if (pid == 0)
                skip();
        assert_int_equal(person_look(pid, 54322, &person), -EPERM);
        assert_int_equal(person_look(pid, 0, &person), -EPERM);
        assert_int_equal(person_look(pid, NONE, &person), -EPERM);
        assert_int_equal(person.uid, 4711);
        end(pid);
}

static void large_uids_are_unsigned(void **state) {
        (void)state;
        assert_person(4294967294U, NONE, 0, 4294967294U);
        assert_person(2147483648U, 4294967294U, 0, 4294967294U);
}

static void a_process_that_has_ended(void **state) {
        Person person = {.uid = 4711};
        pid_t pid = fork();

        (void)state;
        if (pid == 0)
                _exit(0);
        (void)waitpid(pid, NULL, 0);
        assert_int_equal(person_look(pid, geteuid(), &person), -ESRCH);
        assert_true(person_look(0, geteuid(), &person) < 0);
        assert_true(person_look(-1, geteuid(), &person) < 0);
        assert_int_equal(person.uid, 4711);
}

/* It has ended, but its parent has not asked: /proc still shows it. */
static void a_process_that_is_a_zombie(void **state) {
        Person person = {.uid = 4711};
        siginfo_t info;
        pid_t pid = fork();

        (void)state;
        if (pid == 0)
                _exit(0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(person_look(pid, geteuid(), &person), -ESRCH);
        assert_int_equal(person.uid, 4711);
        (void)waitpid(pid, NULL, 0);
}

/* ---- where it runs ---- */

static void assert_place(uid_t uid, const char *expected_session, bool expected_manager) {
        pid_t pid = process(uid, NONE);
        Person person = {0};

        if (pid == 0)
                skip();
        assert_int_equal(person_look(pid, uid, &person), 0);
        end(pid);
        assert_string_equal(person.session, expected_session);
        assert_int_equal(person.user_manager, expected_manager);
}

static void a_session_or_none(void **state) {
        (void)state;
        assert_place(54321, "", false);
        session = "c12";
        assert_place(54321, "c12", false);
        session = "0123456789012345678901234567890"; /* as long as fits */
        assert_place(54321, session, false);
        session = "01234567890123456789012345678901";
        assert_place(54321, "", false);
}

static void the_persons_own_manager(void **state) {
        (void)state;
        user_unit = "peerauth-notifier.service";
        slice_result = 0;
        slice_owner = 54321;
        assert_place(54321, "", true);
        slice_owner = 54322; /* somebody else's: uid 54321 by su, so 54322 is the person */
        assert_place(54321, "", true);
        slice_result = -ENODATA;
        assert_place(54321, "", false);
}

static void a_manager_of_another_person(void **state) {
        pid_t pid = process(0, 54322);
        Person person = {0};

        (void)state;
        if (pid == 0)
                skip();
        user_unit = "x.service";
        slice_result = 0;
        slice_owner = 54323;
        assert_int_equal(person_look(pid, 0, &person), 0);
        end(pid);
        assert_int_equal(person.uid, 54322);
        assert_false(person.user_manager);
}

static void a_place_that_cannot_be_found_is_an_error(void **state) {
        Person person = {.uid = 4711};
        pid_t pid = process(54321, NONE);

        (void)state;
        if (pid == 0)
                skip();
        session_result = -EIO;
        assert_int_equal(person_look(pid, 54321, &person), -EIO);
        session_result = 0;
        unit_result = -EACCES;
        assert_int_equal(person_look(pid, 54321, &person), -EACCES);
        assert_int_equal(person.uid, 4711);
        end(pid);
}

/* ---- when it began ---- */

static void start_and_parent(void **state) {
        uint64_t start = 0, again = 0, later = 0;
        pid_t parent = 0, pid = fork();

        (void)state;
        if (pid == 0)
                sleep_forever();
        assert_int_equal(person_process_start(pid, &parent, &start), 0);
        assert_int_equal(parent, getpid());
        assert_int_equal(person_process_start(pid, NULL, &again), 0);
        assert_true(start == again && start > 0);
        end(pid);
        assert_int_equal(person_process_start(pid, NULL, &later), -ESRCH);
        assert_int_equal(later, 0);
        (void)usleep(50000); /* some ticks */
        pid = fork();
        if (pid == 0)
                sleep_forever();
        assert_int_equal(person_process_start(pid, NULL, &later), 0);
        end(pid);
        /* Field 22 of proc(5): ticks since boot, 100 a second; not later than now. */
        assert_in_range(later - start, 5, 500);
        assert_true(later <= (uint64_t)(clock_boottime_usec() / 10000) + 1);
}

/* What a program calls itself cannot be taken for what follows the name. */
static void a_name_that_looks_like_the_rest(void **state) {
        uint64_t start = 0;
        pid_t parent = 0;

        (void)state;
        assert_int_equal(prctl(PR_SET_NAME, "x) S 1 2\n3) Z"), 0);
        assert_int_equal(person_process_start(getpid(), &parent, &start), 0);
        assert_int_equal(parent, getppid());
        assert_true(start > 1000);
        assert_int_equal(prctl(PR_SET_NAME, "test_person"), 0);
        assert_true(person_process_start(0, &parent, &start) < 0);
        assert_true(person_process_start(-5, &parent, &start) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(without_login_the_uid_is_the_person, setup),
                cmocka_unit_test_setup(root_without_login_is_root, setup),
                cmocka_unit_test_setup(su_does_not_change_the_person, setup),
                cmocka_unit_test_setup(sudo_does_not_change_the_person, setup),
                cmocka_unit_test_setup(the_slice_names_the_person_without_audit, setup),
                cmocka_unit_test_setup(login_uid_and_slice_must_agree, setup),
                cmocka_unit_test_setup(for_root_the_login_uid_counts, setup),
                cmocka_unit_test_setup(a_slice_that_cannot_be_read_is_an_error, setup),
                cmocka_unit_test_setup(the_process_must_be_the_uids, setup),
                cmocka_unit_test_setup(large_uids_are_unsigned, setup),
                cmocka_unit_test_setup(a_process_that_has_ended, setup),
                cmocka_unit_test_setup(a_process_that_is_a_zombie, setup),
                cmocka_unit_test_setup(a_session_or_none, setup),
                cmocka_unit_test_setup(the_persons_own_manager, setup),
                cmocka_unit_test_setup(a_manager_of_another_person, setup),
                cmocka_unit_test_setup(a_place_that_cannot_be_found_is_an_error, setup),
                cmocka_unit_test_setup(start_and_parent, setup),
                cmocka_unit_test_setup(a_name_that_looks_like_the_rest, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
