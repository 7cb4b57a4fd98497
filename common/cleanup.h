/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scope-bound ownership: attributes that release a resource when its variable leaves scope, and
 * the explicit hand-over that keeps it alive.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PEERAUTH_CLEANUP(func) __attribute__((cleanup(func)))

/* Makes func_p(T *), usable as a cleanup attribute, from a destructor func(T) that takes NULL. */
#define PEERAUTH_DEFINE_CLEANUP(type, func)    \
        static inline void func##_p(type *p) { \
                if (*p)                        \
                        func(*p);              \
        }                                      \
        struct peerauth_swallow_semicolon_##func

static inline void free_p(void *p) {
        free(*(void **)p);
}

static inline void close_p(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
}

static inline void fclose_p(FILE **f) {
        if (*f)
                (void)fclose(*f);
}

static inline void closedir_p(DIR **dir) {
        if (*dir)
                (void)closedir(*dir);
}

#define _cleanup_free_     PEERAUTH_CLEANUP(free_p)
#define _cleanup_close_    PEERAUTH_CLEANUP(close_p)
#define _cleanup_fclose_   PEERAUTH_CLEANUP(fclose_p)
#define _cleanup_closedir_ PEERAUTH_CLEANUP(closedir_p)

/* Hands a pointer over: the variable no longer owns it. */
#define STEAL_PTR(p)                                    \
        ({                                              \
                __typeof__(p) *steal_ptr_ = &(p);       \
                __typeof__(p) steal_val_ = *steal_ptr_; \
                *steal_ptr_ = NULL;                     \
                steal_val_;                             \
        })

/* Hands a descriptor over: the variable no longer owns it. */
static inline int steal_fd(int *fd) {
        int value = *fd;

        *fd = -1;
        return value;
}
