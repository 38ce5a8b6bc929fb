/*
 * spec.c - what a network consists of, checked.
 *
 * DESIGN. A spec is plain data without pointers, so copying it is assignment.
 * Shapes are never stored: they follow from the input, the strides and the
 * widths, and sy_spec_place is the one place that says how. All judgement that
 * needs shapes is left to the blocks' own plans; here stand only the counts
 * and the ids.
 */
#include "runtime/network/spec.h"

#include <string.h>

const char *const sy_norm_mode_names[SY_NORM_MODES + 1] = {
    "per_domain", "per_expert", "shared", NULL};

bool sy_name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-";
    size_t length = strlen(name);
    return length > 0 && length < SY_NAME_BYTES &&
           strspn(name, allowed) == length;
}

bool sy_spec_has_id(const struct sy_network_spec *spec, const char *id)
{
    for (int l = 0; l < spec->layer_count; l++) {
        for (int b = 0; b < spec->layer[l].block_count; b++) {
            if (strcmp(spec->layer[l].block[b].id, id) == 0) {
                return true;
            }
        }
    }
    return false;
}

struct sy_block_place sy_spec_place(const struct sy_network_spec *spec,
                                    int layer)
{
    SY_ASSERT(layer >= -1 && layer < spec->layer_count);
    struct sy_block_place place = {
        .in = spec->input,
        .channels = spec->stem_channels,
        .stride = spec->stem_stride,
    };
    for (int l = 0; l <= layer; l++) {
        place.in.h = (place.in.h - 1) / place.stride + 1;
        place.in.w = (place.in.w - 1) / place.stride + 1;
        place.in.c = place.channels;
        place.channels = spec->layer[l].channels;
        place.stride = spec->layer[l].stride;
    }
    return place;
}

struct sy_shape sy_spec_shape(const struct sy_network_spec *spec, int layer)
{
    SY_ASSERT(layer >= 0 && layer <= spec->layer_count);
    struct sy_block_place before = sy_spec_place(spec, layer - 1);
    return (struct sy_shape){
        .h = (before.in.h - 1) / before.stride + 1,
        .w = (before.in.w - 1) / before.stride + 1,
        .c = before.channels,
    };
}

static enum sy_status check_id(const struct sy_network_spec *spec, int layer,
                               int block, struct sy_error *err)
{
    const char *id = spec->layer[layer].block[block].id;
    if (!sy_name_valid(id) || strcmp(id, "stem") == 0 ||
        strcmp(id, "trunk") == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "layers[%d].blocks[%d].id: expected letters, digits, "
                       "'_' and '-', and not \"stem\" or \"trunk\"",
                       layer, block);
    }
    for (int l = 0; l <= layer; l++) {
        int end = l < layer ? spec->layer[l].block_count : block;
        for (int b = 0; b < end; b++) {
            if (strcmp(spec->layer[l].block[b].id, id) == 0) {
                return sy_fail(err, SY_BAD_INPUT,
                               "layers[%d].blocks[%d].id: \"%s\" is the id of "
                               "layers[%d].blocks[%d] already",
                               layer, block, id, l, b);
            }
        }
    }
    return SY_OK;
}

/* Plans one block, or the stem at layer -1, to see that it can be. */
static enum sy_status check_plan(const struct sy_network_spec *spec, int layer,
                                 int block, struct sy_error *err)
{
    struct sy_plan plan;
    struct sy_block_place place = sy_spec_place(spec, layer);
    if (layer < 0) {
        enum sy_status status = sy_block_plan(&spec->stem, &place, &plan, err);
        if (status != SY_OK) {
            sy_error_prefix(err, "stem");
        }
        return status;
    }
    enum sy_status status = sy_block_plan(&spec->layer[layer].block[block].spec,
                                          &place, &plan, err);
    if (status != SY_OK) {
        sy_error_prefix(err, "layers[%d].blocks[%d]", layer, block);
    }
    return status;
}

static enum sy_status check_layer(const struct sy_network_spec *spec, int layer,
                                  struct sy_error *err)
{
    int count = spec->layer[layer].block_count;
    if (count < 1 || count > SY_MAX_BLOCKS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "layers[%d].blocks: expected 1 to %d, found %d", layer,
                       SY_MAX_BLOCKS, count);
    }
    for (int b = 0; b < count; b++) {
        SY_TRY(check_id(spec, layer, b, err));
        SY_TRY(check_plan(spec, layer, b, err));
    }
    return SY_OK;
}

static enum sy_status check_head(const struct sy_network_spec *spec,
                                 struct sy_error *err)
{
    struct sy_plan plan;
    sy_plan_begin(&plan, sy_spec_shape(spec, spec->layer_count), err);
    sy_head_classify.emit_trunk(&spec->head, &plan);
    enum sy_status status = sy_plan_end(&plan, plan.output);
    if (status != SY_OK) {
        sy_error_prefix(err, "head");
    }
    return status;
}

enum sy_status sy_spec_check(const struct sy_network_spec *spec,
                             struct sy_error *err)
{
    if (spec->input.c != SY_INPUT_CHANNELS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "input.channels: expected %d (grey pictures are "
                       "repeated), found %d",
                       SY_INPUT_CHANNELS, spec->input.c);
    }
    if (spec->layer_count < 1 || spec->layer_count > SY_MAX_LAYERS) {
        return sy_fail(err, SY_BAD_INPUT, "layers: expected 1 to %d, found %d",
                       SY_MAX_LAYERS, spec->layer_count);
    }
    SY_TRY(check_plan(spec, -1, 0, err));
    for (int l = 0; l < spec->layer_count; l++) {
        SY_TRY(check_layer(spec, l, err));
    }
    return check_head(spec, err);
}
