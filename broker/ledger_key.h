/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file that holds the ledger's signing key: 32 bytes of Ed25519 seed, for this account only. */
#pragma once

#include "broker/ledger_dir.h"
#include "common/crypto.h"

/* Reads ledger.key. 0, -ENOENT without a message if there is none, or a negative errno and a message. */
int ledger_key_load(const LedgerDir *dir, CryptoSignKey **ret_key, char **ret_message);
/* Draws a key and makes it durable. 0, or a negative errno and a message. */
int ledger_key_create(const LedgerDir *dir, CryptoSignKey **ret_key, char **ret_message);
