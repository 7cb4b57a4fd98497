/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs what may block (name service look-ups, copying the ledger) in threads, and calls back in the event
 * loop. It is the only place where the broker has threads.
 *
 * A directory server that does not answer hangs a thread for half a minute, and strangers choose for which
 * names (attack B17). So jobs go in lanes, which never wait for one another, and carry a key that says whose
 * account they are about: of one key only a few run at a time, and its further jobs wait aside.
 *
 * A job's memory belongs to whoever submitted it; between submit and done only the thread touches it.
 */
#pragma once

#include <systemd/sd-event.h>

typedef struct Worker Worker;
typedef void (*WorkerFunc)(void *job);

typedef enum WorkerLane {
        WORKER_LOGIN,    /* accounts that log in: by name, or an unprivileged caller's own */
        WORKER_REVIEW,   /* callers' own accounts */
        WORKER_PRESENCE, /* people who could review, of whom there may be many for one login */
        WORKER_COPY,     /* copies of the ledger */
        WORKER_VERIFY,   /* recovery codes: much memory each, so one at a time */
        WORKER_LANES,
} WorkerLane;

/*
 * Threads at most, in each lane. They exist while they have something to do, and a while longer.
 *
 * LOGIN: sshd as shipped keeps at most 100 connections that have not logged in (MaxStartups), so a stranger
 * who types names that hang leaves threads over for everybody else. PRESENCE: one for each of the people that
 * reach.c asks about, so that whoever can be looked up is; of one key only one runs there. A thread has 512
 * KiB of address space for its stack, of which a look-up touches a small part; the sum must stay below the
 * unit's TasksMax=.
 */
enum {
        WORKER_LOGIN_THREADS = 128,
        WORKER_REVIEW_THREADS = 64,
        WORKER_PRESENCE_THREADS = 128,
        WORKER_COPY_THREADS = 2,
        WORKER_VERIFY_THREADS = 1,
        WORKER_KEY_THREADS = 2,  /* of one key in the other lanes */
        WORKER_IDLE_SEC = 30,    /* then a thread ends */
        WORKER_QUEUE_MAX = 1024, /* jobs that wait in one lane */
        WORKER_KEY_QUEUE_MAX = 128,
};

/* Threads start when there are jobs. 0 or a negative errno. */
int worker_new(sd_event *event, Worker **ret_worker);

/* Waits for running jobs unless they hang for more than a second: then they are left behind, for the
 * process is about to end. done() is called for every other job, run or not, so that it is freed. */
Worker *worker_free(Worker *worker);

/*
 * run() is called in a thread, then done() in the loop. Jobs begin in their order, but for those whose key
 * is taken, and a key of which nothing runs goes before one of which something does. key is copied; NULL: no
 * bound but the lane's.
 * 0, or -ENOBUFS when too many wait in the lane or of the key, or another negative errno: then neither is
 * called.
 */
int worker_submit(Worker *worker, WorkerLane lane, const char *key, WorkerFunc run, WorkerFunc done,
                  void *job);
