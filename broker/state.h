/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the broker must remember between logins, restarts and reboots and may change: the only writer of
 * state.db, beside the ledger. Attempts, failures, blocked sources, recovery codes, TOTP.
 *
 * MUST 1: a function that returns an outcome (>= 0) has made it durable (WAL, synchronous=FULL). One that
 *         failed changed nothing, except that a failed write to the disk may turn out to have happened
 *         after the machine stopped: never fewer failures than were reported, at most one more.
 * MUST 2: a second process, or a second State, on the same folder is refused.
 * MUST 3: a database that is damaged, foreign, newer, or reachable by others is refused and left alone.
 *         Nothing is repaired, moved aside or begun anew (fail closed).
 * MUST 4: of racing users of one recovery code or one TOTP step, one is told that it was accepted (R1, R2).
 * MUST 5: what strangers can make grow has a bound below.
 *
 * Not for threads: one State belongs to one thread. Texts are stored byte for byte; one that is longer than
 * its bound is -EINVAL, never cut. Outputs are written only on success.
 *
 * Time (attack T1). now_usec is wall time (microseconds since 1970), because it must mean something after
 * a reboot. Wall clocks step, so:
 *   - A time before the newest one known reads as the newest one known. A clock that was set back frees
 *     nothing: time stands still for this file.
 *   - state_clock() compares the wall clock with CLOCK_BOOTTIME, which no one can set. It notices a step in
 *     either direction and moves every stored time along, so that each lock, block and window lasts as
 *     long as it would have without the step. Call it before anything else in each event.
 *   - While the broker is down only a step back can be seen: state_open() moves the times along. A step
 *     forward then looks like a machine that was off; it ends windows, back-offs and blocks, but neither
 *     the count of failures nor the lock at its cap, and it revives no code and no TOTP step.
 *   - Differences up to STATE_CLOCK_SLACK_SEC are no step: clocks are slewed, and events overtake each other.
 *   - TOTP steps are never moved: they only grow.
 *
 * Not promised: whoever can put an older copy of the file in its place (root, a restored backup) brings used
 * codes back. The ledger knows of their use; after a restore new codes must be generated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"
#include "common/verdict.h"

enum {
        STATE_SOURCE_MAX = PEERAUTH_RHOST_MAX, /* bytes, as every length here */
        STATE_HASH_MAX = 256,
        STATE_SECRET_MAX = 128,

        /* Attempts. A configured rate limit must stay below the first two. Approved ones are forgotten first,
         * then the oldest. */
        STATE_ATTEMPTS_PER_USER = 256,
        STATE_ATTEMPTS_PER_SOURCE = 1024,
        STATE_ATTEMPTS_MAX = 16384, /* so not more sources and users than that either */
        /* Counters of failures. The one with the fewest failures is forgotten, the oldest of them first;
         * one at the cap never. */
        STATE_FAILURES_MAX = 4096,
        STATE_BLOCKS_MAX = 4096, /* the one that ends first is forgotten */
        STATE_RECOVERY_MAX = 32, /* codes of one account, used ones included */

        STATE_CLOCK_SLACK_SEC = 60,
        STATE_KEEP_DAYS = 7,
};

/* A time above this (some 36,000 years) is -EINVAL. */
#define STATE_TIME_MAX (UINT64_C(1) << 60)

typedef struct State State;

/*
 * Opens state_dir/state.db (state_dir must exist, 0700), creating it if it is not there, brings an older
 * format up to date, and locks state_dir/state.lock. Attempts that a dead broker left pending become
 * cancelled. 0, or a negative errno and a message of one line that names the thing and the remedy (caller
 * frees): -EBUSY another broker has it; -EBADMSG damaged or not ours; -EPROTONOSUPPORT written by a newer
 * version; -EPERM owner, mode or type; -ELOOP, -EROFS, -ENOSPC, ... as the system says.
 */
int state_open(const char *state_dir, uint64_t now_usec, State **ret_state, char **ret_message);
State *state_close(State *state);

/* Whether state_open() made the file: all counters and codes that there may have been are gone. */
bool state_is_new(const State *state);

/* Once at the beginning of each event. 1 and the step in microseconds (positive: forward) if the wall clock
 * stepped since the last call, or, at the first, since the file was last written; else 0. A negative errno:
 * the step was seen and not dealt with; the next call tries again. */
int state_clock(State *state, uint64_t realtime_usec, uint64_t boottime_usec, int64_t *ret_step_usec);

/* Removes what ended more than STATE_KEEP_DAYS ago: attempts, blocks, used recovery codes, TOTP that was
 * never confirmed. Failures stay. 0 and the number of rows, or a negative errno with nothing removed. */
int state_clean(State *state, uint64_t now_usec, unsigned *ret_removed);

/* ---- Attempts: logins that became requests ---- */

/* A user's canonical name; where the login came from ("": nothing is known). 0 and the id, never used
 * again for another attempt. */
int state_attempt_add(State *state, const char *user, const char *source, uint64_t now_usec, int64_t *ret_id);

/* How it ended: approved, denied, expired or cancelled; else -EINVAL. 0, or -ENOENT: it has ended, or was
 * forgotten. */
int state_attempt_finish(State *state, int64_t id, Verdict end);

typedef struct StateCount {
        unsigned n;           /* attempts in the window that did not end in approval */
        uint64_t oldest_usec; /* of them; 0: there is none */
} StateCount;

/* A window is a span that ends now; an attempt leaves it when it is exactly that old. */
int state_attempt_count_user(State *state, const char *user, uint64_t now_usec, uint64_t window_usec,
                             StateCount *ret_count);
int state_attempt_count_source(State *state, const char *source, uint64_t now_usec, uint64_t window_usec,
                               StateCount *ret_count);

/* ---- Failures: consecutive ones of an account; broker/limit.h says what follows from them ---- */

/* Each way has a count of its own, so that nobody can lock the way out by typing wrong codes (C4). */
typedef enum StateWay {
        STATE_WAY_CODE = 0, /* the code of a request */
        STATE_WAY_RECOVERY,
        STATE_WAY_TOTP,
        STATE_WAYS,
} StateWay;

const char *state_way_to_string(StateWay way);

typedef struct StateFailure {
        char user[PEERAUTH_USER_MAX + 1];
        StateWay way;
        unsigned count;      /* consecutive, at most LIMIT_FAILURES_MAX */
        uint64_t last_usec;  /* 0: none */
        uint64_t until_usec; /* locked before this; 0: not; LIMIT_FOREVER: until somebody clears it */
} StateFailure;

/* Counts one more. 0 and how it stands then (may be NULL). -ENOBUFS: STATE_FAILURES_MAX accounts are at the
 * cap. */
int state_failure_add(State *state, const char *user, StateWay way, uint64_t now_usec,
                      StateFailure *ret_failure);
/* 1 if the account is locked now, 0 if not (also if nothing is known of it), and how it stands. */
int state_failure_get(State *state, const char *user, StateWay way, uint64_t now_usec,
                      StateFailure *ret_failure);
/* After a success, or by an administrator: 1 if there was something to forget, 0 if not. */
int state_failure_clear(State *state, const char *user, StateWay way);
/* All of them, by user and way; the caller frees the array, which is NULL if there are none. */
int state_failure_list(State *state, StateFailure **ret_failures, size_t *ret_n);

/* ---- Blocked sources ---- */

typedef struct StateBlock {
        char source[STATE_SOURCE_MAX + 1];
        uint64_t since_usec, until_usec;
        char reason[PEERAUTH_REASON_MAX + 1];
} StateBlock;

/* Blocks a source; a block that ends later than until_usec keeps its end. The reason is replaced. */
int state_block_add(State *state, const char *source, uint64_t until_usec, const char *reason,
                    uint64_t now_usec);
/* 1 and the block if the source is blocked now, 0 if not. */
int state_block_check(State *state, const char *source, uint64_t now_usec, StateBlock *ret_block);
/* 1 if it was blocked, 0 if not. */
int state_block_clear(State *state, const char *source, uint64_t now_usec);
/* Those that hold now, by source; the caller frees the array, which is NULL if there are none. */
int state_block_list(State *state, uint64_t now_usec, StateBlock **ret_blocks, size_t *ret_n);

/* ---- Recovery codes and TOTP ---- */

/* Name and uid together: what was made for an account does not serve another one that later gets its name,
 * or its uid. */
typedef struct StateAccount {
        const char *user;
        uid_t uid;
} StateAccount;

typedef struct StateRecovery {
        int64_t id;
        uint64_t created_usec;
        uint64_t used_usec; /* 0: not used */
} StateRecovery;

/* What a guess is compared with. */
typedef struct StateRecoveryHash {
        int64_t id;
        char hash[STATE_HASH_MAX + 1];
} StateRecoveryHash;

/* Forgets all codes of that name and of that uid and stores n hashes (n may be 0) of new ones. */
int state_recovery_replace(State *state, StateAccount account, const char *const *hashes, size_t n,
                           uint64_t now_usec);
/* The codes of an account in the order of their making; the caller frees the array (NULL: none). */
int state_recovery_list(State *state, StateAccount account, StateRecovery **ret_codes, size_t *ret_n);
/* The hashes of those that were not used. */
int state_recovery_hashes(State *state, StateAccount account, StateRecoveryHash **ret_hashes, size_t *ret_n);
/* 1: this call used it, and no other ever did; 0: it is used, or is not a code of this account. */
int state_recovery_use(State *state, StateAccount account, int64_t id, uint64_t now_usec);
/* How many are left. */
int state_recovery_left(State *state, StateAccount account, unsigned *ret_left);

/* Secret: state_totp_wipe() when done. */
typedef struct StateTotp {
        uint8_t secret[STATE_SECRET_MAX]; /* as it was given: encrypted or not is the caller's matter */
        size_t secret_size;
        uint64_t created_usec;
        bool confirmed;
        uint64_t step; /* the last accepted one; 0: none */
} StateTotp;

/* Stores a secret that counts only once it is confirmed. Replaces one that was never confirmed, and what
 * belonged to an earlier account of that name or uid. 0, or -EEXIST: a confirmed one must be removed first.
 */
int state_totp_enroll(State *state, StateAccount account, const void *secret, size_t size, uint64_t now_usec);
/* 1 and the enrolment, or 0: there is none. */
int state_totp_get(State *state, StateAccount account, StateTotp *ret_totp);
/* 1: confirmed now, with the step of the code that proved it, which is thereby used; 0: nothing to confirm.
 */
int state_totp_confirm(State *state, StateAccount account, uint64_t step);
/* 1: accepted, and neither this step nor an earlier one ever will be again; 0: it was not above the last
 * one, or there is no confirmed secret. Steps begin with 1. */
int state_totp_accept(State *state, StateAccount account, uint64_t step);
/* 1 if there was one (of this name or of this uid), 0 if not. */
int state_totp_remove(State *state, StateAccount account);
void state_totp_wipe(StateTotp *totp);
