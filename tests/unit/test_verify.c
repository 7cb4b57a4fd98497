/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recovery codes in their thread: what matches (attack R1), bounds, and memory under 64 guesses at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/verify.h"
#include "common/clock.h"
#include "common/protocol.h"

static atomic_uint hashes, hashing, most_hashing;
static atomic_bool no_memory;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* while it is locked, no hash begins */
static bool gate_locked;

static void shut_gate(void) {
        pthread_mutex_lock(&gate);
        gate_locked = true;
}

static void open_gate(void) {
        if (gate_locked)
                pthread_mutex_unlock(&gate);
        gate_locked = false;
}

/* libsodium's, watched. */
__attribute__((visibility("default"))) int crypto_pwhash(unsigned char *const out, unsigned long long size,
                                                         const char *const passwd, unsigned long long length,
                                                         const unsigned char *const salt,
                                                         unsigned long long passes, size_t memory, int alg) {
        static int (*_Atomic next)(unsigned char *, unsigned long long, const char *, unsigned long long,
                                   const unsigned char *, unsigned long long, size_t, int);
        unsigned now, most;
        int r;

        if (!next)
                next = dlsym(RTLD_NEXT, "crypto_pwhash");
        now = atomic_fetch_add(&hashing, 1) + 1;
        most = atomic_load(&most_hashing);
        while (now > most && !atomic_compare_exchange_weak(&most_hashing, &most, now))
                ;
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
        r = next(out, size, passwd, length, salt, passes, memory, alg);
        atomic_fetch_add(&hashes, 1);
        atomic_fetch_sub(&hashing, 1);
        return no_memory ? -1 : r; /* the result is there and does not count */
}

typedef struct Fixture {
        sd_event *event;
        Worker *worker;
        Verify *verify;
} Fixture;

typedef struct Answer {
        unsigned times;
        int result;
} Answer;

static const RecoveryCode codes[RECOVERY_CODES] = {
        {"0000000000000000"}, {"1111111111111111"}, {"2222222222222222"}, {"3333333333333333"},
        {"4444444444444444"}, {"5555555555555555"}, {"6666666666666666"}, {"7777777777777777"},
        {"8888888888888888"}, {"9999999999999999"}};
static VerifySet alice, bob; /* both of those codes, under salts of their own */

static void make_set(VerifySet *set, char salt) {
        *set = (VerifySet){0};
        memset(set->salt, salt, sizeof(set->salt));
        for (unsigned i = 0; i < RECOVERY_CODES; i++) {
                set->codes[i].left = true;
                assert_int_equal(crypto_password_hash(codes[i].canonical, RECOVERY_CHARS, set->salt,
                                                      set->codes[i].hash),
                                 0);
        }
}

static int setup(void **state) {
        static Fixture fixture;
        Fixture *f = &fixture;

        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(worker_new(f->event, &f->worker), 0);
        assert_int_equal(verify_new(f->worker, &f->verify), 0);
        hashes = most_hashing = 0;
        no_memory = false;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        open_gate(); /* a test that failed left it shut */
        f->worker = worker_free(f->worker);
        f->verify = verify_free(f->verify);
        f->event = sd_event_unref(f->event);
        return 0;
}

static void answered(int result, void *userdata) {
        Answer *answer = userdata;

        answer->times++;
        answer->result = result;
}

static int ask(Fixture *f, const char *account, const RecoveryCode *typed, const VerifySet *set,
               Answer *answer) {
        *answer = (Answer){.result = 99};
        return verify_code(f->verify, account, typed, set, answered, answer);
}

static void loop_until(Fixture *f, const Answer *answer) {
        uint64_t end = clock_boottime_usec() + 60000000;

        while (answer->times == 0) {
                assert_true(clock_boottime_usec() < end);
                assert_true(sd_event_run(f->event, 100000) >= 0);
        }
        assert_int_equal(answer->times, 1);
}

static int verdict(Fixture *f, const RecoveryCode *typed, const VerifySet *set) {
        Answer answer;

        assert_int_equal(ask(f, "alice", typed, set, &answer), 0);
        assert_int_equal(answer.times, 0);
        loop_until(f, &answer);
        return answer.result;
}

static void each_code_gives_its_number(void **state) {
        (void)state;
        for (unsigned i = 0; i < RECOVERY_CODES; i++)
                assert_int_equal(verdict(*state, &codes[i], &alice), i + 1);
}

/* Attack R1: guessed; used before; those of another account. */
static void nothing_else_matches(void **state) {
        RecoveryCode guess = {"0000000000000001"};
        VerifySet mixed = alice;

        assert_int_equal(verdict(*state, &guess, &alice), 0);
        mixed.codes[3].left = false;
        assert_int_equal(verdict(*state, &codes[3], &mixed), 0);
        assert_int_equal(verdict(*state, &codes[4], &mixed), 5);
        memcpy(mixed.codes[4].hash, bob.codes[4].hash, sizeof(mixed.codes[4].hash));
        assert_int_equal(verdict(*state, &codes[4], &mixed), 0);
        memcpy(mixed.salt, bob.salt, sizeof(mixed.salt));
        assert_int_equal(verdict(*state, &codes[4], &mixed), 5);
        assert_int_equal(verdict(*state, &codes[0], &mixed), 0);
}

/* A bit of the last byte of the hash is as good as any other. */
static void the_whole_hash_counts(void **state) {
        VerifySet set = alice;

        set.codes[9].hash[CRYPTO_PASSWORD_HASH_SIZE - 1] ^= 1;
        assert_int_equal(verdict(*state, &codes[9], &set), 0);
        set.codes[9].hash[CRYPTO_PASSWORD_HASH_SIZE - 1] ^= 1;
        assert_int_equal(verdict(*state, &codes[9], &set), 10);
}

static void no_codes_no_match_at_the_same_cost(void **state) {
        static const VerifySet none;

        assert_int_equal(verdict(*state, &codes[0], NULL), 0);
        assert_int_equal(hashes, 1);
        assert_int_equal(verdict(*state, &codes[0], &none), 0);
        assert_int_equal(hashes, 2);
        assert_int_equal(verdict(*state, &codes[0], &alice), 1);
        assert_int_equal(hashes, 3);
}

static void without_memory_nothing_matches(void **state) {
        no_memory = true;
        assert_int_equal(verdict(*state, &codes[0], &alice), -ENOMEM);
        no_memory = false;
        assert_int_equal(verdict(*state, &codes[0], &alice), 1);
}

typedef struct Made {
        Answer answer;
        RecoveryCode codes[RECOVERY_CODES];
        VerifySet set;
} Made;

static void made(int r, const RecoveryCode *new_codes, const VerifySet *set, void *userdata) {
        Made *made = userdata;

        answered(r, &made->answer);
        if (r < 0) {
                assert_null(new_codes);
                assert_null(set);
                return;
        }
        memcpy(made->codes, new_codes, sizeof(made->codes));
        made->set = *set;
}

static void make(Fixture *f, Made *ret_made) {
        *ret_made = (Made){0};
        assert_int_equal(verify_make(f->verify, "alice", made, ret_made), 0);
        loop_until(f, &ret_made->answer);
}

static void new_codes_match_their_set_and_no_other(void **state) {
        Made first, second;

        make(*state, &first);
        make(*state, &second);
        assert_int_equal(first.answer.result, 0);
        assert_int_equal(second.answer.result, 0);
        assert_memory_not_equal(first.set.salt, second.set.salt, sizeof(first.set.salt));
        for (unsigned i = 0; i < RECOVERY_CODES; i++) {
                RecoveryCode parsed;

                assert_int_equal(recovery_parse(first.codes[i].canonical, &parsed), 0);
                assert_string_equal(parsed.canonical, first.codes[i].canonical);
                for (unsigned j = 0; j < i; j++)
                        assert_string_not_equal(first.codes[i].canonical, first.codes[j].canonical);
                assert_int_equal(verdict(*state, &parsed, &first.set), i + 1);
        }
        assert_int_equal(verdict(*state, &first.codes[0], &second.set), 0);
}

/* Through what is stored; one code is used and so not there. libsodium reads that text too. */
static void stored_codes_match_as_they_were_added(void **state) {
        char text[crypto_pwhash_STRBYTES] = "";
        VerifySet set = {0};
        Made new;

        make(*state, &new);
        for (unsigned i = 0; i < RECOVERY_CODES; i++) {
                verify_set_text(&new.set, i, text);
                assert_int_equal(crypto_pwhash_str_verify(text, new.codes[i].canonical, RECOVERY_CHARS), 0);
                if (i != 3)
                        assert_int_equal(verify_set_add(&set, text), 0);
        }
        assert_int_equal(verdict(*state, &new.codes[2], &set), 3);
        assert_int_equal(verdict(*state, &new.codes[3], &set), 0);
        assert_int_equal(verdict(*state, &new.codes[9], &set), 9);
        verify_set_text(&alice, 0, text);
        assert_int_equal(verify_set_add(&set, text), -EBADMSG); /* another salt */
        assert_int_equal(verify_set_add(&set, "no hash"), -EBADMSG);
        verify_set_text(&new.set, 3, text);
        assert_int_equal(verify_set_add(&set, text), 0);
        assert_int_equal(verify_set_add(&set, text), -ENOBUFS);
        assert_int_equal(verdict(*state, &new.codes[3], &set), 10);
}

static void without_memory_nothing_is_made(void **state) {
        Made none;

        no_memory = true;
        make(*state, &none);
        assert_int_equal(none.answer.result, -ENOMEM);
}

static void two_of_an_account(void **state) {
        Fixture *f = *state;
        Answer answers[4];
        Made none;

        shut_gate();
        assert_int_equal(ask(f, "alice", &codes[0], &alice, &answers[0]), 0);
        assert_int_equal(ask(f, "alice", &codes[1], &alice, &answers[1]), 0);
        assert_int_equal(ask(f, "alice", &codes[2], &alice, &answers[2]), -EBUSY);
        assert_int_equal(verify_make(f->verify, "alice", made, &none), -EBUSY);
        assert_int_equal(ask(f, "bob", &codes[3], &bob, &answers[3]), 0);
        open_gate();
        loop_until(f, &answers[3]);
        assert_int_equal(answers[0].result, 1);
        assert_int_equal(answers[1].result, 2);
        assert_int_equal(answers[2].times, 0);
        assert_int_equal(answers[3].result, 4);
        assert_int_equal(verdict(f, &codes[2], &alice), 3); /* there is room again */
}

static void long_names_are_refused(void **state) {
        char name[PEERAUTH_USER_MAX + 2];
        Answer answer;

        memset(name, 'n', sizeof(name));
        name[PEERAUTH_USER_MAX + 1] = '\0';
        assert_int_equal(ask(*state, name, &codes[0], &alice, &answer), -EINVAL);
        name[PEERAUTH_USER_MAX] = '\0';
        assert_int_equal(ask(*state, name, &codes[0], &alice, &answer), 0);
        loop_until(*state, &answer);
        assert_int_equal(answer.result, 1);
}

/* In KiB, of /proc/self/status. */
static unsigned long memory(const char *field) {
        char line[256];
        unsigned long size = 0;
        FILE *status = fopen("/proc/self/status", "re");

        assert_non_null(status);
        while (fgets(line, sizeof(line), status))
                if (strncmp(line, field, strlen(field)) == 0)
                        size = strtoul(line + strlen(field), NULL, 10);
        (void)fclose(status);
        assert_true(size > 0);
        return size;
}

/* proc(5): 5 sets the peak to what is resident now. */
static void reset_peak(void) {
        FILE *refs = fopen("/proc/self/clear_refs", "we");

        assert_non_null(refs);
        assert_true(fputs("5", refs) >= 0);
        assert_int_equal(fclose(refs), 0);
}

/* 64 guesses at once, more are refused, and memory is that of one. */
static void memory_of_64_guesses(void **state) {
        Fixture *f = *state;
        static Answer answers[VERIFY_MAX + 1];
        unsigned long before, peak;
        uint64_t start, took;
        char name[16];

        assert_int_equal(VERIFY_MAX, 64);
        reset_peak();
        before = memory("VmRSS:");
        shut_gate();
        for (unsigned i = 0; i <= VERIFY_MAX; i++) {
                (void)snprintf(name, sizeof(name), "user%u", i / VERIFY_ACCOUNT_MAX);
                assert_int_equal(ask(f, name, &codes[i % 10], i % 3 ? &alice : NULL, &answers[i]),
                                 i < VERIFY_MAX ? 0 : -ENOBUFS);
        }
        start = clock_boottime_usec();
        open_gate();
        for (unsigned i = 0; i < VERIFY_MAX; i++) {
                loop_until(f, &answers[i]);
                assert_int_equal(answers[i].result, i % 3 ? i % 10 + 1 : 0);
        }
        took = clock_boottime_usec() - start;
        peak = memory("VmHWM:") - before;
        print_message("64 guesses at once: peak %lu KiB above %lu KiB, %.0f ms in all, %.1f ms each\n", peak,
                      before, (double)took / 1000, (double)took / 1000 / VERIFY_MAX);
        assert_int_equal(answers[VERIFY_MAX].times, 0);
        assert_int_equal(most_hashing, 1);
        assert_int_equal(hashes, VERIFY_MAX);
        /* One hash is 19 MiB, which the kernel counts to some hundred KiB; 64 would be 1.2 GiB. */
        assert_in_range(peak, 18 * 1024, 24 * 1024);
}

static void the_end_answers_everybody(void **state) {
        Fixture *f = *state;
        Answer answers[3];
        Made none = {0};

        shut_gate();
        assert_int_equal(ask(f, "alice", &codes[0], &alice, &answers[0]), 0);
        while (hashing == 0)
                ;
        assert_int_equal(ask(f, "alice", &codes[1], &alice, &answers[1]), 0);
        assert_int_equal(ask(f, "bob", &codes[2], &bob, &answers[2]), 0);
        assert_int_equal(verify_make(f->verify, "carol", made, &none), 0);
        open_gate();
        f->worker = worker_free(f->worker);
        assert_int_equal(answers[0].times, 1); /* it was under way */
        assert_int_equal(answers[0].result, 1);
        for (unsigned i = 1; i < 3; i++) {
                assert_int_equal(answers[i].times, 1);
                assert_true(answers[i].result == -ECANCELED || answers[i].result == (int)i + 1);
        }
        assert_int_equal(none.answer.times, 1);
        assert_null(verify_free(NULL));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(each_code_gives_its_number),
                TEST(nothing_else_matches),
                TEST(the_whole_hash_counts),
                TEST(no_codes_no_match_at_the_same_cost),
                TEST(without_memory_nothing_matches),
                TEST(new_codes_match_their_set_and_no_other),
                TEST(stored_codes_match_as_they_were_added),
                TEST(without_memory_nothing_is_made),
                TEST(two_of_an_account),
                TEST(long_names_are_refused),
                TEST(memory_of_64_guesses),
                TEST(the_end_answers_everybody),
        };

        if (crypto_init() < 0)
                return 1;
        make_set(&alice, 'a');
        make_set(&bob, 'b');
        return cmocka_run_group_tests(tests, NULL, NULL);
}
