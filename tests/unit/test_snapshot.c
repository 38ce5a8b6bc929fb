/*
 * test_snapshot.c - what a snapshot makes ready, its references, and the
 * places of values inside a block.
 */
#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "runtime/executor/executor.h"
#include "runtime/executor/ready.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

enum { NETWORKS = 30, MAX_CLASSES = 16 };

static struct sy_snapshot *new_snapshot(uint64_t seed, int experts,
                                        const struct sy_backend *backend)
{
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    struct sy_network *network = sy_random_network(
        &(struct sy_random_options){.seed = seed, .experts = experts});
    sy_check_ok(sy_snapshot_new(&snapshot, network, "7", backend, &err), err);
    return snapshot;
}

START_TEST(a_snapshot_knows_its_label_network_and_backend)
{
    char label[] = "7";
    struct sy_error err = {0};
    struct sy_snapshot *snapshot;
    struct sy_network *network =
        sy_random_network(&(struct sy_random_options){.seed = 1});
    sy_check_ok(sy_snapshot_new(&snapshot, network, label, NULL, &err), err);
    label[0] = 'x';
    ck_assert_str_eq(sy_snapshot_label(snapshot), "7");
    ck_assert_ptr_eq(sy_snapshot_network(snapshot), network);
    ck_assert_ptr_eq(sy_snapshot_backend(snapshot), sy_backend_best());
    sy_snapshot_unref(snapshot);
}
END_TEST

START_TEST(the_last_reference_frees_everything)
{
    int64_t before = sy_alloc_live();
    struct sy_snapshot *snapshot = new_snapshot(2, 3, NULL);
    ck_assert_ptr_eq(sy_snapshot_ref(snapshot), snapshot);
    sy_snapshot_unref(snapshot);
    ck_assert_str_eq(sy_snapshot_label(snapshot), "7");
    sy_snapshot_unref(snapshot);
    sy_snapshot_unref(NULL);
    ck_assert_int_eq(sy_alloc_live(), before);
}
END_TEST

START_TEST(a_dissolved_snapshot_gives_its_network_back)
{
    int64_t before = sy_alloc_live();
    struct sy_snapshot *snapshot = new_snapshot(3, 2, NULL);
    const struct sy_network *network = sy_snapshot_network(snapshot);
    struct sy_network *back = sy_snapshot_dissolve(snapshot);
    ck_assert_ptr_eq(back, network);
    ck_assert_int_gt((int)back->value_count, 0);
    sy_network_free(back);
    ck_assert_int_eq(sy_alloc_live(), before);
}
END_TEST

static void take_and_give(void *context, int task, int worker)
{
    (void)task;
    (void)worker;
    sy_snapshot_unref(sy_snapshot_ref(context));
}

START_TEST(references_may_be_taken_on_any_thread)
{
    int64_t before = sy_alloc_live();
    struct sy_error err = {0};
    struct sy_pool *pool;
    struct sy_snapshot *snapshot = new_snapshot(3, 0, NULL);
    sy_check_ok(sy_pool_new(&pool, 3, &err), err);
    sy_pool_run(pool, 2000, take_and_give, snapshot);
    sy_pool_free(pool);
    sy_snapshot_unref(snapshot);
    ck_assert_int_eq(sy_alloc_live(), before);
}
END_TEST

START_TEST(folded_norms_give_what_the_statistics_say)
{
    struct sy_snapshot *snapshot = new_snapshot(4, 0, NULL);
    const struct sy_network *network = sy_snapshot_network(snapshot);
    for (int u = 0; u < network->unit_count; u++) {
        const struct sy_ready_unit *ready = sy_snapshot_unit(snapshot, u);
        const struct sy_plan *plan = &network->unit[u].plan;
        for (int n = 0; n < plan->norm_count; n++) {
            int channels = plan->norm[n].channels;
            int slot = sy_network_slot(network, u, 1, NULL);
            const float *raw =
                network->values + sy_network_norm(network, u, slot, n);
            const struct sy_folded_norm *folded =
                &ready->norm[slot * ready->norm_count + n];
            for (int c = 0; c < channels; c++) {
                double x = 1.7, mean = raw[2 * channels + c];
                double sigma =
                    sqrt(raw[3 * channels + c] + (double)SY_NORM_EPSILON);
                double y = raw[c] * (x - mean) / sigma + raw[channels + c];
                ck_assert_double_eq_tol(folded->scale[c] * x + folded->bias[c],
                                        y, 1e-5);
            }
        }
    }
    sy_snapshot_unref(snapshot);
}
END_TEST

START_TEST(norms_that_no_expert_needs_are_not_made)
{
    struct sy_snapshot *snapshot = new_snapshot(5, 1, NULL);
    const struct sy_network *network = sy_snapshot_network(snapshot);
    int absent = 0;
    for (int u = 0; u < network->unit_count; u++) {
        const struct sy_ready_unit *ready = sy_snapshot_unit(snapshot, u);
        for (int d = 0; d < network->domain_count; d++) {
            int slot = sy_network_slot(network, u, d, NULL);
            for (int n = 0; n < ready->norm_count; n++) {
                bool made =
                    ready->norm[slot * ready->norm_count + n].scale != NULL;
                ck_assert(made ==
                          (sy_network_norm(network, u, slot, n) != SY_ABSENT));
                absent += !made;
            }
        }
    }
    ck_assert_int_gt(absent, 0);
    sy_snapshot_unref(snapshot);
}
END_TEST

/* Checks every pair of values of the plan against its definition. */
static void check_places(const struct sy_plan *plan)
{
    struct sy_infer_plan fused;
    size_t at[SY_PLAN_MAX_VALUES], sum = 0;
    int born[SY_PLAN_MAX_VALUES], dies[SY_PLAN_MAX_VALUES];

    sy_plan_fuse(plan, &fused);
    size_t total = sy_place_values(plan, &fused, at);
    for (int v = 0; v < plan->value_count; v++) {
        born[v] = dies[v] = -1;
    }
    for (int i = 0; i < fused.step_count; i++) {
        const struct sy_node *node = &fused.step[i].node;
        const int reads[3] = {node->in[0], node->in[1], fused.step[i].residual};
        for (int r = 0; r < 3; r++) {
            if (reads[r] >= 0) {
                dies[reads[r]] = i;
            }
        }
        born[node->out] = dies[node->out] = i;
    }
    ck_assert_uint_eq(at[0], SY_ABSENT);
    ck_assert_uint_eq(at[plan->output], SY_ABSENT);
    for (int v = 0; v < plan->value_count; v++) {
        if (at[v] == SY_ABSENT) {
            ck_assert(v == 0 || v == fused.output || born[v] < 0);
            continue;
        }
        size_t end = at[v] + sy_shape_floats(plan->value[v]);
        sum += (sy_shape_floats(plan->value[v]) + 15) / 16 * 16;
        ck_assert_uint_eq(at[v] % 16, 0);
        ck_assert_uint_le(end, total);
        for (int w = 0; w < v; w++) {
            bool together =
                at[w] != SY_ABSENT && born[w] <= dies[v] && born[v] <= dies[w];
            ck_assert(!together || end <= at[w] ||
                      at[w] + sy_shape_floats(plan->value[w]) <= at[v]);
        }
    }
    ck_assert_uint_le(total, sum);
}

START_TEST(values_that_live_together_never_share_a_place)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct sy_network *network =
            sy_random_network(&(struct sy_random_options){.seed = seed});
        for (int u = 0; u < network->unit_count; u++) {
            check_places(&network->unit[u].plan);
        }
        sy_network_free(network);
    }
}
END_TEST

START_TEST(a_chain_uses_its_memory_in_turn)
{
    struct sy_shape in = {8, 8, 16};
    struct sy_error err = {0};
    struct sy_infer_plan fused;
    struct sy_plan plan;
    size_t at[SY_PLAN_MAX_VALUES];
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    int x = 0;

    sy_plan_begin(&plan, in, &err);
    for (int i = 0; i < 5; i++) {
        x = sy_plan_depthwise(&plan, x, names[i], 3, 1, SY_ACT_RELU);
    }
    sy_check_ok(sy_plan_end(&plan, x), err);
    sy_plan_fuse(&plan, &fused);
    ck_assert_uint_eq(sy_place_values(&plan, &fused, at),
                      2 * sy_shape_floats(in));
}
END_TEST

/* Outputs of one request, by a backend. */
static void outputs_of(const struct sy_backend *backend, uint64_t seed,
                       float *outputs)
{
    struct sy_snapshot *snapshot = new_snapshot(seed, 0, backend);
    const struct sy_network *network = sy_snapshot_network(snapshot);
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 2, 0);
    struct sy_path path = sy_random_path(&network->spec, &rng);
    float *image = sy_random_image(network, &rng);
    struct sy_executor *executor;
    struct sy_error err = {0};
    struct sy_request request = {
        .image = image, .path = &path, .result = {{.outputs = outputs}}};
    sy_check_ok(sy_executor_new(&executor, snapshot, NULL, 1, &err), err);
    sy_executor_run(executor, &request, 1, NULL);
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    sy_free(image);
}

START_TEST(operators_that_a_backend_lacks_come_from_the_reference)
{
    for (int op = 0; op < SY_OP_COUNT; op++) {
        /* As the best backend, but for this operator; with every other the
           reference's, packing is that of two backends in one snapshot. */
        struct sy_backend partial = *sy_backend_best();
        partial.name = "partial";
        partial.infer[op] = NULL;
        for (uint64_t seed = 0; seed < 4; seed++) {
            float got[MAX_CLASSES] = {0}, expected[MAX_CLASSES] = {0};
            outputs_of(&partial, seed, got);
            outputs_of(&sy_backend_reference, seed, expected);
            for (int k = 0; k < MAX_CLASSES; k++) {
                ck_assert_float_eq_tol(got[k], expected[k], 1e-3f);
            }
        }
    }
}
END_TEST

START_TEST(a_backend_with_nothing_is_the_reference_bit_for_bit)
{
    struct sy_backend empty = {.name = "empty"};
    float got[MAX_CLASSES] = {0}, expected[MAX_CLASSES] = {0};
    empty.available = sy_backend_reference.available;
    outputs_of(&empty, 6, got);
    outputs_of(&sy_backend_reference, 6, expected);
    ck_assert_mem_eq(got, expected, sizeof got);
}
END_TEST

/* Steps of half and of full weights, on a network with one number changed. */
static void count_halves(const struct sy_snapshot_options *made, float spoilt,
                         int *halves, int *small, size_t *bytes)
{
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    struct sy_network *network =
        sy_random_network(&(struct sy_random_options){.seed = 9});
    *halves = *small = 0;
    *bytes = 0;
    for (int u = 0; u < network->unit_count && spoilt != 0.0f; u++) {
        const struct sy_unit *unit = &network->unit[u];
        for (int n = 0; n < unit->plan.node_count; n++) {
            int weight = unit->plan.node[n].weight;
            if (weight >= 0) {
                network->values[unit->weight[weight]] = spoilt;
            }
        }
    }
    sy_check_ok(sy_snapshot_make(&snapshot, network, made, &err), err);
    for (int u = 0; u < network->unit_count; u++) {
        const struct sy_ready_unit *ready = sy_snapshot_unit(snapshot, u);
        for (int i = 0; i < ready->step_count; i++) {
            const struct sy_ready_step *step = &ready->step[i];
            bool few = step->out.h * step->out.w <= SY_HALF_POSITIONS;
            ck_assert(!step->half || few);
            *halves += step->half;
            *small += few && step->node.weight >= 0 &&
                      step->node.op != SY_OP_DEPTHWISE;
        }
        *bytes += sy_snapshot_weight_bytes(snapshot, u);
    }
    sy_snapshot_unref(snapshot);
}

START_TEST(weights_of_half_the_width_are_those_of_few_positions_in_range)
{
    const struct sy_snapshot_options full = {.label = "1",
                                             .weights = SY_WEIGHTS_FULL};
    const struct sy_snapshot_options half = {.label = "1",
                                             .weights = SY_WEIGHTS_HALF};
    const struct sy_snapshot_options plain = {.label = "1",
                                              .backend = &sy_backend_reference,
                                              .weights = SY_WEIGHTS_HALF};
    int halves, small;
    size_t bytes, full_bytes;
    count_halves(&full, 0.0f, &halves, &small, &full_bytes);
    ck_assert_int_eq(halves, 0);
    count_halves(&plain, 0.0f, &halves, &small, &bytes);
    ck_assert_int_eq(halves, 0);
    if (sy_backend_best()->halves == NULL) {
        return;
    }
    count_halves(&half, 0.0f, &halves, &small, &bytes);
    ck_assert_int_gt(halves, 0);
    ck_assert_int_le(halves, small);
    ck_assert_uint_lt(bytes, full_bytes);
    count_halves(&half, 65504.0f, &halves, &small, &bytes);
    ck_assert_int_gt(halves, 0);
    count_halves(&half, 65536.0f, &halves, &small, &bytes);
    ck_assert_int_eq(halves, 0);
    count_halves(&half, NAN, &halves, &small, &bytes);
    ck_assert_int_eq(halves, 0);
}
END_TEST

/* A shared snapshot of the network of that seed, beside another or NULL. */
static struct sy_snapshot *shared_snapshot(enum sy_weights weights,
                                           const struct sy_snapshot *like)
{
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    struct sy_snapshot_options options = {
        .label = "1", .weights = weights, .shared = true, .like = {like}};
    struct sy_network *network =
        sy_random_network(&(struct sy_random_options){.seed = 9});
    sy_check_ok(sy_snapshot_make(&snapshot, network, &options, &err), err);
    return snapshot;
}

START_TEST(weights_are_shared_with_those_of_the_same_width_only)
{
    struct sy_snapshot *full = shared_snapshot(SY_WEIGHTS_FULL, NULL);
    struct sy_snapshot *half = shared_snapshot(SY_WEIGHTS_HALF, full);
    struct sy_snapshot *same = shared_snapshot(SY_WEIGHTS_HALF, half);
    ck_assert_int_eq(sy_snapshot_weights(half), SY_WEIGHTS_HALF);
    ck_assert_int_eq(sy_snapshot_common_bytes(full, half), 0);
    ck_assert_int_eq(sy_snapshot_common_bytes(half, same),
                     sy_snapshot_bytes(half));
    sy_snapshot_unref(full);
    sy_snapshot_unref(half);
    sy_snapshot_unref(same);
}
END_TEST

START_TEST(failed_allocations_are_reported_and_leave_nothing_behind)
{
    const struct sy_snapshot_options half = {.label = "1",
                                             .weights = SY_WEIGHTS_HALF};
    int64_t before = sy_alloc_live();
    bool failed = true;
    for (int64_t n = 1; failed; n++) {
        struct sy_error err = {0};
        struct sy_snapshot *snapshot = NULL;
        struct sy_executor *executor = NULL;
        struct sy_network *network = sy_random_network(
            &(struct sy_random_options){.seed = 8, .experts = 2});
        sy_alloc_fail_at(n, true);
        enum sy_status status =
            sy_snapshot_make(&snapshot, network, &half, &err);
        if (status == SY_OK) {
            status = sy_executor_new(&executor, snapshot, NULL, 3, &err);
        }
        sy_alloc_fail_at(0, false);
        failed = status != SY_OK;
        ck_assert(!failed || status == SY_NO_MEMORY);
        ck_assert(!failed || err.message[0] != '\0');
        sy_executor_free(executor);
        sy_snapshot_unref(snapshot);
        ck_assert_int_eq(sy_alloc_live(), before);
        ck_assert_int_lt(n, 10000);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tc = tcase_create("snapshot");
    tcase_add_test(tc, a_snapshot_knows_its_label_network_and_backend);
    tcase_add_test(tc, the_last_reference_frees_everything);
    tcase_add_test(tc, a_dissolved_snapshot_gives_its_network_back);
    tcase_add_test(tc, references_may_be_taken_on_any_thread);
    tcase_add_test(tc, folded_norms_give_what_the_statistics_say);
    tcase_add_test(tc, norms_that_no_expert_needs_are_not_made);
    tcase_add_test(
        tc, weights_of_half_the_width_are_those_of_few_positions_in_range);
    tcase_add_test(tc, weights_are_shared_with_those_of_the_same_width_only);
    tcase_add_test(tc, values_that_live_together_never_share_a_place);
    tcase_add_test(tc, a_chain_uses_its_memory_in_turn);
    tcase_add_test(tc, operators_that_a_backend_lacks_come_from_the_reference);
    tcase_add_test(tc, a_backend_with_nothing_is_the_reference_bit_for_bit);
    tcase_add_test(tc,
                   failed_allocations_are_reported_and_leave_nothing_behind);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
