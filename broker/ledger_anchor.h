/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checkpoint that is kept outside the database: it tells at start whether entries that were
 * once committed are still there. Internal to the ledger and its tests.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "broker/ledger_dir.h"

/*
 * Compares state_dir/checkpoint with the first entries of the database. 0 if they agree or there is
 * nothing to compare, 1 if there are entries and no such file; or a message and -ESTALE: the database is
 * behind it or has another history; -EBADMSG: the file is no checkpoint of this ledger; or another negative
 * errno.
 */
int ledger_anchor_check(const LedgerDir *dir, sqlite3 *db, const char *vkey, uint64_t size,
                        char **ret_message);
