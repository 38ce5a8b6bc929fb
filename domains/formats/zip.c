/*
 * zip.c - members of a zip archive in memory. The only file that includes
 * zip.h of libzip.
 *
 * DESIGN. The archive is a buffer, never a path: the caller has it mapped and
 * the fuzz target has no files. Sizes in a zip are promises of the archive,
 * so they are held against the archive itself and against what deflate can do
 * at best (1032 to 1) before memory is taken. libzip checks the CRC when a
 * member is read to its end, hence the read of one byte more than it has.
 */
#include <string.h>

#include <zip.h>

#include "domains/formats/zip.h"
#include "runtime/base/memory.h"

enum { MAX_RATIO = 1032 };

static const uint64_t max_bytes = (uint64_t)4 << 30;

struct dom_zip {
    zip_t *archive;
    size_t bytes;
    const char *name;
};

enum sy_status dom_zip_open(struct dom_zip **zip, const uint8_t *data,
                            size_t bytes, const char *name,
                            struct sy_error *err)
{
    zip_error_t why;
    if (bytes == 0) { /* to libzip an archive without members */
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a zip archive (NPZ), found no bytes",
                       name);
    }
    zip_error_init(&why);
    struct dom_zip *made = sy_alloc_zero(1, sizeof(*made));
    zip_source_t *source = zip_source_buffer_create(data, bytes, 0, &why);
    enum sy_status status = SY_OK;
    if (made == NULL || source == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory", name);
        goto out;
    }
    made->name = name;
    made->bytes = bytes;
    made->archive = zip_open_from_source(source, ZIP_RDONLY, &why);
    if (made->archive == NULL) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "%s: expected a zip archive (NPZ), found damage: "
                         "%s; replace the file",
                         name, zip_error_strerror(&why));
        goto out;
    }
    source = NULL; /* the archive has it now */
    *zip = made;
    made = NULL;
out:
    zip_source_free(source);
    sy_free(made);
    zip_error_fini(&why);
    return status;
}

void dom_zip_close(struct dom_zip *zip)
{
    if (zip != NULL) {
        zip_discard(zip->archive);
        sy_free(zip);
    }
}

bool dom_zip_has(const struct dom_zip *zip, const char *member)
{
    return zip_name_locate(zip->archive, member, 0) >= 0;
}

/* The member's size, if it can be true. */
static enum sy_status judge_size(const struct dom_zip *zip, const char *member,
                                 const zip_stat_t *stat, struct sy_error *err)
{
    zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if ((stat->valid & need) != need) {
        return sy_fail(err, SY_BAD_INPUT, "%s: %s: expected a size, found none",
                       zip->name, member);
    }
    if (stat->comp_size > zip->bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected at most the archive's %zu bytes, "
                       "found a compressed size of %llu",
                       zip->name, member, zip->bytes,
                       (unsigned long long)stat->comp_size);
    }
    if (stat->size > max_bytes || stat->size / MAX_RATIO > stat->comp_size) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected at most 4 GiB and no more than %d "
                       "times its %llu compressed bytes, found %llu",
                       zip->name, member, MAX_RATIO,
                       (unsigned long long)stat->comp_size,
                       (unsigned long long)stat->size);
    }
    return SY_OK;
}

/* Reads exactly `bytes`, and finds the end after them. */
static enum sy_status read_all(const struct dom_zip *zip, const char *member,
                               zip_file_t *file, uint8_t *block, size_t bytes,
                               struct sy_error *err)
{
    size_t done = 0;
    while (done < bytes) {
        zip_int64_t got = zip_fread(file, block + done, bytes - done);
        if (got <= 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: %s: expected %zu bytes, found damage after "
                           "%zu: %s; replace the file",
                           zip->name, member, bytes, done,
                           got < 0 ? zip_file_strerror(file) : "it ends");
        }
        done += (size_t)got;
    }
    uint8_t extra;
    zip_int64_t got = zip_fread(file, &extra, 1);
    if (got != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected the end after %zu bytes, found %s; "
                       "replace the file",
                       zip->name, member, bytes,
                       got < 0 ? zip_file_strerror(file) : "more");
    }
    return SY_OK;
}

enum sy_status dom_zip_read(struct dom_zip *zip, const char *member,
                            uint8_t **data, size_t *bytes, struct sy_error *err)
{
    zip_stat_t stat;
    zip_stat_init(&stat);
    uint8_t *block = NULL;
    enum sy_status status = SY_OK;
    zip_file_t *file = zip_fopen(zip->archive, member, 0);
    if (file == NULL || zip_stat(zip->archive, member, 0, &stat) != 0) {
        status = sy_fail(err, SY_BAD_INPUT, "%s: %s: cannot read it: %s",
                         zip->name, member, zip_strerror(zip->archive));
        goto out;
    }
    SY_TRY_OUT(judge_size(zip, member, &stat, err));
    block = sy_alloc((size_t)stat.size);
    if (block == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: %s: no memory for %llu bytes",
                         zip->name, member, (unsigned long long)stat.size);
        goto out;
    }
    SY_TRY_OUT(read_all(zip, member, file, block, (size_t)stat.size, err));
    *data = block;
    *bytes = (size_t)stat.size;
    block = NULL;
out:
    if (file != NULL) {
        (void)zip_fclose(file);
    }
    sy_free(block);
    return status;
}
