/*
 * test_pack_stack.c - packs on top of a version: which of them stay, and what
 * is read again.
 *
 * `base` is what is saved as version 1; `next` is the same network with some
 * numbers of domain "digits" changed.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack.h"
#include "runtime/network/compose.h"
#include "runtime/network/equal.h"
#include "tests/support/check_main.h"
#include "tests/support/full_stack.h"
#include "tests/support/random_network.h"
#include "tests/support/small_network.h"
#include "tests/support/small_pack.h"

enum { DIGITS = 0 };

static struct sy_network *base, *next;
static const char *const path = sy_pack_file, *const model = sy_pack_model;

static void setup(void)
{
    sy_small_pack_setup();
    base = sy_pack_base;
    next = sy_pack_next;
}

/* A pack of "digits" of `from`, without what `has` has. */
static struct sy_pack *pack_of(const struct sy_network *from,
                               const struct sy_network *has)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES];
    struct sy_pack_domain digits = {.domain = DIGITS};
    struct sy_pack_plan plan = {.from = from,
                                .domain_count = 1,
                                .domain = &digits,
                                .base = has,
                                .network = "small"};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    return sy_small_pack_open();
}

static struct sy_network *apply(const struct sy_network *to,
                                struct sy_pack *pack)
{
    struct sy_error err = {0};
    struct sy_network *made = NULL;
    sy_check_ok(sy_pack_apply(&made, to, pack, NULL, &err), err);
    return made;
}

START_TEST(packs_that_replace_each_other_do_not_pile_up)
{
    struct sy_error err = {0};
    struct sy_stack stack = {.version = 1};
    struct sy_network *served = NULL;
    struct sy_pack *pack[2];
    sy_small_pack_save_base();
    pack[0] = pack_of(next, base);
    sy_small_move(next, "head.digits", 1.0F);
    pack[1] = pack_of(next, base);
    sy_small_pack_store(pack[0]);
    sy_small_pack_store(pack[1]);
    for (int i = 0; i < 12; i++) {
        sy_check_ok(sy_stack_push(&stack, model, &stack, pack[i % 2]->id, &err),
                    err);
        ck_assert_int_eq(stack.pack_count, 1);
        ck_assert_str_eq(stack.pack[0], pack[i % 2]->id);
    }
    sy_check_ok(sy_stack_load(&served, model, &stack, &err), err);
    ck_assert(sy_domain_equal(served, DIGITS, next, DIGITS));
    sy_network_free(served);
    sy_pack_close(pack[0]);
    sy_pack_close(pack[1]);
}
END_TEST

START_TEST(a_pack_stays_below_one_that_builds_on_its_blocks)
{
    struct sy_error err = {0};
    struct sy_stack stack = {.version = 1};
    struct sy_network *one, *served = NULL;
    struct sy_pack *first, *second;
    sy_small_pack_save_base();
    first = pack_of(next, base);
    one = apply(base, first);
    sy_small_move(next, "head.digits", 1.0F);
    second = pack_of(next, one); /* takes the new l1b0 as being there */
    ck_assert_int_eq(second->holds[sy_small_unit(second->part, "l1b0")], 0);
    sy_small_pack_store(first);
    sy_small_pack_store(second);
    sy_check_fails(sy_stack_push(&stack, model, &stack, second->id, &err),
                   SY_BAD_INPUT, err);
    ck_assert_int_eq(stack.pack_count, 0);
    sy_check_ok(sy_stack_push(&stack, model, &stack, first->id, &err), err);
    sy_check_ok(sy_stack_push(&stack, model, &stack, second->id, &err), err);
    ck_assert_int_eq(stack.pack_count, 2);
    sy_check_ok(sy_stack_load(&served, model, &stack, &err), err);
    ck_assert(sy_domain_equal(served, DIGITS, next, DIGITS));
    sy_network_free(served);
    sy_network_free(one);
    sy_pack_close(first);
    sy_pack_close(second);
}
END_TEST

/* Writes, opens and stores a pack of one domain, or, with none (-1), one that
   removes `gone`. */
static struct sy_pack *store_pack(const struct sy_network *from, int domain,
                                  const char *gone)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES];
    struct sy_pack_domain one = {.domain = domain};
    struct sy_pack_plan plan = {.from = domain < 0 ? NULL : from,
                                .domain_count = domain < 0 ? 0 : 1,
                                .domain = &one,
                                .remove_count = domain < 0 ? 1 : 0,
                                .remove = &gone,
                                .network = "random"};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    struct sy_pack *pack = sy_small_pack_open();
    sy_small_pack_store(pack);
    return pack;
}

/* Promotes a pack: what is served becomes what it makes of it, and CURRENT what
   a push makes of that, which has to be the same. The pack is closed. */
static void promote(struct sy_network **served, struct sy_stack *stack,
                    struct sy_pack *pack)
{
    struct sy_error err = {0};
    struct sy_network *made = apply(*served, pack), *loaded = NULL;
    sy_network_free(*served);
    *served = made;
    sy_check_ok(sy_stack_push(stack, model, stack, pack->id, &err), err);
    sy_check_ok(sy_stack_load(&loaded, model, stack, &err), err);
    ck_assert(sy_layout_equal(loaded, made));
    for (int d = 0; d < made->domain_count; d++) {
        ck_assert(sy_domain_equal(loaded, d, made, d));
    }
    sy_network_free(loaded);
    sy_pack_close(pack);
}

/* Saves the first domains of a network as version 1. Owned. */
static struct sy_network *save_first(const struct sy_network *all, int count)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *made = NULL;
    struct sy_compose_domain domains[SY_MAX_DOMAINS];
    for (int d = 0; d < count; d++) {
        domains[d] = (struct sy_compose_domain){.from = all, .domain = d};
    }
    sy_check_ok(sy_network_compose(&made, all, domains, count, &err), err);
    sy_check_ok(sy_artefact_save(made, model, NULL, &artefact, &err), err);
    return made;
}

START_TEST(a_pack_stays_below_where_the_order_of_domains_is_its_work)
{
    struct sy_random_options options = {.seed = 3, .domains = 5, .experts = 2};
    struct sy_network *all = sy_random_network(&options);
    struct sy_network *served = save_first(all, 3);
    struct sy_stack stack = {.version = 1};
    promote(&served, &stack, store_pack(all, 3, NULL));
    promote(&served, &stack, store_pack(all, 4, NULL));
    ck_assert_int_eq(stack.pack_count, 2);
    sy_small_move(all, "head.d3", 1.0F);
    promote(&served, &stack, store_pack(all, 3, NULL));
    ck_assert_int_eq(stack.pack_count, 3); /* else d4 would stand before d3 */
    sy_small_move(all, "head.d4", 1.0F);
    promote(&served, &stack, store_pack(all, 4, NULL));
    ck_assert_int_eq(stack.pack_count, 2); /* those two are enough again */
    sy_network_free(served);
    sy_network_free(all);
}
END_TEST

START_TEST(a_pack_stays_below_where_a_root_gate_went_by_it)
{
    struct sy_random_options options = {
        .seed = 3, .domains = 2, .experts = 2, .gates = true};
    struct sy_network *all = sy_random_network(&options);
    struct sy_network *served = save_first(all, 2);
    struct sy_stack stack = {.version = 1};
    ck_assert_int_ge(sy_network_root_gate(served), 0);
    for (int i = 0; i < 3; i++) {
        promote(&served, &stack, store_pack(NULL, -1, "d1"));
        promote(&served, &stack, store_pack(all, 1, NULL));
        ck_assert_int_eq(sy_network_root_gate(served), -1);
        ck_assert_int_eq(stack.pack_count, 2);
    }
    sy_network_free(served);
    sy_network_free(all);
}
END_TEST

START_TEST(a_full_stack_takes_a_pack_that_makes_others_needless_and_no_other)
{
    struct sy_error err = {0};
    struct sy_current full = {0};
    struct sy_stack stack = {.version = 1};
    char id[SY_PACK_ID_BYTES];
    sy_small_pack_save_base();
    sy_check_fill_stack(model, next, path, id);
    sy_check_ok(sy_current_read(model, &full, &err), err);
    ck_assert_int_eq(full.served.pack_count, SY_STACK_PACKS);
    struct sy_pack *pack = sy_small_pack_open();
    sy_small_pack_store(pack);
    sy_check_fails(sy_stack_push(&stack, model, &full.served, id, &err),
                   SY_UNSUPPORTED, err);
    ck_assert_int_eq(stack.pack_count, 0);
    sy_pack_close(pack);
    pack = pack_of(next, NULL); /* needs nothing of those below */
    sy_small_pack_store(pack);
    sy_check_ok(sy_stack_push(&stack, model, &full.served, pack->id, &err),
                err);
    ck_assert_int_eq(stack.pack_count, 1);
    ck_assert_str_eq(stack.pack[0], pack->id);
    sy_pack_close(pack);
}
END_TEST

START_TEST(another_version_of_the_same_number_is_read_again)
{
    struct sy_error err = {0};
    struct sy_base held = {0};
    struct sy_stack stack = {.version = 1};
    char file[SY_PATH_BYTES];
    sy_small_pack_save_base();
    sy_check_ok(sy_base_load(&held, model, &stack, &err), err);
    ck_assert(sy_domain_equal(held.network, DIGITS, base, DIGITS));
    (void)snprintf(file, sizeof file, "%.80s/m/1", sy_check_folder());
    ck_assert_int_eq(rename(file, sy_check_path("gone")), 0);
    struct sy_base none = {0};
    sy_check_fails(sy_base_load(&none, model, &stack, &err), SY_NOT_FOUND, err);
    sy_check_says(err, "gone from disk");
    struct sy_artefact artefact;
    sy_check_ok(sy_artefact_save(next, model, NULL, &artefact, &err), err);
    ck_assert_int_eq(artefact.version, 1);
    sy_check_ok(sy_base_load(&held, model, &stack, &err), err);
    ck_assert(sy_domain_equal(held.network, DIGITS, next, DIGITS));
    sy_base_release(&held);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack_stack");
    TCase *tc = tcase_create("pack_stack");
    tcase_add_checked_fixture(tc, setup, sy_small_pack_teardown);
    tcase_add_test(tc, packs_that_replace_each_other_do_not_pile_up);
    tcase_add_test(tc, a_pack_stays_below_one_that_builds_on_its_blocks);
    tcase_add_test(tc,
                   a_pack_stays_below_where_the_order_of_domains_is_its_work);
    tcase_add_test(tc, a_pack_stays_below_where_a_root_gate_went_by_it);
    tcase_add_test(
        tc, a_full_stack_takes_a_pack_that_makes_others_needless_and_no_other);
    tcase_add_test(tc, another_version_of_the_same_number_is_read_again);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
