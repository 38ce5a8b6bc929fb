/*
 * test_score.c - calibration error against cases worked by hand, and the
 * score of a domain against plain evaluation.
 */
#include "search/eval/score.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_network.h"

enum { IMAGES = 2 * NAS_SCORE_BATCH + 13, MAX_CLASSES = 64 };

START_TEST(nothing_has_no_error)
{
    ck_assert_double_eq(nas_ece(NULL, NULL, 0), 0.0);
}
END_TEST

START_TEST(certain_and_right_is_calibrated_certain_and_wrong_is_not)
{
    const float confidence[2] = {1.0f, 1.0f};
    const bool right[2] = {true, true};
    const bool wrong[2] = {false, false};
    ck_assert_double_eq(nas_ece(confidence, right, 2), 0.0);
    ck_assert_double_eq(nas_ece(confidence, wrong, 2), 1.0);
}
END_TEST

START_TEST(a_bin_compares_its_mean_confidence_with_its_hits)
{
    /* One bin, (0.8, 0.8667]: mean 0.84375, hits 1/2. */
    const float confidence[2] = {0.8125f, 0.859375f};
    const bool right[2] = {true, false};
    ck_assert_double_eq_tol(nas_ece(confidence, right, 2),
                            (0.8125 + 0.859375) / 2 - 0.5, 1e-12);
}
END_TEST

START_TEST(bins_weigh_by_how_many_they_hold)
{
    /* (0.4667, 0.5]: |0.5 - 1| of one; (0.9333, 1]: |1 - 2/3| of three. */
    const float confidence[4] = {0.5f, 1.0f, 1.0f, 1.0f};
    const bool right[4] = {true, true, true, false};
    ck_assert_double_eq_tol(nas_ece(confidence, right, 4),
                            0.25 * 0.5 + 0.75 / 3.0, 1e-12);
}
END_TEST

START_TEST(errors_in_one_bin_cancel_and_in_two_bins_do_not)
{
    const bool right[2] = {true, false};
    const float together[2] = {0.5f, 0.5f};
    const float apart[2] = {0.5f, 0.75f};
    ck_assert_double_eq(nas_ece(together, right, 2), 0.0);
    ck_assert_double_eq_tol(nas_ece(apart, right, 2), (0.5 + 0.75) / 2, 1e-12);
}
END_TEST

/*
 * Two confidences, one right and one wrong: in one bin the error is
 * |a + b - 1| / 2, in two bins ((1 - a) + b) / 2.
 */
static void check_edge(float a, float b, bool same_bin)
{
    const float confidence[2] = {a, b};
    const bool right[2] = {true, false};
    double one = fabs((double)a + (double)b - 1) / 2;
    double two = (1 - (double)a + (double)b) / 2;
    ck_assert_double_eq_tol(nas_ece(confidence, right, 2), same_bin ? one : two,
                            1e-12);
}

START_TEST(a_bin_holds_its_upper_edge_and_not_its_lower_one)
{
    /* Edges that floats just miss: 3/15 = 0.2 lies a little above itself as
       a float, so the test steps clear of rounding. */
    float below = 0.2f - 1e-6f;
    float above = 0.2f + 1e-6f;
    check_edge(below, above, false);
    check_edge(below, 2.0f / 15.0f + 1e-6f, true);
    check_edge(above, 4.0f / 15.0f - 1e-6f, true);
    /* 1 is the upper edge of the last bin, and 0 falls into the first. */
    check_edge(1.0f, 14.0f / 15.0f + 1e-6f, true);
    check_edge(1.0f, 14.0f / 15.0f - 1e-6f, false);
    check_edge(0.0f, 1.0f / 15.0f - 1e-6f, true);
}
END_TEST

/* Softmax of one image's plain outputs at a temperature, into `p`. */
static int plain_answer(const struct sy_network *network,
                        const struct sy_expert *expert, const float *image,
                        double temperature, double p[MAX_CLASSES])
{
    float z[MAX_CLASSES];
    int classes = network->domain[expert->domain].classes;
    int best = 0;
    double sum = 0;
    sy_plain_eval(network, &expert->path, expert->domain, image, z);
    for (int k = 0; k < classes; k++) {
        best = z[k] > z[best] ? k : best;
    }
    for (int k = 0; k < classes; k++) {
        p[k] = exp(((double)z[k] - (double)z[best]) / temperature);
        sum += p[k];
    }
    for (int k = 0; k < classes; k++) {
        p[k] /= sum;
    }
    return best;
}

/* The score as the header defines it, one image at a time. */
static struct nas_score plain_score(const struct sy_network *network,
                                    const struct sy_expert *expert,
                                    struct dom_loader *loader)
{
    struct nas_score score = {.n = IMAGES};
    float confidence[IMAGES], raw[IMAGES];
    bool right[IMAGES];
    double p[MAX_CLASSES];
    struct sy_error err = {0};
    size_t floats = sy_shape_floats(network->spec.input);
    uint8_t *pixels = sy_alloc(floats);
    float *image = sy_alloc(floats * sizeof *image);
    for (int i = 0; i < IMAGES; i++) {
        int label = 0;
        sy_check_ok(dom_loader_read(loader, i, 1, pixels, &label, &err), err);
        dom_normalise(pixels, floats, image);
        int best = plain_answer(network, expert, image, 1.0, p);
        raw[i] = (float)p[best];
        score.nll_uncalibrated -= log(p[label]) / IMAGES;
        (void)plain_answer(network, expert, image, expert->temperature, p);
        confidence[i] = (float)p[best];
        right[i] = best == label;
        score.top1 += right[i] / (double)IMAGES;
        score.nll -= log(p[label]) / IMAGES;
    }
    score.ece = nas_ece(confidence, right, IMAGES);
    score.ece_uncalibrated = nas_ece(raw, right, IMAGES);
    sy_free(pixels);
    sy_free(image);
    return score;
}

/* The same score with one image at a time, and which of them are right. */
static void check_one_by_one(struct sy_executor *executor, int domain,
                             struct dom_loader *loader,
                             const struct nas_score *batched)
{
    const struct nas_score_options options = {.batch = 1, .right = true};
    struct sy_error err = {0};
    struct nas_score score;
    int right = 0;
    sy_check_ok(nas_score_domain(&score, executor,
                                 sy_executor_network(executor), domain, loader,
                                 &options, &err),
                err);
    ck_assert_double_eq(score.top1, batched->top1);
    ck_assert_double_eq(score.nll, batched->nll);
    ck_assert_double_eq(score.ece, batched->ece);
    ck_assert_uint_eq(strlen(score.right), IMAGES);
    for (int i = 0; i < IMAGES; i++) {
        right += score.right[i] == '1';
    }
    ck_assert_double_eq_tol(right / (double)IMAGES, score.top1, 1e-12);
    sy_free(score.right);
}

START_TEST(a_domains_score_is_that_of_its_images_one_by_one)
{
    struct sy_error err = {0};
    struct dom_domain *domain = NULL;
    struct dom_loader *loader = NULL;
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    struct nas_score score;
    int64_t live = sy_alloc_live();
    struct sy_network *network = sy_random_network(
        &(struct sy_random_options){.seed = 5, .domains = 2, .experts = 1});
    struct sy_expert *expert = &network->expert[1];
    int classes = network->domain[expert->domain].classes;
    expert->temperature = 2.5;
    ck_assert_int_le(classes, MAX_CLASSES);
    sy_put_domain(&(struct sy_domain_files){
        .classes = classes, .train = classes, .test = IMAGES});
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    struct dom_loader_options options = {.split = DOM_TEST,
                                         .height = network->spec.input.h,
                                         .width = network->spec.input.w};
    sy_check_ok(dom_loader_new(&loader, domain, &options, NULL, &err), err);
    struct nas_score plain = plain_score(network, expert, loader);
    int64_t madds =
        sy_network_path_cost(network, &expert->path, expert->domain).madds;
    sy_check_ok(sy_snapshot_new(&snapshot, network, "1", NULL, &err), err);
    sy_check_ok(
        sy_executor_new(&executor, snapshot, NULL, NAS_SCORE_BATCH, &err), err);
    sy_check_ok(nas_score_domain(&score, executor, network, expert->domain,
                                 loader, NULL, &err),
                err);
    ck_assert_ptr_null(score.right);
    ck_assert_int_eq(score.n, IMAGES);
    ck_assert_double_eq_tol(score.top1, plain.top1, 1e-9);
    ck_assert_double_eq_tol(score.nll, plain.nll, 1e-4);
    ck_assert_double_eq_tol(score.nll_uncalibrated, plain.nll_uncalibrated,
                            1e-4);
    ck_assert(fabs(plain.nll - plain.nll_uncalibrated) > 1e-3);
    /* The last bit of a confidence at an edge may move one image's bin. */
    double one = 2.0 / IMAGES;
    ck_assert_double_eq_tol(score.ece, plain.ece, one);
    ck_assert_double_eq_tol(score.ece_uncalibrated, plain.ece_uncalibrated,
                            one);
    ck_assert(fabs(plain.ece - plain.ece_uncalibrated) > 2 * one);
    ck_assert_double_eq(score.madds_mean, (double)madds);
    ck_assert_double_gt(score.us_mean, 0.0);
    check_one_by_one(executor, expert->domain, loader, &score);
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    dom_loader_free(loader);
    dom_close(domain);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("score");
    TCase *tc = tcase_create("score");
    tcase_add_test(tc, nothing_has_no_error);
    tcase_add_test(tc,
                   certain_and_right_is_calibrated_certain_and_wrong_is_not);
    tcase_add_test(tc, a_bin_compares_its_mean_confidence_with_its_hits);
    tcase_add_test(tc, bins_weigh_by_how_many_they_hold);
    tcase_add_test(tc, errors_in_one_bin_cancel_and_in_two_bins_do_not);
    tcase_add_test(tc, a_bin_holds_its_upper_edge_and_not_its_lower_one);
    suite_add_tcase(s, tc);
    TCase *whole = tcase_create("a domain");
    tcase_add_checked_fixture(whole, sy_check_folder_make,
                              sy_check_folder_remove);
    tcase_add_test(whole, a_domains_score_is_that_of_its_images_one_by_one);
    suite_add_tcase(s, whole);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
