/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arrays of strings. */
#include "common/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char **strv_free(char **list) {
        for (char **s = list; s && *s; s++)
                free(*s);
        free(list);
        return NULL;
}

size_t strv_length(char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

bool strv_contains(char *const *list, const char *item) {
        for (char *const *s = list; s && *s; s++)
                if (strcmp(*s, item) == 0)
                        return true;
        return false;
}

int strv_append(char ***list, const char *item) {
        size_t n = strv_length(*list);
        char **grown, *copy;

        copy = strdup(item);
        if (!copy)
                return -ENOMEM;
        grown = reallocarray(*list, n + 2, sizeof(char *));
        if (!grown) {
                free(copy);
                return -ENOMEM;
        }
        grown[n] = copy;
        grown[n + 1] = NULL;
        *list = grown;
        return 0;
}

int strv_append_new(char ***list, const char *item) {
        return !item || strv_contains(*list, item) ? 0 : strv_append(list, item);
}

char **strv_concat(char *const *list, char *const *extra) {
        char **result = calloc(strv_length(list) + strv_length(extra) + 1, sizeof(char *));
        size_t n = 0;

        if (!result)
                return NULL;
        for (unsigned part = 0; part < 2; part++)
                for (char *const *s = part == 0 ? list : extra; s && *s; s++, n++) {
                        result[n] = strdup(*s);
                        if (!result[n])
                                return strv_free(result);
                }
        return result;
}
