/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the same bus and the same disk cost without peerauth. Each function does one thing once and returns
 * the microseconds that it took, so that a bench can take floor and figure in turn: a machine that slows down
 * for a moment then slows both.
 */
#pragma once

#include <sqlite3.h>
#include <systemd/sd-bus.h>

enum { FLOOR_ROW = 320 }; /* bytes of a ledger entry */

/* Starts the echo service in a process that ends with this one. */
void floor_start_echo(void);

sd_bus *floor_connect(void);
double floor_call(sd_bus *bus);
double floor_connect_call_close(void);

typedef struct FloorDisk {
        sqlite3 *db;
        int raw;
        off_t raw_size;
        char row[FLOOR_ROW + 1], insert[FLOOR_ROW + 128], db_path[4096], raw_path[4096];
} FloorDisk;

void floor_disk_open(FloorDisk *disk, const char *directory);
void floor_disk_close(FloorDisk *disk);
/* One durable commit of a row (WAL, synchronous=FULL). */
double floor_commit(FloorDisk *disk);
/* One appended row and fdatasync. */
double floor_fdatasync(FloorDisk *disk);
