/*
 * test_deadline.c - deadlines to budgets, by tables of round numbers.
 */
#include "serving/deadline.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/latency/table.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static struct sy_error err;
static struct srv_deadlines deadlines;
static struct sy_latency_table table;
static struct sy_network *network;

/* The small network and a table of the spec that it was cut from. */
static void set_up(void)
{
    sy_check_folder_make();
    network = sy_small_network(1);
    table = (struct sy_latency_table){.name = "small",
                                      .program = "0",
                                      .cpu = "a processor",
                                      .kernels = "portable",
                                      .stem_us = 30,
                                      .trunk_us = 10,
                                      .head_us = {4, 4, 4},
                                      .block_us = {{100, 0}, {50, 20, 9}},
                                      .offset_us = 6,
                                      .factor = 1};
    sy_small_spec(&table.spec);
}

static void tear_down(void)
{
    sy_network_free(network);
    sy_check_folder_remove();
}

static enum sy_status load(void)
{
    const char *file = sy_check_path("latency.json");
    json_t *json = sy_latency_table_to_json(&table);
    sy_check_ok(sy_json_save(file, json, &err), err);
    json_decref(json);
    return srv_deadlines_load(&deadlines, file, network, &err);
}

static int64_t madds_of(int domain, const char *name)
{
    int e = sy_network_find_expert(network, domain, name);
    return sy_network_path_cost(network, &network->expert[e].path, domain)
        .madds;
}

START_TEST(a_deadline_pays_for_an_expert_from_its_time_on)
{
    sy_check_ok(load(), err);
    /* digits/main alone: 6 + 30 + 10 + 4 + 100 + 50; digits/second has no
       more than l1b1, in 20 us, and decides the pace if it is slower. */
    int64_t madds = madds_of(0, "main");
    int64_t us = srv_deadline_us(&deadlines, 0, madds);
    ck_assert_int_ge(us, 200);
    ck_assert_int_ge(srv_deadline_madds(&deadlines, 0, us), madds);
    ck_assert_int_lt(srv_deadline_madds(&deadlines, 0, us - 1), madds);
    ck_assert_int_lt(srv_deadline_madds(&deadlines, 0, 199), madds);
    madds = madds_of(0, "second");
    ck_assert_int_ge(srv_deadline_us(&deadlines, 0, madds), 70);
    ck_assert_int_lt(srv_deadline_madds(&deadlines, 0, 69), madds);
    /* Less than what all paths have in common. */
    ck_assert_int_eq(srv_deadline_madds(&deadlines, 0, 49), 1);
    ck_assert_int_gt(srv_deadline_madds(&deadlines, 0, 50), 1);
    ck_assert_int_gt(srv_deadline_madds(&deadlines, 0, INT64_C(86400000000)),
                     madds);
}
END_TEST

START_TEST(the_slowest_expert_sets_the_pace_of_its_domain)
{
    sy_check_ok(load(), err);
    double main_pace =
        150.0 / (double)(madds_of(0, "main") - deadlines.domain[0].fixed_madds);
    double second_pace = 20.0 / (double)(madds_of(0, "second") -
                                         deadlines.domain[0].fixed_madds);
    double slowest = main_pace > second_pace ? main_pace : second_pace;
    ck_assert_double_eq_tol(deadlines.domain[0].us_per_madds, slowest, 1e-12);
    ck_assert_double_eq_tol(deadlines.domain[0].fixed_us, 50, 1e-9);
}
END_TEST

START_TEST(a_domain_of_new_blocks_goes_by_the_slowest_of_the_others)
{
    sy_check_ok(load(), err);
    double slowest = deadlines.domain[0].us_per_madds;
    /* Only shapes/main takes l0b0 to l1b1; without l0b0 no path of digits/main
       is known either, digits/second is. */
    (void)snprintf(table.spec.layer[0].block[0].id, SY_NAME_BYTES, "other");
    sy_check_ok(load(), err);
    ck_assert(deadlines.known);
    ck_assert_double_gt(deadlines.domain[1].us_per_madds, 0);
    ck_assert_double_eq(deadlines.domain[1].us_per_madds,
                        deadlines.domain[0].us_per_madds);
    ck_assert_double_le(deadlines.domain[0].us_per_madds, slowest);
    ck_assert_double_eq_tol(deadlines.domain[1].fixed_us, 50, 1e-9);
}
END_TEST

START_TEST(a_table_of_another_network_changes_nothing)
{
    sy_check_ok(load(), err);
    const struct srv_deadlines before = deadlines;
    table.spec.stem_stride = 3 - table.spec.stem_stride;
    ck_assert_int_eq(load(), SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "stem"));
    ck_assert_mem_eq(&before, &deadlines, sizeof before);
    sy_small_spec(&table.spec);
    memset(table.block_us, 0, sizeof table.block_us);
    ck_assert_int_eq(load(), SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "takes any time"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadline");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_deadline_pays_for_an_expert_from_its_time_on);
    tcase_add_test(tc, the_slowest_expert_sets_the_pace_of_its_domain);
    tcase_add_test(tc,
                   a_domain_of_new_blocks_goes_by_the_slowest_of_the_others);
    tcase_add_test(tc, a_table_of_another_network_changes_nothing);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
