/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.db when the machine is against it: SIGKILL at random moments, and a full disk. Every reported count
 * is there afterwards; at most the one that was on its way is there too.
 */
#include "tests/unit/state_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <time.h>

#include "broker/limit.h"

enum { KILLS = 1000, USE_KILLS = 100 };

static const StateAccount alice = {"alice", 1000};

/* Reports are one letter each. */
static void report(int fd, char what) {
        if (write(fd, &what, 1) != 1)
                _exit(9);
}

/* A pause of up to `most` microseconds; the seed is printed, so a failure can be repeated. */
static void pause_randomly(unsigned *seed, unsigned most) {
        const struct timespec pause = {.tv_nsec = (long)((unsigned)rand_r(seed) % most) * 1000};

        (void)nanosleep(&pause, NULL);
}

static unsigned new_seed(void) {
        const char *given = getenv("PEERAUTH_TEST_SEED");
        unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

        print_message("PEERAUTH_TEST_SEED=%u\n", seed);
        return seed;
}

/* Counts failures and attempts until it is killed. An account takes a hundred failures, so `failures` of
 * them went to the accounts u0, u1, ... in turn. */
static void count_forever(Fixture *f, unsigned failures, int fd) {
        char *message;

        if (state_open(f->dir, NOW, &f->state, &message) < 0)
                _exit(1);
        report(fd, 'o');
        for (;; failures++) {
                char user[16];
                int64_t id;

                (void)snprintf(user, sizeof(user), "u%u", failures / LIMIT_FAILURES_MAX);
                if (state_failure_add(f->state, user, STATE_WAY_CODE, NOW, NULL) < 0)
                        _exit(2);
                report(fd, 'f');
                (void)snprintf(user, sizeof(user), "v%u", failures);
                if (state_attempt_add(f->state, user, user, NOW, &id) < 0)
                        _exit(3);
                report(fd, 'a');
        }
}

static void run_and_kill(Fixture *f, unsigned *seed, unsigned *failures, unsigned *attempts) {
        int fds[2], status;
        char what;
        pid_t pid;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                count_forever(f, *failures, fds[1]);
        (void)close(fds[1]);
        if (rand_r(seed) % 8 != 0) /* else it may die while it opens the file */
                assert_int_equal(read(fds[0], &what, 1), 1);
        pause_randomly(seed, 4000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &what, 1) == 1) {
                *failures += what == 'f';
                *attempts += what == 'a';
        }
        (void)close(fds[0]);
}

/* All failures in the list; every account but the last must be full. */
static unsigned count_failures(Fixture *f) {
        _cleanup_free_ StateFailure *list = NULL;
        unsigned sum = 0, full = 0;
        size_t n;

        assert_int_equal(state_failure_list(f->state, &list, &n), 0);
        for (size_t i = 0; i < n; i++) {
                sum += list[i].count;
                full += list[i].count == LIMIT_FAILURES_MAX;
        }
        assert_in_range(n - full, 0, 1);
        return sum;
}

static void counts_are_exact_after_a_thousand_kills(void **state) {
        unsigned seed = new_seed(), failures = 0, attempts = 0, ahead = 0;
        Fixture *f = *state;

        for (unsigned i = 0; i < KILLS; i++) {
                unsigned found_failures, found_attempts;

                run_and_kill(f, &seed, &failures, &attempts);
                fixture_open(f);
                found_failures = count_failures(f);
                found_attempts = (unsigned)fixture_integer(f, "SELECT count(*) FROM attempt");
                fixture_close(f);
                assert_in_range(found_failures, failures, failures + 1);
                assert_in_range(found_attempts, attempts, attempts + 1);
                /* They are counted one after the other: only one can be on its way. */
                assert_in_range(found_failures + found_attempts, failures + attempts,
                                failures + attempts + 1);
                ahead += found_failures + found_attempts - failures - attempts;
                failures = found_failures;
                attempts = found_attempts;
                if (attempts > STATE_ATTEMPTS_MAX - 2000) { /* before the bound forgets any */
                        fixture_sql(f, "DELETE FROM attempt");
                        attempts = 0;
                }
        }
        print_message("%d kills, %u failures; %u commits were durable and not yet reported\n", KILLS,
                      failures, ahead);
        assert_true(failures > KILLS);
}

static void use_forever(Fixture *f, int fd) {
        StateRecovery *codes;
        char *message;
        size_t n;

        if (state_open(f->dir, NOW, &f->state, &message) < 0 ||
            state_recovery_list(f->state, alice, &codes, &n) < 0)
                _exit(1);
        for (size_t i = 0; i < n; i++) {
                int r = state_recovery_use(f->state, alice, codes[i].id, NOW);

                if (r < 0)
                        _exit(2);
                report(fd, r > 0 ? 'u' : '-');
        }
        for (;;)
                (void)pause();
}

/* The same ten codes tried by one broker after the other, each killed: no code serves two of them. */
static void no_code_serves_twice_over_kills(void **state) {
        static const char *const hashes[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
        unsigned seed = new_seed(), left = 99;
        Fixture *f = *state;

        for (unsigned i = 0; i < USE_KILLS; i++) {
                unsigned used = 0, lost = 0;

                fixture_open(f);
                assert_int_equal(state_recovery_replace(f->state, alice, hashes, 10, NOW), 0);
                fixture_close(f);
                for (unsigned run = 0; run < 3; run++) {
                        int fds[2], status;
                        char what;
                        pid_t pid;

                        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
                        pid = fork();
                        assert_true(pid >= 0);
                        if (pid == 0)
                                use_forever(f, fds[1]);
                        (void)close(fds[1]);
                        pause_randomly(&seed, 8000);
                        assert_int_equal(kill(pid, SIGKILL), 0);
                        assert_int_equal(waitpid(pid, &status, 0), pid);
                        assert_true(WIFSIGNALED(status));
                        while (read(fds[0], &what, 1) == 1)
                                used += what == 'u';
                        (void)close(fds[0]);
                        lost++; /* the one that was on its way */
                        fixture_open(f);
                        assert_int_equal(state_recovery_left(f->state, alice, &left), 0);
                        fixture_close(f);
                        assert_in_range(10 - left, used, used + lost);
                        assert_true(used <= 10);
                }
        }
}

/* ---- A full disk ---- */

static int fill_disk(const char *path) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static const char zeros[4096];

        if (fd < 0)
                return -errno;
        while (write(fd, zeros, sizeof(zeros)) > 0)
                ;
        return errno == ENOSPC ? 0 : -errno;
}

static int mount_small(Fixture *f, const char *options) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, options) < 0)
                return FIXTURE_SKIP;
        return 0;
}

/* Everything there is, as one number each. */
typedef struct Contents {
        unsigned failures, attempts, left;
        uint64_t step;
        bool blocked;
} Contents;

static int look(Fixture *f, Contents *ret) {
        StateFailure failure;
        StateCount count;
        StateBlock block;
        StateTotp totp;

        FIXTURE_CHECK(state_failure_get(f->state, "alice", STATE_WAY_TOTP, NOW, &failure) >= 0);
        FIXTURE_CHECK(state_attempt_count_user(f->state, "alice", NOW, HOUR, &count) == 0);
        FIXTURE_CHECK(state_recovery_left(f->state, alice, &ret->left) == 0);
        FIXTURE_CHECK(state_totp_get(f->state, alice, &totp) == 1);
        ret->failures = failure.count;
        ret->attempts = count.n;
        ret->step = totp.step;
        ret->blocked = state_block_check(f->state, "tty1", NOW, &block) != 0;
        return 0;
}

static bool same(const Contents *a, const Contents *b) {
        return a->failures == b->failures && a->attempts == b->attempts && a->left == b->left &&
               a->step == b->step && a->blocked == b->blocked;
}

/* Each kind of change must fail with -ENOSPC and leave everything as it was. */
static int nothing_goes(Fixture *f, int64_t code) {
        static const char *const hashes[] = {"x", "y"};
        Contents before, after;
        unsigned removed;
        int64_t id = -5;

        FIXTURE_CHECK(look(f, &before) == 0);
        FIXTURE_CHECK(state_attempt_add(f->state, "alice", "tty1", NOW, &id) == -ENOSPC && id == -5);
        FIXTURE_CHECK(state_failure_add(f->state, "alice", STATE_WAY_TOTP, NOW, NULL) == -ENOSPC);
        FIXTURE_CHECK(state_failure_clear(f->state, "alice", STATE_WAY_TOTP) == -ENOSPC);
        FIXTURE_CHECK(state_block_add(f->state, "tty1", NOW + HOUR, "", NOW) == -ENOSPC);
        FIXTURE_CHECK(state_recovery_use(f->state, alice, code, NOW) == -ENOSPC);
        FIXTURE_CHECK(state_recovery_replace(f->state, alice, hashes, 2, NOW) == -ENOSPC);
        FIXTURE_CHECK(state_totp_accept(f->state, alice, 77) == -ENOSPC);
        FIXTURE_CHECK(state_totp_remove(f->state, alice) == -ENOSPC);
        FIXTURE_CHECK(state_clean(f->state, NOW, &removed) == 0); /* nothing to remove writes nothing */
        FIXTURE_CHECK(look(f, &after) == 0);
        FIXTURE_CHECK(same(&before, &after));
        return 0;
}

static int on_a_full_disk(Fixture *f) {
        static const char *const hash = "$argon2id$";
        StateRecovery *codes;
        Contents before, after;
        unsigned added = 0;
        int64_t id, step;
        size_t n;
        int r = mount_small(f, "size=512k,mode=0700");

        if (r != 0)
                return r;
        FIXTURE_CHECK(state_open(f->dir, NOW, &f->state, &(char *){NULL}) == 0);
        FIXTURE_CHECK(state_clock(f->state, NOW, HOUR, &step) == 0);
        FIXTURE_CHECK(state_recovery_replace(f->state, alice, &hash, 1, NOW) == 0);
        FIXTURE_CHECK(state_recovery_list(f->state, alice, &codes, &n) == 0 && n == 1);
        FIXTURE_CHECK(state_totp_enroll(f->state, alice, "x", 1, NOW) == 0);
        FIXTURE_CHECK(state_totp_confirm(f->state, alice, 7) == 1);
        FIXTURE_CHECK(state_failure_add(f->state, "alice", STATE_WAY_TOTP, NOW, NULL) == 0);
        FIXTURE_CHECK(fill_disk(fixture_path(f, "ballast")) == 0);

        /* The -wal file may have room for a few more in its last page. */
        while ((r = state_attempt_add(f->state, "alice", "tty2", NOW, &id)) == 0 && added < 200)
                added++;
        FIXTURE_CHECK(r == -ENOSPC && added < 200);
        for (int i = 0; i < 3; i++)
                FIXTURE_CHECK(nothing_goes(f, codes[0].id) == 0);
        /* A step of the clock that cannot be dealt with is not forgotten. */
        FIXTURE_CHECK(state_clock(f->state, NOW + YEAR, HOUR, &step) == -ENOSPC);
        FIXTURE_CHECK(look(f, &before) == 0);
        FIXTURE_CHECK(before.attempts == added);

        FIXTURE_CHECK(unlink(fixture_path(f, "ballast")) == 0);
        FIXTURE_CHECK(state_clock(f->state, NOW + YEAR, HOUR, &step) == 1 && step == (int64_t)YEAR);
        FIXTURE_CHECK(state_clock(f->state, NOW, HOUR, &step) == 1 && step == -(int64_t)YEAR);
        FIXTURE_CHECK(look(f, &after) == 0);
        FIXTURE_CHECK(same(&before, &after));
        FIXTURE_CHECK(state_recovery_use(f->state, alice, codes[0].id, NOW) == 1);
        FIXTURE_CHECK(state_failure_add(f->state, "alice", STATE_WAY_TOTP, NOW, NULL) == 0);
        f->state = state_close(f->state);
        FIXTURE_CHECK(state_open(f->dir, NOW, &f->state, &(char *){NULL}) == 0);
        FIXTURE_CHECK(look(f, &after) == 0);
        FIXTURE_CHECK(after.attempts == added && after.left == 0 && after.failures == 2 && after.step == 7);
        f->state = state_close(f->state);
        free(codes);
        (void)umount2(f->dir, MNT_DETACH);
        return 0;
}

static int on_a_full_disk_from_the_start(Fixture *f) {
        int r = mount_small(f, "size=48k,mode=0700");

        if (r != 0)
                return r;
        FIXTURE_CHECK(fixture_refuses(f, -ENOSPC, "free some space") == 0);
        FIXTURE_CHECK(fixture_refuses(f, -ENOSPC, "state.db") == 0);
        FIXTURE_CHECK(access(fixture_path(f, "state.db"), F_OK) < 0); /* never half of one */
        FIXTURE_CHECK(access(fixture_path(f, "state.db.new"), F_OK) < 0);
        FIXTURE_CHECK(mount(NULL, f->dir, NULL, MS_REMOUNT, "size=1m") == 0);
        FIXTURE_CHECK(state_open(f->dir, NOW, &f->state, &(char *){NULL}) == 0);
        FIXTURE_CHECK(state_is_new(f->state));
        f->state = state_close(f->state);
        (void)umount2(f->dir, MNT_DETACH);
        return 0;
}

static void a_full_disk_fails_each_call_and_is_recovered_from(void **state) {
        fixture_apart(*state, on_a_full_disk);
}

static void a_state_can_be_begun_once_there_is_room(void **state) {
        fixture_apart(*state, on_a_full_disk_from_the_start);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(counts_are_exact_after_a_thousand_kills),
                fixture_test(no_code_serves_twice_over_kills),
                fixture_test(a_full_disk_fails_each_call_and_is_recovered_from),
                fixture_test(a_state_can_be_begun_once_there_is_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
