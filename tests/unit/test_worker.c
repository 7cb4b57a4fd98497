/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads for what may block: the order of jobs, their bounds, and the end while one hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "broker/worker.h"
#include "common/clock.h"

typedef struct Job {
        sem_t *gate; /* run() waits for it, if there is one */
        unsigned number;
        atomic_uint runs, dones;
        pthread_t ran_in, done_in;
} Job;

enum { JOBS = WORKER_QUEUE_MAX + 16 };

static Job jobs[JOBS];
static unsigned run_order[JOBS], done_order[JOBS];
static atomic_uint n_run, n_done, running, most_running;

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
} Fixture;

static void setup(Fixture *f) {
        reset();
        *f = (Fixture){0};
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(worker_new(f->event, &f->worker), 0);
        assert_int_equal(sem_init(&f->gate, 0, 0), 0);
}

static void submit(Fixture *f, unsigned number, sem_t *gate) {
        jobs[number].gate = gate;
        assert_int_equal(worker_submit(f->worker, run, done, &jobs[number]), 0);
}

/* Every thread is busy until the gate opens. */
static void occupy(Fixture *f) {
        for (unsigned i = 0; i < WORKER_THREADS_MAX; i++)
                submit(f, i, &f->gate);
        while (atomic_load(&running) < WORKER_THREADS_MAX)
                sched_yield();
}

static void loop_until(Fixture *f, unsigned dones) {
        uint64_t end = clock_boottime_usec() + 10000000;

        while (atomic_load(&n_done) < dones && clock_boottime_usec() < end)
                assert_true(sd_event_run(f->event, 100000) >= 0);
        assert_int_equal(n_done, dones);
}

static void teardown(Fixture *f) {
        assert_null(worker_free(f->worker));
        sd_event_unref(f->event);
        sem_destroy(&f->gate);
}

static void done_is_called_in_the_loop(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        submit(&f, 0, NULL);
        loop_until(&f, 1);
        assert_int_equal(jobs[0].runs, 1);
        assert_int_equal(jobs[0].dones, 1);
        assert_true(pthread_equal(jobs[0].done_in, pthread_self()));
        assert_false(pthread_equal(jobs[0].ran_in, pthread_self()));
        teardown(&f);
}

static void waiting_jobs_keep_their_order(void **state) {
        enum { LAST = 60 };
        Fixture f;

        (void)state;
        setup(&f);
        occupy(&f);
        for (unsigned i = WORKER_THREADS_MAX; i < LAST; i++)
                submit(&f, i, NULL);
        sem_post(&f.gate); /* one thread goes on, and does the rest alone */
        loop_until(&f, LAST - WORKER_THREADS_MAX + 1);
        for (unsigned i = 1; i <= LAST - WORKER_THREADS_MAX; i++) {
                assert_int_equal(run_order[i], WORKER_THREADS_MAX + i - 1);
                assert_int_equal(done_order[i], WORKER_THREADS_MAX + i - 1);
        }
        for (unsigned i = 1; i < WORKER_THREADS_MAX; i++)
                sem_post(&f.gate);
        loop_until(&f, LAST);
        assert_int_equal(most_running, WORKER_THREADS_MAX);
        teardown(&f);
}

static void one_that_hangs_does_not_hold_up_the_others(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        submit(&f, 0, &f.gate);
        for (unsigned i = 1; i < 200; i++)
                submit(&f, i, NULL);
        loop_until(&f, 199);
        assert_int_equal(jobs[0].dones, 0);
        sem_post(&f.gate);
        loop_until(&f, 200);
        teardown(&f);
}

static void a_full_queue_takes_nothing(void **state) {
        enum { ROOM = WORKER_THREADS_MAX + WORKER_QUEUE_MAX };
        Fixture f;

        (void)state;
        setup(&f);
        occupy(&f);
        for (unsigned i = WORKER_THREADS_MAX; i < ROOM; i++)
                submit(&f, i, NULL);
        for (unsigned i = ROOM; i < ROOM + 3; i++)
                assert_int_equal(worker_submit(f.worker, run, done, &jobs[i]), -ENOBUFS);
        for (unsigned i = 0; i < WORKER_THREADS_MAX; i++)
                sem_post(&f.gate);
        loop_until(&f, ROOM);
        for (unsigned i = 0; i < ROOM; i++)
                assert_true(jobs[i].runs == 1 && jobs[i].dones == 1);
        assert_int_equal(jobs[ROOM].runs + jobs[ROOM].dones, 0);
        submit(&f, ROOM, NULL); /* there is room again */
        loop_until(&f, ROOM + 1);
        teardown(&f);
}

static void freeing_ends_every_job_once(void **state) {
        Fixture f;

        (void)state;
        setup(&f);
        for (unsigned i = 0; i < 100; i++)
                submit(&f, i, NULL);
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
        submit(&f, 0, &f.gate);
        while (atomic_load(&running) < 1)
                sched_yield();
        for (unsigned i = 1; i < 50; i++)
                submit(&f, i, NULL);
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
                cmocka_unit_test(one_that_hangs_does_not_hold_up_the_others),
                cmocka_unit_test(a_full_queue_takes_nothing),
                cmocka_unit_test(freeing_ends_every_job_once),
                cmocka_unit_test(freeing_leaves_one_that_hangs_behind), /* the last: its thread stays */
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
