/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker/ledger_snapshot.c: copies for auditors (attack L9). */
#include "tests/unit/ledger_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/crypto.h"
#include "common/ledger_layout.h"

static void hash_file(const char *path, uint8_t ret[CRYPTO_SHA256_SIZE]) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char buffer[4096];
        CryptoSha256 hash;
        ssize_t n;

        assert_true(fd >= 0);
        crypto_sha256_begin(&hash);
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                crypto_sha256_add(&hash, buffer, (size_t)n);
        crypto_sha256_end(&hash, ret);
}

static void two_snapshots_of_the_same_entries_are_identical(void **state) {
        uint8_t first[CRYPTO_SHA256_SIZE], again[CRYPTO_SHA256_SIZE], reopened[CRYPTO_SHA256_SIZE];
        Fixture *f = *state;

        fixture_open(f);
        fixture_add(f, 200);
        (void)fixture_snapshot(f, fixture_path(f, "1"));
        assert_int_equal(ledger_save_checkpoint(f->ledger), 0);
        (void)fixture_snapshot(f, fixture_path(f, "2"));
        fixture_close(f);
        fixture_open(f);
        (void)fixture_snapshot(f, fixture_path(f, "3"));
        hash_file(fixture_path(f, "1"), first);
        hash_file(fixture_path(f, "2"), again);
        hash_file(fixture_path(f, "3"), reopened);
        assert_memory_equal(first, again, sizeof(first));
        assert_memory_equal(first, reopened, sizeof(first));
        fixture_add(f, 1);
        (void)fixture_snapshot(f, fixture_path(f, "4"));
        hash_file(fixture_path(f, "4"), again);
        assert_memory_not_equal(first, again, sizeof(first));
}

/* Bytes 18 and 19 of the header are 1 outside WAL mode (SQLite file format, section 1.3). */
static void a_snapshot_is_a_plain_read_only_file_that_leaves_nothing(void **state) {
        Fixture *f = *state;
        LedgerSnapshot snapshot;
        unsigned char header[20];
        struct stat st;
        sqlite3 *db;
        int64_t journal = 0;

        fixture_open(f);
        fixture_add(f, 5);
        assert_int_equal(ledger_snapshot(f->dir, &snapshot), 0);
        assert_int_equal(lseek(snapshot.fd, 0, SEEK_CUR), 0);
        assert_int_equal(fcntl(snapshot.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_true((fcntl(snapshot.fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_int_equal(fstat(snapshot.fd, &st), 0);
        assert_int_equal(st.st_nlink, 0);
        assert_int_equal(st.st_mode & 0777, 0400);
        assert_int_equal(read(snapshot.fd, header, sizeof(header)), sizeof(header));
        assert_int_equal(header[18], 1);
        assert_int_equal(header[19], 1);
        assert_int_equal(lseek(snapshot.fd, 0, SEEK_SET), 0);
        fixture_copy_fd(snapshot.fd, fixture_path(f, "copy"));
        assert_int_equal(close(snapshot.fd), 0);
        assert_int_equal(snapshot.size, 5);

        assert_int_equal(sqlite3_open_v2(fixture_path(f, "copy"), &db, SQLITE_OPEN_READONLY, NULL),
                         SQLITE_OK);
        assert_int_equal(ledger_layout_matches(db), 1);
        assert_int_equal(ledger_layout_integer(db, "SELECT count(*) FROM entry", &journal), SQLITE_OK);
        assert_int_equal(journal, 5);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void an_empty_ledger_has_a_snapshot(void **state) {
        static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        char hex[2 * MERKLE_HASH_SIZE + 1];
        LedgerSnapshot snapshot;
        Fixture *f = *state;

        fixture_open(f);
        assert_int_equal(ledger_snapshot(f->dir, &snapshot), 0);
        assert_int_equal(close(snapshot.fd), 0);
        assert_int_equal(snapshot.size, 0);
        crypto_hex(snapshot.root.bytes, MERKLE_HASH_SIZE, hex);
        assert_string_equal(hex, empty);
        fixture_verify(f, 0);
}

static void what_a_killed_broker_left_is_removed_at_start(void **state) {
        Fixture *f = *state;

        assert_int_equal(
                close(open(fixture_path(f, "snapshot-0123456789abcdef.tmp"), O_CREAT | O_CLOEXEC, 0600)), 0);
        assert_int_equal(close(open(fixture_path(f, "snapshot-of-mine.db"), O_CREAT | O_CLOEXEC, 0600)), 0);
        fixture_open(f);
        assert_int_equal(access(fixture_path(f, "snapshot-0123456789abcdef.tmp"), F_OK), -1);
        assert_int_equal(access(fixture_path(f, "snapshot-of-mine.db"), F_OK), 0);
}

typedef struct Auditor {
        const Fixture *f;
        atomic_bool stop;
        unsigned taken;
        int error;
        LedgerSnapshot snapshots[64];
} Auditor;

static void *take_snapshots(void *userdata) {
        Auditor *auditor = userdata;

        while (!atomic_load(&auditor->stop) && auditor->taken < 64) {
                auditor->error = ledger_snapshot(auditor->f->dir, &auditor->snapshots[auditor->taken]);
                if (auditor->error < 0)
                        break;
                auditor->taken++;
        }
        return NULL;
}

/* Attack L9: each copy holds exactly the entries that its head says, while the writer goes on. */
static void snapshots_beside_a_busy_writer_are_consistent(void **state) {
        Fixture *f = *state;
        Auditor auditor = {.f = f};
        pthread_t thread;
        uint64_t last = 0;

        fixture_open(f);
        fixture_add(f, 100);
        assert_int_equal(pthread_create(&thread, NULL, take_snapshots, &auditor), 0);
        for (int i = 0; i < 300; i++) {
                fixture_add(f, 3);
                if (i % 10 == 0)
                        assert_int_equal(ledger_save_checkpoint(f->ledger), 0);
        }
        atomic_store(&auditor.stop, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(auditor.error, 0);
        assert_true(auditor.taken > 0);
        for (unsigned i = 0; i < auditor.taken; i++) {
                _cleanup_free_ char *message = NULL;
                char note[CHECKPOINT_NOTE_MAX];
                LedgerVerdict verdict;

                fixture_copy_fd(auditor.snapshots[i].fd, fixture_path(f, "copy"));
                assert_int_equal(close(auditor.snapshots[i].fd), 0);
                assert_int_equal(
                        ledger_sign(f->ledger, auditor.snapshots[i].size, &auditor.snapshots[i].root, note),
                        0);
                assert_int_equal(ledger_file_verify(fixture_path(f, "copy"), note, ledger_vkey(f->ledger),
                                                    &verdict, &message),
                                 0);
                if (!verdict.good)
                        fail_msg("snapshot %u: %s", i, verdict.reason);
                assert_true(verdict.size >= last);
                last = verdict.size;
        }
        print_message("%u snapshots while 900 entries were added\n", auditor.taken);
}

static void a_folder_without_a_ledger_has_no_snapshot(void **state) {
        Fixture *f = *state;
        LedgerSnapshot snapshot;

        assert_true(ledger_snapshot(f->dir, &snapshot) < 0);
        assert_int_equal(rmdir(f->dir), 0);
        assert_int_equal(ledger_snapshot(f->dir, &snapshot), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                fixture_test(two_snapshots_of_the_same_entries_are_identical),
                fixture_test(a_snapshot_is_a_plain_read_only_file_that_leaves_nothing),
                fixture_test(an_empty_ledger_has_a_snapshot),
                fixture_test(what_a_killed_broker_left_is_removed_at_start),
                fixture_test(snapshots_beside_a_busy_writer_are_consistent),
                fixture_test(a_folder_without_a_ledger_has_no_snapshot),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
