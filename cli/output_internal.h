/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a record is made of; only the output files know. */
#pragma once

#include <jansson.h>

#include "cli/output.h"

enum { RECORD_FIELDS = 48 };

typedef struct Field {
        const char *key, *title; /* literals, or NULL title */
        char *text;
} Field;

struct Record {
        json_t *object;
        Field fields[RECORD_FIELDS];
        size_t n_fields;
        bool alert;
        int error;
};

PEERAUTH_DEFINE_CLEANUP(json_t *, json_decref);
#define _cleanup_json_ PEERAUTH_CLEANUP(json_decref_p)
