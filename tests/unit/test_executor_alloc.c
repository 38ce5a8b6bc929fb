/*
 * test_executor_alloc.c - running allocates nothing.
 *
 * A program of its own, because it counts every allocation of the process.
 * Exits with 77 (skipped) where allocations cannot be counted.
 */
#include <stdio.h>

#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "tests/support/check_main.h"
#include "tests/support/count_alloc.h"
#include "tests/support/lane_batch.h"
#include "tests/support/random_route.h"

enum { SKIPPED = 77, WARM_BATCHES = 2, BATCHES = 40, EXPERTS = 6 };

static void check_threads(int threads)
{
    static struct sy_lane_batch batch[BATCHES];
    struct sy_network *network = sy_random_network(
        &(struct sy_random_options){.seed = 5, .experts = EXPERTS});
    struct sy_rng rng = sy_rng_stream(5, SY_RNG_TEST, 1, 0);
    struct sy_executor_stats stats;
    struct sy_executor *executor;
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    struct sy_pool *pool;

    sy_check_ok(sy_pool_new(&pool, threads, &err), err);
    sy_check_ok(sy_snapshot_new(&snapshot, network, "1", NULL, &err), err);
    sy_check_ok(
        sy_executor_new(&executor, snapshot, pool, SY_BATCH_REQUESTS, &err),
        err);
    for (int i = 0; i < BATCHES; i++) {
        sy_lane_batch_make(&batch[i], network, &rng);
    }
    int64_t before = 0, before_ours = 0;
    for (int i = 0; i < BATCHES; i++) {
        if (i == WARM_BATCHES) {
            before = sy_count_allocs();
            before_ours = sy_alloc_calls();
        }
        sy_executor_run(executor, batch[i].request, batch[i].count, &stats);
    }
    int64_t after = sy_count_allocs(), after_ours = sy_alloc_calls();
    ck_assert_int_eq(after_ours - before_ours, 0);
    ck_assert_int_eq(after - before, 0);
    for (int i = 0; i < BATCHES; i++) {
        sy_lane_batch_free(&batch[i]);
    }
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    sy_pool_free(pool);
}

/* The same for requests that go by random routes with gates, some of them
   without a domain or on a budget. */
static void check_routes(int threads)
{
    static struct sy_request request[SY_BATCH_REQUESTS];
    static float answer[SY_BATCH_REQUESTS][SY_BATCH_CLASSES];
    float *image[SY_BATCH_REQUESTS];
    struct sy_network *network = sy_random_network(
        &(struct sy_random_options){.seed = 6, .experts = 4, .gates = true});
    struct sy_rng rng = sy_rng_stream(6, SY_RNG_TEST, 2, 0);
    struct sy_executor *executor;
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    struct sy_pool *pool;
    int64_t before = 0;

    sy_random_routes(network, &rng);
    sy_check_ok(sy_pool_new(&pool, threads, &err), err);
    sy_check_ok(sy_snapshot_new(&snapshot, network, "1", NULL, &err), err);
    sy_check_ok(
        sy_executor_new(&executor, snapshot, pool, SY_BATCH_REQUESTS, &err),
        err);
    for (int i = 0; i < SY_BATCH_REQUESTS; i++) {
        image[i] = sy_random_image(network, &rng);
    }
    for (int round = 0; round < BATCHES; round++) {
        if (round == WARM_BATCHES) {
            before = sy_count_allocs();
        }
        for (int i = 0; i < SY_BATCH_REQUESTS; i++) {
            uint32_t domains = (uint32_t)network->domain_count;
            request[i] = (struct sy_request){
                .image = image[i],
                .domain = (int)sy_rng_below(&rng, domains + 1) - 1,
                .max_madds =
                    i % 3 == 0 ? 1 + (int64_t)sy_rng_below(&rng, 4000000) : 0,
                .result = {{.probabilities = answer[i]}}};
        }
        sy_executor_run(executor, request, SY_BATCH_REQUESTS, NULL);
    }
    ck_assert_int_eq(sy_count_allocs() - before, 0);
    for (int i = 0; i < SY_BATCH_REQUESTS; i++) {
        sy_free(image[i]);
    }
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    sy_pool_free(pool);
}

START_TEST(routes_and_gates_allocate_nothing)
{
    check_routes(_i);
}
END_TEST

START_TEST(running_allocates_nothing_on_one_thread)
{
    check_threads(1);
}
END_TEST

START_TEST(running_allocates_nothing_on_three_threads)
{
    check_threads(3);
}
END_TEST

START_TEST(the_counter_counts)
{
    int64_t before = sy_count_allocs();
    void *block = sy_alloc(100);
    ck_assert_ptr_nonnull(block);
    ck_assert_int_gt(sy_count_allocs(), before);
    sy_free(block);
}
END_TEST

int main(void)
{
    if (!sy_count_works()) {
        printf("skipped: allocations are not counted here (a sanitizer has "
               "its own allocator, or the C library is not glibc)\n");
        return SKIPPED;
    }
    Suite *suite = suite_create("executor, allocations");
    TCase *tc = tcase_create("allocations");
    tcase_add_test(tc, the_counter_counts);
    tcase_add_test(tc, running_allocates_nothing_on_one_thread);
    tcase_add_test(tc, running_allocates_nothing_on_three_threads);
    tcase_add_loop_test(tc, routes_and_gates_allocate_nothing, 1, 3);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
