/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NULL-terminated arrays of strings. A NULL array is an empty one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Frees the strings and the array; takes NULL; returns NULL. */
char **strv_free(char **list);

static inline void strv_free_p(char ***list) {
        strv_free(*list);
}

#define _cleanup_strv_ __attribute__((cleanup(strv_free_p)))

size_t strv_length(char *const *list);

bool strv_contains(char *const *list, const char *item);

/* A deep copy of list followed by extra (either may be NULL), never NULL but when memory ran out. */
char **strv_concat(char *const *list, char *const *extra);

/* Appends a copy of item, growing *list. 0 or -ENOMEM, which leaves *list as it was. */
int strv_append(char ***list, const char *item);

/* The same, unless it is there already or item is NULL. */
int strv_append_new(char ***list, const char *item);
