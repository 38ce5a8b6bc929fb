/*
 * block.c - the table of block kinds, and what all kinds have in common.
 *
 * DESIGN. Hyper-parameters are judged here, once, with sentences for people:
 * the kinds themselves only emit. What depends on the shapes (groups that do
 * not divide, images too large) is judged by the operators' shape rules while
 * emitting; the message then gets the block's text as its prefix.
 */
#include "runtime/blocks/block.h"

#include <stdio.h>

const char *const sy_block_names[SY_BLOCK_KINDS + 1] = {
    "mbconv", "fused", "group", "conv", "zero", NULL};

static const struct sy_block_type *const types[SY_BLOCK_KINDS] = {
    &sy_block_mbconv, &sy_block_fused, &sy_block_group, &sy_block_conv,
    &sy_block_zero};

static bool is_bottleneck(enum sy_block_kind kind)
{
    return kind == SY_BLOCK_MBCONV || kind == SY_BLOCK_FUSED ||
           kind == SY_BLOCK_GROUP;
}

/* Judges the hyper-parameters that the kind uses, and no others. */
static enum sy_status check_spec(const struct sy_block_spec *spec,
                                 struct sy_error *err)
{
    const char *name = sy_block_names[spec->kind];
    int k = spec->kernel;
    bool odd = k == 3 || k == 5 || k == 7;

    if (spec->kind == SY_BLOCK_ZERO) {
        return SY_OK;
    }
    if (!odd && !(k == 1 && spec->kind == SY_BLOCK_CONV)) {
        return sy_fail(
            err, SY_BAD_INPUT, "%s: kernel: expected %s, found %d", name,
            spec->kind == SY_BLOCK_CONV ? "1, 3, 5 or 7" : "3, 5 or 7", k);
    }
    if ((int)spec->act < 0 || spec->act >= SY_ACT_COUNT) {
        return sy_fail(err, SY_BAD_INPUT, "%s: unknown activation %d", name,
                       (int)spec->act);
    }
    if (is_bottleneck(spec->kind) &&
        (spec->expansion < 1 || spec->expansion > 8)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expansion: expected 1 to 8, found %d", name,
                       spec->expansion);
    }
    if (spec->expanded < 0 || spec->expanded > SY_MAX_CHANNELS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expanded: expected 0 to %d, found %d", name,
                       SY_MAX_CHANNELS, spec->expanded);
    }
    if (spec->kind == SY_BLOCK_GROUP && spec->groups < 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: groups: expected at least 1, found %d", name,
                       spec->groups);
    }
    return SY_OK;
}

static enum sy_status check_place(const struct sy_block_place *place,
                                  struct sy_error *err)
{
    if (place->stride != 1 && place->stride != 2) {
        return sy_fail(err, SY_BAD_INPUT, "stride: expected 1 or 2, found %d",
                       place->stride);
    }
    if (place->channels < 1 || place->channels > SY_MAX_CHANNELS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "channels: expected 1 to %d, found %d", SY_MAX_CHANNELS,
                       place->channels);
    }
    return SY_OK;
}

enum sy_status sy_block_plan(const struct sy_block_spec *spec,
                             const struct sy_block_place *place,
                             struct sy_plan *plan, struct sy_error *err)
{
    char text[64];

    if ((int)spec->kind < 0 || spec->kind >= SY_BLOCK_KINDS) {
        return sy_fail(err, SY_BAD_INPUT, "unknown block kind %d",
                       (int)spec->kind);
    }
    SY_TRY(check_spec(spec, err));
    SY_TRY(check_place(place, err));
    sy_plan_begin(plan, place->in, err);
    types[spec->kind]->emit(spec, place, plan);
    enum sy_status status = sy_plan_end(plan, plan->output);
    if (status != SY_OK) {
        sy_error_prefix(err, "%s", sy_block_text(spec, text, sizeof text));
        return status;
    }
    struct sy_shape wanted = {
        .h = (place->in.h - 1) / place->stride + 1,
        .w = (place->in.w - 1) / place->stride + 1,
        .c = place->channels,
    };
    SY_ASSERT(sy_shape_equal(plan->value[plan->output], wanted));
    return SY_OK;
}

struct sy_block_spec sy_block_defaults(enum sy_block_kind kind)
{
    struct sy_block_spec spec = {
        .kind = kind,
        .kernel = 3,
        .expansion = is_bottleneck(kind) ? 4 : 1,
        .groups = kind == SY_BLOCK_GROUP ? 8 : 1, /* widths are 8 * n */
        .act = SY_ACT_HSWISH,
    };
    if (kind == SY_BLOCK_ZERO) {
        spec.kernel = 1;
        spec.act = SY_ACT_NONE;
    }
    return spec;
}

int sy_block_expanded(const struct sy_block_spec *spec, int channels)
{
    return spec->expanded > 0
               ? spec->expanded
               : sy_make_divisible((double)spec->expansion * channels);
}

int sy_block_project(struct sy_plan *plan, int y,
                     const struct sy_block_place *place)
{
    return sy_plan_conv(plan, y,
                        &(struct sy_conv_options){
                            .name = "project",
                            .channels = place->channels,
                            .kernel = 1,
                            .stride = 1,
                            .groups = 1,
                            .act = SY_ACT_NONE,
                        });
}

int sy_block_residual(struct sy_plan *plan, int y,
                      const struct sy_block_place *place)
{
    bool fits = place->stride == 1 && place->in.c == place->channels;
    return fits ? sy_plan_add(plan, y, 0) : y;
}

const char *sy_block_text(const struct sy_block_spec *spec, char *text,
                          size_t bytes)
{
    char groups[16] = "";
    char expansion[16] = "";
    bool squeeze = spec->se && is_bottleneck(spec->kind);

    if (spec->kind == SY_BLOCK_ZERO) {
        (void)snprintf(text, bytes, "zero");
        return text;
    }
    if (is_bottleneck(spec->kind)) {
        bool given = spec->expanded > 0;
        (void)snprintf(expansion, sizeof expansion, given ? " w%d" : " e%d",
                       given ? spec->expanded : spec->expansion);
    }
    if (spec->kind == SY_BLOCK_GROUP) {
        (void)snprintf(groups, sizeof groups, " g%d", spec->groups);
    }
    (void)snprintf(text, bytes, "%s k%d%s%s%s %s", sy_block_names[spec->kind],
                   spec->kernel, expansion, groups, squeeze ? " se" : "",
                   sy_act_names[spec->act]);
    return text;
}
