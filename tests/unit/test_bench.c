/*
 * test_bench.c - rank correlation, and the timing of paths.
 */
#include "runtime/base/memory.h"
#include "runtime/executor/bench.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

START_TEST(equal_orders_correlate_fully_whatever_the_values)
{
    const double a[] = {1.0, 2.0, 3.0, 4.0};
    const double b[] = {-7.0, 0.5, 100.0, 1e9};
    const double c[] = {9.0, 8.0, 7.0, -1.0};
    ck_assert_double_eq_tol(sy_spearman(a, b, 4), 1.0, 1e-12);
    ck_assert_double_eq_tol(sy_spearman(a, c, 4), -1.0, 1e-12);
}
END_TEST

START_TEST(a_known_example_gives_its_published_value)
{
    /* IQ and hours of television, the example of Wikipedia's article. */
    const double iq[] = {106, 100, 86, 101, 99, 103, 97, 113, 112, 110};
    const double hours[] = {7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
    ck_assert_double_eq_tol(sy_spearman(iq, hours, 10), -29.0 / 165.0, 1e-12);
}
END_TEST

START_TEST(equal_values_share_their_mean_rank)
{
    /* Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5). */
    const double a[] = {1.0, 2.0, 2.0, 3.0};
    const double b[] = {1.0, 2.0, 3.0, 4.0};
    const double flat[] = {5.0, 5.0, 5.0, 5.0};
    ck_assert_double_eq_tol(sy_spearman(a, b, 4), 0.9486832980505138, 1e-12);
    ck_assert_double_eq(sy_spearman(a, flat, 4), 0.0);
}
END_TEST

START_TEST(every_case_gets_a_time_and_nothing_is_left_behind)
{
    int64_t before = sy_alloc_live();
    struct sy_network *network =
        sy_random_network(&(struct sy_random_options){.seed = 1});
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 1, 0);
    struct sy_path path[3];
    struct sy_bench_case cases[3];
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct sy_error err = {0};

    sy_check_ok(sy_snapshot_new(&snapshot, network, "1", NULL, &err), err);
    sy_check_ok(sy_executor_new(&executor, snapshot, NULL, 1, &err), err);
    for (int i = 0; i < 3; i++) {
        path[i] = sy_bench_random_path(&network->spec, &rng);
        cases[i] = (struct sy_bench_case){
            .executor = executor, .path = &path[i], .domain = i};
    }
    sy_check_ok(
        sy_bench_paths(cases, 3, &(struct sy_bench_options){.rounds = 4}, &err),
        err);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_gt(cases[i].median_us, 0.0);
        ck_assert_double_ge(cases[i].p95_us, cases[i].median_us);
    }
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    ck_assert_int_eq(sy_alloc_live(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bench");
    TCase *tc = tcase_create("bench");
    tcase_add_test(tc, equal_orders_correlate_fully_whatever_the_values);
    tcase_add_test(tc, a_known_example_gives_its_published_value);
    tcase_add_test(tc, equal_values_share_their_mean_rank);
    tcase_add_test(tc, every_case_gets_a_time_and_nothing_is_left_behind);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
