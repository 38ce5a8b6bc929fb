/*
 * test_plan.c - building plans: parameters, cost, and what is refused.
 */
#include <string.h>

#include "runtime/plan/plan.h"
#include "tests/support/check_main.h"

static struct sy_plan plan;
static struct sy_error err;

static void begin(int h, int w, int c)
{
    memset(&err, 0, sizeof err);
    sy_plan_begin(&plan, (struct sy_shape){h, w, c}, &err);
}

static int conv(int x, const char *name, int channels, int kernel, int stride,
                int groups)
{
    return sy_plan_conv(&plan, x,
                        &(struct sy_conv_options){.name = name,
                                                  .channels = channels,
                                                  .kernel = kernel,
                                                  .stride = stride,
                                                  .groups = groups,
                                                  .act = SY_ACT_RELU});
}

START_TEST(a_plan_without_nodes_is_legal_and_free)
{
    begin(4, 4, 3);
    sy_check_ok(sy_plan_end(&plan, 0), err);
    struct sy_cost cost = sy_plan_cost(&plan);
    ck_assert_int_eq(plan.node_count, 0);
    ck_assert_int_eq(plan.output, 0);
    ck_assert_int_eq(cost.madds, 0);
    ck_assert_int_eq(cost.params, 0);
    ck_assert_int_eq(cost.bytes, 0);
}
END_TEST

START_TEST(a_convolution_is_a_conv_node_and_a_norm_node)
{
    begin(7, 5, 8);
    int y = conv(0, "expand", 12, 3, 2, 4);
    sy_check_ok(sy_plan_end(&plan, y), err);
    ck_assert_int_eq(plan.node_count, 2);
    ck_assert_int_eq(plan.node[0].op, SY_OP_CONV);
    ck_assert_int_eq(plan.node[0].act, SY_ACT_NONE);
    ck_assert_int_eq(plan.node[0].weight, 0);
    ck_assert_int_eq(plan.node[0].norm, -1);
    ck_assert_int_eq(plan.node[1].op, SY_OP_NORM);
    ck_assert_int_eq(plan.node[1].act, SY_ACT_RELU);
    ck_assert_int_eq(plan.node[1].norm, 0);
    ck_assert_int_eq(plan.value[y].h, 4);
    ck_assert_int_eq(plan.value[y].w, 3);
    ck_assert_int_eq(plan.value[y].c, 12);
    ck_assert_ptr_null(plan.err);
}
END_TEST

START_TEST(parameters_have_names_dims_and_fans)
{
    begin(7, 5, 8);
    int y = conv(0, "expand", 12, 3, 2, 4);
    y = sy_plan_depthwise(&plan, y, "depthwise", 5, 1, SY_ACT_RELU);
    y = sy_plan_pool(&plan, y);
    y = sy_plan_dense(&plan, y, "classifier", 10, SY_ACT_NONE, SY_INIT_DENSE);
    sy_check_ok(sy_plan_end(&plan, y), err);

    const struct sy_plan_param *p = plan.param;
    ck_assert_int_eq(plan.param_count, 4);
    ck_assert_str_eq(p[0].name, "expand.weight");
    ck_assert_int_eq(p[0].dims, 4);
    ck_assert_int_eq(p[0].dim[0], 3);
    ck_assert_int_eq(p[0].dim[1], 3);
    ck_assert_int_eq(p[0].dim[2], 2); /* channels per group */
    ck_assert_int_eq(p[0].dim[3], 12);
    ck_assert_int_eq(p[0].fan_in, 18);
    ck_assert_int_eq(p[0].fan_out, 27);
    ck_assert_int_eq(p[0].init, SY_INIT_HE);
    ck_assert(p[0].decay);
    ck_assert_str_eq(p[1].name, "depthwise.weight");
    ck_assert_int_eq(p[1].dims, 3);
    ck_assert_int_eq(p[1].dim[2], 12);
    ck_assert_int_eq(p[1].fan_in, 25);
    ck_assert_str_eq(p[2].name, "classifier.weight");
    ck_assert_int_eq(p[2].dim[0], 12);
    ck_assert_int_eq(p[2].dim[1], 10);
    ck_assert_int_eq(p[2].init, SY_INIT_DENSE);
    ck_assert_str_eq(p[3].name, "classifier.bias");
    ck_assert_int_eq(p[3].init, SY_INIT_ZERO);
    ck_assert(!p[3].decay);
    ck_assert_int_eq(plan.norm_count, 2);
    ck_assert_str_eq(plan.norm[0].name, "expand");
    ck_assert_int_eq(plan.norm[0].channels, 12);
    ck_assert(!plan.norm[0].zero_scale);
    ck_assert_str_eq(plan.norm[1].name, "depthwise");
}
END_TEST

START_TEST(cost_counts_products_weights_and_four_floats_a_norm_channel)
{
    begin(7, 5, 8);
    int y = conv(0, "expand", 12, 3, 2, 4); /* 4 x 3 */
    y = sy_plan_depthwise(&plan, y, "depthwise", 5, 1, SY_ACT_RELU);
    y = sy_plan_pool(&plan, y);
    y = sy_plan_dense(&plan, y, "classifier", 10, SY_ACT_NONE, SY_INIT_DENSE);
    sy_check_ok(sy_plan_end(&plan, y), err);

    struct sy_cost cost = sy_plan_cost(&plan);
    ck_assert_int_eq(cost.madds, 12 * (9 * 2 * 12) + 12 * (25 * 12) + 120);
    ck_assert_int_eq(cost.params,
                     9 * 2 * 12 + 25 * 12 + 12 * 10 + 10 + 4 * (12 + 12));
    ck_assert_int_eq(cost.bytes, 4 * cost.params);
}
END_TEST

START_TEST(squeeze_excite_is_pool_dense_dense_scale)
{
    begin(6, 6, 40);
    int y = sy_plan_squeeze_excite(&plan, 0);
    sy_check_ok(sy_plan_end(&plan, y), err);
    static const enum sy_op_kind ops[] = {SY_OP_POOL, SY_OP_DENSE, SY_OP_DENSE,
                                          SY_OP_SCALE};
    ck_assert_int_eq(plan.node_count, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(plan.node[i].op, ops[i]);
    }
    ck_assert_int_eq(plan.node[1].act, SY_ACT_RELU);
    ck_assert_int_eq(plan.node[2].act, SY_ACT_HSIGMOID);
    ck_assert_str_eq(plan.param[0].name, "se.reduce.weight");
    ck_assert_str_eq(plan.param[1].name, "se.reduce.bias");
    ck_assert_str_eq(plan.param[2].name, "se.expand.weight");
    ck_assert_str_eq(plan.param[3].name, "se.expand.bias");
    ck_assert_int_eq(plan.param[0].dim[1], 16); /* 10, rounded to 8, is low */
    ck_assert(sy_shape_equal(plan.value[y], plan.value[0]));
}
END_TEST

START_TEST(widths_become_multiples_of_eight_and_lose_at_most_a_tenth)
{
    static const int cases[][2] = {{1, 8},   {8, 8},   {11, 16},  {12, 16},
                                   {16, 16}, {18, 24}, {20, 24},  {36, 40},
                                   {64, 64}, {67, 64}, {100, 104}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(sy_make_divisible(cases[i][0]), cases[i][1]);
    }
    for (int width = 1; width < 3000; width++) {
        int rounded = sy_make_divisible(width);
        ck_assert(rounded % 8 == 0 && rounded >= 8);
        ck_assert(rounded >= 0.9 * width && rounded <= width + 8);
    }
}
END_TEST

START_TEST(a_value_that_nobody_reads_is_refused)
{
    begin(4, 4, 8);
    int y = conv(0, "a", 8, 1, 1, 1);
    (void)conv(0, "b", 8, 1, 1, 1);
    sy_check_fails(sy_plan_end(&plan, y), SY_BAD_INPUT, err);
    sy_check_says(err, "never used");
}
END_TEST

/* The plan has failed, and its message contains `says`. */
static void refused(int output, const char *says)
{
    ck_assert_int_eq(sy_plan_end(&plan, output), SY_BAD_INPUT);
    ck_assert_int_eq(err.status, SY_BAD_INPUT);
    sy_check_says(err, says);
}

START_TEST(the_first_failure_stays)
{
    begin(4, 4, 8);
    int y = conv(0, "a", 8, 2, 1, 1);
    ck_assert_int_eq(y, 0);
    y = conv(y, "b", 8, 1, 3, 1);
    y = sy_plan_add(&plan, y, sy_plan_pool(&plan, y));
    ck_assert_int_eq(plan.node_count, 0);
    refused(y, "expected 1, 3, 5 or 7, found 2");
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_refused_with_a_sentence)
{
    begin(0, 4, 8);
    refused(0, "input of 0 x 4 x 8");
    begin(4, SY_MAX_SIDE + 1, 8);
    refused(0, "input of");
    begin(4, 4, SY_MAX_CHANNELS + 1);
    refused(0, "input of");
    begin(4, 4, 8);
    refused(conv(0, "a", 0, 1, 1, 1), "channels: expected 1 to 8192, found 0");
    begin(4, 4, 8);
    refused(conv(0, "a", 8, 1, 3, 1), "stride: expected 1 or 2, found 3");
    begin(4, 4, 8);
    refused(conv(0, "a", 9, 1, 1, 4), "4 does not divide 8 input and 9");
    begin(4, 4, 8);
    refused(conv(0, "a", 8, 1, 1, 0), "0 does not divide");
    begin(4, 4, 8);
    refused(sy_plan_depthwise(&plan, 0, "d", 9, 1, SY_ACT_NONE),
            "depthwise: kernel");
    begin(4, 4, 8);
    refused(sy_plan_dense(&plan, 0, "d", 4, SY_ACT_NONE, SY_INIT_HE),
            "expected 1 x 1 x C, found 4 x 4 x 8");
    begin(1, 1, 8);
    refused(sy_plan_dense(&plan, 0, "d", 0, SY_ACT_NONE, SY_INIT_HE),
            "outputs: expected 1 to");
    begin(4, 4, 8);
    refused(sy_plan_add(&plan, 0, sy_plan_pool(&plan, 0)), "shapes differ");
    begin(4, 4, 8);
    refused(sy_plan_scale(&plan, 0, 0), "expected 1 x 1 x 8");
}
END_TEST

START_TEST(names_must_fit_and_be_new)
{
    begin(4, 4, 8);
    int y = conv(0, "same", 8, 1, 1, 1);
    refused(conv(y, "same", 8, 1, 1, 1), "two parameters are named \"same");
    begin(4, 4, 8);
    refused(conv(0, "a name of very many characters", 8, 1, 1, 1),
            "longer than");
}
END_TEST

START_TEST(a_plan_that_grows_too_large_is_refused)
{
    char name[] = "a";
    int y = 0;

    begin(4, 4, 8);
    for (int i = 0; i <= SY_PLAN_MAX_NORMS; i++, name[0]++) {
        y = conv(y, name, 8, 1, 1, 1);
    }
    refused(y, "at most 8 norms");
    begin(1, 1, 8);
    y = 0;
    for (int i = 0; i <= SY_PLAN_MAX_NODES; i++) {
        y = sy_plan_pool(&plan, y);
    }
    refused(y, "at most 32 nodes");
    begin(1, 1, 8);
    y = 0;
    name[0] = 'a';
    for (int i = 0; i <= SY_PLAN_MAX_PARAMS / 2; i++, name[0]++) {
        y = sy_plan_dense(&plan, y, name, 8, SY_ACT_NONE, SY_INIT_HE);
    }
    refused(y, "at most 32 parameters");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("plan");

    tcase_add_test(tc, a_plan_without_nodes_is_legal_and_free);
    tcase_add_test(tc, a_convolution_is_a_conv_node_and_a_norm_node);
    tcase_add_test(tc, parameters_have_names_dims_and_fans);
    tcase_add_test(tc,
                   cost_counts_products_weights_and_four_floats_a_norm_channel);
    tcase_add_test(tc, squeeze_excite_is_pool_dense_dense_scale);
    tcase_add_test(tc,
                   widths_become_multiples_of_eight_and_lose_at_most_a_tenth);
    tcase_add_test(tc, a_value_that_nobody_reads_is_refused);
    tcase_add_test(tc, the_first_failure_stays);
    tcase_add_test(tc, shapes_that_do_not_fit_are_refused_with_a_sentence);
    tcase_add_test(tc, names_must_fit_and_be_new);
    tcase_add_test(tc, a_plan_that_grows_too_large_is_refused);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
