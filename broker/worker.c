/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For each lane a queue and threads on demand, and one eventfd that brings finished jobs back to the loop. */
#include "broker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Name service modules of directories need more than the smallest stacks, and far less than 8 MiB. */
enum { WORKER_STACK_SIZE = 512 * 1024 };

/* Exists while a job of it waits or runs. Jobs without a key share the lane's first, which always exists. */
typedef struct WorkerKey {
        struct WorkerKey *next;
        unsigned waiting, running, waiting_max, running_max;
        char name[];
} WorkerKey;

typedef struct WorkerJob {
        WorkerFunc run, done;
        void *job;
        WorkerKey *key;
        struct WorkerJob *next;
} WorkerJob;

typedef struct WorkerQueue {
        WorkerJob *first, **end;
        unsigned length;
} WorkerQueue;

typedef struct Lane {
        Worker *worker;
        pthread_cond_t wake;
        WorkerQueue waiting;
        WorkerKey *keys;
        unsigned ready; /* of those waiting, as many as their keys let run now */
        unsigned threads, idle, threads_max, key_threads;
} Lane;

struct Worker {
        pthread_mutex_t lock;
        pthread_cond_t gone;
        Lane lanes[WORKER_LANES];
        WorkerQueue finished;
        unsigned threads;
        bool stop;
        int eventfd;
        sd_event_source *source;
};

/* Threads of a lane, and of one key in it. */
static const struct {
        unsigned lane, key;
} thread_bounds[WORKER_LANES] = {
        [WORKER_LOGIN] = {WORKER_LOGIN_THREADS, WORKER_KEY_THREADS},
        [WORKER_REVIEW] = {WORKER_REVIEW_THREADS, WORKER_KEY_THREADS},
        [WORKER_PRESENCE] = {WORKER_PRESENCE_THREADS, 1},
        [WORKER_COPY] = {WORKER_COPY_THREADS, WORKER_KEY_THREADS},
        [WORKER_VERIFY] = {WORKER_VERIFY_THREADS, 1},
};

/* ---- queues ---- */

static void queue_push(WorkerQueue *queue, WorkerJob *job) {
        if (!queue->first)
                queue->end = &queue->first;
        job->next = NULL;
        *queue->end = job;
        queue->end = &job->next;
        queue->length++;
}

static WorkerJob *queue_unlink(WorkerQueue *queue, WorkerJob **link) {
        WorkerJob *job = *link;

        *link = job->next;
        if (queue->end == &job->next)
                queue->end = link;
        queue->length--;
        return job;
}

static WorkerJob *queue_pop(WorkerQueue *queue) {
        return queue->first ? queue_unlink(queue, &queue->first) : NULL;
}

/* ---- keys ---- */

static WorkerKey *key_new(Lane *lane, const char *name) {
        size_t size = strlen(name) + 1;
        WorkerKey *key = calloc(1, sizeof(*key) + size);

        if (!key)
                return NULL;
        *key = (WorkerKey){.waiting_max = WORKER_KEY_QUEUE_MAX, .running_max = lane->key_threads};
        memcpy(key->name, name, size);
        if (lane->keys) {
                key->next = lane->keys->next;
                lane->keys->next = key;
        } else
                lane->keys = key;
        return key;
}

static WorkerKey *key_get(Lane *lane, const char *name) {
        if (!name)
                return lane->keys;
        for (WorkerKey *key = lane->keys->next; key; key = key->next)
                if (strcmp(key->name, name) == 0)
                        return key;
        return key_new(lane, name);
}

static unsigned key_ready(const WorkerKey *key) {
        unsigned free_threads = key->running_max - key->running;

        return key->waiting < free_threads ? key->waiting : free_threads;
}

/* The one place that changes the counts, so that those of the lane agree. The key may be gone afterwards. */
static void key_change(Lane *lane, WorkerKey *key, int waiting, int running) {
        lane->ready -= key_ready(key);
        key->waiting += (unsigned)waiting;
        key->running += (unsigned)running;
        lane->ready += key_ready(key);
        if (key->waiting > 0 || key->running > 0 || key == lane->keys)
                return;
        for (WorkerKey **link = &lane->keys->next; *link; link = &(*link)->next)
                if (*link == key) {
                        *link = key->next;
                        free(key);
                        return;
                }
}

/* ---- threads ---- */

/* The next job that may run: the first whose key has nothing running, or else the first whose key has room.
 */
static WorkerJob *lane_take(Lane *lane) {
        WorkerJob **found = NULL, *job;

        if (lane->ready == 0)
                return NULL;
        for (WorkerJob **link = &lane->waiting.first; *link; link = &(*link)->next) {
                const WorkerKey *key = (*link)->key;

                if (key->running == 0 || key == lane->keys) {
                        found = link;
                        break;
                }
                if (!found && key->running < key->running_max)
                        found = link;
        }
        if (!found)
                return NULL;
        job = queue_unlink(&lane->waiting, found);
        key_change(lane, job->key, -1, 1);
        return job;
}

/* Waits for a job; NULL when the thread shall end. The thread counts as idle until then. */
static WorkerJob *lane_next(Lane *lane) {
        struct timespec until;
        WorkerJob *job = NULL;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += WORKER_IDLE_SEC;
        while (!lane->worker->stop && !(job = lane_take(lane)) && r != ETIMEDOUT)
                r = pthread_cond_timedwait(&lane->wake, &lane->worker->lock, &until);
        lane->idle--;
        return job;
}

static void *worker_thread(void *userdata) {
        Lane *lane = userdata;
        Worker *worker = lane->worker;
        const uint64_t one = 1;
        WorkerJob *job;

        pthread_mutex_lock(&worker->lock);
        while ((job = lane_next(lane))) {
                pthread_mutex_unlock(&worker->lock);
                job->run(job->job);
                pthread_mutex_lock(&worker->lock);
                lane->idle++;
                key_change(lane, job->key, 0, -1);
                queue_push(&worker->finished, job);
                /* A counter that is already set wakes the loop just as well, so a full one is no loss. */
                (void)!write(worker->eventfd, &one, sizeof(one));
        }
        lane->threads--;
        worker->threads--;
        pthread_cond_signal(&worker->gone);
        pthread_mutex_unlock(&worker->lock);
        return NULL;
}

/* Called with the lock held. Signals stay with the main thread, whose loop handles them. */
static int lane_add_thread(Lane *lane) {
        pthread_attr_t attr;
        pthread_t thread;
        sigset_t all, old;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, WORKER_STACK_SIZE);
        r = pthread_create(&thread, &attr, worker_thread, lane);
        pthread_attr_destroy(&attr);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r == 0) {
                lane->threads++;
                lane->idle++;
                lane->worker->threads++;
        }
        return -r;
}

/* ---- the loop's side ---- */

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

static int worker_init_lanes(Worker *worker, const pthread_condattr_t *monotonic) {
        int r = 0;

        for (unsigned i = 0; i < WORKER_LANES; i++) {
                Lane *lane = &worker->lanes[i];
                WorkerKey *none;

                *lane = (Lane){.worker = worker,
                               .threads_max = thread_bounds[i].lane,
                               .key_threads = thread_bounds[i].key};
                pthread_cond_init(&lane->wake, monotonic);
                none = key_new(lane, "");
                if (!none)
                        r = -ENOMEM;
                else
                        none->waiting_max = none->running_max = WORKER_QUEUE_MAX;
        }
        return r;
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
        pthread_cond_init(&worker->gone, &monotonic);
        r = worker_init_lanes(worker, &monotonic);
        pthread_condattr_destroy(&monotonic);
        worker->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (worker->eventfd < 0)
                r = -errno;
        if (r >= 0)
                r = sd_event_add_io(event, &worker->source, worker->eventfd, EPOLLIN, on_finished, worker);
        if (r < 0) {
                worker_free(worker);
                return r;
        }
        *ret_worker = worker;
        return 0;
}

/* Called with the lock held. A thread that could not be started is no failure while others go on. */
static int lane_push(Lane *lane, const char *key_name, WorkerJob *job) {
        int r;

        if (lane->waiting.length >= WORKER_QUEUE_MAX)
                return -ENOBUFS;
        job->key = key_get(lane, key_name);
        if (!job->key)
                return -ENOMEM;
        if (job->key->waiting >= job->key->waiting_max)
                return -ENOBUFS;
        key_change(lane, job->key, 1, 0);
        if (lane->ready > lane->idle && lane->threads < lane->threads_max) {
                r = lane_add_thread(lane);
                if (r < 0 && lane->threads == 0) {
                        key_change(lane, job->key, -1, 0);
                        return r;
                }
        }
        queue_push(&lane->waiting, job);
        pthread_cond_signal(&lane->wake);
        return 0;
}

int worker_submit(Worker *worker, WorkerLane lane, const char *key, WorkerFunc run, WorkerFunc done,
                  void *job) {
        WorkerJob *entry = malloc(sizeof(*entry));
        int r;

        if (!entry)
                return -ENOMEM;
        *entry = (WorkerJob){.run = run, .done = done, .job = job};
        pthread_mutex_lock(&worker->lock);
        r = lane_push(&worker->lanes[lane], key, entry);
        pthread_mutex_unlock(&worker->lock);
        if (r < 0)
                free(entry);
        return r;
}

/* ---- the end ---- */

/* Whether every thread ended within a second. */
static bool worker_stop(Worker *worker) {
        struct timespec until;
        bool stopped;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_mutex_lock(&worker->lock);
        worker->stop = true;
        for (unsigned i = 0; i < WORKER_LANES; i++)
                pthread_cond_broadcast(&worker->lanes[i].wake);
        while (worker->threads > 0)
                if (pthread_cond_timedwait(&worker->gone, &worker->lock, &until) == ETIMEDOUT)
                        break;
        stopped = worker->threads == 0;
        pthread_mutex_unlock(&worker->lock);
        return stopped;
}

static WorkerJob *worker_pop_any(Worker *worker) {
        for (unsigned i = 0; i < WORKER_LANES; i++)
                if (worker->lanes[i].waiting.first)
                        return queue_pop(&worker->lanes[i].waiting);
        return queue_pop(&worker->finished);
}

/* Jobs that nobody runs any more, or that have run. A thread that hangs has its own job, and the lock not. */
static void worker_drain(Worker *worker) {
        WorkerJob *job;

        do {
                pthread_mutex_lock(&worker->lock);
                job = worker_pop_any(worker);
                pthread_mutex_unlock(&worker->lock);
                if (job)
                        job->done(job->job);
                free(job);
        } while (job);
}

static void lane_destroy(Lane *lane) {
        while (lane->keys) {
                WorkerKey *key = lane->keys;

                lane->keys = key->next;
                free(key);
        }
        pthread_cond_destroy(&lane->wake);
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
        for (unsigned i = 0; i < WORKER_LANES; i++)
                lane_destroy(&worker->lanes[i]);
        pthread_cond_destroy(&worker->gone);
        pthread_mutex_destroy(&worker->lock);
        free(worker);
        return NULL;
}
