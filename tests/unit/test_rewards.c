/*
 * test_rewards.c - costs, rewards and the price of what is not shared, by
 * hand on the small supernet (support/small_network.h).
 *
 * Its input is 8 x 6 pixels, of 8 channels after the stem. Layer 0: conv 1x1
 * with 64 weights, 48 * 64 multiply-adds; a skip. Layer 1, on 4 x 3 pixels:
 * mbconv (depthwise 72, squeeze-excite 144, project 64), group (64, 144, 64),
 * zero (64; 12 * 64 multiply-adds).
 */
#include "search/rewards/reward.h"

#include <math.h>
#include <string.h>

#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

enum { DOMAINS = 2 };

static struct sy_error err;
static struct sy_network *network;
static struct nas_controller controllers[DOMAINS];

static void make_all(void)
{
    struct nas_controller_config config = nas_controller_defaults();
    network = sy_small_supernet(1);
    for (int d = 0; d < DOMAINS; d++) {
        sy_check_ok(nas_controller_init(&controllers[d], &config,
                                        &network->spec, 10, &err),
                    err);
    }
}

static void free_all(void)
{
    for (int d = 0; d < DOMAINS; d++) {
        nas_controller_release(&controllers[d]);
    }
    sy_network_free(network);
}

static struct nas_proposal proposal_of(int first, int second)
{
    struct nas_proposal proposal = {
        .path = {.layer_count = 2, .block = {first, second}}};
    return proposal;
}

/* Makes a controller sure of one path. */
static void decide(struct nas_controller *c, int first, int second)
{
    c->state[c->first[0] + first] = 100.0f;
    c->state[c->first[1] + second] = 100.0f;
}

START_TEST(rewards_are_the_formulas_by_hand)
{
    struct nas_reward_config config = nas_reward_defaults();
    config.exponent = -0.5;
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 3, 2), 0.5, 1e-12);
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 1, 2), 0.5, 1e-12);
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 2, 2), 0.75, 1e-12);
    config.kind = NAS_REWARD_MNAS;
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 8, 2), 0.375, 1e-12);
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 2, 8), 1.5, 1e-12);
    config.kind = NAS_REWARD_MNAS_HARD;
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 8, 2), 0.375, 1e-12);
    ck_assert_double_eq_tol(nas_reward(&config, 0.75, 2, 8), 0.75, 1e-12);
}
END_TEST

START_TEST(a_path_that_costs_nothing_has_a_finite_reward)
{
    struct nas_reward_config config = nas_reward_defaults();
    for (int kind = 0; kind < NAS_REWARDS; kind++) {
        config.kind = (enum nas_reward_kind)kind;
        ck_assert(isfinite(nas_reward(&config, 0.5, 0, 4)));
        ck_assert_double_eq_tol(nas_reward(&config, 0.5, 4, 4), 0.5, 1e-12);
    }
    ck_assert_ptr_null(nas_reward_names[NAS_REWARDS]);
    ck_assert_ptr_null(nas_cost_names[NAS_COSTS]);
}
END_TEST

START_TEST(a_path_costs_its_blocks_and_what_its_domain_has)
{
    struct nas_cost_table table;
    for (int kind = 0; kind < NAS_COST_LATENCY; kind++) {
        nas_cost_from_network(&table, network, (enum nas_cost_kind)kind);
        for (int d = 0; d < DOMAINS; d++) {
            for (int b = 0; b < 6; b++) {
                struct nas_proposal proposal = proposal_of(b % 2, b / 2);
                struct sy_cost cost =
                    sy_network_path_cost(network, &proposal.path, d);
                double expected =
                    (double)(kind == NAS_COST_MADDS ? cost.madds : cost.params);
                ck_assert_double_eq(nas_cost_path(&table, d, &proposal.path),
                                    expected);
                ck_assert_double_eq(nas_cost_proposal(&table, d, &proposal),
                                    expected);
            }
        }
        /* Heads of 3 and of 2 classes on 8 features, with biases. */
        ck_assert_double_eq(table.fixed[0] - table.fixed[1],
                            kind == NAS_COST_MADDS ? 8 : 9);
    }
}
END_TEST

START_TEST(a_latency_table_is_a_cost_like_the_others)
{
    struct nas_cost_table table;
    struct sy_latency latency = {
        .constant_us = 40,
        .block_us = {{3, 0.5}, {7, 5, 2}},
        .head_us = {1, 10, 100},
    };
    nas_cost_from_latency(&table, network, &latency);
    for (int d = 0; d < DOMAINS; d++) {
        struct sy_path path = {.layer_count = 2, .block = {1, 2}};
        int classes = network->domain[d].classes;
        ck_assert_double_eq_tol(nas_cost_path(&table, d, &path),
                                sy_latency_path_us(&latency, &path, classes),
                                1e-12);
        ck_assert_double_eq_tol(nas_cost_least(&table, d, NULL),
                                sy_latency_path_us(&latency, &path, classes),
                                1e-12);
    }
}
END_TEST

START_TEST(a_replaced_layer_costs_the_mean_of_its_blocks)
{
    struct nas_cost_table table;
    struct nas_proposal proposal = proposal_of(0, 2);
    struct sy_path least;
    nas_cost_from_network(&table, network, NAS_COST_MADDS);
    double fixed = table.fixed[0];
    ck_assert_double_eq(nas_cost_proposal(&table, 0, &proposal),
                        fixed + 48 * 64 + 12 * 64);
    proposal.pick[0] = NAS_PICK_MEAN;
    ck_assert_double_eq(nas_cost_proposal(&table, 0, &proposal),
                        fixed + 24 * 64 + 12 * 64);
    ck_assert_double_eq(nas_cost_least(&table, 0, &least), fixed + 12 * 64);
    ck_assert_int_eq(least.block[0], 1);
    ck_assert_int_eq(least.block[1], 2);
}
END_TEST

START_TEST(the_expected_cost_weighs_blocks_by_their_probability)
{
    struct nas_cost_table table;
    nas_cost_from_network(&table, network, NAS_COST_PARAMS);
    double layer1 =
        (table.block[1][0] + table.block[1][1] + table.block[1][2]) / 3;
    /* 64 weights and four numbers for each of 8 channels, or nothing. */
    ck_assert_double_eq(table.block[0][0], 96);
    ck_assert_double_eq(table.block[0][1], 0);
    ck_assert_double_eq_tol(nas_cost_expected(&table, 1, &controllers[1]),
                            table.fixed[1] + 48 + layer1, 1e-9);
    controllers[1].state[0] = logf(3.0f);
    ck_assert_double_eq_tol(nas_cost_expected(&table, 1, &controllers[1]),
                            table.fixed[1] + 72 + layer1, 1e-4);
}
END_TEST

START_TEST(what_nobody_else_takes_is_paid_for)
{
    struct nas_sharing sharing;
    struct nas_proposal proposal = proposal_of(0, 1);
    nas_sharing_init(&sharing, network);
    double scale = 32 + (280.0 + 272 + 64) / 3;
    ck_assert_double_eq_tol(sharing.scale, scale, 1e-9);
    /* The other domain knows nothing yet: half of its paths take block 0 of
       layer 0, a third block 1 of layer 1. */
    ck_assert_double_eq_tol(
        nas_private_share(&sharing, controllers, 0, &proposal),
        (64 * 0.5 + 272 * 2.0 / 3) / scale, 1e-9);
    decide(&controllers[1], 0, 1);
    ck_assert_double_eq_tol(
        nas_private_share(&sharing, controllers, 0, &proposal), 0, 1e-9);
    proposal = proposal_of(0, 0);
    ck_assert_double_eq_tol(
        nas_private_share(&sharing, controllers, 0, &proposal), 280 / scale,
        1e-9);
    proposal.pick[1] = NAS_PICK_MEAN;
    ck_assert_double_eq_tol(
        nas_private_share(&sharing, controllers, 0, &proposal),
        (280.0 + 64) / 3 / scale, 1e-9);
    /* A domain's own controller has no part in it. */
    ck_assert_double_eq_tol(
        nas_private_share(&sharing, controllers, 1, &proposal),
        (64 * 0.5 + (280.0 + 272 + 64) / 3 * 2 / 3) / scale, 1e-9);
}
END_TEST

START_TEST(joint_rewards_add_the_mean_of_the_others)
{
    struct nas_reward_config config = nas_reward_defaults();
    double rewards[3] = {1.0, 0.5, -0.25};
    nas_reward_join(&config, rewards, 3);
    ck_assert_double_eq(rewards[0], 1.0);
    config.joint = 0.5;
    nas_reward_join(&config, rewards, 3);
    ck_assert_double_eq_tol(rewards[0], 1.0 + 0.5 * 0.125, 1e-12);
    ck_assert_double_eq_tol(rewards[1], 0.5 + 0.5 * 0.375, 1e-12);
    ck_assert_double_eq_tol(rewards[2], -0.25 + 0.5 * 0.75, 1e-12);
    double alone[1] = {0.75};
    nas_reward_join(&config, alone, 1);
    ck_assert_double_eq(alone[0], 0.75);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rewards");
    TCase *tc = tcase_create("rewards");
    tcase_add_checked_fixture(tc, make_all, free_all);
    tcase_add_test(tc, rewards_are_the_formulas_by_hand);
    tcase_add_test(tc, a_path_that_costs_nothing_has_a_finite_reward);
    tcase_add_test(tc, a_path_costs_its_blocks_and_what_its_domain_has);
    tcase_add_test(tc, a_latency_table_is_a_cost_like_the_others);
    tcase_add_test(tc, a_replaced_layer_costs_the_mean_of_its_blocks);
    tcase_add_test(tc, the_expected_cost_weighs_blocks_by_their_probability);
    tcase_add_test(tc, what_nobody_else_takes_is_paid_for);
    tcase_add_test(tc, joint_rewards_add_the_mean_of_the_others);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
