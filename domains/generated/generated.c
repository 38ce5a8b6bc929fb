/*
 * generated.c - the table of domains, and writing one of them to files.
 *
 * DESIGN. Train and test images are the same drawing at disjoint image
 * numbers, so no test image can be a train image, whatever the counts. Each
 * run of `classes` images holds every class once, in an order drawn for that
 * run: the classes are balanced to within one image in every prefix, and
 * nothing can be learned from an image's place in the file.
 *
 * The files are IDX (http://yann.lecun.com/exdb/mnist) in gzip: big-endian
 * dimensions, then bytes; grey domains have three dimensions and colour ones
 * four, channel last. A file is made whole in memory (15 MB at most for the
 * counts in use), then packed, then written.
 *
 * The pixels depend on the seed alone. The compressed bytes are those of the
 * zlib at hand: the same on every run, but another deflate (zlib-ng) may
 * pack the same pixels differently.
 */
#include "domains/generated/generated.h"

#include <stdio.h>
#include <string.h>

#include "domains/formats/gzip.h"
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_CLASSES = 16, MAX_DIMS = 4 };

/* Test images are numbered from here, train images from 0. */
static const uint32_t test_base = 1u << 24;

const struct dom_generator *const dom_generators[] = {
    &dom_glyphs,  &dom_polygons, &dom_textures, &dom_blobs,
    &dom_colours, &dom_barcodes, &dom_curves,   NULL,
};

const struct dom_generator *dom_generator_find(const char *name)
{
    for (int i = 0; dom_generators[i] != NULL; i++) {
        if (strcmp(dom_generators[i]->name, name) == 0) {
            return dom_generators[i];
        }
    }
    return NULL;
}

/* An IDX file in memory: the head, then room for the bytes it promises. */
struct idx {
    uint8_t *file; /* owned */
    size_t bytes;
    uint8_t *content; /* where in `file` the head ends */
};

/* The head is the magic number of bytes, then the dimensions, big-endian. */
static enum sy_status idx_new(struct idx *idx, const int *dims, int count,
                              const char *path, struct sy_error *err)
{
    SY_ASSERT(count >= 1 && count <= MAX_DIMS);
    size_t head = 4 + 4 * (size_t)count, content = 1;
    for (int i = 0; i < count; i++) {
        content *= (size_t)dims[i];
    }
    idx->bytes = head + content;
    idx->file = sy_alloc(idx->bytes);
    if (idx->file == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory for %zu bytes", path,
                       idx->bytes);
    }
    idx->content = idx->file + head;
    const uint8_t magic[4] = {0, 0, 8, (uint8_t)count};
    memcpy(idx->file, magic, sizeof(magic));
    for (int i = 0; i < 4 * count; i++) {
        idx->file[4 + i] = (uint8_t)(dims[i / 4] >> (24 - 8 * (i % 4)));
    }
    return SY_OK;
}

/* Packs the file to `path` and gives its memory back, whatever happens. */
static enum sy_status idx_save(struct idx *idx, const char *path,
                               struct sy_error *err)
{
    uint8_t *packed = NULL;
    size_t packed_bytes = 0;
    enum sy_status status =
        dom_gzip_deflate(idx->file, idx->bytes, &packed, &packed_bytes, err);
    sy_free(idx->file);
    if (status == SY_OK) {
        status = sy_file_write(path, packed, packed_bytes, err);
        sy_free(packed);
    }
    return status;
}

/* The class of image `base + index`; see DESIGN. */
static int label_of(const struct dom_generator *generator, uint64_t seed,
                    uint32_t base, uint32_t index)
{
    SY_ASSERT(generator->classes <= MAX_CLASSES);
    uint32_t classes = (uint32_t)generator->classes;
    uint32_t order[MAX_CLASSES];
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_LABELS,
                                      base + index / classes);
    sy_rng_permutation(&rng, order, classes);
    return (int)order[index % classes];
}

static enum sy_status write_images(const struct dom_generator *generator,
                                   const char *path, uint64_t seed,
                                   uint32_t base, int count,
                                   struct sy_error *err)
{
    int side = generator->side, channels = generator->channels;
    size_t image_bytes = (size_t)side * (size_t)side * (size_t)channels;
    const int dims[MAX_DIMS] = {count, side, side, channels};
    struct idx idx;
    SY_TRY(idx_new(&idx, dims, channels == 1 ? 3 : 4, path, err));
    for (int i = 0; i < count; i++) {
        uint32_t index = (uint32_t)i;
        generator->draw(seed, base + index,
                        label_of(generator, seed, base, index),
                        idx.content + (size_t)i * image_bytes);
    }
    return idx_save(&idx, path, err);
}

static enum sy_status write_labels(const struct dom_generator *generator,
                                   const char *path, uint64_t seed,
                                   uint32_t base, int count,
                                   struct sy_error *err)
{
    struct idx idx;
    SY_TRY(idx_new(&idx, &count, 1, path, err));
    for (int i = 0; i < count; i++) {
        idx.content[i] = (uint8_t)label_of(generator, seed, base, (uint32_t)i);
    }
    return idx_save(&idx, path, err);
}

/* Both files of a part, "train" or "test". */
static enum sy_status write_part(const struct dom_generator *generator,
                                 const char *folder, const char *part,
                                 uint64_t seed, uint32_t base, int count,
                                 struct sy_error *err)
{
    char name[64], path[SY_PATH_BYTES];
    snprintf(name, sizeof(name), "%s-images-idx%d-ubyte.gz", part,
             generator->channels == 1 ? 3 : 4);
    SY_TRY(sy_path_join(path, sizeof(path), folder, name, err));
    SY_TRY(write_images(generator, path, seed, base, count, err));
    snprintf(name, sizeof(name), "%s-labels-idx1-ubyte.gz", part);
    SY_TRY(sy_path_join(path, sizeof(path), folder, name, err));
    return write_labels(generator, path, seed, base, count, err);
}

static enum sy_status write_names(const struct dom_generator *generator,
                                  const char *folder, struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    struct sy_writer writer;
    enum sy_status status = SY_OK;
    SY_TRY(sy_path_join(path, sizeof(path), folder, "labels.txt", err));
    SY_TRY(sy_writer_open(&writer, path, err));
    for (int i = 0; i < generator->classes; i++) {
        const char *name = generator->class_names[i];
        SY_TRY_OUT(sy_writer_write(&writer, name, strlen(name), err));
        SY_TRY_OUT(sy_writer_write(&writer, "\n", 1, err));
    }
    status = sy_writer_commit(&writer, err);
out:
    sy_writer_abort(&writer);
    return status;
}

enum sy_status dom_generate(const struct dom_generator *generator,
                            const char *dir, uint64_t seed,
                            struct sy_error *err)
{
    char folder[SY_PATH_BYTES];
    SY_TRY(sy_path_join(folder, sizeof(folder), dir, generator->name, err));
    SY_TRY(sy_dir_make(folder, err));
    SY_TRY(
        write_part(generator, folder, "train", seed, 0, generator->train, err));
    SY_TRY(write_part(generator, folder, "test", seed, test_base,
                      generator->test, err));
    return write_names(generator, folder, err);
}
