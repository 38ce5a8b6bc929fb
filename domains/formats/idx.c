/*
 * idx.c - domains as IDX files, the format of MNIST.
 *
 * DESIGN. The number in a file's name (idx3) must be the number of dimensions
 * in its header, and the header must account for every byte of the file: a
 * truncated download, a file with a tail and a header with a flipped bit are
 * all found at open, before a pixel is used. Plain files stay mapped and are
 * read from disk as they are needed; gzip'd ones are inflated once, bounded
 * by what their own header promises and by 4 GiB.
 *
 * Names: train-images-idx3-ubyte or -idx4-, train-labels-idx1-ubyte; the test
 * part as test- or t10k-; each plain or with .gz. Two files for one role are
 * refused, since we cannot know which one was meant.
 *
 * Source: Y. LeCun's description at yann.lecun.com/exdb/mnist.
 */
#include "domains/formats/idx.h"

#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/formats/format.h"
#include "domains/formats/gzip.h"
#include "domains/formats/table.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { TYPE_U8 = 8, NAMES_EACH = 4 };

static const uint64_t max_bytes = (uint64_t)4 << 30;

/* What a file is for, and its possible names (without .gz). */
struct role {
    const char *what;
    bool labels;
    const char *names[NAMES_EACH + 1];
};

static const struct role image_roles[DOM_PARTS] = {
    {"training images",
     false,
     {"train-images-idx3-ubyte", "train-images-idx4-ubyte"}},
    {"test images",
     false,
     {"test-images-idx3-ubyte", "test-images-idx4-ubyte",
      "t10k-images-idx3-ubyte", "t10k-images-idx4-ubyte"}},
};

static const struct role label_roles[DOM_PARTS] = {
    {"training labels", true, {"train-labels-idx1-ubyte"}},
    {"test labels", true, {"test-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"}},
};

/* One opened file: its bytes are `map`, or `inflated` for a gzip'd one. */
struct idx_file {
    struct sy_map map;
    uint8_t *inflated;
    struct dom_idx idx;
    const uint8_t *values;
    char path[SY_PATH_BYTES];
};

struct idx_state {
    struct idx_file images[DOM_PARTS];
};

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Judges the sizes that the header gives, and multiplies them. */
static enum sy_status check_sizes(struct dom_idx *idx, const uint8_t *head,
                                  const char *name, struct sy_error *err)
{
    uint64_t bytes = 1;
    for (int d = 0; d < idx->rank; d++) {
        uint32_t size = big_endian(head + 4 + 4 * d);
        uint32_t most = d == 0 ? INT32_MAX : d == 3 ? 3 : DOM_MAX_SIDE;
        if (size < 1 || size > most || (d == 3 && size == 2)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: header: dimension %d: expected %s, found "
                           "%u; the header is damaged or the file is not an "
                           "image set",
                           name, d,
                           d == 0   ? "1 to 2147483647 entries"
                           : d == 3 ? "1 or 3 channels"
                                    : "a side of 1 to 4096 pixels",
                           size);
        }
        idx->size[d] = (int)size;
        bytes *= size;
    }
    bytes += 4 + 4 * (uint64_t)idx->rank;
    if (bytes > max_bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected at most 4 GiB (%llu bytes), "
                       "found sizes that make %llu; store such a set as "
                       "class folders",
                       name, (unsigned long long)max_bytes,
                       (unsigned long long)bytes);
    }
    idx->bytes = (size_t)bytes;
    return SY_OK;
}

enum sy_status dom_idx_header(struct dom_idx *idx, const uint8_t *head,
                              size_t found, int rank, const char *name,
                              struct sy_error *err)
{
    SY_ASSERT(rank >= 1 && rank <= DOM_IDX_MAX_RANK);
    size_t need = 4 + 4 * (size_t)rank;
    if (found < need) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected %zu bytes, found a file of %zu; "
                       "it is truncated",
                       name, need, found);
    }
    if (head[0] != 0 || head[1] != 0 || head[2] != TYPE_U8) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected 00 00 08 (IDX of unsigned "
                       "bytes), found %02x %02x %02x; it is not an IDX file "
                       "or of a type that is not read here",
                       name, head[0], head[1], head[2]);
    }
    if (head[3] != rank) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected %d dimensions as the file's name "
                       "says (idx%d), found %u; rename the file or replace it",
                       name, rank, rank, head[3]);
    }
    struct dom_idx made = {.rank = rank};
    SY_TRY(check_sizes(&made, head, name, err));
    *idx = made;
    return SY_OK;
}

enum sy_status dom_idx_parse(struct dom_idx *idx, const uint8_t **values,
                             const uint8_t *data, size_t bytes, int rank,
                             const char *name, struct sy_error *err)
{
    struct dom_idx made;
    SY_TRY(dom_idx_header(&made, data, bytes, rank, name, err));
    if (made.bytes != bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected %zu bytes for the %d entries in its "
                       "header, found %zu: %s, or the header is wrong",
                       name, made.bytes, made.size[0], bytes,
                       bytes < made.bytes ? "the file is truncated"
                                          : "bytes follow the last entry");
    }
    *idx = made;
    *values = data + 4 + 4 * (size_t)rank;
    return SY_OK;
}

static void file_close(struct idx_file *file)
{
    sy_map_close(&file->map);
    sy_free(file->inflated);
    *file = (struct idx_file){0};
}

/* Finds the one file for a role; its path goes to `path`. */
static enum sy_status find_file(const struct role *role, const char *folder,
                                char path[SY_PATH_BYTES], int *rank,
                                struct sy_error *err)
{
    int found = 0;
    for (int i = 0; role->names[i] != NULL; i++) {
        for (int zipped = 0; zipped < 2; zipped++) {
            char name[64];
            char each[SY_PATH_BYTES];
            (void)snprintf(name, sizeof(name), "%s%s", role->names[i],
                           zipped ? ".gz" : "");
            SY_TRY(sy_path_join(each, sizeof(each), folder, name, err));
            if (!sy_file_exists(each)) {
                continue;
            }
            if (found++ > 0) {
                return sy_fail(err, SY_BAD_INPUT,
                               "%s: expected one file of %s, found %s as "
                               "well; remove one of them",
                               path, role->what, name);
            }
            memcpy(path, each, sizeof(each));
            const char *digit = strstr(role->names[i], "-idx") + 4;
            *rank = *digit - '0';
        }
    }
    if (found == 0) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: expected a file of %s named %s (or with .gz), "
                       "found none",
                       folder, role->what, role->names[0]);
    }
    return SY_OK;
}

/* Opens the mapped gzip'd bytes of `file`; the mapping is not needed after. */
static enum sy_status open_zipped(struct idx_file *file, int rank,
                                  struct sy_error *err)
{
    uint8_t head[DOM_IDX_HEAD_BYTES];
    size_t found = 0;
    SY_TRY(dom_gzip_head(file->map.data, file->map.bytes, file->path, head,
                         sizeof(head), &found, err));
    SY_TRY(dom_idx_header(&file->idx, head, found, rank, file->path, err));
    SY_TRY(dom_gzip_inflate(file->map.data, file->map.bytes, file->path,
                            file->idx.bytes, &file->inflated, err));
    sy_map_close(&file->map);
    file->map = (struct sy_map){0};
    return dom_idx_parse(&file->idx, &file->values, file->inflated,
                         file->idx.bytes, rank, file->path, err);
}

/* On failure the file is closed. */
static enum sy_status file_open(struct idx_file *file, const char *folder,
                                const struct role *role, struct sy_error *err)
{
    int rank = 0;
    *file = (struct idx_file){0};
    SY_TRY(find_file(role, folder, file->path, &rank, err));
    SY_TRY(sy_map_open(&file->map, file->path, err));
    size_t length = strlen(file->path);
    enum sy_status status;
    if (strcmp(file->path + length - 3, ".gz") == 0) {
        status = open_zipped(file, rank, err);
    } else {
        status = dom_idx_parse(&file->idx, &file->values, file->map.data,
                               file->map.bytes, rank, file->path, err);
    }
    if (status != SY_OK) {
        file_close(file);
    }
    return status;
}

/* Reads a part's labels into source->labels. */
static enum sy_status open_labels(struct dom_source *source, enum dom_part part,
                                  const char *folder,
                                  const struct idx_file *images,
                                  struct sy_error *err)
{
    struct idx_file file;
    SY_TRY(file_open(&file, folder, &label_roles[part], err));
    enum sy_status status = SY_OK;
    int count = images->idx.size[0];
    int *labels = NULL;
    if (file.idx.size[0] != count) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "%s: expected %d labels, one for each image of %s, "
                         "found %d; the two files do not belong together",
                         file.path, count, images->path, file.idx.size[0]);
        goto out;
    }
    labels = sy_alloc_zero((size_t)count, sizeof(labels[0]));
    if (labels == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory", file.path);
        goto out;
    }
    for (int i = 0; i < count; i++) {
        labels[i] = file.values[i];
        if (part == DOM_PART_TRAIN && labels[i] >= source->classes) {
            source->classes = labels[i] + 1;
        }
    }
    source->labels[part] = labels;
    source->count[part] = count;
out:
    file_close(&file);
    return status;
}

static enum sy_status idx_recognise(const char *folder, bool *found,
                                    struct sy_error *err)
{
    (void)err;
    char path[SY_PATH_BYTES];
    int rank = 0;
    for (int part = 0; part < DOM_PARTS; part++) {
        /* Ambiguous counts as recognised: open then says what is wrong. */
        if (find_file(&image_roles[part], folder, path, &rank, NULL) !=
                SY_NOT_FOUND ||
            find_file(&label_roles[part], folder, path, &rank, NULL) !=
                SY_NOT_FOUND) {
            *found = true;
        }
    }
    return SY_OK;
}

static void idx_close(struct dom_source *source)
{
    struct idx_state *state = source->state;
    if (state != NULL) {
        for (int part = 0; part < DOM_PARTS; part++) {
            file_close(&state->images[part]);
        }
        sy_free(state);
        source->state = NULL;
    }
}

/* The two image files must have one shape, which becomes the source's. */
static enum sy_status take_shape(struct dom_source *source,
                                 const struct idx_state *state,
                                 struct sy_error *err)
{
    const struct dom_idx *a = &state->images[DOM_PART_TRAIN].idx;
    const struct dom_idx *b = &state->images[DOM_PART_TEST].idx;
    int a_channels = a->rank == 4 ? a->size[3] : 1;
    int b_channels = b->rank == 4 ? b->size[3] : 1;
    if (a->size[1] != b->size[1] || a->size[2] != b->size[2] ||
        a_channels != b_channels) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected test images of %d x %d x %d like the "
                       "training images, found %d x %d x %d",
                       state->images[DOM_PART_TEST].path, a->size[1],
                       a->size[2], a_channels, b->size[1], b->size[2],
                       b_channels);
    }
    source->height = a->size[1];
    source->width = a->size[2];
    source->channels = a_channels;
    return SY_OK;
}

static enum sy_status idx_open(struct dom_source *source, const char *folder,
                               struct sy_error *err)
{
    struct idx_state *state = sy_alloc_zero(1, sizeof(*state));
    if (state == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", folder);
    }
    source->state = state;
    for (int part = 0; part < DOM_PARTS; part++) {
        SY_TRY(
            file_open(&state->images[part], folder, &image_roles[part], err));
        SY_TRY(open_labels(source, part, folder, &state->images[part], err));
    }
    return take_shape(source, state, err);
}

static enum sy_status idx_read(const struct dom_source *source,
                               enum dom_part part, int index,
                               struct dom_image *image, struct sy_error *err)
{
    const struct idx_state *state = source->state;
    return dom_source_copy(source, state->images[part].values, index, image,
                           err);
}

const struct dom_format dom_format_idx = {
    .name = "idx",
    .recognise = idx_recognise,
    .open = idx_open,
    .read = idx_read,
    .close = idx_close,
};
