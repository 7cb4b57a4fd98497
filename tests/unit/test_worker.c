/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads for what may block: lanes, keys and their bounds, the order of jobs, and the end while one hangs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/worker.h"
#include "common/clock.h"

typedef struct Job {
        sem_t *gate; /* run() waits for it, if there is one */
        unsigned number;
        atomic_uint runs, dones;
        pthread_t ran_in, done_in;
} Job;

enum { JOBS = WORKER_QUEUE_MAX + 400 };

static Job jobs[JOBS];
static unsigned run_order[JOBS], done_order[JOBS];
static atomic_uint n_run, n_done, running, most_running;

/* Threads end when they were idle for half a minute; here after a tenth of a second. */
__attribute__((visibility("default"))) int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                                                  const struct timespec *until) {
        static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
        struct timespec now, soon;

        if (!next)
                next = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
                        RTLD_NEXT, "pthread_cond_timedwait");
        clock_gettime(CLOCK_MONOTONIC, &now);
        soon = now;
        soon.tv_nsec += 100000000;
        if (soon.tv_nsec >= 1000000000) {
                soon.tv_sec++;
                soon.tv_nsec -= 1000000000;
        }
        return next(cond, lock, until->tv_sec > now.tv_sec + WORKER_IDLE_SEC / 2 ? &soon : until);
}

static void run(void *userdata) {
        Job *job = userdata;
        unsigned now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);

        while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
                ;
        if (job->gate)
                while (sem_wait(job->gate) < 0)
                        ;
        job->ran_in = pthread_self();
        run_order[atomic_fetch_add(&n_run, 1)] = job->number;
        atomic_fetch_add(&job->runs, 1);
        atomic_fetch_sub(&running, 1);
}

static void done(void *userdata) {
        Job *job = userdata;

        job->done_in = pthread_self();
        done_order[atomic_fetch_add(&n_done, 1)] = job->number;
        atomic_fetch_add(&job->dones, 1);
}

static void reset(void) {
        for (unsigned i = 0; i < JOBS; i++)
                jobs[i] = (Job){.number = i};
        n_run = n_done = running = most_running = 0;
}

typedef struct Fixture {
        sd_event *event;
        Worker *worker;
        sem_t gate;
        unsigned n; /* jobs submitted */
} Fixture;

static void setup(Fixture *f) {
        reset();
        *f = (Fixture){0};
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(worker_new(f->event, &f->worker), 0);
        assert_int_equal(sem_init(&f->gate, 0, 0), 0);
}

/* The next job; returns its number. */
static unsigned submit(Fixture *f, WorkerLane lane, const char *key, bool hangs) {
        jobs[f->n].gate = hangs ? &f->gate : NULL;
        assert_int_equal(worker_submit(f->worker, lane, key, run, done, &jobs[f->n]), 0);
        return f->n++;
}

static int try_submit(Fixture *f, WorkerLane lane, const char *key) {
        return worker_submit(f->worker, lane, key, run, done, &jobs[f->n]);
}

static void wait_running(unsigned n) {
        uint64_t end = clock_boottime_usec() + 10000000;

        while (atomic_load(&running) < n && clock_boottime_usec() < end)
                sched_yield();
        assert_int_equal(running, n);
}

/* Every thread of the lane is busy until the gate opens, each with a key of its own. */
static void occupy(Fixture *f, WorkerLane lane, unsigned threads) {
        unsigned before = atomic_load(&running);
        char key[32];

        for (unsigned i = 0; i < threads; i++) {
                (void)snprintf(key, sizeof(key), "name:slow%u", i);
                submit(f, lane, key, true);
        }
        wait_running(before + threads);
}

static void open_gate(Fixture *f, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                sem_post(&f->gate);
}

static void loop_until(Fixture *f, unsigned dones) {
        uint64_t end = clock_boottime_usec() + 10000000;

        while (atomic_load(&n_done) < dones && clock_boottime_usec() < end)
                assert_true(sd_event_run(f->event, 100000) >= 0);
        assert_int_equal(n_done, dones);
}

/* Nothing more ends, for a while. */
static void assert_stays(Fixture *f, unsigned dones) {
        uint64_t end = clock_boottime_usec() + 200000;

        while (clock_boottime_usec() < end)
                assert_true(sd_event_run(f->event, 20000) >= 0);
        assert_int_equal(n_done, dones);
}

static void teardown(Fixture *f) {
        assert_null(worker_free(f->worker));
        sd_event_unref(f->event);
        sem_destroy(&f->gate);
}

static unsigned threads_now(void) {
        DIR *dir = opendir("/proc/self/task");
        unsigned n = 0;

        assert_non_null(dir);
        for (const struct dirent *entry; (entry = readdir(dir));)
                n += entry->d_name[0] != '.';
        (void)closedir(dir);
        return n;
}

static void done_is_called_in_the_loop(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        submit(&f, WORKER_LOGIN, NULL, false);
        loop_until(&f, 1);
        assert_int_equal(jobs[0].runs, 1);
        assert_int_equal(jobs[0].dones, 1);
        assert_true(pthread_equal(jobs[0].done_in, pthread_self()));
        assert_false(pthread_equal(jobs[0].ran_in, pthread_self()));
        teardown(&f);
}

static void waiting_jobs_keep_their_order(void **state) {
        enum { THREADS = WORKER_COPY_THREADS, LAST = 60 };
        Fixture f;

        (void)state;
        setup(&f);
        occupy(&f, WORKER_COPY, THREADS);
        while (f.n < LAST)
                submit(&f, WORKER_COPY, NULL, false);
        open_gate(&f, 1); /* one thread goes on, and does the rest alone */
        loop_until(&f, LAST - THREADS + 1);
        for (unsigned i = 1; i <= LAST - THREADS; i++) {
                assert_int_equal(run_order[i], THREADS + i - 1);
                assert_int_equal(done_order[i], THREADS + i - 1);
        }
        open_gate(&f, THREADS - 1);
        loop_until(&f, LAST);
        assert_int_equal(most_running, THREADS);
        teardown(&f);
}

/* Attack B17: one account hangs, asked for again and again. Its third job waits aside, and nobody else does.
 */
static void a_key_that_hangs_holds_up_itself_alone(void **state) {
        char key[32];
        Fixture f;

        (void)state;
        setup(&f);
        for (unsigned i = 0; i < 40; i++)
                submit(&f, WORKER_LOGIN, "name:slow", true);
        for (unsigned i = 0; i < 200; i++) {
                (void)snprintf(key, sizeof(key), "name:user%u", i);
                submit(&f, WORKER_LOGIN, key, false);
        }
        loop_until(&f, 200);
        for (unsigned i = 0; i < 40; i++)
                assert_int_equal(jobs[i].dones, 0);
        assert_int_equal(running, WORKER_KEY_THREADS);
        open_gate(&f, 40);
        loop_until(&f, 240);
        for (unsigned i = 0; i < 40; i++)
                assert_int_equal(jobs[i].dones, 1);
        teardown(&f);
}

/* In the lane of those who could review, a person who hangs has one thread. */
static void one_of_a_key_where_people_are_counted(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        submit(&f, WORKER_PRESENCE, "uid:7", true);
        wait_running(1);
        submit(&f, WORKER_PRESENCE, "uid:7", false);
        submit(&f, WORKER_PRESENCE, "uid:8", false);
        loop_until(&f, 1);
        assert_stays(&f, 1);
        assert_int_equal(jobs[2].dones, 1);
        open_gate(&f, 1);
        loop_until(&f, 3);
        teardown(&f);
}

/* Attack B17: so many different names that the whole lane hangs. */
static void a_lane_that_hangs_does_not_hold_up_the_others(void **state) {
        static const struct {
                WorkerLane lane;
                unsigned threads;
        } lanes[] = {
                {WORKER_LOGIN, WORKER_LOGIN_THREADS},       {WORKER_REVIEW, WORKER_REVIEW_THREADS},
                {WORKER_PRESENCE, WORKER_PRESENCE_THREADS}, {WORKER_COPY, WORKER_COPY_THREADS},
                {WORKER_VERIFY, WORKER_VERIFY_THREADS},
        };

        (void)state;
        for (unsigned i = 0; i < WORKER_LANES; i++) {
                Fixture f;

                setup(&f);
                occupy(&f, lanes[i].lane, lanes[i].threads);
                submit(&f, lanes[i].lane, "name:late", false);
                for (unsigned j = 0; j < WORKER_LANES; j++)
                        if (j != i)
                                submit(&f, lanes[j].lane, "name:late", false);
                loop_until(&f, WORKER_LANES - 1);
                assert_stays(&f, WORKER_LANES - 1);
                assert_int_equal(jobs[lanes[i].threads].dones, 0);
                open_gate(&f, lanes[i].threads);
                loop_until(&f, f.n);
                assert_in_range(most_running, lanes[i].threads, lanes[i].threads + WORKER_LANES - 1);
                teardown(&f);
        }
}

/* A stranger with a default sshd has 100 connections; everybody else is served as if there were none. */
static void a_hundred_names_that_hang(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        occupy(&f, WORKER_LOGIN, 100);
        for (unsigned i = 0; i < 50; i++)
                submit(&f, WORKER_LOGIN, "name:alice", false);
        loop_until(&f, 50);
        open_gate(&f, 100);
        loop_until(&f, 150);
        teardown(&f);
}

/* Once a thread is free, whoever has nothing running goes before the many jobs of somebody who has. */
static void a_key_with_nothing_running_goes_first(void **state) {
        unsigned third;
        sem_t other;
        Fixture f;

        (void)state;
        setup(&f);
        assert_int_equal(sem_init(&other, 0, 0), 0);
        occupy(&f, WORKER_REVIEW, WORKER_REVIEW_THREADS - 2);
        for (unsigned i = 0; i < 2; i++) {
                jobs[f.n].gate = &other;
                assert_int_equal(try_submit(&f, WORKER_REVIEW, i ? "uid:2" : "uid:1"), 0);
                f.n++;
        }
        wait_running(WORKER_REVIEW_THREADS);
        for (unsigned i = 0; i < 20; i++)
                submit(&f, WORKER_REVIEW, i % 2 ? "uid:1" : "uid:2", false);
        third = submit(&f, WORKER_REVIEW, "uid:3", false);
        open_gate(&f, 1);
        loop_until(&f, 22);
        assert_int_equal(run_order[1], third); /* the first is the one that was let go */
        for (unsigned i = 0; i < 20; i++)      /* the others in their order */
                assert_int_equal(run_order[2 + i], third - 20 + i);
        open_gate(&f, WORKER_REVIEW_THREADS);
        sem_post(&other);
        sem_post(&other);
        loop_until(&f, f.n);
        teardown(&f);
        sem_destroy(&other);
}

static void a_full_lane_takes_nothing(void **state) {
        enum { ROOM = WORKER_COPY_THREADS + WORKER_QUEUE_MAX };
        Fixture f;

        (void)state;
        setup(&f);
        occupy(&f, WORKER_COPY, WORKER_COPY_THREADS);
        while (f.n < ROOM)
                submit(&f, WORKER_COPY, NULL, false);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(try_submit(&f, WORKER_COPY, NULL), -ENOBUFS);
                assert_int_equal(try_submit(&f, WORKER_COPY, "name:alice"), -ENOBUFS);
        }
        assert_int_equal(try_submit(&f, WORKER_REVIEW, NULL), 0);
        f.n++;
        open_gate(&f, WORKER_COPY_THREADS);
        loop_until(&f, ROOM + 1);
        for (unsigned i = 0; i < ROOM + 1; i++)
                assert_true(jobs[i].runs == 1 && jobs[i].dones == 1);
        assert_int_equal(jobs[ROOM + 1].runs + jobs[ROOM + 1].dones, 0);
        submit(&f, WORKER_COPY, NULL, false); /* there is room again */
        loop_until(&f, ROOM + 2);
        teardown(&f);
}

static void a_full_key_takes_nothing_and_others_do(void **state) {
        enum { ROOM = WORKER_KEY_THREADS + WORKER_KEY_QUEUE_MAX };
        Fixture f;

        (void)state;
        setup(&f);
        for (unsigned i = 0; i < WORKER_KEY_THREADS; i++)
                submit(&f, WORKER_LOGIN, "name:slow", true);
        wait_running(WORKER_KEY_THREADS);
        while (f.n < ROOM)
                submit(&f, WORKER_LOGIN, "name:slow", false);
        assert_int_equal(try_submit(&f, WORKER_LOGIN, "name:slow"), -ENOBUFS);
        submit(&f, WORKER_LOGIN, "name:alice", false);
        submit(&f, WORKER_LOGIN, NULL, false);
        submit(&f, WORKER_REVIEW, "name:slow", false); /* another lane's key of that name */
        loop_until(&f, 3);
        open_gate(&f, WORKER_KEY_THREADS);
        loop_until(&f, ROOM + 3);
        submit(&f, WORKER_LOGIN, "name:slow", false);
        loop_until(&f, ROOM + 4);
        teardown(&f);
}

/* A burst of one key starts no threads that could not run anything of it. */
static void threads_start_when_needed_and_end(void **state) {
        unsigned before, most;
        uint64_t end;
        Fixture f;

        (void)state;
        setup(&f);
        submit(&f, WORKER_LOGIN, "name:x", false); /* sanitizers and libraries have their own by then */
        loop_until(&f, 1);
        assert_stays(&f, 1);
        before = threads_now();
        end = clock_boottime_usec() + 10000000;
        for (unsigned i = 0; i < 100; i++)
                submit(&f, WORKER_LOGIN, "name:slow", true);
        for (unsigned i = 0; i < 5; i++)
                submit(&f, WORKER_REVIEW, NULL, true);
        wait_running(WORKER_KEY_THREADS + 5);
        most = threads_now();
        assert_int_equal(most - before, WORKER_KEY_THREADS + 5);
        open_gate(&f, 105);
        loop_until(&f, 106);
        while (threads_now() > before && clock_boottime_usec() < end)
                assert_true(sd_event_run(f.event, 20000) >= 0);
        assert_int_equal(threads_now(), before);
        submit(&f, WORKER_LOGIN, "name:slow", false); /* and start again */
        loop_until(&f, 107);
        teardown(&f);
}

/* Many keys, in all lanes, while the loop takes what has ended: for the thread sanitizer. */
static void everything_at_once(void **state) {
        char key[32];
        Fixture f;

        (void)state;
        setup(&f);
        for (unsigned i = 0; i < 1000; i++) {
                (void)snprintf(key, sizeof(key), "uid:%u", i * 7919 % 97);
                submit(&f, (WorkerLane)(i % WORKER_LANES), i % 5 ? key : NULL, false);
                if (i % 16 == 0)
                        assert_true(sd_event_run(f.event, 0) >= 0);
        }
        loop_until(&f, 1000);
        for (unsigned i = 0; i < 1000; i++)
                assert_true(jobs[i].runs == 1 && jobs[i].dones == 1);
        teardown(&f);
}

static void freeing_ends_every_job_once(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        for (unsigned i = 0; i < 100; i++)
                submit(&f, (WorkerLane)(i % WORKER_LANES), i % 3 ? "name:x" : NULL, false);
        teardown(&f); /* the loop has not run */
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(jobs[i].dones, 1);
                assert_in_range(jobs[i].runs, 0, 1);
        }
        assert_null(worker_free(NULL));
}

static void freeing_leaves_one_that_hangs_behind(void **state) {
        static Fixture f; /* the thread keeps using it */
        uint64_t start, took;

        (void)state;
        setup(&f);
        submit(&f, WORKER_LOGIN, "name:slow", true);
        wait_running(1);
        while (f.n < 50)
                submit(&f, (WorkerLane)(f.n % WORKER_LANES), f.n % 2 ? "name:slow" : NULL, false);
        start = clock_boottime_usec();
        assert_null(worker_free(f.worker));
        took = clock_boottime_usec() - start;
        assert_in_range(took, 900000, 2000000);
        assert_int_equal(jobs[0].dones, 0);
        for (unsigned i = 1; i < 50; i++)
                assert_int_equal(jobs[i].dones, 1);
        sd_event_unref(f.event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(done_is_called_in_the_loop),
                cmocka_unit_test(waiting_jobs_keep_their_order),
                cmocka_unit_test(a_key_that_hangs_holds_up_itself_alone),
                cmocka_unit_test(one_of_a_key_where_people_are_counted),
                cmocka_unit_test(a_lane_that_hangs_does_not_hold_up_the_others),
                cmocka_unit_test(a_hundred_names_that_hang),
                cmocka_unit_test(a_key_with_nothing_running_goes_first),
                cmocka_unit_test(a_full_lane_takes_nothing),
                cmocka_unit_test(a_full_key_takes_nothing_and_others_do),
                cmocka_unit_test(threads_start_when_needed_and_end),
                cmocka_unit_test(everything_at_once),
                cmocka_unit_test(freeing_ends_every_job_once),
                cmocka_unit_test(freeing_leaves_one_that_hangs_behind), /* the last: its thread stays */
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
