/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of requests, as people type them. Pure: a list and a string in, an index out.
 */
#include "common/client_resolve.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/protocol.h"
#include "common/text.h"

static bool is_hex(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!isxdigit((unsigned char)text[i]))
                        return false;
        return true;
}

static bool is_prefix_of_id(const ClientRequest *request, const char *name, size_t size) {
        return size >= PEERAUTH_ID_PREFIX_MIN && size <= strlen(request->id) && is_hex(name, size) &&
               strncasecmp(request->id, name, size) == 0;
}

static bool looks_like_code(const char *name) {
        char code[PEERAUTH_CODE_DIGITS + 1];
        bool is_code = text_parse_code(name, code) == 0;

        explicit_bzero(code, sizeof(code));
        return is_code;
}

bool client_resolve_matches(const ClientRequest *request, const char *name) {
        return strcmp(request->user, name) == 0 || is_prefix_of_id(request, name, strlen(name));
}

static bool is_account(const ClientRequestList *list, const char *name, size_t size) {
        for (size_t i = 0; i < list->n_items; i++)
                if (strlen(list->items[i].user) == size && strncmp(list->items[i].user, name, size) == 0)
                        return true;
        return false;
}

int client_resolve(const ClientRequestList *list, const char *name, size_t *ret_index) {
        size_t found = 0, n_found = 0;

        for (size_t i = 0; i < list->n_items; i++)
                if (strcasecmp(list->items[i].id, name) == 0) {
                        *ret_index = i;
                        return 0;
                }

        /* Six digits that also begin an id are still refused: the person meant to say the code. */
        if (!is_account(list, name, strlen(name)) && looks_like_code(name))
                return -EINVAL;

        for (size_t i = 0; i < list->n_items; i++)
                if (client_resolve_matches(&list->items[i], name)) {
                        found = i;
                        n_found++;
                }
        if (n_found == 0)
                return -ENOENT;
        if (n_found > 1)
                return -ENOTUNIQ;
        *ret_index = found;
        return 0;
}

static bool is_good_short(const ClientRequestList *list, size_t index, size_t size) {
        const char *id = list->items[index].id;

        if (size == PEERAUTH_CODE_DIGITS && strspn(id, "0123456789") >= size)
                return false;
        for (size_t i = 0; i < list->n_items; i++)
                if (i != index && is_prefix_of_id(&list->items[i], id, size))
                        return false;
        return !is_account(list, id, size);
}

size_t client_resolve_short(const ClientRequestList *list, size_t index) {
        size_t size = PEERAUTH_ID_PREFIX_MIN;

        while (size < PEERAUTH_ID_HEX && !is_good_short(list, index, size))
                size++;
        return size;
}
