/*
 * test_join.c - a served network and a candidate in one, and what both share.
 *
 * The candidate is the served network with some numbers changed, so that what
 * differs is known; bits are compared.
 */
#include "runtime/network/equal.h"
#include "runtime/network/join.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

enum { NETWORKS = 12, CLASSES = 64, TRIED = 1 };

static struct sy_network *network_of(uint64_t seed)
{
    return sy_random_network(&(struct sy_random_options){
        .seed = seed,
        .experts = 2,
        .norm = seed % 2 == 0 ? SY_NORM_PER_DOMAIN : SY_NORM_PER_EXPERT});
}

/* Changes the weights of the last block with any on the domain's first path;
   returns its layer. */
static int change_block(struct sy_network *network, int domain)
{
    const struct sy_expert *expert = NULL;
    for (int e = network->expert_count - 1; e >= 0; e--) {
        expert =
            network->expert[e].domain == domain ? &network->expert[e] : expert;
    }
    for (int l = network->spec.layer_count - 1; l >= 0; l--) {
        int u = sy_network_block(network, l, expert->path.block[l]);
        if (network->unit[u].plan.param_count > 0) {
            network->values[network->unit[u].weight[0]] += 1.0f;
            return l;
        }
    }
    ck_abort_msg("a path without weights");
    return -1;
}

static struct sy_snapshot *snapshot_of(struct sy_network *network,
                                       const struct sy_snapshot *like)
{
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    struct sy_snapshot_options options = {
        .label = "1", .shared = true, .like = {like}};
    sy_check_ok(sy_snapshot_make(&snapshot, network, &options, &err), err);
    return snapshot;
}

static struct sy_snapshot *joined_of(const struct sy_network *served,
                                     const struct sy_network *candidate,
                                     const struct sy_snapshot *like)
{
    struct sy_network *joined;
    struct sy_error err = {0};
    int tried = TRIED;
    sy_check_ok(sy_network_join(&joined, served, candidate, &tried, 1, &err),
                err);
    return snapshot_of(joined, like);
}

/* Runs the requests on an executor of their own. */
static void run(struct sy_snapshot *snapshot, struct sy_request *requests,
                int count)
{
    struct sy_executor *executor;
    struct sy_error err = {0};
    sy_check_ok(sy_executor_new(&executor, snapshot, NULL, count, &err), err);
    sy_executor_run(executor, requests, count, NULL);
    sy_executor_free(executor);
}

static struct sy_request request_of(const float *image, int domain,
                                    float *answer)
{
    return (struct sy_request){.image = image,
                               .domain = domain,
                               .result = {{.probabilities = answer}}};
}

START_TEST(a_joined_network_answers_as_either_alone)
{
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        struct sy_network *served = network_of(seed);
        struct sy_network *candidate = network_of(seed);
        struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 1, 0);
        float *image = sy_random_image(served, &rng);
        int domains = served->domain_count;
        (void)change_block(candidate, TRIED);
        struct sy_snapshot *joined = joined_of(served, candidate, NULL);
        struct sy_snapshot *one = snapshot_of(served, joined);
        struct sy_snapshot *two = snapshot_of(candidate, joined);
        for (int d = 0; d < domains; d++) {
            float alone[CLASSES] = {0}, inside[CLASSES] = {0};
            struct sy_request a = request_of(image, d, alone);
            struct sy_request b = request_of(image, d, inside);
            run(one, &a, 1);
            run(joined, &b, 1);
            ck_assert_mem_eq(alone, inside, sizeof alone);
            ck_assert_int_eq(a.taken.ran.expert[0], b.taken.ran.expert[0]);
        }
        float alone[CLASSES] = {0}, inside[CLASSES] = {0};
        struct sy_request a = request_of(image, TRIED, alone);
        struct sy_request b = request_of(image, domains, inside);
        run(two, &a, 1);
        run(joined, &b, 1);
        ck_assert_mem_eq(alone, inside, sizeof alone);
        sy_free(image);
        sy_snapshot_unref(joined);
        sy_snapshot_unref(one);
        sy_snapshot_unref(two);
    }
}
END_TEST

/* Blocks of layers, from `layer` on, that the domain's route first runs. */
static int blocks_from(const struct sy_network *network, int domain, int layer)
{
    int expert[SY_ROUTE_MAX_EXPERTS], blocks = 0;
    (void)sy_network_route_experts(network, domain, expert, 1);
    const struct sy_path *path = &network->expert[expert[0]].path;
    for (int l = layer; l < path->layer_count; l++) {
        int u = sy_network_block(network, l, path->block[l]);
        blocks += network->unit[u].plan.node_count > 0 ? 1 : 0;
    }
    return blocks;
}

START_TEST(beside_the_served_route_only_what_differs_is_computed)
{
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        struct sy_network *served = network_of(seed);
        struct sy_network *candidate = network_of(seed);
        struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 2, 0);
        float *image = sy_random_image(served, &rng);
        int next = served->domain_count;
        int layer = change_block(candidate, TRIED);
        struct sy_snapshot *joined = joined_of(served, candidate, NULL);
        const struct sy_network *both = sy_snapshot_network(joined);
        float alone[2][CLASSES] = {{0}}, together[2][CLASSES] = {{0}};
        struct sy_request a[2] = {request_of(image, TRIED, alone[0]),
                                  request_of(image, next, alone[1])};
        struct sy_request b[2] = {request_of(image, TRIED, together[0]),
                                  request_of(image, next, together[1])};
        b[1].beside = &b[0];
        run(joined, a, 2);
        run(joined, b, 2);
        ck_assert_mem_eq(alone, together, sizeof alone);
        ck_assert_int_eq(a[0].blocks, b[0].blocks);
        ck_assert_int_eq(a[0].madds, b[0].madds);
        ck_assert_int_eq(b[1].blocks, blocks_from(both, next, layer));
        ck_assert_int_lt(b[1].madds, a[1].madds);
        ck_assert_int_eq(a[1].blocks, blocks_from(both, next, 0));
        sy_free(image);
        sy_network_free(served);
        sy_network_free(candidate);
        sy_snapshot_unref(joined);
    }
}
END_TEST

START_TEST(a_candidate_that_is_the_same_costs_nothing_beside)
{
    struct sy_network *served = network_of(3);
    struct sy_rng rng = sy_rng_stream(3, SY_RNG_TEST, 3, 0);
    float *image = sy_random_image(served, &rng);
    struct sy_snapshot *joined = joined_of(served, served, NULL);
    float answer[2][CLASSES] = {{0}};
    struct sy_request b[2] = {
        request_of(image, TRIED, answer[0]),
        request_of(image, served->domain_count, answer[1])};
    b[1].beside = &b[0];
    run(joined, b, 2);
    ck_assert_int_gt(b[0].madds, 0);
    ck_assert_int_eq(b[1].madds, 0);
    ck_assert_mem_eq(answer[0], answer[1], sizeof answer[0]);
    sy_free(image);
    sy_network_free(served);
    sy_snapshot_unref(joined);
}
END_TEST

START_TEST(a_snapshot_like_another_costs_what_is_new)
{
    struct sy_network *served = network_of(4);
    struct sy_network *candidate = network_of(4);
    int layer = change_block(candidate, TRIED);
    int64_t weights = 0;
    for (int b = 0; b < candidate->spec.layer[layer].block_count; b++) {
        int u = sy_network_block(candidate, layer, b);
        if (!sy_unit_equal(served, u, candidate, u)) {
            weights = candidate->unit[u].cost.bytes;
        }
    }
    struct sy_snapshot *one = snapshot_of(served, NULL);
    struct sy_snapshot *two = snapshot_of(candidate, one);
    int64_t all = sy_snapshot_bytes(one);
    int64_t fresh = sy_snapshot_bytes(two) - sy_snapshot_common_bytes(one, two);
    ck_assert_int_eq(sy_snapshot_common_bytes(one, one), all);
    ck_assert_int_gt(fresh, 0);
    ck_assert_int_lt(fresh, all / 2);
    ck_assert_int_lt(fresh, 4 * weights + 8192); /* padding, steps */
    ck_assert_ptr_null(sy_snapshot_network(two)->values);

    /* What is shared stays when the one that it came from has gone. */
    float before[CLASSES] = {0}, after[CLASSES] = {0};
    struct sy_rng rng = sy_rng_stream(4, SY_RNG_TEST, 4, 0);
    float *image = sy_random_image(sy_snapshot_network(two), &rng);
    struct sy_request a = request_of(image, TRIED, before);
    struct sy_request b = request_of(image, TRIED, after);
    run(two, &a, 1);
    sy_snapshot_unref(one);
    run(two, &b, 1);
    ck_assert_mem_eq(before, after, sizeof before);
    sy_free(image);
    sy_snapshot_unref(two);
}
END_TEST

START_TEST(domains_are_equal_when_every_number_on_their_ways_is)
{
    struct sy_network *a = network_of(5);
    struct sy_network *b = network_of(5);
    for (int d = 0; d < a->domain_count; d++) {
        ck_assert(sy_domain_equal(a, d, b, d));
    }
    size_t at = b->unit[b->first_head + TRIED].weight[0];
    b->values[at] += 1.0f;
    ck_assert(!sy_domain_equal(a, TRIED, b, TRIED));
    ck_assert(sy_domain_equal(a, 0, b, 0));
    b->values[at] = a->values[at];
    int expert;
    ck_assert_int_gt(sy_network_route_experts(b, TRIED, &expert, 1), 0);
    int slot = sy_network_slot(b, b->trunk, TRIED, &b->expert[expert].path);
    b->values[sy_network_norm(b, b->trunk, slot, 0)] += 1.0f;
    ck_assert(!sy_domain_equal(a, TRIED, b, TRIED));
    ck_assert(sy_domain_equal(a, 2, b, 2));
    sy_network_free(a);
    sy_network_free(b);
}
END_TEST

START_TEST(networks_that_do_not_begin_alike_are_refused)
{
    struct sy_error err = {0};
    struct sy_network *a = network_of(6);
    struct sy_network *b = network_of(6);
    struct sy_network *joined;
    int tried = TRIED;
    b->values[b->unit[b->stem].weight[0]] += 1.0f;
    sy_check_fails(sy_network_join(&joined, a, b, &tried, 1, &err),
                   SY_BAD_INPUT, err);
    ck_assert_ptr_nonnull(strstr(err.message, "the stem"));
    sy_network_free(a);
    sy_network_free(b);
}
END_TEST

START_TEST(failed_allocations_leave_nothing_behind)
{
    struct sy_network *a = network_of(7);
    struct sy_network *b = network_of(7);
    int tried = TRIED;
    bool failed = true;
    (void)change_block(b, TRIED);
    int64_t before = sy_alloc_live();
    for (int64_t n = 1; failed; n++) {
        struct sy_error err = {0};
        struct sy_network *joined = NULL;
        struct sy_snapshot *snapshot = NULL;
        struct sy_snapshot_options options = {.label = "1", .shared = true};
        sy_alloc_fail_at(n, true);
        enum sy_status status = sy_network_join(&joined, a, b, &tried, 1, &err);
        if (status == SY_OK) {
            status = sy_snapshot_make(&snapshot, joined, &options, &err);
        }
        sy_alloc_fail_at(0, false);
        failed = status != SY_OK;
        ck_assert(!failed || status == SY_NO_MEMORY);
        sy_snapshot_unref(snapshot);
        ck_assert_int_eq(sy_alloc_live(), before);
        ck_assert_int_lt(n, 10000);
    }
    sy_network_free(a);
    sy_network_free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("join");
    TCase *tc = tcase_create("join");
    tcase_add_test(tc, a_joined_network_answers_as_either_alone);
    tcase_add_test(tc, beside_the_served_route_only_what_differs_is_computed);
    tcase_add_test(tc, a_candidate_that_is_the_same_costs_nothing_beside);
    tcase_add_test(tc, a_snapshot_like_another_costs_what_is_new);
    tcase_add_test(tc, domains_are_equal_when_every_number_on_their_ways_is);
    tcase_add_test(tc, networks_that_do_not_begin_alike_are_refused);
    tcase_add_test(tc, failed_allocations_leave_nothing_behind);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
