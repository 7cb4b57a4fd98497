/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of ledger_snapshot() that the ledger itself needs; the function stands in ledger.h. */
#pragma once

#include "broker/ledger_dir.h"

/* Removes the files of snapshots that a killed broker was making. */
void ledger_snapshot_clean(const LedgerDir *dir);
