/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the same bus and the same disk cost without peerauth: a bare sd-bus service that echoes, and one
 * durable SQLite commit of a row like the ledger's.
 *
 *   bench_floor DIRECTORY     a folder on the ledger's file system
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/protocol.h"
#include "tests/bench/sample.h"

#define BENCH_NAME "org.peerauth.Bench1"
#define BENCH_PATH "/org/peerauth/Bench1"

enum { FLOOR_CALLS = 2000, FLOOR_CONNECTS = 500, FLOOR_COMMITS = 500, FLOOR_ROW = 320 };

static sd_bus *floor_connect(void) {
        sd_bus *bus = NULL;

        if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, PEERAUTH_SYSTEM_BUS_ADDRESS) < 0 ||
            sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0)
                errx(1, "cannot reach the system bus");
        return bus;
}

static int method_echo(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *text;
        int r = sd_bus_message_read(m, "s", &text);

        (void)userdata;
        (void)error;
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", text);
}

static const sd_bus_vtable echo_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Echo", "s", "s", method_echo, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void echo_serve(int ready) {
        sd_bus *bus = floor_connect();

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_bus_add_object_vtable(bus, NULL, BENCH_PATH, BENCH_NAME, echo_vtable, NULL) < 0 ||
            sd_bus_request_name(bus, BENCH_NAME, 0) < 0)
                errx(1, "cannot own %s on the system bus", BENCH_NAME);
        (void)!write(ready, "", 1);
        for (;;)
                if (sd_bus_process(bus, NULL) == 0)
                        (void)sd_bus_wait(bus, UINT64_MAX);
}

static void echo_start(void) {
        int ready[2];
        char c;

        if (pipe(ready) < 0)
                err(1, "pipe");
        if (fork() == 0)
                echo_serve(ready[1]);
        close(ready[1]);
        if (read(ready[0], &c, 1) != 1)
                errx(1, "the echo service did not start");
}

static void echo_call(sd_bus *bus) {
        sd_bus_message *reply = NULL;

        if (sd_bus_call_method(bus, BENCH_NAME, BENCH_PATH, BENCH_NAME, "Echo", NULL, &reply, "s", "hello") < 0)
                errx(1, "echo failed");
        sd_bus_message_unref(reply);
}

static void measure_bus(void) {
        static Sample calls, connects;
        sd_bus *bus = floor_connect();

        for (int i = 0; i < FLOOR_CALLS; i++) {
                double start = sample_now();

                echo_call(bus);
                sample_add(&calls, sample_now() - start);
        }
        sd_bus_close_unref(bus);
        for (int i = 0; i < FLOOR_CONNECTS; i++) {
                double start = sample_now();

                bus = floor_connect();
                echo_call(bus);
                sd_bus_close_unref(bus);
                sample_add(&connects, sample_now() - start);
        }
        sample_report(&calls, "floor_call");
        sample_report(&connects, "floor_connect");
}

static void sql(sqlite3 *db, const char *statement) {
        char *message = NULL;

        if (sqlite3_exec(db, statement, NULL, NULL, &message) != SQLITE_OK)
                errx(1, "%s: %s", statement, message);
}

static void measure_commit(const char *directory) {
        static Sample sample;
        char path[4096], row[FLOOR_ROW + 1], insert[FLOOR_ROW + 128];
        sqlite3 *db;

        memset(row, 'x', FLOOR_ROW);
        row[FLOOR_ROW] = '\0';
        (void)snprintf(path, sizeof(path), "%s/bench-floor.db", directory);
        (void)snprintf(insert, sizeof(insert), "INSERT INTO entry(body) VALUES('%s')", row);
        (void)unlink(path);
        if (sqlite3_open(path, &db) != SQLITE_OK)
                errx(1, "%s: %s", path, sqlite3_errmsg(db));
        sql(db, "PRAGMA journal_mode=WAL");
        sql(db, "PRAGMA synchronous=FULL");
        sql(db, "CREATE TABLE entry(idx INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT");
        for (int i = 0; i < FLOOR_COMMITS; i++) {
                double start = sample_now();

                sql(db, insert);
                sample_add(&sample, sample_now() - start);
        }
        sqlite3_close(db);
        (void)unlink(path);
        sample_report(&sample, "floor_commit");
}

static void measure_fdatasync(const char *directory) {
        static Sample sample;
        char path[4096], row[FLOOR_ROW] = {0};
        int fd;

        (void)snprintf(path, sizeof(path), "%s/bench-floor.raw", directory);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                err(1, "%s", path);
        for (int i = 0; i < FLOOR_COMMITS; i++) {
                double start = sample_now();

                if (pwrite(fd, row, sizeof(row), (off_t)i * FLOOR_ROW) != FLOOR_ROW || fdatasync(fd) < 0)
                        err(1, "%s", path);
                sample_add(&sample, sample_now() - start);
        }
        close(fd);
        (void)unlink(path);
        sample_report(&sample, "floor_fdatasync");
}

int main(int argc, char *argv[]) {
        if (argc != 2)
                errx(2, "usage: bench_floor DIRECTORY");
        echo_start();
        measure_bus();
        measure_commit(argv[1]);
        measure_fdatasync(argv[1]);
        return 0;
}
