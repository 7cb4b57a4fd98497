/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entry that libFuzzer calls, and that replay.c calls for each seed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
