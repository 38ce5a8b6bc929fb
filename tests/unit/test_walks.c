/*
 * test_walks.c - batches whose requests go the way of their routes.
 *
 * Random trees over random networks, whose experts form random trees of
 * paths: what comes out is compared, bit for bit, with what the oracle makes
 * of the answers of each expert alone and the scores of each gate. (Bit for bit
 * where no gate weighs answers: the oracle divides in another order.)
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "tests/support/check_main.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_route.h"

enum { NETWORKS = 40, REQUESTS = 12, EXPERTS = 5, CLASSES = 16, GATES = 32 };

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
        .gates = seed % 4 != 0,
        .norm = (enum sy_norm_mode)(seed % SY_NORM_MODES)});
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

/* What the gates of the route say of the image. */
static void ask_gates(const struct sy_network *network,
                      const struct sy_route *route, const float *image,
                      float scores[][SY_GATE_MAX_OUTPUTS],
                      const float **pointers)
{
    struct sy_route_gates all = sy_route_all_gates(route);
    for (int i = 0; i < all.count; i++) {
        int gate = all.gate[i];
        pointers[gate] = scores[gate];
        sy_plain_gate(network, gate, image, scores[gate]);
    }
}

static int blocks_of(const struct sy_network *network,
                     const struct sy_path *path, int layers)
{
    int blocks = 0;
    for (int l = 0; l < layers; l++) {
        int unit = sy_network_block(network, l, path->block[l]);
        blocks += network->unit[unit].plan.node_count > 0;
    }
    return blocks;
}

/* Blocks on the ways that were taken, shared ones counted again. */
static int blocks_on_ways(const struct sy_network *network,
                          const struct sy_route_taken *taken)
{
    int blocks = 0;
    for (int i = 0; i < taken->ran.count; i++) {
        const struct sy_path *path =
            &network->expert[taken->ran.expert[i]].path;
        blocks += blocks_of(network, path, path->layer_count);
    }
    for (int i = 0; i < taken->asked.count; i++) {
        const struct sy_gate *gate = &network->gate[taken->asked.gate[i]];
        blocks += gate->layers == 0
                      ? 0
                      : blocks_of(network, &network->expert[gate->expert].path,
                                  gate->layers);
    }
    return blocks;
}

static void check_answer(const float *found, const float *expected, int classes,
                         bool exact)
{
    for (int k = 0; k < classes; k++) {
        ck_assert_float_eq_tol(found[k], expected[k], exact ? 1e-30f : 2e-5f);
    }
}

/* Holds a finished request against the oracle. */
static void check_request(struct bench *b, const struct sy_request *request)
{
    static float scores[GATES][SY_GATE_MAX_OUTPUTS];
    float answers[SY_MAX_EXPERTS][CLASSES], expected[CLASSES];
    const float *pointers[SY_MAX_EXPERTS], *score_of[GATES];
    bool used[SY_MAX_EXPERTS] = {false}, asked[GATES] = {false};
    const struct sy_route_taken *taken = &request->taken;
    const struct sy_route *route = b->network->route[request->domain];
    struct sy_plain_route plain = {
        b->network, request->domain, pointers, score_of, used, asked};
    json_t *json = sy_route_to_json(route, b->network);
    int count = 0, gates = 0;

    ask_experts(b, request, answers, pointers);
    ask_gates(b->network, route, request->image, scores, score_of);
    sy_plain_route(&plain, json, expected);
    json_decref(json);
    ck_assert_int_eq(request->status, SY_OK);
    check_answer(request->result[0].probabilities, expected,
                 b->network->domain[request->domain].classes,
                 sy_route_all_gates(route).count == 0);
    for (int i = 0; i < taken->ran.count; i++) {
        ck_assert(used[taken->ran.expert[i]]);
    }
    for (int e = 0; e < b->network->expert_count; e++) {
        count += used[e];
    }
    for (int g = 0; g < b->network->gate_count; g++) {
        gates += asked[g];
    }
    ck_assert_int_eq(taken->ran.count, count);
    ck_assert_int_eq(taken->asked.count, gates);
    ck_assert(!taken->cut);
    ck_assert_int_eq(request->madds,
                     sy_route_madds(b->network, &taken->ran, &taken->asked));
    ck_assert_int_eq(request->blocks + request->reused,
                     blocks_on_ways(b->network, taken));
}

/* What the request costs if its route runs everything that it names. */
static int64_t most_madds(const struct bench *b, int domain)
{
    struct sy_route_experts all =
        sy_route_all_experts(b->network->route[domain]);
    struct sy_route_gates gates = sy_route_all_gates(b->network->route[domain]);
    return sy_route_madds(b->network, &all, &gates);
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
    size_t bytes = 0;
    ck_assert_int_eq(a->status, b->status);
    ck_assert_int_eq(a->found, b->found);
    ck_assert(a->sureness == b->sureness);
    if (a->status == SY_OK) {
        bytes = (size_t)network->domain[a->found].classes * sizeof(float);
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
    ck_assert_int_eq(a->taken.asked.count, b->taken.asked.count);
    ck_assert_int_eq(a->taken.decision_count, b->taken.decision_count);
    for (int i = 0; i < a->taken.decision_count; i++) {
        ck_assert(a->taken.decision[i].value == b->taken.decision[i].value);
    }
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
            double most = (double)most_madds(&b, b.request[i].domain);
            b.request[i].max_madds =
                (int64_t)(most * 1.2 * (double)sy_rng_uniform(&b.rng));
            if (b.network->gate_count > 0 && i % 3 == 0 && i != 3) {
                b.request[i].domain = -1;
            }
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
            int64_t least = sy_route_least_madds(route, b.network);
            int64_t most = most_madds(&b, request->domain);
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

/* Whether two paths take the same blocks in all layers up to this stage. */
static bool same_up_to(const struct sy_path *a, const struct sy_path *b,
                       int stage)
{
    for (int l = 0; l < stage && l < a->layer_count; l++) {
        if (a->block[l] != b->block[l]) {
            return false;
        }
    }
    return true;
}

/*
 * Blocks and multiply-adds of experts of one domain together: every stage of
 * each, but for those up to which an earlier one goes the same way. The tree
 * that their paths form is walked block by block, apart from route.c.
 */
static void count_union(const struct sy_network *network, const int *expert,
                        int count, int *blocks, int64_t *madds)
{
    *blocks = 0;
    *madds = 0;
    for (int i = 0; i < count; i++) {
        const struct sy_expert *e = &network->expert[expert[i]];
        for (int s = 0; s < sy_network_stages(network); s++) {
            bool run = false;
            for (int j = 0; j < i && !run; j++) {
                run = same_up_to(&network->expert[expert[j]].path, &e->path, s);
            }
            int unit = sy_network_stage_unit(network, s, &e->path, e->domain);
            bool is_block = s > 0 && s <= e->path.layer_count;
            *madds += run ? 0 : network->unit[unit].cost.madds;
            *blocks +=
                !run && is_block && network->unit[unit].plan.node_count > 0;
        }
    }
}

START_TEST(a_second_stage_costs_only_what_lies_behind_the_shared_beginning)
{
    static struct bench b;
    char text[512];
    int shared = 0, whole = 0;
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        int expert[2] = {0, 1 + (int)(seed % (EXPERTS - 1))};
        int blocks, first_blocks;
        int64_t madds, first_madds;
        make_network(&b, seed);
        (void)snprintf(text, sizeof text,
                       "{\"kind\":\"cascade\",\"stages\":[{\"exit\":"
                       "\"confidence\",\"threshold\":2,\"route\":{\"kind\":"
                       "\"expert\",\"expert\":\"e0\"}},{\"route\":{\"kind\":"
                       "\"expert\",\"expert\":\"e%d\"}}]}",
                       expert[1]);
        set_route(b.network, 0, text);
        start_network(&b, 1);
        b.request[0].domain = 0;
        sy_executor_run(b.executor, &b.request[0], 1, NULL);
        count_union(b.network, expert, 1, &first_blocks, &first_madds);
        count_union(b.network, expert, 2, &blocks, &madds);
        ck_assert_int_eq(b.request[0].taken.ran.count, 2);
        ck_assert_int_eq(b.request[0].blocks, blocks);
        ck_assert_int_eq(b.request[0].madds, madds);
        int second =
            blocks_on_ways(b.network, &b.request[0].taken) - first_blocks;
        ck_assert_int_eq(b.request[0].reused, second - (blocks - first_blocks));
        shared += b.request[0].reused > 0;
        whole += b.request[0].reused == 0;
        end(&b);
    }
    ck_assert_int_gt(shared, NETWORKS / 4);
    ck_assert_int_gt(whole, 0);
}
END_TEST

START_TEST(an_ensemble_of_three_runs_the_union_of_its_paths)
{
    static struct bench b;
    int parted = 0;
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        const int expert[3] = {0, 2, 4};
        int blocks, alone, apart = 0;
        int64_t madds, alone_madds;
        make_network(&b, seed);
        set_route(b.network, 0,
                  "{\"kind\":\"ensemble\",\"members\":["
                  "{\"kind\":\"expert\",\"expert\":\"e0\"},"
                  "{\"kind\":\"expert\",\"expert\":\"e2\"},"
                  "{\"kind\":\"expert\",\"expert\":\"e4\"}]}");
        start_network(&b, 1);
        b.request[0].domain = 0;
        sy_executor_run(b.executor, &b.request[0], 1, NULL);
        count_union(b.network, expert, 3, &blocks, &madds);
        ck_assert_int_eq(b.request[0].taken.ran.count, 3);
        ck_assert_int_eq(b.request[0].blocks, blocks);
        ck_assert_int_eq(b.request[0].madds, madds);
        for (int i = 0; i < 3; i++) {
            count_union(b.network, &expert[i], 1, &alone, &alone_madds);
            apart += alone;
        }
        ck_assert_int_eq(b.request[0].reused, apart - blocks);
        parted += blocks < apart;
        end(&b);
    }
    ck_assert_int_gt(parted, NETWORKS / 4);
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

START_TEST(the_root_gate_finds_the_domain_or_abstains)
{
    static struct bench b;
    int found = 0, abstained = 0;
    for (uint64_t seed = 1; seed < NETWORKS; seed++) {
        float outputs[CLASSES], answer[CLASSES];
        if (seed % 4 == 0) {
            continue;
        }
        start(&b, seed, 1);
        int root = sy_network_root_gate(b.network);
        for (int i = 0; i < REQUESTS; i++) {
            float scores[SY_GATE_MAX_OUTPUTS];
            double sum = 0;
            int best = 0, domains = b.network->domain_count;
            sy_plain_gate(b.network, root, b.image[i], scores);
            for (int d = 0; d <= domains; d++) {
                sum += exp((double)scores[d]);
                best = d < domains && scores[d] > scores[best] ? d : best;
            }
            double sure = exp((double)scores[best]) / sum;
            b.request[i].domain = -1;
            sy_executor_run(b.executor, &b.request[i], 1, NULL);
            ck_assert_double_eq_tol(b.request[i].sureness, sure, 1e-5);
            ck_assert_int_eq(b.request[i].taken.asked.gate[0], root);
            if (b.request[i].status == SY_NOT_FOUND) {
                const struct sy_cost *cost = &b.network->unit[0].cost;
                ck_assert_int_eq(b.request[i].found, -1);
                ck_assert(sure < 0.3 + 1e-5);
                ck_assert_int_eq(
                    b.request[i].madds,
                    cost->madds + b.network->unit[b.network->first_gate + root]
                                      .cost.madds);
                abstained++;
                continue;
            }
            struct sy_request named = copy(&b.request[i], outputs, answer);
            named.domain = best;
            sy_executor_run(b.executor, &named, 1, NULL);
            int64_t gate =
                b.network->unit[b.network->first_gate + root].cost.madds;
            ck_assert_int_eq(b.request[i].found, best);
            ck_assert_int_eq(b.request[i].madds, named.madds + gate);
            ck_assert_mem_eq(b.answer[i], answer,
                             (size_t)b.network->domain[best].classes *
                                 sizeof(float));
            found++;
        }
        end(&b);
    }
    ck_assert_int_gt(found, 50);
    ck_assert_int_gt(abstained, 10);
}
END_TEST

/* A gate node over two experts. */
#define GATE(name, rest)                                                       \
    "{\"kind\":\"gate\",\"gate\":\"" name "\"," rest                           \
    "\"children\":[{\"kind\":\"expert\",\"expert\":\"e0\"},"                   \
    "{\"kind\":\"expert\",\"expert\":\"e1\"}]}"

START_TEST(a_gate_runs_what_it_reads_and_then_only_what_it_chooses)
{
    static struct bench b;
    struct sy_executor_stats stats;
    make_network(&b, 10);
    struct sy_gate gates[2] = {
        {.name = "at-stem", .expert = -1, .cells = 1, .outputs = 2},
        {.name = "at-2",
         .domain = 1,
         .expert = EXPERTS,
         .layers = 2,
         .cells = 2,
         .outputs = 2}};
    sy_check_ok(sy_network_set_gates(&b.network, gates, 2, &err), err);
    set_route(b.network, 0, GATE("at-stem", ""));
    set_route(b.network, 1, GATE("at-2", "\"top\":1,"));
    for (int g = 0; g < 2; g++) { /* only the bias speaks: the second child */
        const struct sy_unit *unit =
            &b.network->unit[b.network->first_gate + g];
        b.network->values[unit->weight[1] + 1] = 1.0f;
    }
    start_network(&b, 1);
    for (int domain = 0; domain < 2; domain++) {
        struct sy_request *request = &b.request[0];
        const struct sy_expert *second =
            &b.network->expert[domain * EXPERTS + 1];
        struct sy_route_experts ran = {1, {domain * EXPERTS + 1}};
        struct sy_route_gates asked = {1, {domain}};
        request->domain = domain;
        sy_executor_run(b.executor, request, 1, &stats);
        ck_assert_int_eq(request->taken.ran.count, 1);
        ck_assert_int_eq(request->taken.expert, domain * EXPERTS + 1);
        ck_assert_int_eq(request->taken.decision_count, 2);
        ck_assert(!request->taken.decision[0].ended);
        ck_assert(request->taken.decision[1].ended);
        ck_assert_double_eq_tol(request->taken.decision[1].value,
                                1 / (1 + exp(-1.0)), 1e-6);
        ck_assert_int_eq(request->madds,
                         sy_route_madds(b.network, &ran, &asked));
        ck_assert_int_eq(stats.madds, request->madds);
        int64_t alone =
            sy_network_path_cost(b.network, &second->path, domain).madds +
            b.network->unit[b.network->first_gate + domain].cost.madds;
        ck_assert(domain == 1 || request->madds == alone);
    }
    end(&b);
}
END_TEST

START_TEST(scores_that_are_no_numbers_fail_their_request_only)
{
    static struct bench b;
    const struct sy_gate one = {
        .name = "g0", .expert = -1, .cells = 1, .hidden = 3, .outputs = 2};
    make_network(&b, 11);
    sy_check_ok(sy_network_set_gates(&b.network, &one, 1, &err), err);
    set_route(b.network, 0, GATE("g0", ""));
    const struct sy_unit *unit = &b.network->unit[b.network->first_gate];
    b.network->values[unit->weight[unit->plan.param_count - 1]] = NAN;
    start_network(&b, 2);
    for (int i = 0; i < REQUESTS; i++) {
        b.request[i].domain = i == 5 ? 0 : 1;
    }
    sy_executor_run(b.executor, b.request, REQUESTS, NULL);
    for (int i = 0; i < REQUESTS; i++) {
        ck_assert_int_eq(b.request[i].status, i == 5 ? SY_INTERNAL : SY_OK);
    }
    ck_assert_int_eq(b.request[5].taken.ran.count, 0);
    end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("walks");
    TCase *tc = tcase_create("walks");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, routes_answer_what_their_experts_and_rules_make_of_it);
    tcase_add_test(tc, a_request_gets_in_a_batch_what_it_gets_alone);
    tcase_add_test(
        tc, a_budget_is_kept_and_ends_with_an_answer_from_the_least_one_on);
    tcase_add_test(tc, a_cascade_that_ends_at_its_first_stage_costs_that_stage);
    tcase_add_test(
        tc, a_second_stage_costs_only_what_lies_behind_the_shared_beginning);
    tcase_add_test(tc, an_ensemble_of_three_runs_the_union_of_its_paths);
    tcase_add_test(tc, an_answer_that_is_no_number_fails_its_request_only);
    tcase_add_test(tc, an_ensembles_outputs_are_logarithms_of_its_answer);
    tcase_add_test(tc, the_root_gate_finds_the_domain_or_abstains);
    tcase_add_test(tc, a_gate_runs_what_it_reads_and_then_only_what_it_chooses);
    tcase_add_test(tc, scores_that_are_no_numbers_fail_their_request_only);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
