/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The append-only ledger: the only writer of ledger.db, one instance a machine.
 *
 * Entries are staged and then committed together; what was staged counts only once ledger_commit()
 * returned 0, and whoever waits for it is told only then.
 *
 * MUST 1: ledger_commit() returns 0 only after the entries are durable (WAL, synchronous=FULL).
 * MUST 2: no statement of this program can change or remove a row (triggers, recursive_triggers,
 *         defensive mode; L6).
 * MUST 3: a second process on the same ledger is refused (L7).
 * MUST 4: after a failed commit the ledger is as it was before the first staged entry, and a later
 *         commit may succeed (L5).
 * MUST 5: a database that is behind the checkpoint kept outside it is refused at open (L3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/checkpoint.h"

typedef struct Ledger Ledger;

/*
 * Opens state_dir/ledger.db and ledger.key (state_dir must exist, 0700), creating both when neither is
 * there, and locks state_dir/ledger.lock. Returns 0, or a negative errno and a one-line message that
 * names the thing and the remedy (caller frees): -EBUSY another broker has it; -EBADMSG schema or
 * contents are not ours; -ENOKEY the key is gone; -ESTALE rolled back behind the checkpoint; -EROFS,
 * -ENOSPC, -EACCES, ... as the system says. origin (e.g. "example.org/peerauth/0123abcd/1") is used
 * only when the ledger is created.
 */
int ledger_open(const char *state_dir, const char *origin, Ledger **ret_ledger, char **ret_message);
Ledger *ledger_close(Ledger *ledger);

/*
 * Stages one entry of a kind. The ledger writes the common head {"v":1,"index":N,"time":USEC,"kind":K}
 * and the caller's fields follow in their order.
 */
typedef struct LedgerField {
        const char *key;
        enum { LEDGER_END = 0, LEDGER_STRING, LEDGER_UINT, LEDGER_STRINGS } type;
        union {
                const char *string; /* NULL: left out */
                uint64_t uint;
                char *const *strings; /* NULL: left out */
        };
} LedgerField;

/* fields ends with LEDGER_END; realtime_usec is for people, order is the index. 0, or a negative errno
 * with nothing staged. ret_index may be NULL. */
int ledger_stage(Ledger *ledger, const char *kind, uint64_t realtime_usec, const LedgerField *fields,
                 uint64_t *ret_index);

/* Number of staged entries. */
unsigned ledger_staged(const Ledger *ledger);

/* Makes the staged entries durable. 0 (also if there were none), or a negative errno: nothing of it
 * happened. */
int ledger_commit(Ledger *ledger);

/* Forgets the staged entries. */
void ledger_rollback(Ledger *ledger);

/* Writes the signed checkpoint of the committed tree to state_dir/checkpoint (atomic replacement).
 * Called after the replies went out. 0 or a negative errno. */
int ledger_save_checkpoint(Ledger *ledger);

/* The signed checkpoint and verifier key of the committed tree. */
int ledger_checkpoint(const Ledger *ledger, char ret_note[CHECKPOINT_NOTE_MAX]);
const char *ledger_vkey(const Ledger *ledger);
/* Whether the ledger had entries at start and no checkpoint beside it: its end may be missing unseen. */
bool ledger_anchor_missing(const Ledger *ledger);
uint64_t ledger_size(const Ledger *ledger);

/* Entry text by index; caller frees. 0, -ENOENT, or a negative errno. */
int ledger_read(Ledger *ledger, uint64_t index, char **ret_text);

/*
 * A consistent copy of the ledger in an unnamed file, and the checkpoint that belongs to it. Uses a
 * connection of its own and may run in another thread than the writer: it takes only the folder.
 * Two snapshots with no entry appended in between are byte-identical.
 */
typedef struct LedgerSnapshot {
        int fd;          /* owned by the caller, at offset 0, read-only */
        uint64_t size;   /* entries in it */
        MerkleHash root; /* of them */
} LedgerSnapshot;
int ledger_snapshot(const char *state_dir, LedgerSnapshot *ret_snapshot);

/* Signs the head of a snapshot. */
int ledger_sign(const Ledger *ledger, uint64_t size, const MerkleHash *root,
                char ret_note[CHECKPOINT_NOTE_MAX]);
