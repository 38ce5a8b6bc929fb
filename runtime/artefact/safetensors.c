/*
 * safetensors.c - the safetensors file format.
 *
 * DESIGN. The header is parsed as JSON and then believed in nothing: each
 * tensor's range must have the size that its shape gives, and sorted by their
 * offsets the ranges must cover the data from the first byte to the last, one
 * behind the other. So no byte of the file is without meaning and no two
 * tensors share one. Entries point into the mapped file and into the parsed
 * header, which live as long as the file is open.
 *
 * Source: huggingface/safetensors, "Format".
 */
#include "runtime/artefact/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

enum { LENGTH_BYTES = 8, HEADER_ALIGN = 64, MAX_NAME_BYTES = 200 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are read and written in place");

static const char metadata_key[] = "__metadata__";

struct sy_st_file {
    struct sy_map map; /* empty where the bytes are borrowed */
    json_t *header;
    int count;
    struct sy_st_entry *entry;          /* in order of their data */
    const struct sy_st_entry **by_name; /* the same, sorted */
};

/* The file while it is read. */
struct reading {
    struct sy_st_file *file;
    const char *name;
    const uint8_t *data; /* behind the header */
    size_t bytes;
    bool mixed; /* U8 is legal */
    struct sy_error *err;
};

static const uint8_t *begin_of(const struct sy_st_entry *entry)
{
    return entry->u8 != NULL ? entry->u8
                             : (const uint8_t *)(const void *)entry->data;
}

static size_t width_of(const struct sy_st_entry *entry)
{
    return entry->u8 != NULL ? 1 : sizeof(float);
}

static int compare_names(const void *a, const void *b)
{
    const struct sy_st_entry *const *x = a;
    const struct sy_st_entry *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* By place; of two at the same place the empty one is first. */
static int compare_places(const void *a, const void *b)
{
    const struct sy_st_entry *x = a;
    const struct sy_st_entry *y = b;
    if (begin_of(x) != begin_of(y)) {
        return begin_of(x) < begin_of(y) ? -1 : 1;
    }
    return (x->count > y->count) - (x->count < y->count);
}

/* Names go into messages: they are short and hold no control characters. */
static bool name_fits(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == '\x7f') {
            return false;
        }
    }
    return length > 0 && length <= MAX_NAME_BYTES;
}

/* Reads the shape; a count that overflows is refused. */
static void read_shape(struct sy_json *in, struct sy_st_entry *entry)
{
    json_t *shape = sy_json_array(in, "shape", 0, SY_ST_MAX_DIMS);
    entry->dims = (int)json_array_size(shape);
    entry->count = 1;
    for (int d = 0; d < entry->dims; d++) {
        json_t *side = json_array_get(shape, (size_t)d);
        if (!json_is_integer(side) || json_integer_value(side) < 0) {
            sy_json_reject(in, "shape",
                           "[%d]: expected a whole number, 0 or "
                           "more",
                           d);
            return;
        }
        entry->dim[d] = json_integer_value(side);
        if (__builtin_mul_overflow(entry->count, (size_t)entry->dim[d],
                                   &entry->count)) {
            sy_json_reject(in, "shape", "the product overflows");
            return;
        }
    }
}

/* Reads the place of the data and checks it against the shape. */
static void read_offsets(const struct reading *file, struct sy_json *in,
                         size_t width, struct sy_st_entry *entry)
{
    json_t *offsets = sy_json_array(in, "data_offsets", 2, 2);
    json_t *first = json_array_get(offsets, 0);
    json_t *last = json_array_get(offsets, 1);
    size_t wanted;
    if (in->status != SY_OK) {
        return;
    }
    int64_t begin = json_is_integer(first) ? json_integer_value(first) : -1;
    int64_t end = json_is_integer(last) ? json_integer_value(last) : -1;
    if (begin < 0 || end < begin || (uint64_t)end > file->bytes) {
        sy_json_reject(in, "data_offsets",
                       "expected two offsets in order, within the %zu bytes of "
                       "data",
                       file->bytes);
        return;
    }
    if (__builtin_mul_overflow(entry->count, width, &wanted) ||
        (uint64_t)(end - begin) != wanted) {
        sy_json_reject(in, "data_offsets",
                       "expected %zu values of %zu bytes (its shape), found "
                       "%" PRId64 " bytes",
                       entry->count, width, end - begin);
        return;
    }
    if (begin % (int64_t)width != 0) {
        sy_json_reject(in, "data_offsets",
                       "expected multiples of 4, found "
                       "%" PRId64,
                       begin);
        return;
    }
    if (width == 1) {
        entry->u8 = file->data + begin;
    } else {
        entry->data = (const float *)(const void *)(file->data + begin);
    }
}

static enum sy_status read_entry(const struct reading *file, const char *name,
                                 json_t *json, struct sy_st_entry *entry)
{
    char dtype[16] = "";
    if (!name_fits(name)) {
        return sy_fail(file->err, SY_BAD_INPUT,
                       "%s: expected tensor names of 1 to %d bytes without "
                       "control characters",
                       file->name, MAX_NAME_BYTES);
    }
    struct sy_json in = sy_json_object(json, file->name, name, file->err);
    entry->name = name;
    sy_json_text(&in, "dtype", dtype, sizeof dtype);
    bool bytes = file->mixed && strcmp(dtype, "U8") == 0;
    if (in.status == SY_OK && !bytes && strcmp(dtype, "F32") != 0) {
        sy_json_reject(&in, "dtype",
                       file->mixed ? "expected \"F32\" or \"U8\""
                                   : "expected \"F32\", the only one here");
    }
    read_shape(&in, entry);
    read_offsets(file, &in, bytes ? 1 : sizeof(float), entry);
    return sy_json_end(&in);
}

/* Every value under "__metadata__" must be a text. */
static enum sy_status check_metadata(const struct reading *file)
{
    const char *key;
    json_t *value;
    json_t *metadata = json_object_get(file->file->header, metadata_key);
    if (metadata == NULL) {
        return SY_OK;
    }
    struct sy_json in =
        sy_json_object(metadata, file->name, metadata_key, file->err);
    json_object_foreach(in.object, key, value)
    {
        if (!json_is_string(value)) {
            sy_json_reject(&in, key, "expected a text");
        }
    }
    return in.status;
}

/* Checks that the sorted entries cover the data without gap or overlap. */
static enum sy_status check_cover(const struct reading *file)
{
    const uint8_t *at = file->data;
    for (int i = 0; i < file->file->count; i++) {
        const struct sy_st_entry *entry = &file->file->entry[i];
        const uint8_t *begin = begin_of(entry);
        if (begin != at) {
            return sy_fail(file->err, SY_BAD_INPUT,
                           "%s: %s.data_offsets: expected %zu (%s), found %zu",
                           file->name, entry->name, (size_t)(at - file->data),
                           begin < at ? "it overlaps another tensor"
                                      : "there is a gap before it",
                           (size_t)(begin - file->data));
        }
        at += entry->count * width_of(entry);
    }
    size_t covered = (size_t)(at - file->data);
    if (covered != file->bytes) {
        return sy_fail(file->err, SY_BAD_INPUT,
                       "%s: expected %zu bytes of data, found %zu", file->name,
                       covered, file->bytes);
    }
    return SY_OK;
}

static enum sy_status read_entries(const struct reading *in)
{
    const char *name;
    json_t *value;
    struct sy_st_file *file = in->file;
    if (!json_is_object(file->header)) {
        return sy_fail(in->err, SY_BAD_INPUT, "%s: header: expected an object",
                       in->name);
    }
    SY_TRY(check_metadata(in));
    size_t count = json_object_size(file->header);
    file->entry = sy_alloc_zero(count, sizeof *file->entry);
    file->by_name = sy_alloc_zero(count, sizeof(struct sy_st_entry *));
    if (file->entry == NULL || file->by_name == NULL) {
        return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory to read it",
                       in->name);
    }
    json_object_foreach(file->header, name, value)
    {
        if (strcmp(name, metadata_key) != 0) {
            SY_TRY(read_entry(in, name, value, &file->entry[file->count++]));
        }
    }
    if (file->count > 0) {
        qsort(file->entry, (size_t)file->count, sizeof *file->entry,
              compare_places);
    }
    for (int i = 0; i < file->count; i++) {
        file->by_name[i] = &file->entry[i];
    }
    if (file->count > 0) {
        qsort(file->by_name, (size_t)file->count, sizeof(struct sy_st_entry *),
              compare_names);
    }
    return check_cover(in);
}

/* Finds header and data in the bytes of a file. */
static enum sy_status find_header(const uint8_t *data, size_t bytes,
                                  const char *name, size_t *header_bytes,
                                  struct sy_error *err)
{
    uint64_t length = 0;
    if (bytes < LENGTH_BYTES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a safetensors file, found %zu bytes", name,
                       bytes);
    }
    memcpy(&length, data, sizeof length);
    if (length > SY_ST_MAX_HEADER_BYTES || length > bytes - LENGTH_BYTES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header length: expected at most %zu, found "
                       "%" PRIu64,
                       name,
                       bytes - LENGTH_BYTES < SY_ST_MAX_HEADER_BYTES
                           ? bytes - LENGTH_BYTES
                           : (size_t)SY_ST_MAX_HEADER_BYTES,
                       length);
    }
    if (length == 0 || data[LENGTH_BYTES] != '{') {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected '{' as its first byte", name);
    }
    if (length % sizeof(float) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header length: expected a multiple of 4, found "
                       "%" PRIu64,
                       name, length);
    }
    *header_bytes = (size_t)length;
    return SY_OK;
}

static enum sy_status parse(struct sy_st_file **file, const uint8_t *data,
                            size_t bytes, bool mixed, const char *name,
                            struct sy_error *err)
{
    enum sy_status status;
    size_t header_bytes = 0;
    SY_TRY(find_header(data, bytes, name, &header_bytes, err));
    SY_ASSERT((uintptr_t)data % sizeof(float) == 0);
    struct sy_st_file *read = sy_alloc_zero(1, sizeof *read);
    if (read == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", name);
    }
    struct reading in = {
        .file = read,
        .name = name,
        .data = data + LENGTH_BYTES + header_bytes,
        .bytes = bytes - LENGTH_BYTES - header_bytes,
        .mixed = mixed,
        .err = err,
    };
    SY_TRY_OUT(sy_json_parse((const char *)data + LENGTH_BYTES, header_bytes,
                             name, &read->header, err));
    SY_TRY_OUT(read_entries(&in));
    *file = read;
    read = NULL;
out:
    sy_st_close(read);
    return status;
}

enum sy_status sy_st_parse(struct sy_st_file **file, const uint8_t *data,
                           size_t bytes, const char *name, struct sy_error *err)
{
    return parse(file, data, bytes, false, name, err);
}

enum sy_status sy_st_parse_mixed(struct sy_st_file **file, const uint8_t *data,
                                 size_t bytes, const char *name,
                                 struct sy_error *err)
{
    return parse(file, data, bytes, true, name, err);
}

enum sy_status sy_st_open(struct sy_st_file **file, const char *path,
                          struct sy_error *err)
{
    struct sy_map map;
    SY_TRY(sy_map_open(&map, path, err));
    enum sy_status status = sy_st_parse(file, map.data, map.bytes, path, err);
    if (status != SY_OK) {
        sy_map_close(&map);
        return status;
    }
    (*file)->map = map;
    return SY_OK;
}

void sy_st_close(struct sy_st_file *file)
{
    if (file != NULL) {
        json_decref(file->header);
        sy_free(file->entry);
        sy_free(file->by_name);
        sy_map_close(&file->map);
        sy_free(file);
    }
}

int sy_st_count(const struct sy_st_file *file)
{
    return file->count;
}

const struct sy_st_entry *sy_st_entry_at(const struct sy_st_file *file,
                                         int index)
{
    SY_ASSERT(index >= 0 && index < file->count);
    return &file->entry[index];
}

const struct sy_st_entry *sy_st_find(const struct sy_st_file *file,
                                     const char *name)
{
    int low = 0;
    int high = file->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(file->by_name[middle]->name, name);
        if (order == 0) {
            return file->by_name[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const char *sy_st_metadata(const struct sy_st_file *file, const char *key)
{
    json_t *metadata = json_object_get(file->header, metadata_key);
    return json_string_value(json_object_get(metadata, key));
}

/* The header's entry of a tensor whose data begin at `offset`; or NULL. */
static json_t *entry_json(const struct sy_st_entry *entry, size_t offset)
{
    json_t *shape = json_array();
    for (int d = 0; shape != NULL && d < entry->dims; d++) {
        if (json_array_append_new(shape, json_integer(entry->dim[d])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    return json_pack("{s:s,s:o,s:[I,I]}", "dtype",
                     entry->u8 != NULL ? "U8" : "F32", "shape", shape,
                     "data_offsets", (json_int_t)offset,
                     (json_int_t)(offset + entry->count * width_of(entry)));
}

/* The header as text, which the caller gives back. */
static enum sy_status make_header(char **text, const char *path,
                                  const struct sy_st_entry *entries, int count,
                                  json_t *metadata, struct sy_error *err)
{
    size_t offset = 0;
    json_t *header = json_object();
    bool made = header != NULL;
    if (made && metadata != NULL) {
        made = json_object_set(header, metadata_key, metadata) == 0;
    }
    for (int i = 0; made && i < count; i++) {
        const char *name = entries[i].name;
        if (!name_fits(name) || json_object_get(header, name) != NULL) {
            json_decref(header);
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: tensor %d: its name stands twice or is not one",
                           path, i);
        }
        made = json_object_set_new(header, name,
                                   entry_json(&entries[i], offset)) == 0;
        offset += entries[i].count * width_of(&entries[i]);
    }
    char *dumped = made ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (dumped == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to write it", path);
    }
    *text = dumped;
    return SY_OK;
}

enum sy_status sy_st_save(const char *path, const struct sy_st_entry *entries,
                          int count, json_t *metadata, struct sy_error *err)
{
    static const char spaces[HEADER_ALIGN + 1] =
        "                                                                ";
    enum sy_status status = SY_OK;
    struct sy_writer writer = {.fd = -1};
    char *header = NULL;
    SY_TRY(make_header(&header, path, entries, count, metadata, err));
    size_t bytes = strlen(header);
    size_t pad =
        (HEADER_ALIGN - (LENGTH_BYTES + bytes) % HEADER_ALIGN) % HEADER_ALIGN;
    uint64_t length = bytes + pad;
    SY_TRY_OUT(sy_writer_open(&writer, path, err));
    SY_TRY_OUT(sy_writer_write(&writer, &length, sizeof length, err));
    SY_TRY_OUT(sy_writer_write(&writer, header, bytes, err));
    SY_TRY_OUT(sy_writer_write(&writer, spaces, pad, err));
    for (int i = 0; i < count; i++) {
        SY_TRY_OUT(sy_writer_write(&writer, begin_of(&entries[i]),
                                   entries[i].count * width_of(&entries[i]),
                                   err));
    }
    status = sy_writer_commit(&writer, err);
out:
    sy_writer_abort(&writer);
    sy_free(header);
    return status;
}
