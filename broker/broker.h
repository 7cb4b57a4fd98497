/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Puts the parts together and runs them until a signal ends the broker. */
#pragma once

#include "common/policy_load.h"

typedef struct BrokerOptions {
        PolicyDirs policy_dirs;
        const char *state_dir;
} BrokerOptions;

/*
 * Serves until SIGTERM or SIGINT; SIGHUP reads the policy again. A policy or a ledger that cannot be used
 * does not end the broker: it stays and denies, so that people are told why.
 * 0 at an orderly end, or a negative errno after logging why it cannot serve (no bus, name taken).
 */
int broker_run(const BrokerOptions *options);
