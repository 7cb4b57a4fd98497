/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A consistent copy of the broker's ledger, with the checkpoint that belongs to it.
 */
#pragma once

#include <stdint.h>

#include "cli/cli.h"

typedef struct Snapshot {
        int fd; /* read with pread(): its offset is shared */
        uint64_t bytes;
        char *note, *vkey;
} Snapshot;

/* Asks the broker. CLIENT_EXIT_OK, or an exit status after it was told why. */
int snapshot_get(Cli *cli, Snapshot *ret_snapshot);
void snapshot_done(Snapshot *snapshot);

/* Copies it to fd; on a terminal stderr shows how far it is. -EINTR when the person interrupts. */
int snapshot_copy(const Cli *cli, const Snapshot *snapshot, int fd);
