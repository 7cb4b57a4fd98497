/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/ledger.c when the machine is against it: kills and a full disk (attacks L4, L5). */
#include "tests/unit/ledger_fixture.h"

#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

enum { KILLS = 25, SKIP = 77 };

/* Commits until it is killed, in groups of one to three; says so after each commit, as the broker would. */
static void commit_forever(Fixture *f, int acknowledge) {
        char *message;

        if (ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &message) < 0)
                _exit(1);
        for (unsigned round = 0;; round++) {
                uint64_t size;

                for (unsigned i = 0; i <= round % 3; i++)
                        if (fixture_stage(f->ledger, "acknowledged") < 0)
                                _exit(2);
                if (ledger_commit(f->ledger) < 0)
                        _exit(3);
                size = ledger_size(f->ledger);
                if (write(acknowledge, &size, sizeof(size)) != sizeof(size))
                        _exit(4);
                if (round % 4 == 3 && ledger_save_checkpoint(f->ledger) < 0)
                        _exit(5);
        }
}

static uint64_t run_and_kill(Fixture *f, long microseconds) {
        const struct timespec pause = {.tv_nsec = microseconds * 1000};
        uint64_t size, last = 0;
        int pipe_fds[2], status;
        pid_t pid;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                commit_forever(f, pipe_fds[1]);
        (void)close(pipe_fds[1]);
        assert_int_equal(read(pipe_fds[0], &last, sizeof(last)), sizeof(last)); /* it has begun */
        (void)nanosleep(&pause, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(pipe_fds[0], &size, sizeof(size)) == sizeof(size))
                last = size;
        (void)close(pipe_fds[0]);
        return last;
}

static void no_acknowledged_entry_is_lost_by_a_kill(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < KILLS; i++) {
                uint64_t acknowledged = run_and_kill(f, 500 + (long)i * 977), size;

                fixture_open(f);
                size = ledger_size(f->ledger);
                /* At most the one group that was on its way is there beyond what was acknowledged. */
                assert_in_range(size, acknowledged, acknowledged + 3);
                fixture_verify(f, size);
                fixture_add(f, 1);
                fixture_close(f);
        }
}

static int fill_disk(const char *path) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static const char zeros[4096];

        if (fd < 0)
                return -errno;
        while (write(fd, zeros, sizeof(zeros)) > 0)
                ;
        return errno == ENOSPC ? 0 : -errno;
}

#define CHECK(condition)                                                              \
        do {                                                                          \
                if (!(condition)) {                                                   \
                        (void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
                        return 1;                                                     \
                }                                                                     \
        } while (0)

/* fixture_verify() without cmocka's asserts, which do not work in a child. */
static int verifies(Fixture *f, uint64_t size) {
        _cleanup_free_ char *message = NULL;
        char copy[128], note[CHECKPOINT_NOTE_MAX], buffer[4096];
        _cleanup_close_ int out = -1;
        LedgerSnapshot snapshot;
        LedgerVerdict verdict;
        ssize_t n;

        (void)snprintf(copy, sizeof(copy), "%s/verify.db", f->root);
        out = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(ledger_snapshot(f->dir, &snapshot) == 0);
        while ((n = read(snapshot.fd, buffer, sizeof(buffer))) > 0)
                CHECK(write(out, buffer, (size_t)n) == n);
        (void)close(snapshot.fd);
        CHECK(ledger_checkpoint(f->ledger, note) == 0);
        CHECK(ledger_file_verify(copy, note, ledger_vkey(f->ledger), &verdict, &message) == 0);
        CHECK(verdict.good && verdict.size == size);
        return 0;
}

static bool has_file_like(const char *pattern) {
        glob_t found;
        bool any = glob(pattern, 0, NULL, &found) == 0;

        if (any)
                globfree(&found);
        return any;
}

static int on_a_full_disk(Fixture *f) {
        LedgerSnapshot snapshot;
        uint64_t size;
        int r;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, "size=1m,mode=0700") < 0)
                return SKIP;
        CHECK(ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &(char *){NULL}) == 0);
        for (int i = 0; i < 50; i++)
                CHECK(fixture_stage(f->ledger, "while there is room") == 0 && ledger_commit(f->ledger) == 0);
        CHECK(fill_disk(fixture_path(f, "ballast")) == 0);

        /* The -wal file may have room for a few more in its last page. */
        for (int i = 0; i < 100; i++) {
                CHECK(fixture_stage(f->ledger, "no room") == 0);
                r = ledger_commit(f->ledger);
                if (r < 0)
                        break;
        }
        CHECK(r == -ENOSPC);
        size = ledger_size(f->ledger);
        for (int i = 0; i < 5; i++) {
                CHECK(fixture_stage(f->ledger, "still no room") == 0);
                CHECK(ledger_commit(f->ledger) == -ENOSPC);
                CHECK(ledger_size(f->ledger) == size);
        }
        CHECK(ledger_save_checkpoint(f->ledger) == -ENOSPC);
        CHECK(ledger_snapshot(f->dir, &snapshot) == -ENOSPC);
        CHECK(!has_file_like(fixture_path(f, "snapshot-*")));

        CHECK(unlink(fixture_path(f, "ballast")) == 0);
        CHECK(fixture_stage(f->ledger, "room again") == 0);
        CHECK(ledger_commit(f->ledger) == 0);
        CHECK(ledger_size(f->ledger) == size + 1);
        CHECK(ledger_save_checkpoint(f->ledger) == 0);
        CHECK(verifies(f, size + 1) == 0);
        f->ledger = ledger_close(f->ledger);
        CHECK(ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &(char *){NULL}) == 0);
        CHECK(ledger_size(f->ledger) == size + 1);
        f->ledger = ledger_close(f->ledger);
        (void)umount2(f->dir, MNT_DETACH);
        return 0;
}

static int on_a_full_disk_from_the_start(Fixture *f) {
        char *message = NULL;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, "size=64k,mode=0700") < 0)
                return SKIP;
        CHECK(fill_disk(fixture_path(f, "ballast")) == 0);
        CHECK(ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &message) == -ENOSPC);
        CHECK(message && strstr(message, "free some space"));
        free(message);
        CHECK(unlink(fixture_path(f, "ballast")) == 0);
        CHECK(ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &message) == -ENOSPC ||
              ledger_size(f->ledger) == 0); /* 64 KiB may be too little, but never a broken ledger */
        f->ledger = ledger_close(f->ledger);
        CHECK(mount(NULL, f->dir, NULL, MS_REMOUNT, "size=1m") == 0);
        CHECK(ledger_open(f->dir, FIXTURE_ORIGIN, &f->ledger, &message) == 0);
        f->ledger = ledger_close(f->ledger);
        (void)umount2(f->dir, MNT_DETACH);
        return 0;
}

static void run_apart(Fixture *f, int (*check)(Fixture *)) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(check(f));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == SKIP) {
                print_message("skipped: mounting is not permitted here\n");
                skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_full_disk_denies_and_recovers_without_restart(void **state) {
        run_apart(*state, on_a_full_disk);
}

static void a_ledger_can_be_begun_once_there_is_room(void **state) {
        run_apart(*state, on_a_full_disk_from_the_start);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(no_acknowledged_entry_is_lost_by_a_kill),
                fixture_test(a_full_disk_denies_and_recovers_without_restart),
                fixture_test(a_ledger_can_be_begun_once_there_is_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
