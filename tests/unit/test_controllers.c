/*
 * test_controllers.c - controllers against cases computed by hand, and on
 * NAS-Bench-Macro, a table of all 3^8 paths whose optimum is known.
 */
#include "search/controllers/controller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "domains/formats/gzip.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

enum { DRAWS = 40000 };

static struct sy_error err;
static struct sy_network_spec spec;
static const struct nas_warmup no_warmup = {0, 0};

/* Layers with so many candidates, all of them zero blocks. */
static void make_spec(const int *choices, int layers)
{
    memset(&spec, 0, sizeof spec);
    spec.input = (struct sy_shape){4, 4, SY_INPUT_CHANNELS};
    spec.stem_channels = 8;
    spec.stem_stride = 1;
    spec.layer_count = layers;
    for (int l = 0; l < layers; l++) {
        spec.layer[l].channels = 8;
        spec.layer[l].stride = 1;
        spec.layer[l].block_count = choices[l];
        for (int b = 0; b < choices[l]; b++) {
            spec.layer[l].block[b].spec = sy_block_defaults(SY_BLOCK_ZERO);
        }
    }
}

static void make(struct nas_controller *c,
                 const struct nas_controller_config *config, int64_t steps)
{
    sy_check_ok(nas_controller_init(c, config, &spec, steps, &err), err);
}

static struct nas_proposal proposal_of(int first, int second)
{
    struct nas_proposal proposal = {
        .path = {.layer_count = 2, .block = {first, second}}};
    return proposal;
}

START_TEST(a_controller_begins_with_every_path_alike)
{
    double p[SY_MAX_BLOCKS];
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    config.kind = (enum nas_controller_kind)_i;
    make_spec((const int[]){4, 1, 3}, 3);
    make(&c, &config, 10);
    nas_controller_probabilities(&c, 0, p);
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq(p[i], 0.25);
    }
    nas_controller_probabilities(&c, 1, p);
    ck_assert_double_eq(p[0], 1.0);
    ck_assert_double_eq_tol(nas_controller_entropy(&c), 1.0, 1e-12);
    nas_controller_release(&c);
}
END_TEST

START_TEST(proposals_come_as_often_as_their_probability)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    int seen[3] = {0};
    make_spec((const int[]){3}, 1);
    make(&c, &config, 10);
    c.state[0] = 0.0f;
    c.state[1] = logf(2.0f);
    c.state[2] = logf(5.0f);
    for (int i = 0; i < DRAWS; i++) {
        struct nas_proposal proposal;
        struct sy_rng rng = sy_rng_stream(1, SY_RNG_PATH, (uint64_t)i, 0);
        nas_controller_propose(&c, &no_warmup, &rng, &proposal);
        ck_assert_int_eq((int)proposal.pick[0], NAS_PICK_BLOCK);
        seen[proposal.path.block[0]]++;
    }
    ck_assert_double_eq_tol((double)seen[0] / DRAWS, 1.0 / 8, 0.01);
    ck_assert_double_eq_tol((double)seen[1] / DRAWS, 2.0 / 8, 0.01);
    ck_assert_double_eq_tol((double)seen[2] / DRAWS, 5.0 / 8, 0.01);
    nas_controller_release(&c);
}
END_TEST

START_TEST(warm_up_replaces_each_layer_by_its_own_draw)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    struct nas_warmup warmup = {.mean_share = 0.5, .widest_share = 0.25};
    int mean = 0, widest = 0, both = 0;
    make_spec((const int[]){3, 1, 3}, 3);
    spec.layer[0].block[2].spec = sy_block_defaults(SY_BLOCK_MBCONV);
    spec.layer[0].block[1].spec = sy_block_defaults(SY_BLOCK_MBCONV);
    spec.layer[0].block[1].spec.expansion = 6;
    make(&c, &config, 10);
    for (int i = 0; i < DRAWS; i++) {
        struct nas_proposal proposal;
        struct sy_rng rng = sy_rng_stream(2, SY_RNG_PATH, (uint64_t)i, 0);
        nas_controller_propose(&c, &warmup, &rng, &proposal);
        mean += proposal.pick[0] == NAS_PICK_MEAN;
        both += proposal.pick[0] == NAS_PICK_MEAN &&
                proposal.pick[2] == NAS_PICK_MEAN;
        if (proposal.pick[0] == NAS_PICK_WIDEST) {
            widest++;
            ck_assert_int_eq(proposal.path.block[0], 1);
        }
        /* Nothing to replace where there is one candidate. */
        ck_assert_int_eq((int)proposal.pick[1], NAS_PICK_BLOCK);
    }
    ck_assert_double_eq_tol((double)mean / DRAWS, 0.5, 0.01);
    ck_assert_double_eq_tol((double)both / DRAWS, 0.25, 0.01);
    ck_assert_double_eq_tol((double)widest / DRAWS, 0.125, 0.01);
    nas_controller_release(&c);
}
END_TEST

START_TEST(the_rates_add_up_to_the_travel)
{
    struct nas_controller_config config = nas_controller_defaults();
    static const double growths[] = {1, 10, 100};
    for (int g = 0; g < 3; g++) {
        double sum = 0;
        config.growth = growths[g];
        config.travel = 7;
        for (int64_t t = 0; t < 400; t++) {
            sum += nas_controller_rate(&config, t, 400);
        }
        ck_assert_double_eq_tol(sum, 7.0, 1e-9);
        ck_assert_double_eq(nas_controller_rate(&config, 99, 400), 0.0);
        ck_assert_double_gt(nas_controller_rate(&config, 100, 400), 0.0);
        ck_assert_double_eq_tol(nas_controller_rate(&config, 399, 400) /
                                    nas_controller_rate(&config, 100, 400),
                                pow(growths[g], 299.0 / 300.0), 1e-9);
    }
}
END_TEST

/*
 * One update of one layer of two choices by hand, at the start: p = 1/2, two
 * proposals with choices 0 and 1 and rewards 0.9 and 0.5. With the moving
 * mean b = 0.7 the advantages are +-0.2, so g = -+0.1 for both proposals,
 * v = 0.001 * 0.01 and sqrt(1 - b2) g / sqrt(v) = -1: a whole rate.
 */
START_TEST(the_first_update_is_one_rate_where_proposals_agree)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    const struct nas_proposal proposals[2] = {proposal_of(0, 0),
                                              proposal_of(1, 0)};
    const double rewards[2] = {0.9, 0.5};
    config.batch_baseline = _i == 1; /* R - other R: advantages +-0.4 */
    config.delay = 0;
    config.growth = 1;
    config.travel = 3;
    make_spec((const int[]){2, 2}, 2);
    make(&c, &config, 10);
    nas_controller_update(&c, 0, proposals, rewards, 2);
    ck_assert_double_eq_tol((double)c.state[0], 0.3, 1e-6);
    ck_assert_double_eq_tol((double)c.state[1], -0.3, 1e-6);
    /* Both took choice 0 of the second layer: the advantages cancel. */
    ck_assert_double_eq_tol((double)c.state[2], 0.0, 1e-9);
    double g = _i == 1 ? 0.2 : 0.1;
    ck_assert_double_eq_tol((double)c.state[4], 0.001 * g * g, 1e-10);
    nas_controller_release(&c);
}
END_TEST

/*
 * The second update of the same, one proposal each: b is 1 after the first
 * (the advantage is 0), and (0.95 * 0.05 * 1 + 0.05 * 2) / (0.95 * 0.05 +
 * 0.05) = 1.512820... after the second; A = 0.487179..., g = -+A / 2,
 * v = 0.001 g^2 after a first v of 0, so that the step is
 * rate * sqrt(1 - 0.999^2) / sqrt(0.001) = 1.413860... rates.
 */
START_TEST(the_moving_mean_and_the_squares_are_debiased)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    const struct nas_proposal proposal = proposal_of(0, 1);
    config.delay = 0;
    config.growth = 1;
    config.travel = 1;
    make_spec((const int[]){2, 2}, 2);
    make(&c, &config, 10);
    nas_controller_update(&c, 0, &proposal, (const double[]){1.0}, 1);
    ck_assert_double_eq_tol((double)c.state[0], 0.0, 1e-7);
    nas_controller_update(&c, 1, &proposal, (const double[]){2.0}, 1);
    ck_assert_double_eq_tol((double)c.state[0], 0.1413860, 1e-5);
    ck_assert_double_eq_tol((double)c.state[3], 0.1413860, 1e-5);
    double b = (double)c.state[8] / (double)c.state[9];
    ck_assert_double_eq_tol(b, 1.5128205, 1e-6);
    ck_assert_double_eq_tol((double)c.state[4], 0.001 * 0.0593360, 1e-8);
    nas_controller_release(&c);
}
END_TEST

START_TEST(before_the_delay_is_over_only_means_move)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    const struct nas_proposal proposals[2] = {proposal_of(0, 0),
                                              proposal_of(1, 1)};
    config.delay = 0.5;
    make_spec((const int[]){2, 2}, 2);
    make(&c, &config, 10);
    for (int64_t t = 0; t < 5; t++) {
        nas_controller_update(&c, t, proposals, (const double[]){1, 0}, 2);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert(c.state[i] == 0.0f);
        ck_assert(c.state[4 + i] > 0.0f);
    }
    nas_controller_update(&c, 5, proposals, (const double[]){1, 0}, 2);
    ck_assert(c.state[0] > 0.0f && c.state[1] < 0.0f);
    nas_controller_release(&c);
}
END_TEST

START_TEST(a_replaced_layer_teaches_nothing)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    struct nas_proposal proposals[2] = {proposal_of(0, 0), proposal_of(1, 1)};
    proposals[0].pick[1] = proposals[1].pick[1] = NAS_PICK_MEAN;
    config.delay = 0;
    make_spec((const int[]){2, 2}, 2);
    make(&c, &config, 10);
    nas_controller_update(&c, 0, proposals, (const double[]){1, 0}, 2);
    ck_assert(c.state[0] > 0.0f);
    ck_assert(c.state[2] == 0.0f && c.state[3] == 0.0f);
    ck_assert(c.state[6] == 0.0f);
    nas_controller_release(&c);
}
END_TEST

START_TEST(the_entropy_bonus_follows_the_slope_of_the_entropy)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    const struct nas_proposal proposal = proposal_of(0, 0);
    const double h = 1e-4;
    double slope[3];
    config.delay = 0;
    config.growth = 1;
    config.travel = 10; /* a rate of 1 */
    config.entropy = 1e-3;
    make_spec((const int[]){3, 1}, 2);
    make(&c, &config, 10);
    const float start[3] = {0.5f, -0.25f, 1.0f};
    double most = log(3.0);
    for (int j = 0; j < 3; j++) {
        memcpy(c.state, start, sizeof start);
        c.state[j] = start[j] + (float)h;
        slope[j] = nas_controller_entropy(&c) * most;
        c.state[j] = start[j] - (float)h;
        slope[j] -= nas_controller_entropy(&c) * most;
        slope[j] /= 2 * h;
    }
    /* The first reward is its own mean: only the entropy moves anything. */
    memcpy(c.state, start, sizeof start);
    nas_controller_update(&c, 0, &proposal, (const double[]){0.5}, 1);
    for (int j = 0; j < 3; j++) {
        ck_assert_double_eq_tol((double)(c.state[j] - start[j]),
                                1e-3 * slope[j], 1e-6);
    }
    nas_controller_release(&c);
}
END_TEST

START_TEST(random_keeps_the_best_path_it_was_told_of)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    struct nas_proposal proposals[3] = {proposal_of(1, 0), proposal_of(1, 1),
                                        proposal_of(0, 1)};
    struct sy_path path;
    config.kind = NAS_CONTROLLER_RANDOM;
    make_spec((const int[]){2, 2}, 2);
    make(&c, &config, 10);
    proposals[2].pick[0] = NAS_PICK_MEAN; /* no path, whatever its reward */
    nas_controller_update(&c, 0, proposals, (const double[]){-3, -2, 9}, 3);
    nas_controller_result(&c, &path);
    ck_assert_int_eq(path.block[0], 1);
    ck_assert_int_eq(path.block[1], 1);
    nas_controller_update(&c, 1, proposals, (const double[]){-1, -5, 9}, 3);
    nas_controller_result(&c, &path);
    ck_assert_int_eq(path.block[1], 0);
    ck_assert_double_eq_tol(nas_controller_entropy(&c), 1.0, 1e-12);
    nas_controller_release(&c);
}
END_TEST

START_TEST(state_is_all_that_a_controller_remembers)
{
    struct nas_controller a, b;
    struct nas_controller_config config = nas_controller_defaults();
    config.kind = (enum nas_controller_kind)_i;
    make_spec((const int[]){3, 2}, 2);
    make(&a, &config, 8);
    make(&b, &config, 8);
    for (int64_t t = 0; t < 8; t++) {
        struct nas_proposal proposals[2];
        double rewards[2];
        for (int s = 0; s < 2; s++) {
            struct sy_rng rng =
                sy_rng_stream(3, SY_RNG_PATH, (uint64_t)t, (uint32_t)s);
            nas_controller_propose(&a, &no_warmup, &rng, &proposals[s]);
            rewards[s] = 1.0 / (1 + proposals[s].path.block[0]);
        }
        nas_controller_update(&a, t, proposals, rewards, 2);
        if (t == 3) {
            memcpy(b.state, a.state, a.state_count * sizeof(float));
        } else if (t > 3) {
            nas_controller_update(&b, t, proposals, rewards, 2);
        }
    }
    ck_assert_mem_eq(a.state, b.state, a.state_count * sizeof(float));
    nas_controller_release(&a);
    nas_controller_release(&b);
}
END_TEST

/* NAS-Bench-Macro: mean accuracy of each of the 3^8 paths, in 0..1. */
enum { MACRO_LAYERS = 8, MACRO_PATHS = 6561, MACRO_BYTES = 4 << 20 };
static double macro[MACRO_PATHS];

static int macro_index(const struct sy_path *path)
{
    int index = 0;
    for (int l = 0; l < MACRO_LAYERS; l++) {
        index = index * 3 + path->block[l];
    }
    return index;
}

/* Reads the table; false, after a line that says so, where there is none. */
static bool read_macro(void)
{
    static char text[MACRO_BYTES + 1];
    char path[SY_PATH_BYTES];
    size_t bytes = 0;
    struct sy_map map;
    const char *data = sy_real_data();
    if (data == NULL) {
        return false;
    }
    sy_check_ok(sy_path_join(path, sizeof path, data,
                             "nasbench/nas-bench-macro_cifar10.csv.gz", &err),
                err);
    sy_check_ok(sy_map_open(&map, path, &err), err);
    sy_check_ok(dom_gzip_head(map.data, map.bytes, path, (uint8_t *)text,
                              MACRO_BYTES, &bytes, &err),
                err);
    sy_map_close(&map);
    int rows = 0;
    for (char *at = strchr(text, '\n'); at != NULL && at[1] != '\0';
         at = strchr(at + 1, '\n')) {
        int index = (int)strtol((char[MACRO_LAYERS + 1]){at[1], at[2], at[3],
                                                         at[4], at[5], at[6],
                                                         at[7], at[8], '\0'},
                                NULL, 3);
        char *field = at;
        for (int comma = 0; comma < 4; comma++) { /* arch,acc1..3,mean_acc */
            field = strchr(field, ',') + 1;
        }
        macro[index] = strtod(field, NULL) / 100;
        rows++;
    }
    ck_assert_int_eq(rows, MACRO_PATHS);
    return true;
}

/* The best accuracy among `evaluations` paths that a controller asked for. */
static double macro_best(enum nas_controller_kind kind, uint64_t seed,
                         int evaluations, double *entropy)
{
    enum { TOGETHER = 4 };
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    double best = 0;
    config.kind = kind;
    config.delay = 0; /* the table needs no training first */
    make(&c, &config, evaluations / TOGETHER);
    for (int64_t t = 0; t < c.steps; t++) {
        struct nas_proposal proposals[TOGETHER];
        double rewards[TOGETHER];
        for (int s = 0; s < TOGETHER; s++) {
            struct sy_rng rng =
                sy_rng_stream(seed, SY_RNG_PATH, (uint64_t)t, (uint32_t)s);
            nas_controller_propose(&c, &no_warmup, &rng, &proposals[s]);
            rewards[s] = macro[macro_index(&proposals[s].path)];
            best = fmax(best, rewards[s]);
        }
        nas_controller_update(&c, t, proposals, rewards, TOGETHER);
    }
    *entropy += nas_controller_entropy(&c);
    nas_controller_release(&c);
    return best;
}

START_TEST(reinforce_finds_the_optimum_of_nas_bench_macro)
{
    enum { SEEDS = 50, EVALUATIONS = 200 };
    double best = 0;
    double regret[NAS_CONTROLLERS] = {0};
    double entropy[NAS_CONTROLLERS] = {0};
    if (!read_macro()) {
        return;
    }
    for (int i = 0; i < MACRO_PATHS; i++) {
        best = fmax(best, macro[i]);
    }
    make_spec((const int[]){3, 3, 3, 3, 3, 3, 3, 3}, MACRO_LAYERS);
    for (int kind = 0; kind < NAS_CONTROLLERS; kind++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            regret[kind] +=
                best - macro_best((enum nas_controller_kind)kind, seed,
                                  EVALUATIONS, &entropy[kind]);
        }
    }
    ck_assert_double_gt(regret[NAS_CONTROLLER_RANDOM], 0);
    ck_assert_msg(regret[NAS_CONTROLLER_REINFORCE] <=
                      0.25 * regret[NAS_CONTROLLER_RANDOM],
                  "mean regret %g points, random %g",
                  100 * regret[NAS_CONTROLLER_REINFORCE] / SEEDS,
                  100 * regret[NAS_CONTROLLER_RANDOM] / SEEDS);
    ck_assert_double_le(entropy[NAS_CONTROLLER_REINFORCE] / SEEDS, 0.3);
}
END_TEST

START_TEST(without_memory_there_is_no_controller)
{
    struct nas_controller c;
    struct nas_controller_config config = nas_controller_defaults();
    make_spec((const int[]){2}, 1);
    sy_alloc_fail_at(1, false);
    sy_check_fails(nas_controller_init(&c, &config, &spec, 4, &err),
                   SY_NO_MEMORY, err);
    sy_alloc_fail_at(0, false);
    nas_controller_release(&c);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("controllers");
    TCase *tc = tcase_create("controllers");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_controller_begins_with_every_path_alike, 0,
                        NAS_CONTROLLERS);
    tcase_add_test(tc, proposals_come_as_often_as_their_probability);
    tcase_add_test(tc, warm_up_replaces_each_layer_by_its_own_draw);
    tcase_add_test(tc, the_rates_add_up_to_the_travel);
    tcase_add_loop_test(tc, the_first_update_is_one_rate_where_proposals_agree,
                        0, 2);
    tcase_add_test(tc, the_moving_mean_and_the_squares_are_debiased);
    tcase_add_test(tc, before_the_delay_is_over_only_means_move);
    tcase_add_test(tc, a_replaced_layer_teaches_nothing);
    tcase_add_test(tc, the_entropy_bonus_follows_the_slope_of_the_entropy);
    tcase_add_test(tc, random_keeps_the_best_path_it_was_told_of);
    tcase_add_loop_test(tc, state_is_all_that_a_controller_remembers, 0,
                        NAS_CONTROLLERS);
    tcase_add_test(tc, reinforce_finds_the_optimum_of_nas_bench_macro);
    tcase_add_test(tc, without_memory_there_is_no_controller);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
