/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that appear together. All names are relative to one open folder, so that nobody can move it away
 * in between.
 */
#include "cli/file_set.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "common/crypto.h"

enum { FILES_MAX = 4 };

typedef struct SetFile {
        char *name, *temporary;
        int fd;
        bool published;
} SetFile;

struct FileSet {
        char *folder, *base, *temporary_path;
        int folder_fd;
        bool force, complete;
        SetFile files[FILES_MAX];
        size_t n_files;
        sigset_t old_signals;
};

static const int interrupting[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { N_INTERRUPTING = sizeof(interrupting) / sizeof(interrupting[0]) };

bool file_set_interrupted(void) {
        sigset_t pending;

        if (sigpending(&pending) < 0)
                return false;
        for (size_t i = 0; i < N_INTERRUPTING; i++)
                if (sigismember(&pending, interrupting[i]) == 1)
                        return true;
        return false;
}

static void hold_signals(FileSet *set) {
        sigset_t signals;

        (void)sigemptyset(&signals);
        for (size_t i = 0; i < N_INTERRUPTING; i++)
                (void)sigaddset(&signals, interrupting[i]);
        (void)sigprocmask(SIG_BLOCK, &signals, &set->old_signals);
}

/* sha256sum(1) writes a name with these in another notation, and a person cannot read them. */
static bool is_plain(const char *name) {
        for (const char *c = name; *c; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\')
                        return false;
        return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int file_set_new(const char *path, bool force, FileSet **ret_set) {
        const char *slash = strrchr(path, '/');
        _cleanup_file_set_ FileSet *set = calloc(1, sizeof(*set));

        if (!set)
                return -ENOMEM;
        set->force = force;
        set->folder_fd = -1;
        hold_signals(set);
        set->folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
        set->base = strdup(slash ? slash + 1 : path);
        if (!set->folder || !set->base)
                return -ENOMEM;
        if (!is_plain(set->base))
                return -EINVAL;
        set->folder_fd = open(set->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (set->folder_fd < 0)
                return -errno;
        *ret_set = STEAL_PTR(set);
        return 0;
}

FileSet *file_set_free(FileSet *set) {
        if (!set)
                return NULL;
        for (size_t i = 0; i < set->n_files; i++) {
                SetFile *file = &set->files[i];

                if (!file->published)
                        (void)unlinkat(set->folder_fd, file->temporary, 0);
                else if (!set->complete)
                        (void)unlinkat(set->folder_fd, file->name, 0);
                (void)close(file->fd);
                free(file->name);
                free(file->temporary);
        }
        if (set->folder_fd >= 0)
                (void)close(set->folder_fd);
        free(set->folder);
        free(set->base);
        free(set->temporary_path);
        (void)sigprocmask(SIG_SETMASK, &set->old_signals, NULL);
        free(set);
        return NULL;
}

const char *file_set_name(const FileSet *set) {
        return set->base;
}

const char *file_set_temporary_path(const FileSet *set) {
        return set->temporary_path;
}

static int create(FileSet *set, SetFile *file) {
        uint32_t random;

        crypto_random(&random, sizeof(random));
        if (asprintf(&file->temporary, ".%.200s.%08" PRIx32, file->name, random) < 0)
                return -ENOMEM;
        if (!set->temporary_path && asprintf(&set->temporary_path, "%s/%s", set->folder, file->temporary) < 0)
                return -ENOMEM;
        file->fd = openat(set->folder_fd, file->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          0600);
        return file->fd < 0 ? -errno : 0;
}

int file_set_add(FileSet *set, const char *suffix, int *ret_fd) {
        SetFile file = {.fd = -1};
        int r;

        if (set->n_files == FILES_MAX)
                return -ENOBUFS;
        if (asprintf(&file.name, "%s%s", set->base, suffix) < 0)
                return -ENOMEM;
        /* Only so that the answer comes early: file_set_publish() asks again, atomically. */
        if (!set->force && faccessat(set->folder_fd, file.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                r = -EEXIST;
        else
                r = create(set, &file);
        if (r < 0) {
                free(file.name);
                free(file.temporary);
                return r;
        }
        set->files[set->n_files++] = file;
        *ret_fd = file.fd;
        return 0;
}

static int publish_one(const FileSet *set, const SetFile *file) {
        int fd = set->folder_fd;

        if (renameat2(fd, file->temporary, fd, file->name, set->force ? 0 : RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        /* This file system has no such rename (NFS): a link does not replace either. */
        if (set->force ? renameat(fd, file->temporary, fd, file->name)
                       : linkat(fd, file->temporary, fd, file->name, 0))
                return -errno;
        if (!set->force)
                (void)unlinkat(fd, file->temporary, 0);
        return 0;
}

int file_set_publish(FileSet *set) {
        int r;

        for (size_t i = 0; i < set->n_files; i++)
                if (fsync(set->files[i].fd) < 0)
                        return -errno;
        if (file_set_interrupted())
                return -EINTR;
        for (size_t i = set->n_files; i-- > 0;) {
                r = publish_one(set, &set->files[i]);
                if (r < 0)
                        return r;
                set->files[i].published = true;
        }
        set->complete = true;
        return fsync(set->folder_fd) < 0 ? -errno : 0;
}

int file_set_write(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}
