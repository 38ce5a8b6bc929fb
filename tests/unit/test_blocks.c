/*
 * test_blocks.c - block kinds: costs computed by hand, residuals only where
 * the shapes allow, and refusals that say why.
 */
#include <string.h>

#include "runtime/blocks/block.h"
#include "tests/support/check_main.h"

static struct sy_plan plan;
static struct sy_error err;

static enum sy_status make(struct sy_block_spec spec, int side, int in, int out,
                           int stride)
{
    struct sy_block_place place = {
        .in = {side, side, in}, .channels = out, .stride = stride};
    return sy_block_plan(&spec, &place, &plan, &err);
}

static struct sy_block_spec kind(enum sy_block_kind kind, int kernel,
                                 int expansion)
{
    struct sy_block_spec spec = sy_block_defaults(kind);

    spec.kernel = kernel;
    spec.expansion = expansion;
    return spec;
}

static void check_cost(int64_t madds, int64_t params)
{
    struct sy_cost cost = sy_plan_cost(&plan);

    ck_assert_int_eq(cost.madds, madds);
    ck_assert_int_eq(cost.params, params);
    ck_assert_int_eq(cost.bytes, 4 * params);
}

static bool has_op(enum sy_op_kind op)
{
    for (int i = 0; i < plan.node_count; i++) {
        if (plan.node[i].op == op) {
            return true;
        }
    }
    return false;
}

START_TEST(a_given_inner_width_takes_the_place_of_the_expansion)
{
    struct sy_block_spec spec = kind(SY_BLOCK_MBCONV, 5, 4);
    char text[64];

    /* 4 x 4 x 24: 104 channels inside, no multiple of 24. */
    spec.expanded = 104;
    sy_check_ok(make(spec, 4, 24, 48, 1), err);
    check_cost(16 * (24 * 104 + 25 * 104 + 104 * 48),
               24 * 104 + 25 * 104 + 104 * 48 + 4 * (104 + 104 + 48));
    ck_assert_str_eq(sy_block_text(&spec, text, sizeof text),
                     "mbconv k5 w104 hswish");
    /* No wider than the input: no expand convolution. */
    spec.expanded = 24;
    sy_check_ok(make(spec, 4, 24, 48, 1), err);
    check_cost(16 * (25 * 24 + 24 * 48), 25 * 24 + 24 * 48 + 4 * (24 + 48));
    spec.expanded = -8;
    sy_check_fails(make(spec, 4, 24, 48, 1), SY_BAD_INPUT, err);
    sy_check_says(err, "mbconv: expanded: expected 0 to 8192, found -8");
}
END_TEST

START_TEST(mbconv_costs_what_a_hand_computes)
{
    struct sy_block_spec spec = kind(SY_BLOCK_MBCONV, 3, 4);

    /* 8 x 8 x 16: expand 16 x 64, depthwise 9 x 64, project 64 x 16. */
    sy_check_ok(make(spec, 8, 16, 16, 1), err);
    check_cost(64 * (16 * 64 + 9 * 64 + 64 * 16),
               16 * 64 + 9 * 64 + 64 * 16 + 4 * (64 + 64 + 16));
    /* Stride 2 to 24: only the expansion runs on 8 x 8. */
    sy_check_ok(make(spec, 8, 16, 24, 2), err);
    check_cost(64 * 16 * 64 + 16 * (9 * 64 + 64 * 24),
               16 * 64 + 9 * 64 + 64 * 24 + 4 * (64 + 64 + 24));
    /* Expansion 1 has no expand convolution. */
    sy_check_ok(make(kind(SY_BLOCK_MBCONV, 5, 1), 8, 16, 16, 1), err);
    check_cost(64 * (25 * 16 + 16 * 16), 25 * 16 + 16 * 16 + 4 * (16 + 16));
    ck_assert_str_eq(plan.param[0].name, "depthwise.weight");
    ck_assert_str_eq(plan.param[1].name, "project.weight");
}
END_TEST

START_TEST(squeeze_excite_adds_two_small_dense_layers)
{
    struct sy_block_spec spec = kind(SY_BLOCK_MBCONV, 3, 4);

    spec.se = true;
    sy_check_ok(make(spec, 8, 16, 16, 1), err);
    check_cost(64 * (16 * 64 + 9 * 64 + 64 * 16) + 2 * 64 * 16,
               16 * 64 + 9 * 64 + 64 * 16 + 4 * (64 + 64 + 16) + 2 * 64 * 16 +
                   16 + 64);
    ck_assert(has_op(SY_OP_SCALE));
}
END_TEST

START_TEST(fused_costs_what_a_hand_computes)
{
    sy_check_ok(make(kind(SY_BLOCK_FUSED, 3, 4), 8, 16, 16, 1), err);
    check_cost(64 * (9 * 16 * 64 + 64 * 16),
               9 * 16 * 64 + 64 * 16 + 4 * (64 + 16));
    ck_assert_str_eq(plan.param[0].name, "expand.weight");
    /* Expansion 1 is one convolution, with a residual all the same. */
    sy_check_ok(make(kind(SY_BLOCK_FUSED, 3, 1), 8, 16, 16, 1), err);
    check_cost(64 * 9 * 16 * 16, 9 * 16 * 16 + 4 * 16);
    ck_assert(has_op(SY_OP_ADD));
}
END_TEST

START_TEST(group_costs_what_a_hand_computes)
{
    sy_check_ok(make(kind(SY_BLOCK_GROUP, 3, 4), 8, 16, 16, 1), err);
    check_cost(64 * (16 * 64 + 9 * 8 * 64 + 64 * 16),
               16 * 64 + 9 * 8 * 64 + 64 * 16 + 4 * (64 + 64 + 16));
    ck_assert_str_eq(plan.param[1].name, "group.weight");
}
END_TEST

START_TEST(conv_costs_what_a_hand_computes)
{
    sy_check_ok(make(kind(SY_BLOCK_CONV, 3, 1), 32, 3, 16, 2), err);
    check_cost(256 * 9 * 3 * 16, 9 * 3 * 16 + 4 * 16);
    ck_assert(!has_op(SY_OP_ADD));
    sy_check_ok(make(kind(SY_BLOCK_CONV, 1, 1), 4, 16, 16, 1), err);
    check_cost(16 * 16 * 16, 16 * 16 + 4 * 16);
}
END_TEST

START_TEST(zero_is_nothing_where_the_shapes_match)
{
    struct sy_block_spec spec = sy_block_defaults(SY_BLOCK_ZERO);

    sy_check_ok(make(spec, 8, 16, 16, 1), err);
    check_cost(0, 0);
    ck_assert_int_eq(plan.node_count, 0);
    ck_assert_int_eq(plan.output, 0);
    sy_check_ok(make(spec, 8, 16, 24, 2), err);
    check_cost(16 * 16 * 24, 16 * 24 + 4 * 24);
    sy_check_ok(make(spec, 8, 16, 24, 1), err);
    check_cost(64 * 16 * 24, 16 * 24 + 4 * 24);
    ck_assert_int_eq(plan.node[1].act, SY_ACT_NONE);
}
END_TEST

START_TEST(a_residual_stands_only_where_stride_and_channels_allow)
{
    static const enum sy_block_kind kinds[] = {SY_BLOCK_MBCONV, SY_BLOCK_FUSED,
                                               SY_BLOCK_GROUP};
    for (int i = 0; i < 3; i++) {
        for (int expansion = 1; expansion <= 8; expansion++) {
            struct sy_block_spec spec = kind(kinds[i], 5, expansion);
            sy_check_ok(make(spec, 7, 24, 24, 1), err);
            ck_assert(has_op(SY_OP_ADD));
            sy_check_ok(make(spec, 7, 24, 24, 2), err);
            ck_assert(!has_op(SY_OP_ADD));
            sy_check_ok(make(spec, 7, 24, 32, 1), err);
            ck_assert(!has_op(SY_OP_ADD));
        }
    }
}
END_TEST

START_TEST(all_kinds_map_the_same_shapes)
{
    for (int k = 0; k < SY_BLOCK_KINDS; k++) {
        struct sy_block_spec spec = sy_block_defaults((enum sy_block_kind)k);
        struct sy_block_place place = {
            .in = {7, 5, 12}, .channels = 20, .stride = 2};
        sy_check_ok(sy_block_plan(&spec, &place, &plan, &err), err);
        ck_assert_int_eq(plan.value[plan.output].h, 4);
        ck_assert_int_eq(plan.value[plan.output].w, 3);
        ck_assert_int_eq(plan.value[plan.output].c, 20);
        sy_check_ok(make(spec, 1, 3, 5, 1), err);
    }
}
END_TEST

START_TEST(projections_are_linear_and_start_loud)
{
    sy_check_ok(make(kind(SY_BLOCK_MBCONV, 3, 4), 8, 16, 16, 1), err);
    ck_assert_int_eq(plan.norm_count, 3);
    ck_assert_str_eq(plan.norm[2].name, "project");
    for (int i = 0; i < plan.norm_count; i++) {
        ck_assert(!plan.norm[i].zero_scale);
    }
    for (int i = 0; i < plan.node_count; i++) {
        if (plan.node[i].op == SY_OP_NORM) {
            ck_assert_int_eq(plan.node[i].act, plan.node[i].norm == 2
                                                   ? SY_ACT_NONE
                                                   : SY_ACT_HSWISH);
        }
    }
}
END_TEST

static void refused(struct sy_block_spec spec, int channels, int stride,
                    const char *says)
{
    sy_check_fails(make(spec, 8, 16, channels, stride), SY_BAD_INPUT, err);
    sy_check_says(err, says);
}

START_TEST(bad_hyper_parameters_are_refused_with_a_sentence)
{
    struct sy_block_spec spec = kind(SY_BLOCK_GROUP, 3, 4);

    refused(kind(SY_BLOCK_MBCONV, 4, 4), 16, 1,
            "mbconv: kernel: expected 3, 5 or 7, found 4");
    refused(kind(SY_BLOCK_MBCONV, 1, 4), 16, 1, "expected 3, 5 or 7, found 1");
    refused(kind(SY_BLOCK_CONV, 9, 1), 16, 1,
            "conv: kernel: expected 1, 3, 5 or 7, found 9");
    refused(kind(SY_BLOCK_FUSED, 3, 0), 16, 1,
            "fused: expansion: expected 1 to 8, found 0");
    refused(kind(SY_BLOCK_FUSED, 3, 9), 16, 1, "found 9");
    spec.groups = 0;
    refused(spec, 16, 1, "group: groups: expected at least 1, found 0");
    spec.groups = 3;
    refused(spec, 16, 1,
            "group k3 e4 g3 hswish: conv: groups: 3 does not "
            "divide 64");
    refused(kind(SY_BLOCK_CONV, 3, 1), 16, 3, "stride: expected 1 or 2");
    refused(kind(SY_BLOCK_CONV, 3, 1), 0, 1, "channels: expected 1 to");
    refused(kind((enum sy_block_kind)SY_BLOCK_KINDS, 3, 1), 16, 1,
            "unknown block kind");
    spec = kind(SY_BLOCK_CONV, 3, 1);
    spec.act = (enum sy_act)99;
    refused(spec, 16, 1, "unknown activation 99");
}
END_TEST

START_TEST(a_block_says_what_it_is_in_few_words)
{
    struct sy_block_spec spec = kind(SY_BLOCK_MBCONV, 5, 4);
    char text[64];

    spec.se = true;
    ck_assert_str_eq(sy_block_text(&spec, text, sizeof text),
                     "mbconv k5 e4 se hswish");
    spec = kind(SY_BLOCK_GROUP, 3, 2);
    spec.act = SY_ACT_RELU;
    ck_assert_str_eq(sy_block_text(&spec, text, sizeof text),
                     "group k3 e2 g8 relu");
    spec = kind(SY_BLOCK_CONV, 1, 1);
    ck_assert_str_eq(sy_block_text(&spec, text, sizeof text), "conv k1 hswish");
    spec = sy_block_defaults(SY_BLOCK_ZERO);
    ck_assert_str_eq(sy_block_text(&spec, text, sizeof text), "zero");
    ck_assert_str_eq(sy_block_text(&spec, text, 3), "ze");
    for (int k = 0; k < SY_BLOCK_KINDS; k++) {
        spec = sy_block_defaults((enum sy_block_kind)k);
        (void)sy_block_text(&spec, text, sizeof text);
        ck_assert_int_eq(
            strncmp(text, sy_block_names[k], strlen(sy_block_names[k])), 0);
    }
    ck_assert_ptr_null(sy_block_names[SY_BLOCK_KINDS]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tc = tcase_create("blocks");

    tcase_add_test(tc, mbconv_costs_what_a_hand_computes);
    tcase_add_test(tc, a_given_inner_width_takes_the_place_of_the_expansion);
    tcase_add_test(tc, squeeze_excite_adds_two_small_dense_layers);
    tcase_add_test(tc, fused_costs_what_a_hand_computes);
    tcase_add_test(tc, group_costs_what_a_hand_computes);
    tcase_add_test(tc, conv_costs_what_a_hand_computes);
    tcase_add_test(tc, zero_is_nothing_where_the_shapes_match);
    tcase_add_test(tc, a_residual_stands_only_where_stride_and_channels_allow);
    tcase_add_test(tc, all_kinds_map_the_same_shapes);
    tcase_add_test(tc, projections_are_linear_and_start_loud);
    tcase_add_test(tc, bad_hyper_parameters_are_refused_with_a_sentence);
    tcase_add_test(tc, a_block_says_what_it_is_in_few_words);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
