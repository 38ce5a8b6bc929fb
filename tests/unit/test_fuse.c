/*
 * test_fuse.c - the inference form: what is taken together, what is not, and
 * that every value stands before it is read. That a fused step computes what
 * it replaces is checked in conform/conform_ops.c.
 */
#include <string.h>

#include "runtime/blocks/block.h"
#include "tests/support/check_main.h"

static struct sy_plan plan;
static struct sy_infer_plan fused;
static struct sy_error err;

static void begin(int c)
{
    memset(&err, 0, sizeof err);
    sy_plan_begin(&plan, (struct sy_shape){4, 4, c}, &err);
}

static int conv(int x, const char *name, enum sy_act act)
{
    return sy_plan_conv(&plan, x,
                        &(struct sy_conv_options){.name = name,
                                                  .channels = 8,
                                                  .kernel = 1,
                                                  .stride = 1,
                                                  .groups = 1,
                                                  .act = act});
}

static void end_and_fuse(int output)
{
    sy_check_ok(sy_plan_end(&plan, output), err);
    sy_plan_fuse(&plan, &fused);
    ck_assert_int_eq(fused.output, output);
}

START_TEST(a_convolution_takes_norm_activation_and_residual)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_HSWISH);
    int z = conv(y, "b", SY_ACT_NONE);
    int sum = sy_plan_add(&plan, z, 0);
    end_and_fuse(sum);
    ck_assert_int_eq(fused.step_count, 2);
    ck_assert_int_eq(fused.step[0].node.op, SY_OP_CONV);
    ck_assert_int_eq(fused.step[0].node.act, SY_ACT_HSWISH);
    ck_assert_int_eq(fused.step[0].node.norm, 0);
    ck_assert_int_eq(fused.step[0].node.out, y);
    ck_assert_int_eq(fused.step[0].residual, -1);
    ck_assert_int_eq(fused.step[1].node.in[0], y);
    ck_assert_int_eq(fused.step[1].node.out, sum);
    ck_assert_int_eq(fused.step[1].node.norm, 1);
    ck_assert_int_eq(fused.step[1].node.weight, 1);
    ck_assert_int_eq(fused.step[1].residual, 0);
}
END_TEST

START_TEST(the_residual_may_be_either_operand_and_follow_an_activation)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_RELU);
    end_and_fuse(sy_plan_add(&plan, 0, y));
    ck_assert_int_eq(fused.step_count, 1);
    ck_assert_int_eq(fused.step[0].node.act, SY_ACT_RELU);
    ck_assert_int_eq(fused.step[0].residual, 0);
}
END_TEST

START_TEST(a_value_with_two_readers_is_kept)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_NONE);
    int z = conv(y, "b", SY_ACT_NONE);
    int sum = sy_plan_add(&plan, y, z); /* y is read twice: b takes it */
    end_and_fuse(sum);
    ck_assert_int_eq(fused.step_count, 2);
    ck_assert_int_eq(fused.step[0].node.out, y);
    ck_assert_int_eq(fused.step[0].residual, -1);
    ck_assert_int_eq(fused.step[1].residual, y);
    ck_assert_int_eq(fused.step[1].node.out, sum);
}
END_TEST

START_TEST(an_add_waits_for_an_operand_that_comes_later)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_NONE);
    int z = conv(0, "b", SY_ACT_NONE);
    int sum = sy_plan_add(&plan, y, z);
    end_and_fuse(sum);
    ck_assert_int_eq(fused.step_count, 2);
    ck_assert_int_eq(fused.step[0].residual, -1);
    ck_assert_int_eq(fused.step[1].residual, y);
}
END_TEST

START_TEST(an_add_of_a_value_to_itself_stays)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_NONE);
    end_and_fuse(sy_plan_add(&plan, y, y));
    ck_assert_int_eq(fused.step_count, 2);
    ck_assert_int_eq(fused.step[1].node.op, SY_OP_ADD);
}
END_TEST

START_TEST(squeeze_excite_stays_and_dense_keeps_its_activation)
{
    begin(8);
    int y = sy_plan_depthwise(&plan, 0, "depthwise", 3, 1, SY_ACT_RELU);
    end_and_fuse(sy_plan_squeeze_excite(&plan, y));
    static const enum sy_op_kind ops[] = {
        SY_OP_DEPTHWISE, SY_OP_POOL, SY_OP_DENSE, SY_OP_DENSE, SY_OP_SCALE};
    ck_assert_int_eq(fused.step_count, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(fused.step[i].node.op, ops[i]);
    }
    ck_assert_int_eq(fused.step[0].node.out, y);
    ck_assert_int_eq(fused.step[2].node.act, SY_ACT_RELU);
    ck_assert_int_eq(fused.step[3].node.act, SY_ACT_HSIGMOID);
}
END_TEST

START_TEST(an_expansion_and_its_depthwise_convolution_become_a_pair)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_HSWISH);
    int z = sy_plan_depthwise(&plan, y, "b", 3, 1, SY_ACT_RELU);
    int w = conv(z, "c", SY_ACT_NONE);
    end_and_fuse(sy_plan_add(&plan, w, 0));
    sy_plan_pair(&fused);
    ck_assert_int_eq(fused.step_count, 2);
    ck_assert(fused.step[0].pair && !fused.step[1].pair);
    ck_assert_int_eq(fused.step[0].node.out, y);
    ck_assert_int_eq(fused.step[0].then.in[0], y);
    ck_assert_int_eq(fused.step[0].then.act, SY_ACT_RELU);
    ck_assert_int_eq(sy_step_out(&fused.step[0]), z);
    ck_assert_int_eq(fused.step[1].node.in[0], z);
    ck_assert_int_eq(sy_step_out(&fused.step[1]), fused.output);
}
END_TEST

START_TEST(a_pair_keeps_the_residual_of_its_second_step)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_RELU);
    int z = sy_plan_depthwise(&plan, y, "b", 3, 1, SY_ACT_NONE);
    end_and_fuse(sy_plan_add(&plan, z, 0));
    sy_plan_pair(&fused);
    ck_assert_int_eq(fused.step_count, 1);
    ck_assert(fused.step[0].pair);
    ck_assert_int_eq(fused.step[0].residual, 0);
}
END_TEST

START_TEST(what_others_read_or_what_has_a_window_is_no_pair)
{
    begin(8);
    int y = conv(0, "a", SY_ACT_RELU);
    int z = sy_plan_depthwise(&plan, y, "b", 3, 1, SY_ACT_RELU);
    end_and_fuse(sy_plan_add(&plan, z, y));
    sy_plan_pair(&fused);
    ck_assert_int_eq(fused.step_count, 2);
    ck_assert(!fused.step[0].pair);

    begin(8);
    y = sy_plan_conv(&plan, 0,
                     &(struct sy_conv_options){.name = "a",
                                               .channels = 8,
                                               .kernel = 3,
                                               .stride = 1,
                                               .groups = 1,
                                               .act = SY_ACT_RELU});
    end_and_fuse(sy_plan_depthwise(&plan, y, "b", 3, 1, SY_ACT_RELU));
    sy_plan_pair(&fused);
    ck_assert_int_eq(fused.step_count, 2);
}
END_TEST

START_TEST(a_plan_without_nodes_has_no_steps)
{
    begin(8);
    end_and_fuse(0);
    ck_assert_int_eq(fused.step_count, 0);
}
END_TEST

/* Walks the steps and marks what stands; everything read must. */
static void check_order(void)
{
    bool stands[SY_PLAN_MAX_VALUES] = {true};

    for (int i = 0; i < fused.step_count; i++) {
        const struct sy_step *step = &fused.step[i];
        for (int j = 0; j < sy_op_of(step->node.op)->inputs; j++) {
            ck_assert(stands[step->node.in[j]]);
        }
        ck_assert(step->residual < 0 || stands[step->residual]);
        ck_assert(!stands[step->node.out]);
        stands[step->node.out] = true;
        ck_assert_int_ne(step->node.op, SY_OP_NORM);
    }
    ck_assert(stands[fused.output]);
}

START_TEST(every_kind_of_block_runs_in_the_order_of_its_steps)
{
    for (int i = 0; i < SY_BLOCK_KINDS * 2 * 2 * 2 * 2; i++) {
        struct sy_block_spec spec =
            sy_block_defaults((enum sy_block_kind)(i / 16));
        struct sy_block_place place = {.in = {7, 5, 16},
                                       .channels = i & 4 ? 16 : 24,
                                       .stride = i & 8 ? 1 : 2};
        spec.se = (i & 1) != 0;
        spec.expansion = i & 2 ? 1 : 4;
        sy_check_ok(sy_block_plan(&spec, &place, &plan, &err), err);
        sy_plan_fuse(&plan, &fused);
        check_order();
        bool ends_in_scale =
            spec.kind == SY_BLOCK_FUSED && spec.se && spec.expansion == 1;
        for (int j = 0; j < fused.step_count; j++) {
            ck_assert(fused.step[j].node.op != SY_OP_ADD || ends_in_scale);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fuse");
    TCase *tc = tcase_create("fuse");

    tcase_add_test(tc, a_convolution_takes_norm_activation_and_residual);
    tcase_add_test(tc,
                   the_residual_may_be_either_operand_and_follow_an_activation);
    tcase_add_test(tc, a_value_with_two_readers_is_kept);
    tcase_add_test(tc, an_add_waits_for_an_operand_that_comes_later);
    tcase_add_test(tc, an_add_of_a_value_to_itself_stays);
    tcase_add_test(tc, squeeze_excite_stays_and_dense_keeps_its_activation);
    tcase_add_test(tc,
                   an_expansion_and_its_depthwise_convolution_become_a_pair);
    tcase_add_test(tc, a_pair_keeps_the_residual_of_its_second_step);
    tcase_add_test(tc, what_others_read_or_what_has_a_window_is_no_pair);
    tcase_add_test(tc, a_plan_without_nodes_has_no_steps);
    tcase_add_test(tc, every_kind_of_block_runs_in_the_order_of_its_steps);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
