/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bare sd-bus service that echoes, a bare SQLite table, a bare file. */
#include "tests/bench/floor.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/protocol.h"
#include "tests/bench/sample.h"

#define BENCH_NAME "org.peerauth.Bench1"
#define BENCH_PATH "/org/peerauth/Bench1"

sd_bus *floor_connect(void) {
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

void floor_start_echo(void) {
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

        if (sd_bus_call_method(bus, BENCH_NAME, BENCH_PATH, BENCH_NAME, "Echo", NULL, &reply, "s", "hello") <
            0)
                errx(1, "echo failed");
        sd_bus_message_unref(reply);
}

double floor_call(sd_bus *bus) {
        double start = sample_now();

        echo_call(bus);
        return sample_now() - start;
}

double floor_connect_call_close(void) {
        double start = sample_now();
        sd_bus *bus = floor_connect();

        echo_call(bus);
        sd_bus_close_unref(bus);
        return sample_now() - start;
}

static void sql(sqlite3 *db, const char *statement) {
        char *message = NULL;

        if (sqlite3_exec(db, statement, NULL, NULL, &message) != SQLITE_OK)
                errx(1, "%s: %s", statement, message);
}

void floor_disk_open(FloorDisk *disk, const char *directory) {
        memset(disk, 0, sizeof(*disk));
        memset(disk->row, 'x', FLOOR_ROW);
        (void)snprintf(disk->insert, sizeof(disk->insert), "INSERT INTO entry(body) VALUES('%s')", disk->row);
        (void)snprintf(disk->db_path, sizeof(disk->db_path), "%s/bench-floor.db", directory);
        (void)snprintf(disk->raw_path, sizeof(disk->raw_path), "%s/bench-floor.raw", directory);
        (void)unlink(disk->db_path);
        if (sqlite3_open(disk->db_path, &disk->db) != SQLITE_OK)
                errx(1, "%s: %s", disk->db_path, sqlite3_errmsg(disk->db));
        sql(disk->db, "PRAGMA journal_mode=WAL");
        sql(disk->db, "PRAGMA synchronous=FULL");
        sql(disk->db, "CREATE TABLE entry(idx INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT");
        disk->raw = open(disk->raw_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (disk->raw < 0)
                err(1, "%s", disk->raw_path);
}

void floor_disk_close(FloorDisk *disk) {
        sqlite3_close(disk->db);
        close(disk->raw);
        (void)unlink(disk->db_path);
        (void)unlink(disk->raw_path);
}

double floor_commit(FloorDisk *disk) {
        double start = sample_now();

        sql(disk->db, disk->insert);
        return sample_now() - start;
}

double floor_fdatasync(FloorDisk *disk) {
        double start = sample_now();

        if (pwrite(disk->raw, disk->row, FLOOR_ROW, disk->raw_size) != FLOOR_ROW || fdatasync(disk->raw) < 0)
                err(1, "%s", disk->raw_path);
        disk->raw_size += FLOOR_ROW;
        return sample_now() - start;
}
