/*
 * file.c - reading whole files, and writing them so that nobody ever sees
 * half of one.
 *
 * DESIGN. A writer creates "TARGET.XXXXXXXX.tmp" with a random part, so that
 * a file left behind by a crash is never in the way, and opens it with the
 * permissions of the file it will replace, or those of the umask. Commit is
 * flush, fsync, close, rename, fsync of the folder, in this order: the name
 * changes only after the bytes are on the disk. A writer whose write failed
 * has given up already: it has removed its file, and commit fails.
 *
 * A target that is not a regular file (/dev/null, a folder) is refused, for a
 * rename would replace the device itself.
 *
 * The whole-file readers take regular files only. They open without blocking,
 * because opening a pipe that nobody writes would wait for ever.
 */
#include "runtime/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/memory.h"

enum {
    WRITE_BUFFER_BYTES = 256 * 1024,
    TEMPORARY_TRIES = 16,
    FIRST_READ_BYTES = 4096
};

/* SY_NOT_FOUND or SY_IO, by the error number of an open or a stat. */
static enum sy_status status_of(int errno_value)
{
    return errno_value == ENOENT || errno_value == ENOTDIR ? SY_NOT_FOUND
                                                           : SY_IO;
}

/* Opens a regular file for reading and tells its length. */
static enum sy_status open_regular(int *out, size_t *bytes, const char *path,
                                   struct sy_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return sy_fail_errno(err, status_of(errno), errno, "%s: cannot open",
                             path);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a regular file, found %s", path,
                       S_ISDIR(info.st_mode) ? "a folder" : "something else");
    }
    *out = fd;
    *bytes = (size_t)info.st_size;
    return SY_OK;
}

enum sy_status sy_map_open(struct sy_map *map, const char *path,
                           struct sy_error *err)
{
    static const uint8_t nothing[1];
    int fd;
    size_t bytes;
    SY_TRY(open_regular(&fd, &bytes, path, err));
    if (bytes == 0) {
        close(fd);
        *map = (struct sy_map){.data = nothing};
        return SY_OK;
    }
    void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    int failure = errno;
    close(fd);
    if (data == MAP_FAILED) {
        return sy_fail_errno(err, failure == ENOMEM ? SY_NO_MEMORY : SY_IO,
                             failure, "%s: cannot map %zu bytes", path, bytes);
    }
    *map = (struct sy_map){.data = data, .bytes = bytes};
    return SY_OK;
}

void sy_map_close(struct sy_map *map)
{
    if (map->bytes > 0) {
        union {
            const uint8_t *data;
            void *address;
        } mapped = {.data = map->data};
        munmap(mapped.address, map->bytes);
    }
    *map = (struct sy_map){0};
}

/* The bytes of a growing text, with room for the NUL. */
struct reading {
    char *data;
    size_t used;
    size_t capacity;
};

/*
 * Reads to the end of the file. The length is a hint only: the file may grow,
 * and those of /proc have none.
 */
static enum sy_status read_all(struct reading *in, int fd, size_t max_bytes,
                               const char *path, struct sy_error *err)
{
    for (;;) {
        if (in->used > max_bytes) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected at most %zu bytes, found more", path,
                           max_bytes);
        }
        if (in->used == in->capacity) {
            size_t capacity = in->capacity * 2;
            char *data = sy_realloc(in->data, capacity + 1);
            if (data == NULL) {
                return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it",
                               path);
            }
            in->data = data;
            in->capacity = capacity;
        }
        ssize_t got = read(fd, in->data + in->used, in->capacity - in->used);
        if (got == 0) {
            return SY_OK;
        }
        if (got > 0) {
            in->used += (size_t)got;
        } else if (errno != EINTR) {
            return sy_fail_errno(err, SY_IO, errno, "%s: cannot read", path);
        }
    }
}

enum sy_status sy_file_read(const char *path, size_t max_bytes, char **data,
                            size_t *bytes, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct reading in = {0};
    int fd;
    size_t length;
    SY_TRY(open_regular(&fd, &length, path, err));
    if (length > max_bytes) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "%s: expected at most %zu bytes, found %zu", path,
                         max_bytes, length);
        goto out;
    }
    /* One byte more than the length, so that the end is seen at once. */
    in.capacity = length > 0 ? length + 1 : FIRST_READ_BYTES;
    in.data = sy_alloc(in.capacity + 1);
    if (in.data == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory to read %zu bytes",
                         path, length);
        goto out;
    }
    SY_TRY_OUT(read_all(&in, fd, max_bytes, path, err));
    in.data[in.used] = '\0';
    *data = in.data;
    *bytes = in.used;
    in.data = NULL;
out:
    sy_free(in.data);
    close(fd);
    return status;
}

/* Creates a temporary file beside the target and opens it. */
static enum sy_status make_temporary(struct sy_writer *writer, mode_t mode,
                                     struct sy_error *err)
{
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        uint32_t part;
        if (getrandom(&part, sizeof part, 0) != (ssize_t)sizeof part) {
            continue;
        }
        int bytes = snprintf(writer->temporary, sizeof writer->temporary,
                             "%s.%08x.tmp", writer->path, part);
        if (bytes >= SY_PATH_BYTES) {
            errno = ENAMETOOLONG;
            break;
        }
        writer->fd = open(writer->temporary,
                          O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (writer->fd >= 0) {
            return SY_OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return sy_fail_errno(err, status_of(errno), errno,
                         "%s: cannot create a file beside it", writer->path);
}

enum sy_status sy_writer_open(struct sy_writer *writer, const char *path,
                              struct sy_error *err)
{
    struct stat info;
    size_t length = strlen(path);
    *writer = (struct sy_writer){.fd = -1};
    if (length == 0 || length >= sizeof writer->path) {
        return sy_fail(err, SY_BAD_INPUT,
                       "a path of %zu bytes: expected 1 to %d", length,
                       SY_PATH_BYTES - 1);
    }
    memcpy(writer->path, path, length + 1);
    bool exists = stat(path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: is not a regular file and cannot be replaced",
                       path);
    }
    char *buffer = sy_alloc(WRITE_BUFFER_BYTES);
    if (buffer == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to write it", path);
    }
    enum sy_status status =
        make_temporary(writer, exists ? info.st_mode & 0777 : 0666, err);
    if (status != SY_OK) {
        sy_free(buffer);
        return status;
    }
    writer->buffer = buffer;
    return SY_OK;
}

/* Writes bytes to the temporary file, whatever the kernel takes at a time. */
static enum sy_status write_out(struct sy_writer *writer, const char *data,
                                size_t bytes, struct sy_error *err)
{
    while (bytes > 0) {
        ssize_t put = write(writer->fd, data, bytes);
        if (put >= 0) {
            data += put;
            bytes -= (size_t)put;
        } else if (errno != EINTR) {
            return sy_fail_errno(err, SY_IO, errno, "%s: cannot write",
                                 writer->path);
        }
    }
    return SY_OK;
}

/* Writes out what the buffer holds. */
static enum sy_status flush(struct sy_writer *writer, struct sy_error *err)
{
    size_t bytes = writer->used;
    writer->used = 0;
    return write_out(writer, writer->buffer, bytes, err);
}

/* The refusal to go on with a writer that has failed or is closed. */
static enum sy_status refuse_closed(const struct sy_writer *writer,
                                    struct sy_error *err)
{
    return sy_fail(err, SY_IO, "%s: the writer is closed or has failed",
                   writer->path);
}

enum sy_status sy_writer_write(struct sy_writer *writer, const void *data,
                               size_t bytes, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    if (writer->buffer == NULL) {
        return refuse_closed(writer, err);
    }
    if (bytes > WRITE_BUFFER_BYTES - writer->used) {
        status = flush(writer, err);
    }
    if (status == SY_OK && bytes > WRITE_BUFFER_BYTES) {
        status = write_out(writer, data, bytes, err);
    } else if (status == SY_OK && bytes > 0) {
        memcpy(writer->buffer + writer->used, data, bytes);
        writer->used += bytes;
    }
    if (status != SY_OK) {
        sy_writer_abort(writer);
    }
    return status;
}

enum sy_status sy_dir_sync(const char *path, struct sy_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failure = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    /* Some file systems have no sync of folders and say EINVAL; one may also
     * write in a folder that one may not read. Neither is a failed write. */
    if (failure != 0 && failure != EINVAL && failure != EACCES) {
        return sy_fail_errno(err, SY_IO, failure, "%s: cannot sync", path);
    }
    return SY_OK;
}

/* Makes a rename in the folder of `path` survive a crash. */
static enum sy_status sync_folder(const char *path, struct sy_error *err)
{
    char folder[SY_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;
    if (slash == NULL) {
        memcpy(folder, ".", sizeof ".");
    } else if (length == 0) {
        memcpy(folder, "/", sizeof "/");
    } else {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    return sy_dir_sync(folder, err);
}

enum sy_status sy_writer_commit(struct sy_writer *writer, struct sy_error *err)
{
    enum sy_status status;
    if (writer->buffer == NULL) {
        return refuse_closed(writer, err);
    }
    SY_TRY_OUT(flush(writer, err));
    if (fsync(writer->fd) != 0) {
        status =
            sy_fail_errno(err, SY_IO, errno, "%s: cannot sync", writer->path);
        goto out;
    }
    int closed = close(writer->fd);
    writer->fd = -1;
    if (closed != 0 || rename(writer->temporary, writer->path) != 0) {
        status = sy_fail_errno(err, SY_IO, errno, "%s: cannot replace",
                               writer->path);
        goto out;
    }
    writer->temporary[0] = '\0';
    status = sync_folder(writer->path, err);
out:
    sy_writer_abort(writer);
    return status;
}

void sy_writer_abort(struct sy_writer *writer)
{
    /* The buffer tells an open writer from a closed or a zeroed one. */
    if (writer->buffer == NULL) {
        return;
    }
    int saved_errno = errno;
    if (writer->fd >= 0) {
        close(writer->fd);
    }
    if (writer->temporary[0] != '\0') {
        unlink(writer->temporary);
    }
    sy_free(writer->buffer);
    writer->fd = -1;
    writer->buffer = NULL;
    writer->used = 0;
    writer->temporary[0] = '\0';
    errno = saved_errno;
}

enum sy_status sy_file_write(const char *path, const void *data, size_t bytes,
                             struct sy_error *err)
{
    struct sy_writer writer;
    SY_TRY(sy_writer_open(&writer, path, err));
    SY_TRY(sy_writer_write(&writer, data, bytes, err));
    return sy_writer_commit(&writer, err);
}

enum sy_status sy_dir_make(const char *path, struct sy_error *err)
{
    char part[SY_PATH_BYTES];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part) {
        return sy_fail(err, SY_BAD_INPUT,
                       "a path of %zu bytes: expected 1 to %d", length,
                       SY_PATH_BYTES - 1);
    }
    for (size_t end = 1; end <= length; end++) {
        if (path[end] != '/' && path[end] != '\0') {
            continue;
        }
        memcpy(part, path, end);
        part[end] = '\0';
        if (mkdir(part, 0777) == 0 || sy_dir_exists(part)) {
            continue;
        }
        if (errno == EEXIST || errno == ENOTDIR) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected a folder, found a file", part);
        }
        return sy_fail_errno(err, SY_IO, errno, "%s: cannot make the folder",
                             part);
    }
    return SY_OK;
}

bool sy_dir_exists(const char *path)
{
    int saved_errno = errno;
    struct stat info;
    bool found = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    errno = saved_errno;
    return found;
}

bool sy_file_exists(const char *path)
{
    int saved_errno = errno;
    struct stat info;
    bool found = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    errno = saved_errno;
    return found;
}

enum sy_status sy_path_join(char *out, size_t bytes, const char *folder,
                            const char *name, struct sy_error *err)
{
    size_t folder_bytes = strlen(folder);
    size_t name_bytes = strlen(name);
    bool slash = folder_bytes > 0 && folder[folder_bytes - 1] != '/';
    size_t needed = folder_bytes + slash + name_bytes + 1;
    if (needed > bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s/%s: a path of %zu bytes, expected at most %zu",
                       folder, name, needed - 1, bytes - (bytes > 0));
    }
    /* `folder` may be `out` itself. */
    memmove(out, folder, folder_bytes);
    if (slash) {
        out[folder_bytes++] = '/';
    }
    memcpy(out + folder_bytes, name, name_bytes + 1);
    return SY_OK;
}

/* The entries of a folder, in an arena; the table grows by doubling. */
struct entry {
    const char *name;
    bool is_dir;
};

struct entries {
    struct sy_arena arena;
    struct entry *list;
    size_t count;
    size_t capacity;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name,
                  ((const struct entry *)b)->name);
}

/* Adds one entry; false when there is no memory. */
static bool add_entry(struct entries *entries, int folder,
                      const struct dirent *found)
{
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity > 0 ? entries->capacity * 2 : 64;
        struct entry *list = sy_realloc(entries->list, capacity * sizeof *list);
        if (list == NULL) {
            return false;
        }
        entries->list = list;
        entries->capacity = capacity;
    }
    bool is_dir = found->d_type == DT_DIR;
    if (found->d_type == DT_UNKNOWN || found->d_type == DT_LNK) {
        struct stat info;
        is_dir = fstatat(folder, found->d_name, &info, 0) == 0 &&
                 S_ISDIR(info.st_mode);
    }
    char *name = sy_arena_strdup(&entries->arena, found->d_name);
    if (name == NULL) {
        return false;
    }
    entries->list[entries->count++] = (struct entry){name, is_dir};
    return true;
}

/* Reads all entries of an open folder but "." and "..". */
static enum sy_status collect(struct entries *entries, DIR *folder,
                              const char *path, struct sy_error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *found = readdir(folder);
        if (found == NULL) {
            return errno == 0 ? SY_OK
                              : sy_fail_errno(err, SY_IO, errno,
                                              "%s: cannot read", path);
        }
        bool self =
            strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0;
        if (!self && !add_entry(entries, dirfd(folder), found)) {
            return sy_fail(err, SY_NO_MEMORY, "%s: no memory to list it", path);
        }
    }
}

enum sy_status sy_dir_list(const char *path, sy_dir_fn fn, void *context,
                           struct sy_error *err)
{
    enum sy_status status;
    struct entries entries = {0};
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return sy_fail_errno(err, status_of(errno), errno, "%s: cannot list",
                             path);
    }
    sy_arena_init(&entries.arena, 0);
    SY_TRY_OUT(collect(&entries, folder, path, err));
    if (entries.count > 0) {
        qsort(entries.list, entries.count, sizeof *entries.list, by_name);
    }
    for (size_t i = 0; i < entries.count; i++) {
        SY_TRY_OUT(
            fn(context, entries.list[i].name, entries.list[i].is_dir, err));
    }
out:
    closedir(folder);
    sy_free(entries.list);
    sy_arena_release(&entries.arena);
    return status;
}
