/*
 * file.h - reading whole files, and writing them so that nobody ever sees
 * half of one.
 *
 * Writing goes to a temporary name in the same folder, is synced, then
 * renamed over the target, then the folder is synced. After a crash or a
 * full disk at any point the target holds the old bytes or the new ones, and
 * the temporary file is removed where the process lives to do it.
 *
 * Thread: any.
 */
#ifndef SY_BASE_FILE_H
#define SY_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { SY_PATH_BYTES = 4096 };

/* A read-only view of a file; the bytes live until sy_map_close. */
struct sy_map {
    const uint8_t *data;
    size_t bytes;
};

/*
 * Maps a regular file. An empty file gives data != NULL and bytes 0.
 * Errors: SY_NOT_FOUND, SY_IO, SY_BAD_INPUT (not a regular file).
 */
enum sy_status sy_map_open(struct sy_map *map, const char *path,
                           struct sy_error *err) SY_MUST_USE;
void sy_map_close(struct sy_map *map);

/*
 * Reads a whole file of at most `max_bytes` into an owned block (sy_free)
 * that ends with a NUL which `bytes` does not count.
 */
enum sy_status sy_file_read(const char *path, size_t max_bytes, char **data,
                            size_t *bytes, struct sy_error *err) SY_MUST_USE;

/* An atomic write in progress. Private fields. */
struct sy_writer {
    int fd;
    char *buffer;
    size_t used;
    char path[SY_PATH_BYTES];
    char temporary[SY_PATH_BYTES];
};

/* Creates the temporary file beside `path`. */
enum sy_status sy_writer_open(struct sy_writer *writer, const char *path,
                              struct sy_error *err) SY_MUST_USE;

enum sy_status sy_writer_write(struct sy_writer *writer, const void *data,
                               size_t bytes, struct sy_error *err) SY_MUST_USE;

/* Flushes, syncs and renames. The writer is closed whatever happens. */
enum sy_status sy_writer_commit(struct sy_writer *writer,
                                struct sy_error *err) SY_MUST_USE;

/* Removes the temporary file. Legal after commit, where it does nothing. */
void sy_writer_abort(struct sy_writer *writer);

/* The three above in one call. */
enum sy_status sy_file_write(const char *path, const void *data, size_t bytes,
                             struct sy_error *err) SY_MUST_USE;

/* Makes a folder and its parents; one that stands already is no error. */
enum sy_status sy_dir_make(const char *path, struct sy_error *err) SY_MUST_USE;

/*
 * Makes what was renamed or made in a folder survive a crash. File systems
 * without such a sync, and folders that may not be read, are no failure.
 */
enum sy_status sy_dir_sync(const char *path, struct sy_error *err) SY_MUST_USE;

/* True for an existing folder / regular file. */
bool sy_dir_exists(const char *path);
bool sy_file_exists(const char *path);

/*
 * Joins folder and name with one '/'; fails with SY_BAD_INPUT when the result
 * does not fit into `bytes`.
 */
enum sy_status sy_path_join(char *out, size_t bytes, const char *folder,
                            const char *name, struct sy_error *err) SY_MUST_USE;

/* Called for each entry ("." and ".." left out), in order of name. */
typedef enum sy_status (*sy_dir_fn)(void *context, const char *name,
                                    bool is_dir, struct sy_error *err);
enum sy_status sy_dir_list(const char *path, sy_dir_fn fn, void *context,
                           struct sy_error *err) SY_MUST_USE;

#endif
