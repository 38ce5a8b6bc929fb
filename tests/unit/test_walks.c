/*
 * test_walks.c - batches whose requests go the way of their routes.
 *
 * Random trees over random networks, whose experts form random trees of
 * paths: what comes out is compared, bit for bit, with what the oracle makes
 * of the answers of each expert alone.
 */
#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "tests/support/check_main.h"
#include "tests/support/random_route.h"

enum { NETWORKS = 40, REQUESTS = 12, EXPERTS = 5, CLASSES = 16 };

/* A network with routes, an executor on it, and a batch of routed requests. */
struct bench {
    struct sy_network *network;
    struct sy_snapshot *snapshot;
    struct sy_pool *pool;
    struct sy_executor *executor;
    struct sy_rng rng;
    float *image[REQUESTS];
    struct sy_request request[REQUESTS];
    float outputs[REQUESTS][CLASSES], answer[REQUESTS][CLASSES];
};

static struct sy_error err;

/* The route of a domain, from a text. */
static void set_route(struct sy_network *network, int domain, const char *text)
{
    struct sy_route *route;
    json_t *json;
    sy_check_ok(sy_json_parse(text, strlen(text), "m", &json, &err), err);
    sy_check_ok(
        sy_route_from_json(&route, json, network, domain, "m", "", &err), err);
    json_decref(json);
    sy_network_set_route(network, domain, route);
}

/* A random network, whose domains still have the routes they begin with. */
static void make_network(struct bench *b, uint64_t seed)
{
    b->rng = sy_rng_stream(seed, SY_RNG_TEST, 400, 0);
    b->network = sy_random_network(&(struct sy_random_options){
        .seed = seed,
        .experts = EXPERTS,
        .norm = seed % 3 == 0 ? SY_NORM_SHARED : SY_NORM_PER_DOMAIN});
}

/* An executor on the network, and images for its domains. */
static void start_network(struct bench *b, int threads)
{
    sy_check_ok(sy_snapshot_new(&b->snapshot, b->network, "1", NULL, &err),
                err);
    b->pool = NULL;
    if (threads > 1) {
        sy_check_ok(sy_pool_new(&b->pool, threads, &err), err);
    }
    sy_check_ok(
        sy_executor_new(&b->executor, b->snapshot, b->pool, REQUESTS, &err),
        err);
    for (int i = 0; i < REQUESTS; i++) {
        b->image[i] = sy_random_image(b->network, &b->rng);
        uint32_t domains = (uint32_t)b->network->domain_count;
        b->request[i] =
            (struct sy_request){.image = b->image[i],
                                .domain = (int)sy_rng_below(&b->rng, domains),
                                .result = {{b->outputs[i], b->answer[i]}}};
    }
}

static void start(struct bench *b, uint64_t seed, int threads)
{
    make_network(b, seed);
    sy_random_routes(b->network, &b->rng);
    start_network(b, threads);
}

static void end(struct bench *b)
{
    for (int i = 0; i < REQUESTS; i++) {
        sy_free(b->image[i]);
    }
    sy_executor_free(b->executor);
    sy_snapshot_unref(b->snapshot);
    sy_pool_free(b->pool);
}

/* What each expert of the domain answers on the image, one at a time. */
static void ask_experts(struct bench *b, const struct sy_request *of,
                        float answers[][CLASSES], const float **pointers)
{
    for (int e = 0; e < b->network->expert_count; e++) {
        pointers[e] = answers[e];
        if (b->network->expert[e].domain == of->domain) {
            struct sy_request one = {.image = of->image,
                                     .domain = of->domain,
                                     .lane_count = 1,
                                     .expert = {e},
                                     .result = {{NULL, answers[e]}}};
            sy_executor_run(b->executor, &one, 1, NULL);
        }
    }
}

/* Blocks on the paths of the experts that ran, shared ones counted again. */
static int blocks_on_paths(const struct sy_network *network,
                           const struct sy_route_experts *ran)
{
    int blocks = 0;
    for (int i = 0; i < ran->count; i++) {
        const struct sy_path *path = &network->expert[ran->expert[i]].path;
        for (int l = 0; l < path->layer_count; l++) {
            int unit = sy_network_block(network, l, path->block[l]);
            blocks += network->unit[unit].plan.node_count > 0;
        }
    }
    return blocks;
}

/* Holds a finished request against the oracle. */
static void check_request(struct bench *b, const struct sy_request *request)
{
    float answers[SY_MAX_EXPERTS][CLASSES], expected[CLASSES];
    const float *pointers[SY_MAX_EXPERTS];
    bool used[SY_MAX_EXPERTS] = {false};
    const struct sy_route_experts *ran = &request->taken.ran;
    int classes = b->network->domain[request->domain].classes;
    json_t *json =
        sy_route_to_json(b->network->route[request->domain], b->network);
    int count = 0;

    ask_experts(b, request, answers, pointers);
    sy_plain_route(json, b->network, request->domain, pointers, expected, used);
    json_decref(json);
    ck_assert_int_eq(request->status, SY_OK);
    ck_assert_mem_eq(request->result[0].probabilities, expected,
                     (size_t)classes * sizeof(float));
    for (int i = 0; i < ran->count; i++) {
        ck_assert(used[ran->expert[i]]);
    }
    for (int e = 0; e < b->network->expert_count; e++) {
        count += used[e];
    }
    ck_assert_int_eq(ran->count, count);
    ck_assert(!request->taken.cut);
    ck_assert_int_eq(request->madds, sy_route_union_madds(b->network, ran));
    ck_assert_int_eq(request->blocks + request->reused,
                     blocks_on_paths(b->network, ran));
}

/* A copy of the request with results of its own. */
static struct sy_request copy(const struct sy_request *of, float *outputs,
                              float *answer)
{
    struct sy_request made = {.image = of->image,
                              .domain = of->domain,
                              .max_madds = of->max_madds,
                              .result = {{outputs, answer}}};
    return made;
}

static void check_same(const struct sy_network *network,
                       const struct sy_request *a, const struct sy_request *b)
{
    size_t bytes = (size_t)network->domain[a->domain].classes * sizeof(float);
    ck_assert_int_eq(a->status, b->status);
    if (a->status == SY_OK) {
        ck_assert_mem_eq(a->result[0].outputs, b->result[0].outputs, bytes);
        ck_assert_mem_eq(a->result[0].probabilities, b->result[0].probabilities,
                         bytes);
    }
    ck_assert_int_eq(a->blocks, b->blocks);
    ck_assert_int_eq(a->reused, b->reused);
    ck_assert_int_eq(a->madds, b->madds);
    ck_assert_int_eq(a->taken.expert, b->taken.expert);
    ck_assert_int_eq(a->taken.cut, b->taken.cut);
    ck_assert_int_eq(a->taken.ran.count, b->taken.ran.count);
    for (int i = 0; i < a->taken.ran.count; i++) {
        ck_assert_int_eq(a->taken.ran.expert[i], b->taken.ran.expert[i]);
    }
    ck_assert_int_eq(a->taken.decision_count, b->taken.decision_count);
}

START_TEST(routes_answer_what_their_experts_and_rules_make_of_it)
{
    static struct bench b;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        start(&b, seed, 1 + (int)(seed % 3));
        sy_executor_run(b.executor, b.request, REQUESTS, NULL);
        for (int i = 0; i < REQUESTS; i++) {
            check_request(&b, &b.request[i]);
        }
        end(&b);
    }
}
END_TEST

START_TEST(a_request_gets_in_a_batch_what_it_gets_alone)
{
    static struct bench b;
    float outputs[CLASSES], answer[CLASSES];
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        start(&b, seed, 1 + (int)(seed % 3));
        for (int i = 0; i < REQUESTS; i++) {
            const struct sy_route *route =
                b.network->route[b.request[i].domain];
            struct sy_route_experts all = sy_route_all_experts(route);
            double most = (double)sy_route_union_madds(b.network, &all);
            b.request[i].max_madds =
                (int64_t)(most * 1.2 * (double)sy_rng_uniform(&b.rng));
        }
        /* One of them names its lanes, as those who measure experts do. */
        b.request[3].lane_count = 1;
        for (int e = 0; b.network->expert[e].domain != b.request[3].domain;) {
            b.request[3].expert[0] = ++e;
        }
        sy_executor_run(b.executor, b.request, REQUESTS, NULL);
        for (int i = 0; i < REQUESTS; i++) {
            struct sy_request alone = copy(&b.request[i], outputs, answer);
            if (i == 3) {
                continue;
            }
            sy_executor_run(b.executor, &alone, 1, NULL);
            check_same(b.network, &b.request[i], &alone);
        }
        end(&b);
    }
}
END_TEST

START_TEST(a_budget_is_kept_and_ends_with_an_answer_from_the_least_one_on)
{
    static struct bench b;
    int cut = 0, refused = 0;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        start(&b, seed, 1);
        for (int i = 0; i < REQUESTS; i++) {
            struct sy_request *request = &b.request[i];
            const struct sy_route *route = b.network->route[request->domain];
            struct sy_route_experts all = sy_route_all_experts(route);
            int64_t least = sy_route_least_madds(route, b.network);
            int64_t most = sy_route_union_madds(b.network, &all);
            const int64_t budgets[] = {least - 1, least, (least + most) / 2,
                                       most};
            for (int k = 0; k < 4; k++) {
                request->max_madds = budgets[k];
                sy_executor_run(b.executor, request, 1, NULL);
                ck_assert_int_le(request->madds, budgets[k]);
                ck_assert_int_eq(request->status,
                                 k == 0 ? SY_UNSUPPORTED : SY_OK);
                refused += k == 0;
                cut += k > 0 && request->taken.cut;
            }
            check_request(&b, request);
        }
        end(&b);
    }
    ck_assert_int_eq(refused, NETWORKS * REQUESTS);
    ck_assert_int_gt(cut, NETWORKS);
}
END_TEST

/* Two stages of one expert each. */
#define STAGES(exit, threshold)                                                \
    "{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"" exit                      \
    "\",\"threshold\":" threshold                                              \
    ",\"route\":{\"kind\":\"expert\",\"expert\":\"e0\"}},"                     \
    "{\"route\":{\"kind\":\"expert\",\"expert\":\"e1\"}}]}"

START_TEST(a_cascade_that_ends_at_its_first_stage_costs_that_stage)
{
    static struct bench b;
    struct sy_executor_stats stats;
    make_network(&b, 7);
    set_route(b.network, 0, STAGES("confidence", "0"));
    set_route(b.network, 1, STAGES("margin", "2"));
    start_network(&b, 1);
    for (int domain = 0; domain < 2; domain++) {
        struct sy_request *request = &b.request[0];
        const struct sy_expert *first = &b.network->expert[domain * EXPERTS];
        request->domain = domain;
        sy_executor_run(b.executor, request, 1, &stats);
        const struct sy_route_decision *decision = &request->taken.decision[0];
        ck_assert_int_eq(request->taken.decision_count, 1);
        ck_assert_int_eq(decision->ended, domain == 0);
        ck_assert_int_eq(request->taken.ran.count, 1 + domain);
        ck_assert_int_eq(request->taken.ran.expert[0], domain * EXPERTS);
        ck_assert_int_eq(request->taken.expert, domain * EXPERTS + domain);
        int64_t alone =
            sy_network_path_cost(b.network, &first->path, domain).madds;
        ck_assert_int_eq(stats.madds, request->madds);
        ck_assert(domain == 0 ? request->madds == alone
                              : request->madds > alone);
        ck_assert(domain == 1 || request->reused == 0);
    }
    end(&b);
}
END_TEST

START_TEST(an_answer_that_is_no_number_fails_its_request_only)
{
    static struct bench b;
    make_network(&b, 8);
    set_route(b.network, 0, STAGES("confidence", "0"));
    set_route(b.network, 1, STAGES("confidence", "0"));
    int head = sy_network_head(b.network, 0);
    b.network->values[b.network->unit[head].weight[0]] = NAN;
    start_network(&b, 2);
    for (int i = 0; i < REQUESTS; i++) {
        b.request[i].domain = i == 5 ? 0 : 1;
    }
    sy_executor_run(b.executor, b.request, REQUESTS, NULL);
    for (int i = 0; i < REQUESTS; i++) {
        ck_assert_int_eq(b.request[i].status, i == 5 ? SY_INTERNAL : SY_OK);
        /* Nothing was sure of it, so all stages had their say. */
        ck_assert_int_eq(b.request[i].taken.ran.count, i == 5 ? 2 : 1);
    }
    end(&b);
}
END_TEST

START_TEST(an_ensembles_outputs_are_logarithms_of_its_answer)
{
    static struct bench b;
    make_network(&b, 9);
    set_route(b.network, 0,
              "{\"kind\":\"ensemble\",\"members\":["
              "{\"kind\":\"expert\",\"expert\":\"e0\"},"
              "{\"kind\":\"expert\",\"expert\":\"e1\"},"
              "{\"kind\":\"expert\",\"expert\":\"e2\"}]}");
    start_network(&b, 1);
    b.request[0].domain = 0;
    sy_executor_run(b.executor, b.request, 1, NULL);
    ck_assert_int_eq(b.request[0].taken.expert, -1);
    ck_assert_int_eq(b.request[0].taken.ran.count, 3);
    for (int k = 0; k < b.network->domain[0].classes; k++) {
        ck_assert_float_eq_tol(expf(b.outputs[0][k]), b.answer[0][k], 1e-6f);
    }
    end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("walks");
    TCase *tc = tcase_create("walks");
    tcase_add_test(tc, routes_answer_what_their_experts_and_rules_make_of_it);
    tcase_add_test(tc, a_request_gets_in_a_batch_what_it_gets_alone);
    tcase_add_test(
        tc, a_budget_is_kept_and_ends_with_an_answer_from_the_least_one_on);
    tcase_add_test(tc, a_cascade_that_ends_at_its_first_stage_costs_that_stage);
    tcase_add_test(tc, an_answer_that_is_no_number_fails_its_request_only);
    tcase_add_test(tc, an_ensembles_outputs_are_logarithms_of_its_answer);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
