/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens, creates and closes state.db. Every reason to refuse a file is found here and explained to the person
 * who has to act; nothing is repaired.
 *
 * A new database is made under another name and then renamed, so an empty state.db is always one that lost
 * its contents: it is refused, for taking it as new would forget every failure and lock.
 */
#include "broker/state_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "broker/ledger_schema.h"
#include "broker/state_schema.h"

#define NEW_DATABASE STATE_DATABASE ".new"

static int refuse_damaged(const State *s, const char *what, char **ret_message) {
        return ledger_dir_refuse(
                ret_message, -EBADMSG,
                "%s/" STATE_DATABASE
                ": %s; nothing was changed: keep a copy for examination and restore it from "
                "backup, or move it aside with " STATE_DATABASE
                "-wal and -shm and restart peerauth-broker, which "
                "then begins without failure counts, blocks, recovery codes and TOTP; either way generate new "
                "recovery codes",
                s->dir.path, what);
}

/* For a failure that SQLite reported. */
static int failed(const State *s, int error, const char *doing, char **ret_message) {
        if (error == -EBADMSG)
                return refuse_damaged(s, "is damaged, or no database of peerauth", ret_message);
        return ledger_dir_failed(ret_message, error, s->dir.path, STATE_DATABASE, doing);
}

static int open_folder(State *s, const char *path, char **ret_message) {
        struct stat st;

        /* The way to the folder belongs to root and may hold links; below it none is followed. */
        s->dir.path = realpath(path, NULL);
        if (!s->dir.path)
                return ledger_dir_failed(ret_message, -errno, path, "", "open the state's folder");
        s->dir.fd = open(s->dir.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->dir.fd < 0 || fstat(s->dir.fd, &st) < 0)
                return ledger_dir_failed(ret_message, -errno, s->dir.path, "", "open the state's folder");
        if (st.st_uid == geteuid() && (st.st_mode & 0077) == 0)
                return 0;
        return ledger_dir_refuse(
                ret_message, -EPERM,
                "%s: belongs to uid %u with mode %04o, but must belong to uid %u with mode 0700; "
                "check who changed it, then use chown and chmod",
                s->dir.path, (unsigned)st.st_uid, st.st_mode & 07777, (unsigned)geteuid());
}

static int take_lock(State *s, char **ret_message) {
        s->dir.lock_fd = openat(s->dir.fd, STATE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                                0600);
        if (s->dir.lock_fd < 0)
                return ledger_dir_failed(ret_message, -errno, s->dir.path, STATE_LOCK, "open the lock file");
        if (flock(s->dir.lock_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        if (errno != EWOULDBLOCK)
                return ledger_dir_failed(ret_message, -errno, s->dir.path, STATE_LOCK, "lock");
        return ledger_dir_refuse(ret_message, -EBUSY,
                                 "%s/" STATE_LOCK
                                 ": another broker has this state open; stop it first (systemctl "
                                 "status peerauth-broker)",
                                 s->dir.path);
}

/* The database holds secrets, and SQLite follows links of the files beside it. */
static int check_file(const State *s, const char *name, char **ret_message) {
        struct stat st;

        if (fstatat(s->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT
                               ? 0
                               : ledger_dir_failed(ret_message, -errno, s->dir.path, name, "look at it");
        if (S_ISLNK(st.st_mode))
                return ledger_dir_failed(ret_message, -ELOOP, s->dir.path, name, "open");
        if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0077) == 0 && st.st_nlink == 1)
                return 0;
        return ledger_dir_refuse(
                ret_message, -EPERM,
                "%s/%s: must be a file of uid %u with mode 0600 and no second name, but belongs to "
                "uid %u with mode %04o and %u names; check who changed it, then use chown and "
                "chmod",
                s->dir.path, name, (unsigned)geteuid(), (unsigned)st.st_uid, st.st_mode & 07777,
                (unsigned)st.st_nlink);
}

static int check_files(const State *s, char **ret_message) {
        static const char *const names[] = {STATE_DATABASE, STATE_DATABASE "-wal", STATE_DATABASE "-shm"};
        int r = 0;

        /* SQLite would play it back into the database; in WAL mode we never have one. */
        if (ledger_dir_has(&s->dir, STATE_DATABASE "-journal") != 0)
                return refuse_damaged(s, "has a file " STATE_DATABASE "-journal beside it that is not ours",
                                      ret_message);

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && r >= 0; i++)
                r = check_file(s, names[i], ret_message);
        return r;
}

/* Everything is in the one file when this returns 0: a -wal file would not be renamed with it. */
static int fill(const char *path) {
        sqlite3 *db;
        int r;

        r = ledger_schema_open(path, &db);
        if (r < 0)
                return r;
        r = state_schema_migrate(db, 0, STATE_SCHEMA_VERSION);
        if (r >= 0)
                r = ledger_schema_errno(
                        db, sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
        (void)ledger_schema_close(db);
        return r;
}

static int make_new(const LedgerDir *dir) {
        static const char *const names[] = {NEW_DATABASE, NEW_DATABASE "-wal", NEW_DATABASE "-shm",
                                            NEW_DATABASE "-journal"};
        _cleanup_free_ char *path = ledger_dir_file(dir->path, NEW_DATABASE);
        int r;

        if (!path)
                return -ENOMEM;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                (void)unlinkat(dir->fd, names[i], 0); /* of a broker that died */
        r = ledger_dir_create(dir, NEW_DATABASE);
        if (r >= 0)
                r = fill(path);
        if (r >= 0 && renameat(dir->fd, NEW_DATABASE, dir->fd, STATE_DATABASE) < 0)
                r = -errno;
        if (r >= 0)
                return ledger_dir_sync(dir);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                (void)unlinkat(dir->fd, names[i], 0);
        return r;
}

/* An empty -wal file tells of nothing: a look at a database that is then moved aside leaves one. */
static int create(State *s, char **ret_message) {
        struct stat st;
        int r;

        if (fstatat(s->dir.fd, STATE_DATABASE "-wal", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
                return refuse_damaged(s, "is gone, but " STATE_DATABASE "-wal tells of one", ret_message);
        r = make_new(&s->dir);
        if (r < 0)
                return failed(s, r, "create it", ret_message);
        s->is_new = true;
        return 0;
}

/* A version that is newer than ours is all that we can say of a file. */
static int examine(sqlite3 *db, int *ret_version) {
        int r, version;

        r = state_schema_version(db, &version);
        if (r < 0)
                return r;
        if (version <= STATE_SCHEMA_VERSION) {
                r = state_schema_matches(db, version);
                if (r > 0)
                        r = state_schema_is_sound(db);
                if (r <= 0)
                        return r < 0 ? r : -EBADMSG;
        }
        *ret_version = version;
        return 0;
}

/* On a connection that cannot write: what is refused stays as it is, for whoever has to find out why. */
static int examine_file(const State *s, const char *path, int *ret_version, char **ret_message) {
        sqlite3 *db = NULL;
        int r, version = 0;

        r = ledger_schema_open_readonly(path, &db);
        if (r >= 0)
                r = examine(db, &version);
        (void)ledger_schema_close(db);
        if (r < 0)
                return failed(s, r, "read it", ret_message);
        if (version > STATE_SCHEMA_VERSION)
                return ledger_dir_refuse(ret_message, -EPROTONOSUPPORT,
                                         "%s/" STATE_DATABASE
                                         ": was written by a newer version of peerauth (format "
                                         "%d, this one knows up to %d); install that version again",
                                         s->dir.path, version, STATE_SCHEMA_VERSION);
        *ret_version = version;
        return 0;
}

static int open_for_writing(State *s, const char *path, int version, char **ret_message) {
        int r;

        r = ledger_schema_open(path, &s->db);
        if (r >= 0)
                r = ledger_schema_errno(
                        s->db, sqlite3_exec(s->db, "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY",
                                            NULL, NULL, NULL));
        if (r >= 0)
                r = state_schema_is_sound(s->db); /* again: read-only, SQLite leaves the CHECKs out */
        if (r == 0)
                r = -EBADMSG;
        if (r >= 0 && version < STATE_SCHEMA_VERSION)
                r = state_schema_migrate(s->db, version, STATE_SCHEMA_VERSION);
        if (r < 0)
                return failed(s, r, "open it", ret_message);
        (void)sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
        return 0;
}

static int open_database(State *s, char **ret_message) {
        _cleanup_free_ char *path = ledger_dir_file(s->dir.path, STATE_DATABASE);
        int r, version = 0;

        if (!path)
                return -ENOMEM;
        r = ledger_dir_has(&s->dir, STATE_DATABASE);
        if (r < 0)
                return failed(s, r, "look at it", ret_message);
        if (r == 0)
                r = create(s, ret_message);
        if (r >= 0)
                r = examine_file(s, path, &version, ret_message);
        if (r >= 0)
                r = open_for_writing(s, path, version, ret_message);
        return r;
}

/* A clock that was set back while the broker was down. */
static int settle_clock(State *s, uint64_t now_usec) {
        int64_t newest = 0, now = (int64_t)now_usec;
        int r;

        r = state_clock_newest(s, &newest);
        if (r < 0)
                return r;
        s->newest_usec = newest > now ? newest : now;
        if (newest <= now + (int64_t)(STATE_CLOCK_SLACK_SEC * PEERAUTH_USEC_PER_SEC))
                return 0;
        r = state_clock_move(s, now - newest);
        if (r >= 0)
                s->step_usec = now - newest;
        return r;
}

static int open_all(State *s, const char *path, uint64_t now_usec, char **ret_message) {
        int r;

        if (now_usec > STATE_TIME_MAX)
                return ledger_dir_refuse(ret_message, -EINVAL, "the clock is beyond all use: set it");
        r = open_folder(s, path, ret_message);
        if (r >= 0)
                r = take_lock(s, ret_message);
        if (r >= 0)
                r = check_files(s, ret_message);
        if (r >= 0)
                r = open_database(s, ret_message);
        if (r < 0)
                return r;
        r = settle_clock(s, now_usec);
        if (r >= 0) /* whoever waited for these got "unavailable" */
                r = state_run(s, "UPDATE attempt SET outcome = 'cancelled' WHERE outcome = 'pending'",
                              STATE_NO_VALUES);
        return r < 0 ? failed(s, r, "read it", ret_message) : 0;
}

int state_open(const char *state_dir, uint64_t now_usec, State **ret_state, char **ret_message) {
        State *s = calloc(1, sizeof(*s));
        int r;

        *ret_message = NULL;
        if (!s)
                return -ENOMEM;
        s->dir = LEDGER_DIR_INIT;
        r = open_all(s, state_dir, now_usec, ret_message);
        if (r < 0) {
                (void)state_close(s);
                return r;
        }
        *ret_state = s;
        return 0;
}

State *state_close(State *s) {
        if (!s)
                return NULL;
        s->db = ledger_schema_close(s->db);
        ledger_dir_close(&s->dir);
        free(s);
        return NULL;
}
