/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocations that fail in turn. The linker's --wrap sends the calls of our objects here (the Makefile's
 * WRAP_ALLOC lists the functions); those inside of libraries stay as they are.
 *
 *      for (unsigned n = 0;; n++) {
 *              failing_alloc_at(n);
 *              r = the_call();
 *              if (!failing_alloc_met())
 *                      break; // it walked the whole path, and r is that of a success
 *              ... what must be so when the n-th allocation failed, and those after it did not ...
 *      }
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations until the one that fails; negative: none does. */
static long failing_alloc_left = -1;
static bool failing_alloc_failed;

static inline void failing_alloc_at(unsigned n) {
        failing_alloc_left = (long)n;
        failing_alloc_failed = false;
}

/* Whether one failed. From here on none does. */
static inline bool failing_alloc_met(void) {
        failing_alloc_left = -1;
        return failing_alloc_failed;
}

static inline bool failing_alloc_now(void) {
        bool now = failing_alloc_left == 0;

        if (failing_alloc_left >= 0)
                failing_alloc_left--;
        failing_alloc_failed |= now;
        return now;
}

#define FAILING_ALLOC(type, name, arguments, ...)  \
        type __real_##name arguments;              \
        type __wrap_##name arguments;              \
        type __wrap_##name arguments {             \
                if (failing_alloc_now())           \
                        return NULL;               \
                return __real_##name(__VA_ARGS__); \
        }                                          \
        struct failing_alloc_swallow_semicolon_##name

FAILING_ALLOC(void *, malloc, (size_t size), size);
FAILING_ALLOC(void *, calloc, (size_t n, size_t size), n, size);
FAILING_ALLOC(void *, realloc, (void *old, size_t size), old, size);
FAILING_ALLOC(void *, reallocarray, (void *old, size_t n, size_t size), old, n, size);
FAILING_ALLOC(char *, strdup, (const char *text), text);
FAILING_ALLOC(char *, strndup, (const char *text, size_t n), text, n);

int __wrap_vasprintf(char **ret, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list ap)
        __attribute__((format(printf, 3, 0)));
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
int __real_vasprintf(char **ret, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

/* POSIX leaves *ret undefined then: whoever reads it shall notice. */
int __wrap_vasprintf(char **ret, const char *format, va_list ap) {
        if (!failing_alloc_now())
                return __real_vasprintf(ret, format, ap);
        *ret = (char *)-1;
        return -1;
}

int __wrap_asprintf(char **ret, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = __wrap_vasprintf(ret, format, ap);
        va_end(ap);
        return r;
}

/* With _FORTIFY_SOURCE. */
int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list ap) {
        (void)flag;
        return __wrap_vasprintf(ret, format, ap);
}

int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...) {
        va_list ap;
        int r;

        (void)flag;
        va_start(ap, format);
        r = __wrap_vasprintf(ret, format, ap);
        va_end(ap);
        return r;
}
