/*
 * test_sums.c - hashes that a network keeps: those that would be computed,
 * taken over where content is the same, and by nobody else.
 */
#include "runtime/network/sums.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/compose.h"
#include "runtime/network/join.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

static struct sy_network *make(uint64_t seed, enum sy_norm_mode norm)
{
    return sy_random_network(&(struct sy_random_options){
        .seed = seed, .experts = 2, .gates = true, .norm = norm});
}

static void sum(struct sy_network *network, const struct sy_network *like)
{
    struct sy_error err = {0};
    const struct sy_network *const likes[SY_SUMS_LIKE] = {NULL, like};
    sy_check_ok(sy_network_sum(network, likes, &err), err);
}

/* That what it keeps is what its numbers say. */
static void check_true(struct sy_network *network)
{
    struct sy_sums *kept = network->sums;
    char text[SY_HASH_TEXT_BYTES];
    int slots = sy_network_slots(network);
    ck_assert_ptr_nonnull(kept);
    network->sums = NULL;
    for (int u = 0; u < network->unit_count; u++) {
        const struct sy_unit *unit = &network->unit[u];
        int norms = unit->plan.norm_count;
        sy_network_hash_weights(network, u, text);
        ck_assert_str_eq(text, kept->weights[u]);
        for (int slot = 0; norms > 0 && slot < slots; slot++) {
            const char *found = kept->norms[u * slots + slot];
            if (unit->norm[slot * norms] == SY_ABSENT) {
                ck_assert_str_eq(found, "");
                continue;
            }
            sy_network_hash_norms(network, u, slot, text);
            ck_assert_str_eq(text, found);
        }
    }
    network->sums = kept;
}

START_TEST(kept_hashes_are_those_that_would_be_computed)
{
    struct sy_network *network = make(3, (enum sy_norm_mode)_i);
    char text[SY_HASH_TEXT_BYTES];
    sum(network, NULL);
    check_true(network);
    sy_network_hash_weights(network, network->trunk, text);
    ck_assert_str_eq(text, network->sums->weights[network->trunk]);
    sy_network_forget_sums(network);
    ck_assert_ptr_null(network->sums);
    sy_network_free(network);
}
END_TEST

START_TEST(what_is_the_same_is_taken_over_and_the_rest_is_computed)
{
    struct sy_network *one = make(3, SY_NORM_PER_DOMAIN);
    struct sy_network *two = make(3, SY_NORM_PER_DOMAIN);
    int block = sy_network_block(two, 1, 0);
    int gate = sy_network_gate(two, 0);
    sum(one, NULL);
    /* A mark where there was a hash shows who asked for it. */
    memset(one->sums->weights[one->stem], 'x', 8);
    memset(one->sums->weights[block], 'y', 8);
    two->values[two->unit[block].weight[0]] += 1.0F;
    two->values[two->unit[gate].weight[0]] += 1.0F;
    sum(two, one);
    ck_assert_mem_eq(two->sums->weights[two->stem], "xxxxxxxx", 8);
    ck_assert_mem_ne(two->sums->weights[block], "yyyyyyyy", 8);
    ck_assert_str_ne(two->sums->weights[gate], one->sums->weights[gate]);
    memcpy(two->sums->weights[two->stem], "", 1);
    sy_network_fill_sums(two, NULL);
    check_true(two);
    sy_network_free(one);
    sy_network_free(two);
}
END_TEST

START_TEST(made_of_networks_that_keep_theirs_one_keeps_its_own)
{
    struct sy_error err = {0};
    struct sy_network *base = make(3, (enum sy_norm_mode)_i);
    struct sy_network *other = make(3, (enum sy_norm_mode)_i);
    struct sy_network *made = NULL, *joined = NULL;
    int on_trial = 1;
    other->values[other->unit[sy_network_head(other, 1)].weight[0]] += 1.0F;
    other->values[other->unit[sy_network_block(other, 0, 0)].weight[0]] += 1.0F;
    const struct sy_compose_domain domains[3] = {{.from = base, .domain = 0},
                                                 {.from = other, .domain = 1},
                                                 {.from = base, .domain = 2}};
    sum(base, NULL);
    sy_check_ok(sy_network_compose(&made, base, domains, 3, &err), err);
    ck_assert_ptr_null(made->sums); /* the other one keeps none */
    sy_network_free(made);
    sum(other, base);
    sy_check_ok(sy_network_compose(&made, base, domains, 3, &err), err);
    check_true(made);
    sy_check_ok(sy_network_join(&joined, base, made, &on_trial, 1, &err), err);
    check_true(joined);
    sy_network_free(joined);
    sy_network_free(made);
    sy_network_free(base);
    sy_network_free(other);
}
END_TEST

START_TEST(without_memory_it_keeps_none)
{
    struct sy_error err = {0};
    struct sy_network *network = make(1, SY_NORM_PER_DOMAIN);
    sy_alloc_fail_at(1, false);
    sy_check_fails(sy_network_sum(network, NULL, &err), SY_NO_MEMORY, err);
    sy_alloc_fail_at(0, false);
    ck_assert_ptr_null(network->sums);
    sy_network_free(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sums");
    TCase *tc = tcase_create("sums");
    tcase_add_loop_test(tc, kept_hashes_are_those_that_would_be_computed, 0,
                        SY_NORM_MODES);
    tcase_add_test(tc, what_is_the_same_is_taken_over_and_the_rest_is_computed);
    tcase_add_loop_test(tc, made_of_networks_that_keep_theirs_one_keeps_its_own,
                        0, SY_NORM_MODES);
    tcase_add_test(tc, without_memory_it_keeps_none);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
