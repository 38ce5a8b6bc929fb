/*
 * test_evolve.c - NES-RE against a planted task.
 *
 * Two layers of six blocks. Block b of layer 0 answers the images of one third
 * well (b modulo 3) and the others badly, and of layer 1 the last one is the
 * best: an ensemble of three that covers all thirds is far better than any
 * path alone, though no third is better than another.
 */
#include "search/supernet/evolve.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "search/routing/ensemble.h"
#include "tests/support/check_main.h"

enum { IMAGES = 30, BLOCKS = 6 };

static struct sy_error err;
static struct sy_network_spec spec;
static int tried[BLOCKS][BLOCKS];

static void fill(const struct sy_path *path, float *p)
{
    for (int i = 0; i < IMAGES; i++) {
        float good = 0.5f + 0.08f * (float)path->block[1];
        p[i] = i % 3 == path->block[0] % 3 ? good : 0.05f;
    }
}

static bool any(void *context, const struct sy_path *path)
{
    (void)context;
    (void)path;
    return true;
}

/* The first block of layer 0 is too dear. */
static bool not_first(void *context, const struct sy_path *path)
{
    (void)context;
    return path->block[0] != 0;
}

/* All candidates, the first two of them given. */
static void evolve(struct nas_evolution *e, int paths, int population,
                   uint64_t seed, nas_path_allowed_fn allowed)
{
    struct nas_evolution_options options = {
        .members = 3, .paths = paths, .population = population};
    spec.layer_count = 2;
    spec.layer[0].block_count = spec.layer[1].block_count = BLOCKS;
    memset(tried, 0, sizeof tried);
    sy_check_ok(nas_evolution_init(e, &options, &spec, IMAGES, &err), err);
    for (int i = 0; i < paths; i++) {
        struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 1, (uint64_t)i);
        struct sy_path path = {.layer_count = 2, .block = {1, i}};
        if (i > 1 && !nas_evolution_child(e, &rng, allowed, NULL, &path)) {
            continue;
        }
        tried[path.block[0]][path.block[1]]++;
        fill(&path, nas_evolution_add(e, &path));
    }
}

START_TEST(what_an_ensemble_lacks_is_bred)
{
    int chosen[NAS_EVOLUTION_MEMBERS], thirds = 0;
    double nll[NAS_EVOLUTION_MEMBERS];
    struct nas_evolution e;
    evolve(&e, 30, 8, 1, any);
    int count = nas_evolution_members(&e, chosen, nll);
    ck_assert_int_eq(count, 3);
    for (int i = 0; i < count; i++) {
        thirds |= 1 << e.path[chosen[i]].block[0] % 3;
    }
    ck_assert_int_eq(thirds, 7);
    ck_assert_double_lt(nll[2], nll[0] / 1.5);
    nas_evolution_release(&e);
}
END_TEST

START_TEST(a_path_is_tried_once_and_only_where_it_is_allowed)
{
    struct nas_evolution e;
    evolve(&e, 12, 10, 2, not_first);
    for (int a = 0; a < BLOCKS; a++) {
        for (int b = 0; b < BLOCKS; b++) {
            ck_assert_int_le(tried[a][b], a == 0 ? 0 : 1);
        }
    }
    nas_evolution_release(&e);
}
END_TEST

START_TEST(a_child_differs_from_a_member_of_the_population_in_one_layer)
{
    struct nas_evolution e;
    evolve(&e, 20, 4, 3, any);
    for (int i = 2; i < e.count; i++) {
        bool near = false;
        for (int j = i > 4 ? i - 4 : 0; j < i; j++) {
            near |= (e.path[i].block[0] != e.path[j].block[0]) +
                        (e.path[i].block[1] != e.path[j].block[1]) ==
                    1;
        }
        ck_assert(near);
    }
    nas_evolution_release(&e);
}
END_TEST

START_TEST(no_candidate_is_a_copy_when_all_have_been_tried)
{
    struct nas_evolution e;
    evolve(&e, 200, 200, 5, any);
    ck_assert_int_gt(e.count, BLOCKS * BLOCKS / 2);
    ck_assert_int_le(e.count, BLOCKS * BLOCKS);
    for (int i = 0; i < e.count; i++) {
        ck_assert_int_eq(tried[e.path[i].block[0]][e.path[i].block[1]], 1);
        ck_assert(nas_evolution_has(&e, &e.path[i]));
    }
    nas_evolution_release(&e);
}
END_TEST

START_TEST(members_come_from_the_whole_history_and_stand_beside_the_first)
{
    int chosen[NAS_EVOLUTION_MEMBERS], expected[NAS_EVOLUTION_MEMBERS] = {0};
    int labels[IMAGES] = {0};
    double room[IMAGES];
    const float *rows[36];
    struct nas_evolution e;
    evolve(&e, 36, 2, 4, any);
    for (int i = 0; i < e.count; i++) {
        rows[i] = e.p + (size_t)i * IMAGES;
    }
    int count = nas_evolution_members(&e, chosen, NULL);
    ck_assert_int_eq(count, nas_forward_select(rows, labels, e.count, IMAGES, 1,
                                               1, 3, expected, NULL, room));
    ck_assert_int_eq(chosen[0], 0);
    ck_assert_mem_eq(chosen, expected, (size_t)count * sizeof *chosen);
    nas_evolution_release(&e);
}
END_TEST

START_TEST(a_space_of_one_path_has_no_other)
{
    const struct nas_evolution_options options = {
        .members = 2, .paths = 3, .population = 2};
    int chosen[NAS_EVOLUTION_MEMBERS];
    struct sy_path path = {.layer_count = 1};
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 1, 0);
    struct nas_evolution e;
    static struct sy_network_spec one = {.layer_count = 1};
    one.layer[0].block_count = 1;
    sy_check_ok(nas_evolution_init(&e, &options, &one, IMAGES, &err), err);
    fill(&path, nas_evolution_add(&e, &path));
    ck_assert(!nas_evolution_child(&e, &rng, any, NULL, &path));
    ck_assert_int_eq(nas_evolution_members(&e, chosen, NULL), 1);
    ck_assert_int_eq(chosen[0], 0);
    nas_evolution_release(&e);
}
END_TEST

START_TEST(memory_that_ends_leaves_nothing_behind)
{
    const struct nas_evolution_options options = {
        .members = 2, .paths = 3, .population = 2};
    int64_t live = sy_alloc_live();
    struct nas_evolution e = {0};
    for (int n = 1; n <= 5; n++) {
        sy_alloc_fail_at(n, false);
        sy_check_fails(nas_evolution_init(&e, &options, &spec, IMAGES, &err),
                       SY_NO_MEMORY, err);
        sy_alloc_fail_at(0, false);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evolve");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, what_an_ensemble_lacks_is_bred);
    tcase_add_test(tc, a_path_is_tried_once_and_only_where_it_is_allowed);
    tcase_add_test(
        tc, a_child_differs_from_a_member_of_the_population_in_one_layer);
    tcase_add_test(tc, no_candidate_is_a_copy_when_all_have_been_tried);
    tcase_add_test(
        tc, members_come_from_the_whole_history_and_stand_beside_the_first);
    tcase_add_test(tc, a_space_of_one_path_has_no_other);
    tcase_add_test(tc, memory_that_ends_leaves_nothing_behind);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
