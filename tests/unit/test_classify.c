/*
 * test_classify.c - the classification head: loss by hand, gradient by finite
 * differences, ties, smoothing, extremes, and the plans it emits.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "runtime/heads/head.h"
#include "tests/support/check_main.h"

static const struct sy_head_type *const head = &sy_head_classify;

static double ln3;

static void setup(void)
{
    ln3 = (double)(float)log(3.0);
}

START_TEST(the_loss_of_two_classes_is_what_a_hand_computes)
{
    float outputs[] = {0.0f, (float)log(3.0)}; /* softmax 1/4, 3/4 */
    int label = 1;
    float gradient[2];
    struct sy_head_loss loss =
        head->loss(outputs, &label, 1, 2, 0.0, 1.0, 1, gradient);

    ck_assert(fabs(loss.loss - (log(4.0) - ln3)) < 1e-7);
    ck_assert_int_eq(loss.correct, 1);
    ck_assert(fabs(gradient[0] - 0.25) < 1e-7);
    ck_assert(fabs(gradient[1] + 0.25) < 1e-7);
}
END_TEST

START_TEST(imitation_pulls_towards_the_teachers_answer)
{
    float outputs[] = {0.0f, (float)log(3.0)}; /* softmax 1/4, 3/4 */
    float teacher[] = {5.0f, 5.0f};            /* 1/2, 1/2 */
    float gradient[2] = {1.0f, 0.0f};
    double loss = head->imitate(outputs, teacher, 1, 2, 2.0, 1, gradient);

    ck_assert(fabs(loss - (log(4.0) - 0.5 * ln3)) < 1e-7);
    ck_assert(fabs(gradient[0] - (1.0 - 0.5)) < 1e-7); /* added */
    ck_assert(fabs(gradient[1] - 0.5) < 1e-7);
}
END_TEST

START_TEST(smoothing_moves_part_of_the_target_to_every_class)
{
    float outputs[] = {0.0f, (float)log(3.0)};
    int label = 1;
    float gradient[2];
    struct sy_head_loss loss =
        head->loss(outputs, &label, 1, 2, 0.2, 1.0, 1, gradient);

    /* Targets 0.1 and 0.9. */
    ck_assert(fabs(loss.loss - (log(4.0) - 0.9 * ln3)) < 1e-7);
    ck_assert(fabs(gradient[0] - 0.15) < 1e-7);
    ck_assert(fabs(gradient[1] + 0.15) < 1e-7);
}
END_TEST

START_TEST(loss_is_a_mean_and_the_gradient_is_of_the_weighted_share)
{
    float outputs[] = {0.0f, (float)log(3.0), 1.0f, 1.0f};
    int labels[] = {1, 0};
    float gradient[4];
    struct sy_head_loss loss =
        head->loss(outputs, labels, 2, 2, 0.0, 3.0, 8, gradient);

    ck_assert(fabs(loss.loss - (log(4.0) - ln3 + log(2.0)) / 2.0) < 1e-7);
    ck_assert_int_eq(loss.correct, 2);
    ck_assert(fabs(gradient[0] - 0.25 * 3.0 / 8.0) < 1e-7);
    ck_assert(fabs(gradient[2] + 0.5 * 3.0 / 8.0) < 1e-7);
    loss = head->loss(outputs, labels, 0, 2, 0.0, 3.0, 8, NULL);
    ck_assert(loss.loss == 0.0 && loss.correct == 0);
}
END_TEST

START_TEST(of_equal_outputs_the_lower_index_is_the_answer)
{
    float outputs[] = {1.0f, 2.0f, 2.0f};
    int labels[] = {0, 1, 2};

    for (int i = 0; i < 3; i++) {
        struct sy_head_loss loss =
            head->loss(outputs, &labels[i], 1, 3, 0.0, 1.0, 1, NULL);
        ck_assert_int_eq(loss.correct, i == 1);
    }
}
END_TEST

START_TEST(the_gradient_agrees_with_finite_differences)
{
    enum { COUNT = 3, CLASSES = 5 };
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 0, 0);
    float outputs[COUNT * CLASSES], gradient[COUNT * CLASSES];
    int labels[COUNT] = {4, 0, 2};
    double weight = 0.7, step = 1.0 / 1024.0;
    int total = 9;

    for (int i = 0; i < COUNT * CLASSES; i++) {
        outputs[i] = 2.0f * sy_rng_normal(&rng);
    }
    (void)head->loss(outputs, labels, COUNT, CLASSES, 0.1, weight, total,
                     gradient);
    for (int i = 0; i < COUNT * CLASSES; i++) {
        float kept = outputs[i], high = kept + (float)step;
        float low = kept - (float)step;
        outputs[i] = high;
        double up = head->loss(outputs, labels, COUNT, CLASSES, 0.1, weight,
                               total, NULL)
                        .loss;
        outputs[i] = low;
        double down = head->loss(outputs, labels, COUNT, CLASSES, 0.1, weight,
                                 total, NULL)
                          .loss;
        outputs[i] = kept;
        double slope = (up - down) * COUNT / ((double)high - (double)low);
        ck_assert(fabs(slope * weight / total - (double)gradient[i]) < 1e-7);
    }
}
END_TEST

START_TEST(extreme_outputs_stay_finite)
{
    float outputs[] = {FLT_MAX, -FLT_MAX, 0.0f};
    float gradient[3], answer[3];

    for (int label = 0; label < 3; label++) {
        struct sy_head_loss loss =
            head->loss(outputs, &label, 1, 3, 0.1, 1.0, 1, gradient);
        ck_assert(isfinite(loss.loss) && loss.loss >= 0.0);
        for (int k = 0; k < 3; k++) {
            ck_assert(isfinite(gradient[k]));
        }
    }
    head->answer(outputs, 3, 0.05, answer);
    ck_assert(answer[0] == 1.0f && answer[1] == 0.0f && answer[2] == 0.0f);
}
END_TEST

START_TEST(one_class_has_no_loss)
{
    float output = 7.0f, gradient, answer;
    int label = 0;
    struct sy_head_loss loss =
        head->loss(&output, &label, 1, 1, 0.1, 1.0, 1, &gradient);

    ck_assert(fabs(loss.loss) < 1e-12 && gradient == 0.0f);
    head->answer(&output, 1, 1.0, &answer);
    ck_assert(answer == 1.0f);
}
END_TEST

START_TEST(the_answer_is_a_softmax_under_a_temperature)
{
    float outputs[] = {0.0f, 2.0f * (float)log(3.0), 0.0f}, answer[3];
    double sum = 0.0;

    head->answer(outputs, 3, 2.0, answer); /* exp: 1, 3, 1 */
    for (int k = 0; k < 3; k++) {
        sum += (double)answer[k];
    }
    ck_assert(fabs(sum - 1.0) < 1e-6);
    ck_assert(fabs(answer[1] - 0.6) < 1e-6);
    ck_assert(answer[0] == answer[2]);
}
END_TEST

/* Outputs (0, c) in each of four samples, of which `right` have label 1. */
static double calibrate_four(double c, int right)
{
    float outputs[8] = {0};
    int labels[4] = {0};

    for (int i = 0; i < 4; i++) {
        outputs[2 * i + 1] = (float)c;
        labels[i] = i < right ? 1 : 0;
    }
    return head->calibrate(outputs, labels, 4, 2);
}

START_TEST(a_temperature_is_what_a_hand_computes)
{
    /* Targets of label 1 are 5/6 where it is the label, else 1/6: with three
       of four their mean is 2/3, so c / T = ln 2. */
    ck_assert(fabs(calibrate_four(log(4.0), 3) - 2.0) < 1e-6);
    ck_assert(fabs(calibrate_four(log(2.0) / 50.0, 3) - 0.02) < 1e-6);
    /* All right: not certain, but 5/6. */
    ck_assert(fabs(calibrate_four(log(5.0), 4) - 1.0) < 1e-6);
    /* Half of them right is a coin, whatever the outputs say; wrong ones
       would want a negative temperature. Both end at the highest one. */
    ck_assert(fabs(calibrate_four(1.0, 2) - 1000.0) < 1e-3);
    ck_assert(fabs(calibrate_four(1.0, 0) - 1000.0) < 1e-3);
    ck_assert(fabs(calibrate_four(1e-5, 4) - 1e-3) < 1e-9);
}
END_TEST

START_TEST(samples_that_cannot_tell_leave_the_temperature_at_1)
{
    float same[] = {3.0f, 3.0f, -1.0f, -1.0f};
    float broken[] = {0.0f, INFINITY, 0.0f, 1.0f};
    int labels[] = {0, 1};

    ck_assert(head->calibrate(same, labels, 0, 2) == 1.0);
    ck_assert(head->calibrate(same, labels, 2, 2) == 1.0);
    labels[1] = 0;
    ck_assert(head->calibrate(same, labels, 2, 1) == 1.0);
    ck_assert(head->calibrate(broken, labels, 2, 2) == 1.0);
    broken[1] = NAN;
    ck_assert(head->calibrate(broken, labels, 2, 2) == 1.0);
}
END_TEST

/*
 * `count` samples whose labels are drawn from softmax(outputs / temperature),
 * shifted by a constant of each sample, which changes nothing.
 */
static void plant(double temperature, int count, int classes, float *outputs,
                  int *labels)
{
    struct sy_rng rng = sy_rng_stream(3, SY_RNG_TEST, 1, 0);
    float answer[16];

    for (int n = 0; n < count; n++) {
        float *z = outputs + n * classes;
        for (int k = 0; k < classes; k++) {
            z[k] = (float)temperature * 2.0f * sy_rng_normal(&rng);
        }
        head->answer(z, classes, temperature, answer);
        float left = sy_rng_uniform(&rng);
        labels[n] = 0;
        while (labels[n] + 1 < classes && left >= answer[labels[n]]) {
            left -= answer[labels[n]++];
        }
        float shift = 10.0f * sy_rng_normal(&rng);
        for (int k = 0; k < classes; k++) {
            z[k] += shift;
        }
    }
}

START_TEST(a_planted_temperature_is_found)
{
    enum { COUNT = 4000, CLASSES = 10 };
    static const double planted[] = {0.02, 0.5, 1.0, 2.5, 80.0};
    static float outputs[COUNT * CLASSES];
    static int labels[COUNT];
    float answer[CLASSES];

    for (int i = 0; i < 5; i++) {
        double t = planted[i], before = 0.0, after = 0.0;
        plant(t, COUNT, CLASSES, outputs, labels);
        double found = head->calibrate(outputs, labels, COUNT, CLASSES);
        ck_assert_double_eq_tol(found / t, 1.0, 0.04);
        for (int n = 0; n < COUNT; n++) {
            const float *z = outputs + n * CLASSES;
            head->answer(z, CLASSES, 1.0, answer);
            before -= log(fmax((double)answer[labels[n]], 1e-30));
            head->answer(z, CLASSES, found, answer);
            after -= log((double)answer[labels[n]]);
        }
        ck_assert(t == 1.0 || after < before);
    }
}
END_TEST

START_TEST(sureness_is_what_its_rule_says)
{
    const float answer[] = {0.125f, 0.5f, 0.125f, 0.25f};
    const float even[] = {0.25f, 0.25f, 0.25f, 0.25f};
    const float sure[] = {0.0f, 1.0f, 0.0f, 0.0f};
    const float broken[] = {0.5f, 0.5f, NAN, 0.0f};

    ck_assert(head->sureness(answer, 4, SY_SURE_CONFIDENCE) == 0.5);
    ck_assert(head->sureness(answer, 4, SY_SURE_MARGIN) == 0.25);
    /* H = 1/2 ln 2 + 1/4 ln 4 + 2/8 ln 8 = 1.75 ln 2, of 2 ln 2. */
    ck_assert(fabs(head->sureness(answer, 4, SY_SURE_ENTROPY) - 0.125) < 1e-12);
    ck_assert(head->sureness(even, 4, SY_SURE_CONFIDENCE) == 0.25);
    ck_assert(head->sureness(even, 4, SY_SURE_MARGIN) == 0.0);
    ck_assert(fabs(head->sureness(even, 4, SY_SURE_ENTROPY)) < 1e-12);
    for (int rule = 0; rule < SY_SURENESSES; rule++) {
        ck_assert(head->sureness(sure, 4, (enum sy_sureness)rule) == 1.0);
        ck_assert(head->sureness(sure, 1, (enum sy_sureness)rule) == 1.0);
        ck_assert(isnan(head->sureness(broken, 4, (enum sy_sureness)rule)));
    }
    ck_assert(head->other_than(answer, 4, 3) == 0.75);
    ck_assert(head->other_than(answer, 4, 0) == 0.875);
}
END_TEST

START_TEST(answers_combine_to_their_weighted_mean)
{
    const float a[] = {0.25f, 0.75f}, b[] = {1.0f, 0.0f};
    const float *both[] = {a, b};
    const double weights[] = {0.75, 0.25};
    float mean[2], outputs[2], answer[2];

    head->combine(both, weights, 2, 2, mean);
    ck_assert(mean[0] == 0.4375f && mean[1] == 0.5625f);
    head->outputs_of(mean, 2, outputs);
    head->answer(outputs, 2, 1.0, answer);
    ck_assert(fabsf(answer[0] - mean[0]) < 1e-6f);
    head->outputs_of(b, 2, outputs);
    ck_assert(isfinite(outputs[1]) && outputs[1] < -80.0f);
}
END_TEST

START_TEST(trunk_and_domain_are_ordinary_plans)
{
    struct sy_head_spec spec = {.width = 32, .act = SY_ACT_HSWISH};
    struct sy_error err = {0};
    struct sy_plan plan;

    sy_plan_begin(&plan, (struct sy_shape){4, 4, 24}, &err);
    head->emit_trunk(&spec, &plan);
    sy_check_ok(sy_plan_end(&plan, plan.output), err);
    ck_assert(
        sy_shape_equal(plan.value[plan.output], (struct sy_shape){1, 1, 32}));
    ck_assert_int_eq(sy_plan_cost(&plan).madds, 16 * 24 * 32);
    ck_assert_str_eq(plan.param[0].name, "conv.weight");

    spec.hidden = 20; /* after the mean, on one position */
    sy_plan_begin(&plan, (struct sy_shape){4, 4, 24}, &err);
    head->emit_trunk(&spec, &plan);
    sy_check_ok(sy_plan_end(&plan, plan.output), err);
    ck_assert(
        sy_shape_equal(plan.value[plan.output], (struct sy_shape){1, 1, 20}));
    ck_assert_int_eq(sy_plan_cost(&plan).madds, 16 * 24 * 32 + 32 * 20);
    ck_assert_str_eq(plan.param[1].name, "hidden.weight");

    sy_plan_begin(&plan, (struct sy_shape){1, 1, 32}, &err);
    head->emit_domain(&spec, 10, &plan);
    sy_check_ok(sy_plan_end(&plan, plan.output), err);
    ck_assert(
        sy_shape_equal(plan.value[plan.output], (struct sy_shape){1, 1, 10}));
    ck_assert_str_eq(plan.param[0].name, "classifier.weight");
    ck_assert_int_eq(plan.param[0].init, SY_INIT_DENSE);
    ck_assert(!plan.param[0].decay && !plan.param[1].decay);

    sy_plan_begin(&plan, (struct sy_shape){1, 1, 32}, &err);
    head->emit_domain(&spec, 0, &plan);
    ck_assert_int_eq(sy_plan_end(&plan, plan.output), SY_BAD_INPUT);
    sy_check_says(err, "outputs: expected 1 to");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classify");
    TCase *tc = tcase_create("classify");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, the_loss_of_two_classes_is_what_a_hand_computes);
    tcase_add_test(tc, imitation_pulls_towards_the_teachers_answer);
    tcase_add_test(tc, smoothing_moves_part_of_the_target_to_every_class);
    tcase_add_test(tc,
                   loss_is_a_mean_and_the_gradient_is_of_the_weighted_share);
    tcase_add_test(tc, of_equal_outputs_the_lower_index_is_the_answer);
    tcase_add_test(tc, the_gradient_agrees_with_finite_differences);
    tcase_add_test(tc, extreme_outputs_stay_finite);
    tcase_add_test(tc, one_class_has_no_loss);
    tcase_add_test(tc, the_answer_is_a_softmax_under_a_temperature);
    tcase_add_test(tc, a_temperature_is_what_a_hand_computes);
    tcase_add_test(tc, samples_that_cannot_tell_leave_the_temperature_at_1);
    tcase_add_test(tc, a_planted_temperature_is_found);
    tcase_add_test(tc, sureness_is_what_its_rule_says);
    tcase_add_test(tc, answers_combine_to_their_weighted_mean);
    tcase_add_test(tc, trunk_and_domain_are_ordinary_plans);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
