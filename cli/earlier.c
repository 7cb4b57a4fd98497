/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recomputes the root of the first entries of a ledger, as many as an earlier checkpoint signed.
 */
#include "cli/earlier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/crypto.h"
#include "common/merkle.h"

PEERAUTH_DEFINE_CLEANUP(LedgerFile *, ledger_file_close);

static void condemn(LedgerVerdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void condemn(LedgerVerdict *verdict, const char *format, ...) {
        va_list ap;

        verdict->good = false;
        va_start(ap, format);
        (void)vsnprintf(verdict->reason, sizeof(verdict->reason), format, ap);
        va_end(ap);
}

/* The root over the first size entries. 0, -EBADMSG if there are fewer, or a negative errno. */
static int root_of_first(const char *path, uint64_t size, MerkleHash *ret_root) {
        PEERAUTH_CLEANUP(ledger_file_close_p) LedgerFile *file = NULL;
        _cleanup_free_ char *message = NULL;
        MerkleFrontier tree = {0};
        const char *text;
        size_t text_size;
        uint64_t index;
        int r;

        r = ledger_file_open(path, &file, &message);
        if (r < 0)
                return r;
        while (tree.size < size) {
                MerkleHash leaf;

                r = ledger_file_next(file, &index, &text, &text_size);
                if (r <= 0)
                        return r < 0 ? r : -EBADMSG;
                leaf = merkle_leaf(text, text_size);
                (void)merkle_append(&tree, &leaf, NULL);
        }
        *ret_root = merkle_root(&tree);
        return 0;
}

int earlier_compare(const char *path, const char *note, const char *vkey, LedgerVerdict *verdict) {
        Checkpoint earlier;
        MerkleHash root;
        int r;

        if (checkpoint_verify(note, vkey, &earlier) < 0)
                condemn(verdict, "the earlier checkpoint is not signed by the key");
        else if (strcmp(earlier.origin, verdict->checkpoint.origin) != 0)
                condemn(verdict, "the earlier checkpoint is of another ledger: %.100s", earlier.origin);
        else if (earlier.size > verdict->size)
                condemn(verdict,
                        "the earlier checkpoint signed %" PRIu64 " entries and only %" PRIu64 " are left",
                        earlier.size, verdict->size);
        else {
                r = root_of_first(path, earlier.size, &root);
                if (r < 0)
                        return r;
                if (!crypto_equal(&root, &earlier.root, sizeof(root)))
                        condemn(verdict,
                                "among the first %" PRIu64
                                " entries one was changed since the earlier checkpoint",
                                earlier.size);
        }
        return 0;
}
