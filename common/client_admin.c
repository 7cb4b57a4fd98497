/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls of an administrator: the policy is read again. */
#include "common/client.h"

#include <errno.h>
#include <string.h>

#include "common/client_message.h"

/* The broker first asks the name service who calls, then compiles every pattern of up to a thousand rules. */
#define RELOAD_TIMEOUT_USEC (60 * PEERAUTH_USEC_PER_SEC)

enum { HASH_HEX = 64 };

int client_reload_policy(sd_bus *bus, char **ret_hash, uint32_t *ret_rules, sd_bus_error *ret_error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *hash = NULL;
        const char *text;
        uint32_t rules;
        int r;

        r = client_message_ask(bus, PEERAUTH_IFACE_ADMIN, "ReloadPolicy", RELOAD_TIMEOUT_USEC, &reply,
                               ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "su", &text, &rules);
        if (r <= 0)
                return r < 0 ? client_message_read_error(r) : -EBADMSG;
        if (strlen(text) != HASH_HEX || strspn(text, "0123456789abcdef") != HASH_HEX)
                return -EBADMSG;
        hash = strdup(text);
        if (!hash)
                return -ENOMEM;
        *ret_hash = STEAL_PTR(hash);
        *ret_rules = rules;
        return 0;
}
