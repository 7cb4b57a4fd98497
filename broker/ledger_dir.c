/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files beside the database. Names are looked up below an open folder and never through a link, and
 * nothing is read from a file that another account could have written.
 */
#include "broker/ledger_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

int ledger_dir_refuse(char **ret_message, int error, const char *format, ...) {
        va_list ap;
        char *message = NULL;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        va_end(ap);
        free(*ret_message);
        *ret_message = message;
        return error;
}

static const char *remedy(int error) {
        switch (-error) {
        case ENOSPC:
        case EDQUOT:
                return "free some space on its file system";
        case EROFS:
                /* A mount that was read-only stays so in the unit's own view of the file system. */
                return "make its file system and the file writable for the broker's account, then restart "
                       "peerauth-broker";
        case EACCES:
        case EPERM:
                return "give the folder and its files to the broker's account (chown), modes 0700 and 0600";
        case ENOENT:
        case ENOTDIR:
                return "create the folder, owned by the broker's account, mode 0700";
        case ELOOP:
                return "replace the symbolic link by the file itself";
        case EBUSY:
                return "end the program that has the ledger open";
        case EOPNOTSUPP:
                return "move the folder to a local file system that supports SQLite's WAL mode";
        case EBADMSG:
                return "it is damaged or was changed: keep a copy for examination and restore the folder "
                       "from backup";
        default:
                return "see the system's log, or restore the folder from backup";
        }
}

int ledger_dir_failed(char **ret_message, int error, const char *path, const char *name, const char *doing) {
        return ledger_dir_refuse(ret_message, error, "%s%s%s: cannot %s: %s; %s", path, *name ? "/" : "",
                                 name, doing, strerror(-error), remedy(error));
}

char *ledger_dir_file(const char *path, const char *name) {
        char *file;

        return asprintf(&file, "%s/%s", path, name) < 0 ? NULL : file;
}

static int open_folder(LedgerDir *dir, char **ret_message) {
        struct stat st;

        dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir->fd < 0 || fstat(dir->fd, &st) < 0)
                return ledger_dir_failed(ret_message, -errno, dir->path, "", "open the ledger's folder");
        if (st.st_uid != geteuid() || (st.st_mode & 0077) != 0)
                return ledger_dir_refuse(
                        ret_message, -EPERM,
                        "%s: belongs to uid %u with mode %04o, but must belong to uid %u with mode "
                        "0700; check who changed it, then use chown and chmod",
                        dir->path, (unsigned)st.st_uid, st.st_mode & 07777, (unsigned)geteuid());
        return 0;
}

static int take_lock(LedgerDir *dir, char **ret_message) {
        dir->lock_fd = openat(dir->fd, LEDGER_DIR_LOCK,
                              O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
        if (dir->lock_fd < 0)
                return ledger_dir_failed(ret_message, -errno, dir->path, LEDGER_DIR_LOCK,
                                         "open the lock file");
        if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        if (errno != EWOULDBLOCK)
                return ledger_dir_failed(ret_message, -errno, dir->path, LEDGER_DIR_LOCK, "lock");
        return ledger_dir_refuse(ret_message, -EBUSY,
                                 "%s/" LEDGER_DIR_LOCK ": another broker has this ledger open; stop it first "
                                 "(systemctl status peerauth-broker)",
                                 dir->path);
}

int ledger_dir_open(const char *path, LedgerDir *ret_dir, char **ret_message) {
        LedgerDir dir = LEDGER_DIR_INIT;
        int r;

        /* The way to the folder belongs to root and may hold links; below it none is followed. */
        dir.path = realpath(path, NULL);
        if (!dir.path)
                return ledger_dir_failed(ret_message, -errno, path, "", "open the ledger's folder");
        r = open_folder(&dir, ret_message);
        if (r >= 0)
                r = take_lock(&dir, ret_message);
        if (r < 0) {
                ledger_dir_close(&dir);
                return r;
        }
        *ret_dir = dir;
        return 0;
}

void ledger_dir_close(LedgerDir *dir) {
        if (dir->lock_fd >= 0)
                (void)close(dir->lock_fd);
        if (dir->fd >= 0)
                (void)close(dir->fd);
        free(dir->path);
        *dir = LEDGER_DIR_INIT;
}

int ledger_dir_has(const LedgerDir *dir, const char *name) {
        struct stat st;

        if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        return errno == ENOENT ? 0 : -errno;
}

static int read_all(int fd, void *ret, size_t max, size_t *ret_size) {
        size_t size = 0;
        ssize_t n;

        while (size < max && (n = read(fd, (char *)ret + size, max - size)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                size += (size_t)n;
        }
        *ret_size = size;
        return 0;
}

int ledger_dir_read(const LedgerDir *dir, const char *name, bool secret, void *ret, size_t max,
                    size_t *ret_size) {
        _cleanup_close_ int fd = openat(dir->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 ||
            (st.st_mode & (secret ? 0077 : 0022)) != 0)
                return -EPERM;
        if (st.st_size < 0 || (size_t)st.st_size > max)
                return -EFBIG;
        return read_all(fd, ret, max, ret_size);
}

static int write_durably(int fd, const void *data, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = write(fd, (const char *)data + done, size - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        done += (size_t)n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

int ledger_dir_replace(const LedgerDir *dir, const char *name, const void *data, size_t size) {
        _cleanup_close_ int fd = -1;
        char temporary[64];
        int r;

        (void)snprintf(temporary, sizeof(temporary), "%s.tmp", name);
        (void)unlinkat(dir->fd, temporary, 0); /* of a writer that died */
        fd = openat(dir->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_durably(fd, data, size);
        if (r >= 0 && renameat(dir->fd, temporary, dir->fd, name) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(dir->fd, temporary, 0);
                return r;
        }
        return ledger_dir_sync(dir);
}

int ledger_dir_create(const LedgerDir *dir, const char *name) {
        _cleanup_close_ int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                        0600);

        return fd < 0 && errno != EEXIST ? -errno : 0;
}

int ledger_dir_sync(const LedgerDir *dir) {
        return fsync(dir->fd) < 0 ? -errno : 0;
}
