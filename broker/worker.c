/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A queue, a few threads, and an eventfd that brings finished jobs back to the loop. */
#include "broker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Name service modules of directories need more than the smallest stacks, and far less than 8 MiB. */
enum { WORKER_STACK_SIZE = 512 * 1024 };

typedef struct WorkerJob {
        WorkerFunc run, done;
        void *job;
        struct WorkerJob *next;
} WorkerJob;

typedef struct WorkerQueue {
        WorkerJob *first, **end;
        unsigned length;
} WorkerQueue;

struct Worker {
        pthread_mutex_t lock;
        pthread_cond_t wake, gone;
        WorkerQueue waiting, finished;
        unsigned threads, idle;
        bool stop;
        int eventfd;
        sd_event_source *source;
};

static void queue_push(WorkerQueue *queue, WorkerJob *job) {
        if (!queue->first)
                queue->end = &queue->first;
        job->next = NULL;
        *queue->end = job;
        queue->end = &job->next;
        queue->length++;
}

static WorkerJob *queue_pop(WorkerQueue *queue) {
        WorkerJob *job = queue->first;

        if (job) {
                queue->first = job->next;
                queue->length--;
        }
        return job;
}

static void *worker_thread(void *userdata) {
        Worker *worker = userdata;
        const uint64_t one = 1;

        pthread_mutex_lock(&worker->lock);
        while (!worker->stop) {
                WorkerJob *job = queue_pop(&worker->waiting);

                if (!job) {
                        worker->idle++;
                        pthread_cond_wait(&worker->wake, &worker->lock);
                        worker->idle--;
                        continue;
                }
                pthread_mutex_unlock(&worker->lock);
                job->run(job->job);
                pthread_mutex_lock(&worker->lock);
                queue_push(&worker->finished, job);
                /* A counter that is already set wakes the loop just as well, so a full one is no loss. */
                (void)!write(worker->eventfd, &one, sizeof(one));
        }
        worker->threads--;
        pthread_cond_signal(&worker->gone);
        pthread_mutex_unlock(&worker->lock);
        return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Worker *worker = userdata;
        uint64_t count;

        (void)source;
        (void)revents;
        (void)!read(fd, &count, sizeof(count));
        for (;;) {
                WorkerJob *job;

                pthread_mutex_lock(&worker->lock);
                job = queue_pop(&worker->finished);
                pthread_mutex_unlock(&worker->lock);
                if (!job)
                        return 0;
                job->done(job->job);
                free(job);
        }
}

int worker_new(sd_event *event, Worker **ret_worker) {
        Worker *worker = calloc(1, sizeof(*worker));
        pthread_condattr_t monotonic;
        int r;

        if (!worker)
                return -ENOMEM;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_mutex_init(&worker->lock, NULL);
        pthread_cond_init(&worker->wake, NULL);
        pthread_cond_init(&worker->gone, &monotonic);
        pthread_condattr_destroy(&monotonic);
        worker->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = worker->eventfd < 0
                    ? -errno
                    : sd_event_add_io(event, &worker->source, worker->eventfd, EPOLLIN, on_finished, worker);
        if (r < 0) {
                worker_free(worker);
                return r;
        }
        *ret_worker = worker;
        return 0;
}

/* Called with the lock held. Signals stay with the main thread, whose loop handles them. */
static int worker_add_thread(Worker *worker) {
        pthread_attr_t attr;
        pthread_t thread;
        sigset_t all, old;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, WORKER_STACK_SIZE);
        r = pthread_create(&thread, &attr, worker_thread, worker);
        pthread_attr_destroy(&attr);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r == 0)
                worker->threads++;
        return -r;
}

int worker_submit(Worker *worker, WorkerFunc run, WorkerFunc done, void *job) {
        _cleanup_free_ WorkerJob *entry = NULL;
        int r = 0;

        entry = malloc(sizeof(*entry));
        if (!entry)
                return -ENOMEM;
        *entry = (WorkerJob){.run = run, .done = done, .job = job};

        pthread_mutex_lock(&worker->lock);
        if (worker->waiting.length >= WORKER_QUEUE_MAX)
                r = -ENOBUFS;
        else if (worker->idle <= worker->waiting.length && worker->threads < WORKER_THREADS_MAX)
                r = worker_add_thread(worker);
        if (r >= 0 || (r != -ENOBUFS && worker->threads > 0)) {
                queue_push(&worker->waiting, STEAL_PTR(entry));
                pthread_cond_signal(&worker->wake);
                r = 0;
        }
        pthread_mutex_unlock(&worker->lock);
        return r;
}

/* Whether every thread ended within a second. */
static bool worker_stop(Worker *worker) {
        struct timespec until;
        bool stopped;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_mutex_lock(&worker->lock);
        worker->stop = true;
        pthread_cond_broadcast(&worker->wake);
        while (worker->threads > 0)
                if (pthread_cond_timedwait(&worker->gone, &worker->lock, &until) == ETIMEDOUT)
                        break;
        stopped = worker->threads == 0;
        pthread_mutex_unlock(&worker->lock);
        return stopped;
}

/* Jobs that nobody runs any more, or that have run. A thread that hangs has its own job, and the lock not. */
static void worker_drain(Worker *worker) {
        WorkerJob *job;

        do {
                pthread_mutex_lock(&worker->lock);
                job = queue_pop(&worker->waiting);
                if (!job)
                        job = queue_pop(&worker->finished);
                pthread_mutex_unlock(&worker->lock);
                if (job)
                        job->done(job->job);
                free(job);
        } while (job);
}

Worker *worker_free(Worker *worker) {
        bool stopped;

        if (!worker)
                return NULL;
        sd_event_source_disable_unref(worker->source);
        stopped = worker_stop(worker);
        worker_drain(worker);
        if (!stopped)
                return NULL; /* a thread that hangs still uses this memory */
        if (worker->eventfd >= 0)
                (void)close(worker->eventfd);
        pthread_cond_destroy(&worker->wake);
        pthread_cond_destroy(&worker->gone);
        pthread_mutex_destroy(&worker->lock);
        free(worker);
        return NULL;
}
