/*
 * path.c - paths as text, their likeness, and dropping what no path uses.
 *
 * DESIGN. The text is read digit by digit: strtol would take spaces and signs,
 * and a path is compared as text elsewhere, so it has exactly one form.
 */
#include "runtime/network/path.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 17 };

/* Where reading a path has come to. */
struct cursor {
    const char *text;
    const char *what;
    struct sy_error *err;
};

/* The next bytes of a text from outside, made fit for a message. */
static const char *shown(const char *text, char out[SHOWN_BYTES])
{
    int i = 0;
    for (; i < SHOWN_BYTES - 1 && text[i] != '\0'; i++) {
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    }
    out[i] = '\0';
    return out;
}

/* Reads one index without leading zeros; larger ones than any layer's fail. */
static enum sy_status read_index(struct cursor *in, int layer, int *index)
{
    char found[SHOWN_BYTES];
    const char *at = in->text;
    int value = 0;
    while (*at >= '0' && *at <= '9' && value <= SY_MAX_BLOCKS) {
        value = value * 10 + (*at++ - '0');
    }
    size_t digits = (size_t)(at - in->text);
    if (digits == 0 || (digits > 1 && in->text[0] == '0')) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: layer %d: expected a block's index, found \"%s\"",
                       in->what, layer, shown(in->text, found));
    }
    in->text = at;
    *index = value;
    return SY_OK;
}

enum sy_status sy_path_parse(struct sy_path *path, const char *text,
                             const struct sy_network_spec *spec,
                             const char *what, struct sy_error *err)
{
    char found[SHOWN_BYTES];
    struct sy_path read = {.layer_count = spec->layer_count};
    struct cursor in = {text, what, err};
    for (int l = 0; l < spec->layer_count; l++) {
        if (l > 0 && *in.text == '\0') {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected %d blocks (one per layer), found %d",
                           what, spec->layer_count, l);
        }
        if (l > 0 && *in.text++ != ':') {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: layer %d: expected ':' before the index", what,
                           l);
        }
        SY_TRY(read_index(&in, l, &read.block[l]));
        if (read.block[l] >= spec->layer[l].block_count) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: layer %d: expected a block from 0 to %d, "
                           "found %d",
                           what, l, spec->layer[l].block_count - 1,
                           read.block[l]);
        }
    }
    if (*in.text != '\0') {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected the end after %d blocks (one per layer), "
                       "found \"%s\"",
                       what, spec->layer_count, shown(in.text, found));
    }
    *path = read;
    return SY_OK;
}

const char *sy_path_text(const struct sy_path *path, char *text)
{
    int used = 0;
    text[0] = '\0';
    for (int l = 0; l < path->layer_count; l++) {
        SY_ASSERT(path->block[l] >= 0 && path->block[l] < SY_MAX_BLOCKS);
        used += snprintf(text + used, (size_t)(SY_PATH_TEXT_BYTES - used),
                         "%s%d", l > 0 ? ":" : "", path->block[l]);
    }
    return text;
}

bool sy_path_equal(const struct sy_path *a, const struct sy_path *b)
{
    if (a->layer_count != b->layer_count) {
        return false;
    }
    for (int l = 0; l < a->layer_count; l++) {
        if (a->block[l] != b->block[l]) {
            return false;
        }
    }
    return true;
}

/* True where a block does something, which a zero without a plan does not. */
static bool counts(const struct sy_network_spec *spec, int layer, int block)
{
    struct sy_block_place place = sy_spec_place(spec, layer);
    return spec->layer[layer].block[block].spec.kind != SY_BLOCK_ZERO ||
           place.stride != 1 || place.in.c != place.channels;
}

double sy_path_jaccard(const struct sy_path *a, const struct sy_path *b,
                       const struct sy_network_spec *spec)
{
    int both = 0;
    int either = 0;
    SY_ASSERT(a->layer_count == spec->layer_count);
    SY_ASSERT(b->layer_count == spec->layer_count);
    for (int l = 0; l < spec->layer_count; l++) {
        bool in_a = counts(spec, l, a->block[l]);
        bool in_b = counts(spec, l, b->block[l]);
        if (a->block[l] == b->block[l]) {
            both += in_a;
            either += in_a;
        } else {
            either += in_a + in_b;
        }
    }
    return either == 0 ? 1.0 : (double)both / either;
}

/* Drops what is not used at one layer; `renumber` gets the new indices. */
static void prune_layer(struct sy_layer_spec *layer,
                        const bool used[SY_MAX_BLOCKS],
                        int renumber[SY_MAX_BLOCKS])
{
    int kept = 0;
    for (int b = 0; b < layer->block_count; b++) {
        if (used[b]) {
            layer->block[kept] = layer->block[b];
            renumber[b] = kept++;
        }
    }
    memset(&layer->block[kept], 0,
           (size_t)(layer->block_count - kept) * sizeof layer->block[0]);
    layer->block_count = kept;
}

void sy_spec_prune(struct sy_network_spec *spec, struct sy_path *paths,
                   int count)
{
    SY_ASSERT(count > 0);
    for (int l = 0; l < spec->layer_count; l++) {
        bool used[SY_MAX_BLOCKS] = {false};
        int renumber[SY_MAX_BLOCKS] = {0};
        for (int p = 0; p < count; p++) {
            int block = paths[p].block[l];
            SY_ASSERT(paths[p].layer_count == spec->layer_count);
            SY_ASSERT(block >= 0 && block < spec->layer[l].block_count);
            used[block] = true;
        }
        prune_layer(&spec->layer[l], used, renumber);
        for (int p = 0; p < count; p++) {
            paths[p].block[l] = renumber[paths[p].block[l]];
        }
    }
}
