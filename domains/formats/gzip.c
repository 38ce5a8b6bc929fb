/*
 * gzip.c - compressed bytes in and out. The only file that includes zlib.h.
 *
 * DESIGN. Both directions work on memory: the callers have the file mapped.
 * A gzip file may consist of several members, one after the other; together
 * they are the content. The caller knows the size it expects from the
 * format's own header, so inflating never grows a block: it fills one of the
 * right size and refuses the byte after it. A deflate stream shrinks its
 * input at most 1032 times, so a small file that claims gigabytes is found
 * out before anything is allocated. Bodies that strangers send have no such
 * header: they are inflated piece by piece, up to a limit.
 *
 * Source: RFC 1952 (gzip), RFC 1951 (deflate), RFC 1950 (zlib), zlib.h.
 */
#include "domains/formats/gzip.h"

#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "runtime/base/memory.h"

enum {
    WINDOW_GZIP = 15 + 16, /* largest window, gzip wrapper */
    WINDOW_ZLIB = 15,
    MAX_RATIO = 1032, /* of deflate, by its format */
    LEVEL = 9,
    FAST_LEVEL = 1,
    MEMORY_LEVEL = 8,
    FIRST_BYTES = 16 << 10 /* taken for a body whose size is unknown */
};

static const size_t piece_bytes = (size_t)1 << 30; /* fits zlib's uInt */

static voidpf take_memory(voidpf context, uInt count, uInt bytes)
{
    (void)context;
    return sy_alloc_zero(count, bytes);
}

static void give_memory(voidpf context, voidpf block)
{
    (void)context;
    sy_free(block);
}

static void stream_init(z_stream *stream)
{
    *stream = (z_stream){.zalloc = take_memory, .zfree = give_memory};
}

bool dom_gzip_recognise(const uint8_t *data, size_t bytes)
{
    return bytes >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* An inflation in progress over all members. */
struct inflation {
    z_stream stream;
    const uint8_t *data;
    size_t bytes, used;
    const char *name;
    bool ended; /* at the end of a member, with nothing after it */
    struct sy_error *err;
};

static enum sy_status damaged(struct inflation *in, const char *what)
{
    return sy_fail(in->err, SY_BAD_INPUT,
                   "%s: the gzip data is damaged near byte %zu of %zu: %s; "
                   "fetch the file again",
                   in->name, in->used, in->bytes, what);
}

static enum sy_status inflation_begin(struct inflation *in)
{
    stream_init(&in->stream);
    if (!dom_gzip_recognise(in->data, in->bytes)) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: expected gzip data, which begins with 0x1f 0x8b; "
                       "if the file is not compressed, take .gz off its name",
                       in->name);
    }
    if (inflateInit2(&in->stream, WINDOW_GZIP) != Z_OK) {
        return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory to inflate it",
                       in->name);
    }
    return SY_OK;
}

/* At the end of a member: goes on with the next, or notes the end. */
static enum sy_status next_member(struct inflation *in)
{
    if (in->used == in->bytes) {
        in->ended = true;
        return SY_OK;
    }
    if (!dom_gzip_recognise(in->data + in->used, in->bytes - in->used)) {
        return damaged(in, "other bytes follow its end");
    }
    return inflateReset(&in->stream) == Z_OK ? SY_OK
                                             : damaged(in, "zlib refuses");
}

/* Inflates until `room` bytes are filled or the content ends. */
static enum sy_status inflation_fill(struct inflation *in, uint8_t *out,
                                     size_t room, size_t *filled)
{
    size_t done = 0;
    while (done < room && !in->ended) {
        size_t left = in->bytes - in->used;
        size_t give = left < piece_bytes ? left : piece_bytes;
        size_t take = room - done < piece_bytes ? room - done : piece_bytes;
        in->stream.next_in = in->data + in->used;
        in->stream.avail_in = (uInt)give;
        in->stream.next_out = out + done;
        in->stream.avail_out = (uInt)take;
        int result = inflate(&in->stream, Z_NO_FLUSH);
        in->used += give - in->stream.avail_in;
        done += take - in->stream.avail_out;
        if (result == Z_STREAM_END) {
            SY_TRY(next_member(in));
        } else if (result == Z_MEM_ERROR) {
            return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory to inflate it",
                           in->name);
        } else if (result == Z_BUF_ERROR ||
                   (result == Z_OK && in->used == in->bytes && done < room)) {
            return damaged(in, "it ends too early");
        } else if (result != Z_OK) {
            const char *text = in->stream.msg;
            return damaged(in, text != NULL ? text : "zlib refuses");
        }
    }
    *filled = done;
    return SY_OK;
}

enum sy_status dom_gzip_head(const uint8_t *data, size_t bytes,
                             const char *name, uint8_t *out, size_t room,
                             size_t *found, struct sy_error *err)
{
    struct inflation in = {
        .data = data, .bytes = bytes, .name = name, .err = err};
    SY_TRY(inflation_begin(&in));
    enum sy_status status = inflation_fill(&in, out, room, found);
    inflateEnd(&in.stream);
    return status;
}

/* Fills the block, then asks for one byte more, which must not be there. */
static enum sy_status inflate_exactly(struct inflation *in, uint8_t *block,
                                      size_t expected)
{
    size_t filled = 0;
    SY_TRY(inflation_fill(in, block, expected, &filled));
    if (filled < expected) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: expected %zu bytes after inflating, found %zu: "
                       "the file is truncated or its header is wrong",
                       in->name, expected, filled);
    }
    uint8_t extra = 0;
    SY_TRY(inflation_fill(in, &extra, 1, &filled));
    if (filled != 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: expected %zu bytes after inflating, found more: "
                       "bytes follow the last image or label, or its header "
                       "is wrong",
                       in->name, expected);
    }
    return SY_OK;
}

enum sy_status dom_gzip_inflate(const uint8_t *data, size_t bytes,
                                const char *name, size_t expected,
                                uint8_t **out, struct sy_error *err)
{
    struct inflation in = {
        .data = data, .bytes = bytes, .name = name, .err = err};
    if (expected / MAX_RATIO > bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: its header promises %zu bytes, more than %zu "
                       "compressed bytes can hold: the file is truncated or "
                       "its header is wrong",
                       name, expected, bytes);
    }
    SY_TRY(inflation_begin(&in));
    enum sy_status status = SY_OK;
    uint8_t *block = sy_alloc(expected);
    if (block == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory for %zu bytes", name,
                         expected);
        goto out;
    }
    SY_TRY_OUT(inflate_exactly(&in, block, expected));
    *out = block;
    block = NULL;
out:
    inflateEnd(&in.stream);
    sy_free(block);
    return status;
}

static enum sy_status deflate_block(const uint8_t *data, size_t bytes,
                                    int window, int level, uint8_t **out,
                                    size_t *out_bytes, struct sy_error *err)
{
    z_stream stream;
    stream_init(&stream);
    if (bytes > piece_bytes) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "cannot compress %zu bytes at once, the most is %zu",
                       bytes, piece_bytes);
    }
    if (deflateInit2(&stream, level, Z_DEFLATED, window, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return sy_fail(err, SY_NO_MEMORY, "no memory to compress");
    }
    enum sy_status status = SY_OK;
    size_t room = deflateBound(&stream, (uLong)bytes);
    uint8_t *block = sy_alloc(room);
    if (block == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "no memory to compress");
        goto out;
    }
    stream.next_in = data;
    stream.avail_in = (uInt)bytes;
    stream.next_out = block;
    stream.avail_out = (uInt)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        status = sy_fail(err, SY_INTERNAL, "zlib did not compress");
        goto out;
    }
    *out = block;
    *out_bytes = room - stream.avail_out;
    block = NULL;
out:
    deflateEnd(&stream);
    sy_free(block);
    return status;
}

enum sy_status dom_gzip_deflate(const uint8_t *data, size_t bytes,
                                uint8_t **out, size_t *out_bytes,
                                struct sy_error *err)
{
    return deflate_block(data, bytes, WINDOW_GZIP, LEVEL, out, out_bytes, err);
}

enum sy_status dom_deflate_fast(const uint8_t *data, size_t bytes,
                                enum dom_wrapper wrapper, uint8_t **out,
                                size_t *out_bytes, struct sy_error *err)
{
    return deflate_block(data, bytes,
                         wrapper == DOM_WRAP_GZIP ? WINDOW_GZIP : WINDOW_ZLIB,
                         FAST_LEVEL, out, out_bytes, err);
}

/* A body that grows while it is inflated. */
struct growing {
    uint8_t *block;
    size_t room, filled;
    size_t limit;
};

/* More room, up to one byte beyond the limit: it shows that there is more. */
static enum sy_status grow(struct growing *body, struct sy_error *err)
{
    size_t room = body->room == 0 ? FIRST_BYTES : body->room * 2;
    room = room < body->limit + 1 ? room : body->limit + 1;
    uint8_t *block = sy_realloc(body->block, room + 1);
    if (block == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "no memory to inflate the body");
    }
    body->block = block;
    body->room = room;
    return SY_OK;
}

/* Inflates until the stream ends or there are more bytes than the limit. */
static enum sy_status inflate_growing(z_stream *stream, struct growing *body,
                                      struct sy_error *err)
{
    for (;;) {
        if (body->filled == body->room) {
            SY_TRY(grow(body, err));
        }
        size_t free_bytes = body->room - body->filled;
        size_t take = free_bytes < piece_bytes ? free_bytes : piece_bytes;
        stream->next_out = body->block + body->filled;
        stream->avail_out = (uInt)take;
        int result = inflate(stream, Z_NO_FLUSH);
        body->filled += take - stream->avail_out;
        if (result == Z_STREAM_END || body->filled > body->limit) {
            return SY_OK;
        }
        if (result == Z_MEM_ERROR) {
            return sy_fail(err, SY_NO_MEMORY, "no memory to inflate the body");
        }
        if (result == Z_BUF_ERROR || (result == Z_OK && stream->avail_in == 0 &&
                                      stream->avail_out > 0)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "the compressed body ends too early");
        }
        if (result != Z_OK) {
            return sy_fail(err, SY_BAD_INPUT,
                           "the compressed body is damaged: %s",
                           stream->msg != NULL ? stream->msg : "zlib refuses");
        }
    }
}

enum sy_status dom_inflate_within(const uint8_t *data, size_t bytes,
                                  enum dom_wrapper wrapper, size_t limit,
                                  uint8_t **out, size_t *out_bytes,
                                  bool *too_large, struct sy_error *err)
{
    z_stream stream;
    struct growing body = {.limit = limit};
    if (bytes > piece_bytes || limit > SIZE_MAX / 4) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "cannot inflate %zu bytes at once, the most is %zu",
                       bytes, piece_bytes);
    }
    stream_init(&stream);
    if (inflateInit2(&stream, wrapper == DOM_WRAP_GZIP ? WINDOW_GZIP
                                                       : WINDOW_ZLIB) != Z_OK) {
        return sy_fail(err, SY_NO_MEMORY, "no memory to inflate the body");
    }
    stream.next_in = data;
    stream.avail_in = (uInt)bytes;
    enum sy_status status = inflate_growing(&stream, &body, err);
    if (status == SY_OK) {
        *too_large = body.filled > limit;
        if (!*too_large && stream.avail_in > 0) {
            status =
                sy_fail(err, SY_BAD_INPUT,
                        "%u bytes follow the compressed body", stream.avail_in);
        }
    }
    inflateEnd(&stream);
    if (status != SY_OK || *too_large) {
        sy_free(body.block);
        return status;
    }
    body.block[body.filled] = '\0';
    *out = body.block;
    *out_bytes = body.filled;
    return SY_OK;
}
