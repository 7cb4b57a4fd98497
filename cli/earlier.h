/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a ledger still begins with what an earlier checkpoint of it signed: entries that were removed or
 * changed since then become visible, whoever signs the ledger now (attack L3).
 */
#pragma once

#include "common/ledger_file.h"

/*
 * Compares the ledger at path, whose own verdict is good, with the note of an earlier checkpoint. On a
 * difference *verdict becomes bad and says why. 0, or a negative errno if the file could not be read.
 */
int earlier_compare(const char *path, const char *note, const char *vkey, LedgerVerdict *verdict);
