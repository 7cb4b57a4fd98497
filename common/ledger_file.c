/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a ledger that somebody else kept, entry by entry, from either form.
 *
 * MUST: memory is constant: one entry, whatever the file claims to hold.
 */
#include "common/ledger_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/canonical.h"
#include "common/cleanup.h"
#include "common/ledger_layout.h"

/* SQLite file format, section 1.3. */
#define SQLITE_MAGIC "SQLite format 3" /* and its NUL: 16 bytes */
enum { HEADER_READ_VERSION = 19, HEADER_SIZE = 20, HEADER_WAL = 2 };

struct LedgerFileLines {
        int fd;
        size_t start, end; /* what is read but not yet handed out */
        char data[2 * (CANONICAL_MAX + 1)];
};

int ledger_file_refuse(char **ret_message, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_message, format, ap) < 0)
                *ret_message = NULL;
        va_end(ap);
        return error;
}

/* ---- Opening ---- */

/* A file name may hold '?' and '#', which would end the path of a URI. */
static char *immutable_uri(const char *path) {
        static const char tail[] = "?immutable=1";
        char *uri = malloc(sizeof("file:") + 3 * strlen(path) + sizeof(tail)), *out = uri;

        if (!uri)
                return NULL;
        out += sprintf(out, "file:");
        for (; *path != '\0'; path++) {
                if (strchr("%?#", *path))
                        out += sprintf(out, "%%%02x", (unsigned)(unsigned char)*path);
                else
                        *out++ = *path;
        }
        strcpy(out, tail);
        return uri;
}

static int open_database(LedgerFile *file, const char *path, char **ret_message) {
        _cleanup_free_ char *real = realpath(path, NULL), *uri = real ? immutable_uri(real) : NULL;
        int rc, matches = 0;

        if (!uri)
                return ledger_file_refuse(ret_message, -errno, "%s: %s", path, strerror(errno));
        rc = sqlite3_open_v2(uri, &file->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW,
                             NULL);
        if (rc == SQLITE_OK)
                rc = ledger_layout_harden(file->db);
        if (rc == SQLITE_OK) {
                matches = ledger_layout_matches(file->db);
                rc = matches < 0 ? -matches : SQLITE_OK;
        }
        if (rc != SQLITE_OK)
                return ledger_file_refuse(ret_message, -EBADMSG, "%s: cannot be read as a ledger: %s", path,
                                          sqlite3_errstr(rc));
        if (matches == 0)
                return ledger_file_refuse(
                        ret_message, -EBADMSG,
                        "%s: is an SQLite file, but its tables and triggers are not those of a ledger", path);
        rc = sqlite3_prepare_v2(file->db, "SELECT idx, body, leaf FROM entry ORDER BY idx", -1,
                                &file->entries, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_prepare_v2(file->db, "SELECT hash FROM node WHERE level = ?1 AND idx = ?2", -1,
                                        &file->node, NULL);
        return rc == SQLITE_OK
                       ? 0
                       : ledger_file_refuse(ret_message, -EBADMSG, "%s: %s", path, sqlite3_errstr(rc));
}

/* The database of a running or killed broker: read without its -wal file it would seem to lack its end. */
static bool has_wal(const char *path, const unsigned char header[HEADER_SIZE]) {
        _cleanup_free_ char *wal = NULL;
        struct stat st;

        return header[HEADER_READ_VERSION] == HEADER_WAL && asprintf(&wal, "%s-wal", path) >= 0 &&
               stat(wal, &st) == 0 && st.st_size > 0;
}

static int open_kind(LedgerFile *file, const char *path, int fd, char **ret_message) {
        unsigned char header[HEADER_SIZE] = {0};
        ssize_t size = pread(fd, header, sizeof(header), 0);

        if (size < 0)
                return ledger_file_refuse(ret_message, -errno, "%s: %s", path, strerror(errno));
        if (memcmp(header, SQLITE_MAGIC, sizeof(SQLITE_MAGIC)) == 0) {
                if (has_wal(path, header))
                        return ledger_file_refuse(
                                ret_message, -EBADMSG,
                                "%s: its newest entries are in the -wal file beside it; verify an "
                                "export instead, or join both by opening a copy of them with sqlite3",
                                path);
                return open_database(file, path, ret_message);
        }
        if (size > 0 && header[0] != '{') /* an empty file is the export of an empty ledger */
                return ledger_file_refuse(ret_message, -EBADMSG,
                                          "%s: is neither an SQLite ledger nor one in JSON lines", path);
        file->lines = calloc(1, sizeof(*file->lines));
        if (!file->lines)
                return -ENOMEM;
        file->lines->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return file->lines->fd < 0 ? -errno : 0;
}

int ledger_file_open(const char *path, LedgerFile **ret_file, char **ret_message) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_file_ LedgerFile *file = NULL;
        struct stat st;
        int r;

        *ret_message = NULL;
        if (crypto_init() < 0)
                return ledger_file_refuse(ret_message, -EIO, "libsodium does not start");
        if (fd < 0 || fstat(fd, &st) < 0)
                return ledger_file_refuse(ret_message, -errno, "%s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return ledger_file_refuse(ret_message, -EBADMSG, "%s: is not a regular file", path);
        file = calloc(1, sizeof(*file));
        if (!file)
                return -ENOMEM;
        r = open_kind(file, path, fd, ret_message);
        if (r < 0)
                return r;
        *ret_file = STEAL_PTR(file);
        return 0;
}

LedgerFile *ledger_file_close(LedgerFile *file) {
        if (!file)
                return NULL;
        (void)sqlite3_finalize(file->entries);
        (void)sqlite3_finalize(file->node);
        (void)sqlite3_close(file->db);
        if (file->lines && file->lines->fd >= 0)
                (void)close(file->lines->fd);
        free(file->lines);
        free(file);
        return NULL;
}

/* ---- Reading ---- */

static int bad(LedgerFile *file, const char *problem) {
        file->problem = problem;
        return -EBADMSG;
}

static int next_row(LedgerFile *file, uint64_t *ret_index, const char **ret_text, size_t *ret_size) {
        int rc = sqlite3_step(file->entries);

        if (rc == SQLITE_DONE)
                return 0;
        if (rc == SQLITE_NOMEM)
                return -ENOMEM;
        if ((rc & 0xff) == SQLITE_IOERR)
                return -EIO;
        if (rc != SQLITE_ROW)
                return bad(file,
                           rc == SQLITE_TOOBIG ? "is too long" : "cannot be read: the file is damaged there");
        if (sqlite3_column_type(file->entries, 1) != SQLITE_TEXT ||
            sqlite3_column_bytes(file->entries, 2) != MERKLE_HASH_SIZE)
                return bad(file, "is not stored as a text with a hash");
        *ret_index = (uint64_t)sqlite3_column_int64(file->entries, 0);
        *ret_text = (const char *)sqlite3_column_text(file->entries, 1);
        *ret_size = (size_t)sqlite3_column_bytes(file->entries, 1);
        file->leaf = sqlite3_column_blob(file->entries, 2);
        return *ret_text && file->leaf ? 1 : -ENOMEM;
}

/* Makes room and reads more. 1, 0 at the end of the file, or a negative errno. */
static int fill(LedgerFileLines *lines) {
        ssize_t n;

        memmove(lines->data, lines->data + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
        do
                n = read(lines->fd, lines->data + lines->end, sizeof(lines->data) - lines->end);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        lines->end += (size_t)n;
        return n > 0;
}

static int next_line(LedgerFile *file, uint64_t *ret_index, const char **ret_text, size_t *ret_size) {
        LedgerFileLines *lines = file->lines;

        for (;;) {
                char *start = lines->data + lines->start;
                size_t size = lines->end - lines->start;
                const char *end = memchr(start, '\n', size);
                int r;

                if (end) {
                        *ret_index = file->next;
                        *ret_text = start;
                        *ret_size = (size_t)(end - start);
                        lines->start += *ret_size + 1;
                        return 1;
                }
                if (size > CANONICAL_MAX)
                        return bad(file, "is too long");
                r = fill(lines);
                if (r < 0 || (r == 0 && size == 0))
                        return r;
                if (r == 0)
                        return bad(file, "is cut short: its line does not end");
        }
}

int ledger_file_next(LedgerFile *file, uint64_t *ret_index, const char **ret_text, size_t *ret_size) {
        const char *text = NULL;
        uint64_t index = 0;
        size_t size = 0;
        int r;

        r = file->db ? next_row(file, &index, &text, &size) : next_line(file, &index, &text, &size);
        if (r <= 0)
                return r;
        if (size > CANONICAL_MAX)
                return bad(file, "is too long");
        /* Entries are escaped: a control character, NUL or high byte is not ours. */
        for (size_t i = 0; i < size; i++)
                if (text[i] < 0x20 || text[i] > 0x7e)
                        return bad(file, "holds bytes that no entry has");
        file->next++;
        *ret_index = index;
        *ret_text = text;
        *ret_size = size;
        return 1;
}
