/*
 * test_executor.c - lanes: sharing, counters, and results that depend on
 * nothing but the image, the path and the snapshot.
 *
 * The property tests walk over random networks whose experts form random
 * trees of paths, and random batches on them. Bits are compared, not values.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "runtime/executor/lanes.h"
#include "tests/support/check_main.h"
#include "tests/support/lane_batch.h"
#include "tests/support/plain_eval.h"

enum { NETWORKS = 16, BATCHES = 4, EXPERTS = 6 };

/* A snapshot with an executor on a pool of some threads. */
struct bench {
    const struct sy_network *network;
    struct sy_snapshot *snapshot;
    struct sy_pool *pool;
    struct sy_executor *executor;
};

static struct bench bench_with(struct sy_network *network, int threads)
{
    struct bench b = {.network = network};
    struct sy_error err = {0};
    sy_check_ok(sy_snapshot_new(&b.snapshot, network, "1", NULL, &err), err);
    if (threads > 1) {
        sy_check_ok(sy_pool_new(&b.pool, threads, &err), err);
    }
    sy_check_ok(sy_executor_new(&b.executor, b.snapshot, b.pool,
                                SY_BATCH_REQUESTS, &err),
                err);
    return b;
}

static struct bench bench_of(uint64_t seed, int experts, int threads)
{
    return bench_with(sy_random_network(&(struct sy_random_options){
                          .seed = seed,
                          .experts = experts,
                          .norm = (enum sy_norm_mode)(seed % SY_NORM_MODES)}),
                      threads);
}

static void bench_end(struct bench *b)
{
    sy_executor_free(b->executor);
    sy_snapshot_unref(b->snapshot);
    sy_pool_free(b->pool);
}

static struct sy_lane_batch *new_batch(const struct sy_network *network,
                                       uint64_t seed, uint64_t step)
{
    struct sy_lane_batch *batch = sy_alloc(sizeof *batch);
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 10 + step, 0);
    ck_assert_ptr_nonnull(batch);
    sy_lane_batch_make(batch, network, &rng);
    return batch;
}

static void free_batch(struct sy_lane_batch *batch)
{
    sy_lane_batch_free(batch);
    sy_free(batch);
}

/* Fails unless both requests have the same results in all lanes. */
static void check_same(const struct sy_network *network,
                       const struct sy_request *a, const struct sy_request *b)
{
    size_t bytes = (size_t)network->domain[a->domain].classes * sizeof(float);
    for (int l = 0; l < sy_lane_batch_lanes(a); l++) {
        ck_assert(!isnan(a->result[l].outputs[0]));
        ck_assert_mem_eq(a->result[l].outputs, b->result[l].outputs, bytes);
        ck_assert_mem_eq(a->result[l].probabilities, b->result[l].probabilities,
                         bytes);
    }
    ck_assert_int_eq(a->blocks, b->blocks);
    ck_assert_int_eq(a->madds, b->madds);
}

/* As `request`, with results of its own. */
static struct sy_request copy_request(
    const struct sy_request *request,
    float results[2 * SY_MAX_LANES][SY_BATCH_CLASSES])
{
    struct sy_request copy = *request;
    copy.blocks = -1;
    copy.madds = -1;
    memset(results, 0xFF, sizeof(float[2 * SY_MAX_LANES][SY_BATCH_CLASSES]));
    for (int l = 0; l < SY_MAX_LANES; l++) {
        copy.result[l].outputs = results[2 * l];
        copy.result[l].probabilities = results[2 * l + 1];
    }
    return copy;
}

START_TEST(a_mixed_batch_equals_its_requests_one_by_one)
{
    int threads = _i + 1;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bench b = bench_of(seed, seed % 4 == 1 ? 0 : EXPERTS, threads);
        for (uint64_t step = 0; step < BATCHES; step++) {
            struct sy_lane_batch *batch = new_batch(b.network, seed, step);
            sy_executor_run(b.executor, batch->request, batch->count, NULL);
            for (int i = 0; i < batch->count; i++) {
                float results[2 * SY_MAX_LANES][SY_BATCH_CLASSES];
                struct sy_request alone =
                    copy_request(&batch->request[i], results);
                sy_executor_run(b.executor, &alone, 1, NULL);
                check_same(b.network, &batch->request[i], &alone);
            }
            free_batch(batch);
        }
        bench_end(&b);
    }
}
END_TEST

START_TEST(the_order_of_a_batch_and_the_threads_change_no_bit)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bench one = bench_of(seed, EXPERTS, 1);
        struct bench many = bench_of(seed, EXPERTS, 2 + (int)(seed % 2));
        struct sy_lane_batch *batch = new_batch(one.network, seed, 50);
        static float results[SY_BATCH_REQUESTS][2 * SY_MAX_LANES]
                            [SY_BATCH_CLASSES];
        struct sy_request shuffled[SY_BATCH_REQUESTS];
        uint32_t order[SY_BATCH_REQUESTS];
        struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 60, 0);
        struct sy_executor_stats first, second;

        sy_executor_run(one.executor, batch->request, batch->count, &first);
        sy_rng_permutation(&rng, order, (uint32_t)batch->count);
        for (int i = 0; i < batch->count; i++) {
            shuffled[i] = copy_request(&batch->request[order[i]], results[i]);
        }
        sy_executor_run(many.executor, shuffled, batch->count, &second);
        for (int i = 0; i < batch->count; i++) {
            check_same(one.network, &batch->request[order[i]], &shuffled[i]);
        }
        ck_assert_mem_eq(&first, &second, sizeof first);
        free_batch(batch);
        bench_end(&one);
        bench_end(&many);
    }
}
END_TEST

START_TEST(every_lane_gives_what_its_path_gives_alone)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bench b = bench_of(seed, EXPERTS, 2);
        struct sy_lane_batch *batch = new_batch(b.network, seed, 70);
        sy_executor_run(b.executor, batch->request, batch->count, NULL);
        for (int i = 0; i < batch->count; i++) {
            const struct sy_request *request = &batch->request[i];
            int classes = b.network->domain[request->domain].classes;
            for (int l = 0; l < sy_lane_batch_lanes(request); l++) {
                float expected[SY_BATCH_CLASSES];
                sy_plain_eval(b.network,
                              sy_lane_batch_path(batch, b.network, i, l),
                              request->domain, request->image, expected);
                for (int k = 0; k < classes; k++) {
                    ck_assert_float_eq_tol(request->result[l].outputs[k],
                                           expected[k], 1e-3f);
                }
            }
        }
        free_batch(batch);
        bench_end(&b);
    }
}
END_TEST

START_TEST(counters_say_what_the_paths_need_and_no_more)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bench b = bench_of(seed, seed % 4 == 1 ? 0 : EXPERTS, 1);
        for (uint64_t step = 0; step < BATCHES; step++) {
            struct sy_lane_batch *batch = new_batch(b.network, seed, 80 + step);
            struct sy_executor_stats stats, expected;
            int blocks[SY_BATCH_REQUESTS];
            int64_t madds[SY_BATCH_REQUESTS];
            sy_lane_batch_cost(batch, b.network, &expected, blocks, madds);
            sy_executor_run(b.executor, batch->request, batch->count, &stats);
            ck_assert_int_eq(stats.block_runs, expected.block_runs);
            ck_assert_int_eq(stats.lane_stages, expected.lane_stages);
            ck_assert_int_eq(stats.madds, expected.madds);
            for (int i = 0; i < batch->count; i++) {
                ck_assert_int_eq(batch->request[i].blocks, blocks[i]);
                ck_assert_int_eq(batch->request[i].madds, madds[i]);
            }
            free_batch(batch);
        }
        bench_end(&b);
    }
}
END_TEST

START_TEST(a_single_lane_costs_what_its_path_costs)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct bench b = bench_of(seed, 0, 1);
        struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 90, 0);
        struct sy_path path = sy_random_path(&b.network->spec, &rng);
        float *image = sy_random_image(b.network, &rng);
        struct sy_request request = {
            .image = image, .domain = 1, .path = &path};
        struct sy_executor_stats stats;
        sy_executor_run(b.executor, &request, 1, &stats);
        ck_assert_int_eq(
            request.madds,
            sy_network_path_cost(b.network, &path, request.domain).madds);
        ck_assert_int_eq(stats.madds, request.madds);
        ck_assert_int_eq(stats.block_runs, stats.lane_stages);
        ck_assert_int_eq(stats.block_runs, request.blocks + 3);
        sy_free(image);
        bench_end(&b);
    }
}
END_TEST

START_TEST(blocks_that_nobody_needs_are_not_touched)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct sy_random_options options = {.seed = seed, .experts = EXPERTS};
        struct sy_network *network = sy_random_network(&options);
        struct sy_lane_batch *batch = new_batch(network, seed, 100);
        struct sy_path paths[SY_BATCH_REQUESTS * SY_MAX_LANES];
        int domains[SY_BATCH_REQUESTS * SY_MAX_LANES], count = 0;
        struct bench clean = bench_with(sy_random_network(&options), 2);

        for (int i = 0; i < batch->count; i++) {
            const struct sy_request *request = &batch->request[i];
            for (int l = 0; l < sy_lane_batch_lanes(request); l++) {
                paths[count] = *sy_lane_batch_path(batch, network, i, l);
                domains[count++] = request->domain;
            }
        }
        sy_poison_unused(network, paths, domains, count);
        struct bench poisoned = bench_with(network, 2);
        static float results[SY_BATCH_REQUESTS][2 * SY_MAX_LANES]
                            [SY_BATCH_CLASSES];
        struct sy_request again[SY_BATCH_REQUESTS];
        for (int i = 0; i < batch->count; i++) {
            again[i] = copy_request(&batch->request[i], results[i]);
        }
        sy_executor_run(clean.executor, batch->request, batch->count, NULL);
        sy_executor_run(poisoned.executor, again, batch->count, NULL);
        for (int i = 0; i < batch->count; i++) {
            check_same(network, &batch->request[i], &again[i]);
        }
        free_batch(batch);
        bench_end(&clean);
        bench_end(&poisoned);
    }
}
END_TEST

/*
 * A network of one domain with two experts that part at layer `part`: all
 * first candidates, and then the second ones.
 */
static struct sy_network *two_experts(uint64_t seed, int layers, int part)
{
    struct sy_network *whole = sy_random_network(&(struct sy_random_options){
        .seed = seed, .domains = 1, .layers = layers});
    struct sy_expert experts[2] = {{.name = "a", .temperature = 1.0},
                                   {.name = "b", .temperature = 1.0}};
    struct sy_network *network;
    struct sy_error err = {0};
    for (int e = 0; e < 2; e++) {
        experts[e].path.layer_count = layers;
        for (int l = 0; l < layers; l++) {
            experts[e].path.block[l] = e == 1 && l >= part ? 1 : 0;
        }
    }
    struct sy_network_spec *spec = sy_alloc(sizeof *spec);
    ck_assert_ptr_nonnull(spec);
    *spec = whole->spec;
    sy_prune_for_experts(spec, experts, 2);
    sy_check_ok(
        sy_network_new(&network,
                       &(struct sy_network_parts){.name = "two",
                                                  .spec = spec,
                                                  .domain_count = 1,
                                                  .domain = whole->domain,
                                                  .expert_count = 2,
                                                  .expert = experts},
                       &err),
        err);
    sy_free(spec);
    sy_network_free(whole);
    sy_network_init(network, seed);
    return network;
}

START_TEST(the_second_expert_costs_only_what_it_does_not_share)
{
    enum { LAYERS = 5 };
    for (int part = 0; part <= LAYERS; part++) {
        struct bench b = bench_with(two_experts(7, LAYERS, part), 1);
        struct sy_rng rng = sy_rng_stream(7, SY_RNG_TEST, 110, 0);
        float *image = sy_random_image(b.network, &rng);
        struct sy_request first = {.image = image, .lane_count = 1};
        struct sy_request both = {
            .image = image, .lane_count = 2, .expert = {0, 1}};
        int blocks = 0;
        int64_t madds = 0;

        sy_executor_run(b.executor, &first, 1, NULL);
        sy_executor_run(b.executor, &both, 1, NULL);
        /* Lanes that part at the last layer at the latest part for good. */
        for (int s = 1 + part; part < LAYERS && s < LAYERS + 3; s++) {
            int unit = sy_network_stage_unit(b.network, s,
                                             &b.network->expert[1].path, 0);
            madds += b.network->unit[unit].cost.madds;
            blocks += s <= LAYERS && b.network->unit[unit].plan.node_count > 0;
        }
        ck_assert_int_eq(both.blocks - first.blocks, blocks);
        ck_assert_int_eq(both.madds - first.madds, madds);
        sy_free(image);
        bench_end(&b);
    }
}
END_TEST

/* A network whose layers are all zero blocks that keep the shape. */
static struct sy_network *zero_network(void)
{
    static char *labels[] = {"a", "b"};
    struct sy_domain domain = {.name = "d", .classes = 2, .labels = labels};
    struct sy_network *network;
    struct sy_error err = {0};
    struct sy_network_spec *spec = sy_alloc_zero(1, sizeof *spec);
    ck_assert_ptr_nonnull(spec);
    spec->input = (struct sy_shape){8, 8, 3};
    spec->stem = sy_block_defaults(SY_BLOCK_CONV);
    spec->stem_channels = 8;
    spec->stem_stride = 1;
    spec->layer_count = 3;
    for (int l = 0; l < 3; l++) {
        struct sy_layer_spec *layer = &spec->layer[l];
        *layer = (struct sy_layer_spec){
            .channels = 8, .stride = 1, .block_count = 2};
        snprintf(layer->block[0].id, SY_BLOCK_ID_BYTES, "l%db0", l);
        snprintf(layer->block[1].id, SY_BLOCK_ID_BYTES, "l%db1", l);
        layer->block[0].spec = sy_block_defaults(SY_BLOCK_ZERO);
        layer->block[1].spec = sy_block_defaults(SY_BLOCK_MBCONV);
    }
    spec->head = (struct sy_head_spec){.width = 8, .act = SY_ACT_RELU};
    sy_check_ok(sy_network_new(&network,
                               &(struct sy_network_parts){.name = "zero",
                                                          .spec = spec,
                                                          .domain_count = 1,
                                                          .domain = &domain},
                               &err),
                err);
    sy_network_init(network, 1);
    sy_free(spec);
    return network;
}

START_TEST(zero_blocks_that_keep_the_shape_are_free)
{
    struct bench b = bench_with(zero_network(), 1);
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 120, 0);
    float *image = sy_random_image(b.network, &rng);
    float got[2], expected[2];
    struct sy_path path = {.layer_count = 3};
    struct sy_executor_stats stats;
    struct sy_request request = {
        .image = image, .path = &path, .result = {{.outputs = got}}};

    sy_executor_run(b.executor, &request, 1, &stats);
    ck_assert_int_eq(request.blocks, 0);
    ck_assert_int_eq(stats.block_runs, 3);
    ck_assert_int_eq(stats.lane_stages, 3);
    sy_plain_eval(b.network, &path, 0, image, expected);
    ck_assert_float_eq_tol(got[0], expected[0], 1e-5f);
    path.block[1] = 1;
    sy_executor_run(b.executor, &request, 1, &stats);
    ck_assert_int_eq(request.blocks, 1);
    ck_assert_int_eq(stats.block_runs, 4);
    sy_free(image);
    bench_end(&b);
}
END_TEST

START_TEST(a_zero_block_hands_on_its_parents_buffer)
{
    struct bench b = bench_with(zero_network(), 1);
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 130, 0);
    float *image = sy_random_image(b.network, &rng);
    struct sy_path path = {.layer_count = 3, .block = {0, 1, 0}};
    struct sy_lanes lanes;
    struct sy_error err = {0};

    sy_check_ok(sy_lanes_init(&lanes, b.snapshot, 1, &err), err);
    sy_lanes_begin(&lanes);
    ck_assert_int_eq(sy_lanes_open(&lanes, 0, -1, image, 0, &path), 0);
    for (int stage = 0; stage < lanes.stage_count; stage++) {
        const int first = 0;
        sy_lanes_place(&lanes, stage, &first,
                       lanes.stage[stage].state[0].computes ? 1 : 0);
    }
    const struct sy_lane_state *stem = sy_lanes_state(&lanes, 0, 0, 0);
    const struct sy_lane_state *first = sy_lanes_state(&lanes, 0, 0, 1);
    const struct sy_lane_state *second = sy_lanes_state(&lanes, 0, 0, 2);
    const struct sy_lane_state *third = sy_lanes_state(&lanes, 0, 0, 3);
    ck_assert_ptr_eq(stem->input, image);
    ck_assert(!first->computes);
    ck_assert_ptr_ne(stem->output, image);
    ck_assert_ptr_eq(first->output, stem->output);
    ck_assert_ptr_eq(second->input, stem->output);
    ck_assert_ptr_ne(second->output, stem->output);
    ck_assert_ptr_eq(third->output, second->output);
    sy_lanes_release(&lanes);
    sy_free(image);
    bench_end(&b);
}
END_TEST

START_TEST(a_lane_opened_late_starts_where_it_parts)
{
    enum { LAYERS = 5, PART = 3 };
    struct bench b = bench_with(two_experts(9, LAYERS, PART), 1);
    struct sy_rng rng = sy_rng_stream(9, SY_RNG_TEST, 140, 0);
    float *image = sy_random_image(b.network, &rng);
    struct sy_lanes lanes;
    struct sy_error err = {0};

    sy_check_ok(sy_lanes_init(&lanes, b.snapshot, 2, &err), err);
    sy_lanes_begin(&lanes);
    (void)sy_lanes_open(&lanes, 1, -1, image, 0, &b.network->expert[0].path);
    for (int s = 0; s < lanes.stage_count; s++) {
        lanes.stage[s].done = lanes.stage[s].count;
    }
    ck_assert_int_eq(
        sy_lanes_open(&lanes, 1, -1, image, 0, &b.network->expert[1].path), 1);
    for (int s = 0; s < lanes.stage_count; s++) {
        int waiting = lanes.stage[s].count - lanes.stage[s].done;
        ck_assert_int_eq(waiting, s > PART ? 1 : 0);
        ck_assert(s > PART || sy_lanes_state(&lanes, 1, 0, s) ==
                                  sy_lanes_state(&lanes, 1, 1, s));
    }
    sy_lanes_release(&lanes);
    sy_free(image);
    bench_end(&b);
}
END_TEST

START_TEST(answers_are_calibrated_with_the_experts_temperature)
{
    struct bench b = bench_of(10, 2, 1);
    struct sy_rng rng = sy_rng_stream(10, SY_RNG_TEST, 150, 0);
    float *image = sy_random_image(b.network, &rng);
    float outputs[SY_BATCH_CLASSES], answer[SY_BATCH_CLASSES];
    float expected[SY_BATCH_CLASSES];
    int classes = b.network->domain[1].classes;
    struct sy_request request = {
        .image = image,
        .domain = 1,
        .lane_count = 1,
        .expert = {3},
        .result = {{.outputs = outputs, .probabilities = answer}}};

    sy_executor_run(b.executor, &request, 1, NULL);
    sy_head_classify.answer(outputs, classes, b.network->expert[3].temperature,
                            expected);
    ck_assert_mem_eq(answer, expected, (size_t)classes * sizeof(float));
    request.path = &b.network->expert[3].path;
    sy_executor_run(b.executor, &request, 1, NULL);
    sy_head_classify.answer(outputs, classes, 1.0, expected);
    ck_assert_mem_eq(answer, expected, (size_t)classes * sizeof(float));
    sy_free(image);
    bench_end(&b);
}
END_TEST

START_TEST(an_executor_keeps_its_snapshot_alive)
{
    struct bench b = bench_of(11, 0, 1);
    struct sy_lane_batch *batch = new_batch(b.network, 11, 160);
    sy_snapshot_unref(b.snapshot);
    sy_executor_run(b.executor, batch->request, batch->count, NULL);
    ck_assert(!isnan(batch->outputs[0][0][0]));
    free_batch(batch);
    sy_executor_free(b.executor);
    sy_executor_free(NULL);
}
END_TEST

START_TEST(profiling_counts_images_and_time_of_each_unit)
{
    struct bench b = bench_of(12, 0, 2);
    struct sy_lane_batch *batch = new_batch(b.network, 12, 170);
    int stem = b.network->stem;

    sy_executor_run(b.executor, batch->request, batch->count, NULL);
    ck_assert_int_eq(sy_executor_unit_profile(b.executor, stem)->runs, 0);
    sy_executor_profile(b.executor, true);
    sy_executor_run(b.executor, batch->request, batch->count, NULL);
    sy_executor_run(b.executor, batch->request, batch->count, NULL);
    sy_executor_profile(b.executor, false);
    sy_executor_run(b.executor, batch->request, batch->count, NULL);
    ck_assert_int_eq(sy_executor_unit_profile(b.executor, stem)->runs,
                     2 * batch->count);
    ck_assert_int_gt(sy_executor_unit_profile(b.executor, stem)->ns, 0);
    sy_executor_profile(b.executor, true);
    ck_assert_int_eq(sy_executor_unit_profile(b.executor, stem)->runs, 0);
    free_batch(batch);
    bench_end(&b);
}
END_TEST

static void add_costs(Suite *suite)
{
    TCase *tc = tcase_create("costs");
    tcase_add_test(tc, counters_say_what_the_paths_need_and_no_more);
    tcase_add_test(tc, a_single_lane_costs_what_its_path_costs);
    tcase_add_test(tc, blocks_that_nobody_needs_are_not_touched);
    tcase_add_test(tc, the_second_expert_costs_only_what_it_does_not_share);
    tcase_add_test(tc, zero_blocks_that_keep_the_shape_are_free);
    tcase_add_test(tc, a_zero_block_hands_on_its_parents_buffer);
    tcase_add_test(tc, a_lane_opened_late_starts_where_it_parts);
    tcase_add_test(tc, profiling_counts_images_and_time_of_each_unit);
    suite_add_tcase(suite, tc);
}

int main(void)
{
    Suite *suite = suite_create("executor");
    TCase *tc = tcase_create("results");
    tcase_add_loop_test(tc, a_mixed_batch_equals_its_requests_one_by_one, 0, 3);
    tcase_add_test(tc, the_order_of_a_batch_and_the_threads_change_no_bit);
    tcase_add_test(tc, every_lane_gives_what_its_path_gives_alone);
    tcase_add_test(tc, answers_are_calibrated_with_the_experts_temperature);
    tcase_add_test(tc, an_executor_keeps_its_snapshot_alive);
    suite_add_tcase(suite, tc);
    add_costs(suite);
    return sy_check_run(suite);
}
