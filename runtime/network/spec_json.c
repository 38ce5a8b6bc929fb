/*
 * spec_json.c - the JSON of a spec, read and written.
 *
 * DESIGN. A block takes the keys that its kind uses and no others, so that
 * "groups" at an mbconv is a mistake with a message and not a wish that
 * nobody hears. Which keys a kind uses is one table, for reading and writing.
 * What is written is complete: every key with its value, ids included, so a
 * later change of a default does not change a stored network.
 */
#include "runtime/network/spec.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"

/* The keys that a kind of block uses beside "kind". */
static const struct {
    bool kernel, expansion, groups, se, act;
} uses[SY_BLOCK_KINDS] = {
    [SY_BLOCK_MBCONV] = {true, true, false, true, true},
    [SY_BLOCK_FUSED] = {true, true, false, true, true},
    [SY_BLOCK_GROUP] = {true, true, true, true, true},
    [SY_BLOCK_CONV] = {true, false, false, false, true},
    [SY_BLOCK_ZERO] = {false, false, false, false, false},
};

static const char *const head_names[] = {"classify", NULL};

static void read_act(struct sy_json *in, enum sy_act *act)
{
    int choice = (int)*act;
    sy_json_opt_choice(in, "act", sy_act_names, &choice);
    *act = (enum sy_act)choice;
}

/* Reads the keys of a block, or those that the stem has as a block. */
static void read_block(struct sy_json *in, struct sy_block_spec *spec)
{
    int kind = SY_BLOCK_CONV;
    sy_json_choice(in, "kind", sy_block_names, &kind);
    *spec = sy_block_defaults((enum sy_block_kind)kind);
    if (uses[kind].kernel) {
        sy_json_opt_int(in, "kernel", 1, 7, &spec->kernel);
    }
    if (uses[kind].expansion) {
        sy_json_opt_int(in, "expansion", 1, 8, &spec->expansion);
        sy_json_opt_int(in, "expanded", 0, SY_MAX_CHANNELS, &spec->expanded);
    }
    if (uses[kind].groups) {
        sy_json_opt_int(in, "groups", 1, SY_MAX_CHANNELS, &spec->groups);
    }
    if (uses[kind].se) {
        sy_json_opt_bool(in, "se", &spec->se);
    }
    if (uses[kind].act) {
        read_act(in, &spec->act);
    }
}

static enum sy_status read_candidate(struct sy_candidate *candidate,
                                     json_t *json, int layer, int block,
                                     const char *file, const char *place,
                                     struct sy_error *err)
{
    struct sy_json in = sy_json_object(json, file, place, err);
    (void)snprintf(candidate->id, sizeof candidate->id, "l%db%d",
                   layer % SY_MAX_LAYERS, block % SY_MAX_BLOCKS);
    sy_json_opt_text(&in, "id", candidate->id, sizeof candidate->id);
    read_block(&in, &candidate->spec);
    return sy_json_end(&in);
}

static enum sy_status read_layer(struct sy_network_spec *spec, json_t *json,
                                 int layer, const char *file, const char *place,
                                 struct sy_error *err)
{
    char at[SY_JSON_PLACE_BYTES + 64];
    struct sy_layer_spec *out = &spec->layer[layer];
    struct sy_json in = sy_json_object(json, file, place, err);
    out->stride = 1;
    sy_json_int(&in, "channels", 1, SY_MAX_CHANNELS, &out->channels);
    sy_json_opt_int(&in, "stride", 1, 2, &out->stride);
    json_t *blocks = sy_json_array(&in, "blocks", 1, SY_MAX_BLOCKS);
    SY_TRY(sy_json_end(&in));
    out->block_count = (int)json_array_size(blocks);
    for (int b = 0; b < out->block_count; b++) {
        (void)snprintf(at, sizeof at, "%s.blocks[%d]", place, b);
        SY_TRY(read_candidate(&out->block[b], json_array_get(blocks, (size_t)b),
                              layer, b, file, at, err));
    }
    return SY_OK;
}

static enum sy_status read_input(struct sy_network_spec *spec,
                                 struct sy_json *root)
{
    struct sy_json in = sy_json_child(root, "input");
    spec->input.c = SY_INPUT_CHANNELS;
    sy_json_int(&in, "height", 1, SY_MAX_SIDE, &spec->input.h);
    sy_json_int(&in, "width", 1, SY_MAX_SIDE, &spec->input.w);
    sy_json_opt_int(&in, "channels", 1, SY_MAX_CHANNELS, &spec->input.c);
    return sy_json_end(&in);
}

static enum sy_status read_stem(struct sy_network_spec *spec,
                                struct sy_json *root)
{
    struct sy_json in = sy_json_child(root, "stem");
    spec->stem_stride = 1;
    read_block(&in, &spec->stem);
    if (spec->stem.kind != SY_BLOCK_CONV) {
        sy_json_reject(&in, "kind", "expected \"conv\", found \"%s\"",
                       sy_block_names[spec->stem.kind]);
    }
    sy_json_int(&in, "channels", 1, SY_MAX_CHANNELS, &spec->stem_channels);
    sy_json_opt_int(&in, "stride", 1, 2, &spec->stem_stride);
    return sy_json_end(&in);
}

static enum sy_status read_head(struct sy_network_spec *spec,
                                struct sy_json *root)
{
    int kind = 0;
    struct sy_json in = sy_json_child(root, "head");
    spec->head.act = SY_ACT_HSWISH;
    sy_json_choice(&in, "kind", head_names, &kind);
    sy_json_int(&in, "width", 1, SY_MAX_CHANNELS, &spec->head.width);
    sy_json_opt_int(&in, "hidden", 0, SY_MAX_CHANNELS, &spec->head.hidden);
    read_act(&in, &spec->head.act);
    return sy_json_end(&in);
}

static enum sy_status read_root(struct sy_network_spec *spec, json_t *json,
                                const char *file, const char *place,
                                struct sy_error *err)
{
    char at[SY_JSON_PLACE_BYTES];
    int norm = SY_NORM_PER_DOMAIN;
    struct sy_json in = sy_json_object(json, file, place, err);
    if (in.status != SY_OK) {
        return in.status;
    }
    SY_TRY(read_input(spec, &in));
    SY_TRY(read_stem(spec, &in));
    json_t *layers = sy_json_array(&in, "layers", 1, SY_MAX_LAYERS);
    spec->layer_count = (int)json_array_size(layers);
    for (int l = 0; l < spec->layer_count; l++) {
        (void)snprintf(at, sizeof at, "%s%slayers[%d]", place,
                       place[0] != '\0' ? "." : "", l);
        SY_TRY(read_layer(spec, json_array_get(layers, (size_t)l), l, file, at,
                          err));
    }
    if (in.status == SY_OK) {
        SY_TRY(read_head(spec, &in));
    }
    sy_json_opt_choice(&in, "norm", sy_norm_mode_names, &norm);
    spec->norm = (enum sy_norm_mode)norm;
    return sy_json_end(&in);
}

enum sy_status sy_spec_from_json(struct sy_network_spec *spec, json_t *json,
                                 const char *file, const char *place,
                                 struct sy_error *err)
{
    struct sy_network_spec read;
    memset(&read, 0, sizeof read);
    SY_TRY(read_root(&read, json, file, place, err));
    enum sy_status status = sy_spec_check(&read, err);
    if (status != SY_OK) {
        sy_error_prefix(err, "%s%s%s", file, place[0] != '\0' ? ": " : "",
                        place);
        return status;
    }
    *spec = read;
    return SY_OK;
}

/* Adds the keys of a block to `object`; false: no memory. */
static bool put_block(json_t *object, const struct sy_block_spec *spec)
{
    enum sy_block_kind kind = spec->kind;
    int failed =
        json_object_set_new(object, "kind", json_string(sy_block_names[kind]));
    if (uses[kind].kernel) {
        failed |=
            json_object_set_new(object, "kernel", json_integer(spec->kernel));
    }
    if (uses[kind].expansion) {
        failed |= json_object_set_new(object, "expansion",
                                      json_integer(spec->expansion));
    }
    if (uses[kind].expansion && spec->expanded > 0) {
        failed |= json_object_set_new(object, "expanded",
                                      json_integer(spec->expanded));
    }
    if (uses[kind].groups) {
        failed |=
            json_object_set_new(object, "groups", json_integer(spec->groups));
    }
    if (uses[kind].se) {
        failed |= json_object_set_new(object, "se", json_boolean(spec->se));
    }
    if (uses[kind].act) {
        failed |= json_object_set_new(object, "act",
                                      json_string(sy_act_names[spec->act]));
    }
    return failed == 0;
}

static json_t *block_json(const struct sy_candidate *candidate)
{
    json_t *object = json_pack("{s:s}", "id", candidate->id);
    if (object != NULL && !put_block(object, &candidate->spec)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *layer_json(const struct sy_layer_spec *layer)
{
    json_t *blocks = json_array();
    for (int b = 0; blocks != NULL && b < layer->block_count; b++) {
        if (json_array_append_new(blocks, block_json(&layer->block[b])) != 0) {
            json_decref(blocks);
            return NULL;
        }
    }
    return json_pack("{s:i,s:i,s:o}", "channels", layer->channels, "stride",
                     layer->stride, "blocks", blocks);
}

static json_t *layers_json(const struct sy_network_spec *spec)
{
    json_t *layers = json_array();
    for (int l = 0; layers != NULL && l < spec->layer_count; l++) {
        if (json_array_append_new(layers, layer_json(&spec->layer[l])) != 0) {
            json_decref(layers);
            return NULL;
        }
    }
    return layers;
}

static json_t *stem_json(const struct sy_network_spec *spec)
{
    json_t *stem = json_object();
    if (stem != NULL &&
        (!put_block(stem, &spec->stem) ||
         json_object_set_new(stem, "channels",
                             json_integer(spec->stem_channels)) != 0 ||
         json_object_set_new(stem, "stride", json_integer(spec->stem_stride)) !=
             0)) {
        json_decref(stem);
        return NULL;
    }
    return stem;
}

json_t *sy_spec_to_json(const struct sy_network_spec *spec)
{
    json_t *input = json_pack("{s:i,s:i,s:i}", "height", spec->input.h, "width",
                              spec->input.w, "channels", spec->input.c);
    json_t *stem = stem_json(spec);
    json_t *layers = layers_json(spec);
    json_t *head = json_pack(
        "{s:s,s:i,s:i,s:s}", "kind", head_names[0], "width", spec->head.width,
        "hidden", spec->head.hidden, "act", sy_act_names[spec->head.act]);
    json_t *root = json_object();
    int failed = root == NULL;
    if (failed == 0) {
        failed |= json_object_set(root, "input", input);
        failed |= json_object_set(root, "stem", stem);
        failed |= json_object_set(root, "layers", layers);
        failed |= json_object_set(root, "head", head);
        failed |= json_object_set_new(
            root, "norm", json_string(sy_norm_mode_names[spec->norm]));
    }
    json_decref(input);
    json_decref(stem);
    json_decref(layers);
    json_decref(head);
    if (failed != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}
