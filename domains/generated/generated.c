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
 * four, channel last. The gzip header has no time, name or system. Images
 * are drawn and compressed in runs, so that memory stays small.
 *
 * The pixels depend on the seed alone. The compressed bytes are those of the
 * zlib at hand: the same on every run, but another deflate (zlib-ng) may
 * pack the same pixels differently.
 */
#include "domains/generated/generated.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "domains/generated/canvas.h"
#include "domains/generated/members.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum {
    MAX_CLASSES = 16,
    RUN_IMAGES = 64,
    OUT_BYTES = 1 << 16,
    MAX_IMAGE_BYTES = DOM_CANVAS_PIXELS * 3,
    GZIP_WINDOW = 15 + 16 /* zlib's way to ask for a gzip wrapper */
};

/* Test images are numbered from here, train images from 0. */
static const uint32_t test_base = 1u << 24;

const struct dom_generator *const dom_generators[] = {
    &dom_glyphs,  &dom_polygons, &dom_textures, &dom_blobs,
    &dom_colours, &dom_barcodes, &dom_curves,   NULL,
};

/* One gzip stream going into one atomic file. */
struct packer {
    struct sy_writer writer;
    z_stream stream;
    gz_header header;
    uint8_t *out;
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

/* The allocator zlib is given, so that its memory is ours too. */
static void *zlib_alloc(void *opaque, unsigned count, unsigned bytes_each)
{
    (void)opaque;
    return sy_alloc_zero(count, bytes_each);
}

static void zlib_free(void *opaque, void *block)
{
    (void)opaque;
    sy_free(block);
}

static enum sy_status packer_open(struct packer *packer, const char *path,
                                  struct sy_error *err)
{
    packer->stream = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
    packer->header = (gz_header){.os = 255};
    packer->out = sy_alloc(OUT_BYTES);
    if (packer->out == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to compress", path);
    }
    int rc = deflateInit2(&packer->stream, 6, Z_DEFLATED, GZIP_WINDOW, 8,
                          Z_DEFAULT_STRATEGY);
    if (rc != Z_OK) {
        sy_free(packer->out);
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to compress", path);
    }
    deflateSetHeader(&packer->stream, &packer->header);
    enum sy_status status = sy_writer_open(&packer->writer, path, err);
    if (status != SY_OK) {
        deflateEnd(&packer->stream);
        sy_free(packer->out);
    }
    return status;
}

/* Gives back what packer_open took; an uncommitted file goes away. */
static void packer_close(struct packer *packer)
{
    deflateEnd(&packer->stream);
    sy_free(packer->out);
    sy_writer_abort(&packer->writer);
}

/* Compresses `bytes` of data; Z_FINISH as `flush` ends the stream. */
static enum sy_status packer_add(struct packer *packer, uint8_t *data,
                                 size_t bytes, int flush, struct sy_error *err)
{
    packer->stream.next_in = data;
    packer->stream.avail_in = (unsigned)bytes;
    do {
        packer->stream.next_out = packer->out;
        packer->stream.avail_out = OUT_BYTES;
        int rc = deflate(&packer->stream, flush);
        SY_ASSERT(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
        SY_TRY(sy_writer_write(&packer->writer, packer->out,
                               OUT_BYTES - packer->stream.avail_out, err));
    } while (packer->stream.avail_out == 0);
    return SY_OK;
}

/* The IDX head: magic number of bytes, then the dimensions, big-endian. */
static enum sy_status add_head(struct packer *packer, const int *dims,
                               int count, struct sy_error *err)
{
    uint8_t head[4 + 4 * 4] = {0, 0, 8, (uint8_t)count};
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < 4; k++) {
            head[4 + 4 * i + k] = (uint8_t)(dims[i] >> (24 - 8 * k));
        }
    }
    return packer_add(packer, head, 4 + 4 * (size_t)count, Z_NO_FLUSH, err);
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
    SY_ASSERT(image_bytes <= MAX_IMAGE_BYTES);
    struct packer packer;
    enum sy_status status = SY_OK;
    uint8_t *run = sy_alloc(RUN_IMAGES * image_bytes);
    if (run == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to draw", path);
    }
    status = packer_open(&packer, path, err);
    if (status != SY_OK) {
        sy_free(run);
        return status;
    }
    const int dims[4] = {count, side, side, channels};
    SY_TRY_OUT(add_head(&packer, dims, channels == 1 ? 3 : 4, err));
    for (int i = 0; i < count; i += RUN_IMAGES) {
        int images = count - i < RUN_IMAGES ? count - i : RUN_IMAGES;
        for (int k = 0; k < images; k++) {
            uint32_t index = (uint32_t)(i + k);
            generator->draw(seed, base + index,
                            label_of(generator, seed, base, index),
                            run + (size_t)k * image_bytes);
        }
        SY_TRY_OUT(packer_add(&packer, run, (size_t)images * image_bytes,
                              Z_NO_FLUSH, err));
    }
    SY_TRY_OUT(packer_add(&packer, NULL, 0, Z_FINISH, err));
    status = sy_writer_commit(&packer.writer, err);
out:
    packer_close(&packer);
    sy_free(run);
    return status;
}

static enum sy_status write_labels(const struct dom_generator *generator,
                                   const char *path, uint64_t seed,
                                   uint32_t base, int count,
                                   struct sy_error *err)
{
    struct packer packer;
    enum sy_status status = SY_OK;
    SY_TRY(packer_open(&packer, path, err));
    SY_TRY_OUT(add_head(&packer, &count, 1, err));
    for (int i = 0; i < count; i++) {
        uint8_t label = (uint8_t)label_of(generator, seed, base, (uint32_t)i);
        SY_TRY_OUT(packer_add(&packer, &label, 1, Z_NO_FLUSH, err));
    }
    SY_TRY_OUT(packer_add(&packer, NULL, 0, Z_FINISH, err));
    status = sy_writer_commit(&packer.writer, err);
out:
    packer_close(&packer);
    return status;
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
