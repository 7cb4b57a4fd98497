/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which human is behind a process. The processes are real; the owner of their systemd slice is played here,
 * in front of libsystemd, because only a booted system gives processes slices.
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
#include <sys/wait.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "broker/person.h"

#define NONE ((uid_t)-1)

static int slice_result;
static uid_t slice_owner;

__attribute__((visibility("default"))) int sd_pid_get_owner_uid(pid_t pid, uid_t *ret_uid) {
        (void)pid;
        if (slice_result >= 0)
                *ret_uid = slice_owner;
        return slice_result;
}

static int setup(void **state) {
        (void)state;
        slice_result = -ENODATA;
        slice_owner = 0;
        return 0;
}

static bool set_login_uid(uid_t uid) {
        FILE *f = fopen("/proc/self/loginuid", "w");
        bool ok = f && fprintf(f, "%u", (unsigned)uid) > 0;

        return f && fclose(f) == 0 && ok;
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
                for (;;)
                        pause();
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
        uid_t person = 4711;
        int r;

        if (pid == 0) {
                print_message(
                        "skip: making processes of other accounts takes root and a writable loginuid\n");
                skip();
        }
        r = person_of_process(pid, uid, &person);
        end(pid);
        assert_int_equal(r, result);
        assert_int_equal(person, result < 0 ? 4711 : expected);
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
        uid_t person = 4711;
        pid_t pid = process(54321, NONE);

        (void)state;
        if (pid == 0)
                skip();
        assert_int_equal(person_of_process(pid, 54322, &person), -EPERM);
        assert_int_equal(person_of_process(pid, 0, &person), -EPERM);
        assert_int_equal(person_of_process(pid, NONE, &person), -EPERM);
        assert_int_equal(person, 4711);
        end(pid);
}

static void large_uids_are_unsigned(void **state) {
        (void)state;
        assert_person(4294967294U, NONE, 0, 4294967294U);
        assert_person(2147483648U, 4294967294U, 0, 4294967294U);
}

static void a_process_that_has_ended(void **state) {
        uid_t person = 4711;
        pid_t pid = fork();

        (void)state;
        if (pid == 0)
                _exit(0);
        (void)waitpid(pid, NULL, 0);
        assert_int_equal(person_of_process(pid, geteuid(), &person), -ESRCH);
        assert_true(person_of_process(0, geteuid(), &person) < 0);
        assert_true(person_of_process(-1, geteuid(), &person) < 0);
        assert_int_equal(person, 4711);
}

/* It has ended, but its parent has not asked: /proc still shows it. */
static void a_process_that_is_a_zombie(void **state) {
        uid_t person = 4711;
        siginfo_t info;
        pid_t pid = fork();

        (void)state;
        if (pid == 0)
                _exit(0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(person_of_process(pid, geteuid(), &person), -ESRCH);
        assert_int_equal(person, 4711);
        (void)waitpid(pid, NULL, 0);
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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
