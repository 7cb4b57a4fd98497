/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs what may block (name service look-ups, copying the ledger) in a few threads, and calls back in
 * the event loop. It is the only place where the broker has threads.
 *
 * A job's memory belongs to whoever submitted it; between submit and done only the thread touches it.
 */
#pragma once

#include <systemd/sd-event.h>

typedef struct Worker Worker;
typedef void (*WorkerFunc)(void *job);

enum { WORKER_THREADS_MAX = 8, WORKER_QUEUE_MAX = 256 };

/* Threads start with the first job. 0 or a negative errno. */
int worker_new(sd_event *event, Worker **ret_worker);

/* Waits for running jobs unless they hang for more than a second: then they are left behind, for the
 * process is about to end. done() is called for every other job, run or not, so that it is freed. */
Worker *worker_free(Worker *worker);

/* run() is called in a thread, then done() in the loop. 0, or -ENOBUFS when the queue is full, or another
 * negative errno: then neither is called. */
int worker_submit(Worker *worker, WorkerFunc run, WorkerFunc done, void *job);
