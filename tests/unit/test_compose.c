/* test_compose.c - networks of domains of others answer as those did. */
#include "runtime/network/compose.h"

#include <string.h>

#include "runtime/network/equal.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

enum { NETWORKS = 24 };

static struct sy_network *network_of(uint64_t seed)
{
    return sy_random_network(&(struct sy_random_options){
        .seed = seed,
        .experts = 2,
        .gates = seed % 2 == 0,
        .norm = (enum sy_norm_mode)(seed % SY_NORM_MODES)});
}

static struct sy_network *compose(const struct sy_network *base,
                                  const struct sy_compose_domain *domains,
                                  int count)
{
    struct sy_error err = {0};
    struct sy_network *made = NULL;
    sy_check_ok(sy_network_compose(&made, base, domains, count, &err), err);
    return made;
}

START_TEST(some_domains_of_a_network_answer_as_they_did)
{
    struct sy_network *from = network_of((uint64_t)_i);
    struct sy_compose_domain two[2] = {{.from = from, .domain = 2},
                                       {.from = from, .domain = 0}};
    struct sy_network *made = compose(from, two, 2);
    ck_assert_int_eq(made->domain_count, 2);
    ck_assert_str_eq(made->domain[0].name, from->domain[2].name);
    ck_assert(sy_domain_equal(made, 0, from, 2));
    ck_assert(sy_domain_equal(made, 1, from, 0));
    ck_assert_int_eq(sy_network_root_gate(made), -1);
    ck_assert(made->value_count < from->value_count);
    sy_network_free(made);
    sy_network_free(from);
}
END_TEST

START_TEST(all_domains_of_a_network_give_it_again)
{
    struct sy_network *from = network_of((uint64_t)_i);
    struct sy_compose_domain all[3] = {{.from = from, .domain = 0},
                                       {.from = from, .domain = 1},
                                       {.from = from, .domain = 2}};
    struct sy_network *made = compose(from, all, 3);
    ck_assert_uint_eq(made->value_count, from->value_count);
    ck_assert_int_eq(
        memcmp(made->values, from->values, from->value_count * sizeof(float)),
        0);
    ck_assert_int_eq(sy_network_root_gate(made) >= 0,
                     sy_network_root_gate(from) >= 0);
    sy_network_free(made);
    sy_network_free(from);
}
END_TEST

START_TEST(a_domain_of_another_network_stands_beside_the_others)
{
    struct sy_network *from = network_of((uint64_t)_i);
    struct sy_network *other = network_of((uint64_t)_i);
    struct sy_network *made;
    for (int t = 0; t < other->tensor_count; t++) { /* all but stem and trunk */
        const struct sy_tensor *tensor = &other->tensor[t];
        for (size_t i = 0; tensor->unit != other->stem &&
                           tensor->unit != other->trunk && i < tensor->count;
             i++) {
            other->values[tensor->offset + i] += 0.5F;
        }
    }
    struct sy_compose_domain three[3] = {{.from = from, .domain = 0},
                                         {.from = other, .domain = 1},
                                         {.from = from, .domain = 2}};
    made = compose(from, three, 3);
    ck_assert(sy_domain_equal(made, 0, from, 0));
    ck_assert(sy_domain_equal(made, 1, other, 1));
    ck_assert(sy_domain_equal(made, 2, from, 2));
    ck_assert(!sy_domain_equal(made, 1, from, 1));
    ck_assert_int_eq(sy_network_root_gate(made), sy_network_root_gate(from));
    sy_network_free(made);
    sy_network_free(other);
    sy_network_free(from);
}
END_TEST

START_TEST(one_expert_alone_is_the_whole_route)
{
    struct sy_network *from = network_of((uint64_t)_i);
    const char *name = NULL;
    int experts[SY_ROUTE_MAX_EXPERTS];
    for (int e = 0; e < from->expert_count; e++) {
        name = from->expert[e].domain == 1 ? from->expert[e].name : name;
    }
    struct sy_compose_domain one = {.from = from, .domain = 1, .expert = name};
    struct sy_network *made = compose(from, &one, 1);
    ck_assert_int_eq(made->expert_count, 1);
    ck_assert_int_eq(made->gate_count, 0);
    ck_assert_int_eq(sy_network_route_experts(made, 0, experts, 8), 1);
    ck_assert_str_eq(made->expert[0].name, name);
    sy_network_free(made);
    sy_network_free(from);
}
END_TEST

START_TEST(what_does_not_fit_together_is_refused)
{
    struct sy_error err = {0};
    struct sy_network *from = network_of(1), *other = network_of(1);
    struct sy_network *made = NULL;
    struct sy_compose_domain two[2] = {{.from = from, .domain = 0},
                                       {.from = other, .domain = 1}};
    other->values[other->unit[other->stem].weight[0]] += 1.0F;
    sy_check_fails(sy_network_compose(&made, from, two, 2, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "the stem");
    two[1] = (struct sy_compose_domain){
        .from = from, .domain = 1, .expert = "nobody"};
    sy_check_fails(sy_network_compose(&made, from, two, 2, &err), SY_NOT_FOUND,
                   err);
    sy_check_says(err, "nobody");
    sy_check_fails(sy_network_compose(&made, from, two, 0, &err), SY_BAD_INPUT,
                   err);
    two[1] = two[0];
    sy_check_fails(sy_network_compose(&made, from, two, 2, &err), SY_BAD_INPUT,
                   err);
    ck_assert_ptr_null(made);
    sy_network_free(other);
    sy_network_free(from);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("compose");
    TCase *tc = tcase_create("compose");
    tcase_add_loop_test(tc, some_domains_of_a_network_answer_as_they_did, 0,
                        NETWORKS);
    tcase_add_loop_test(tc, all_domains_of_a_network_give_it_again, 0,
                        NETWORKS);
    tcase_add_loop_test(
        tc, a_domain_of_another_network_stands_beside_the_others, 0, NETWORKS);
    tcase_add_loop_test(tc, one_expert_alone_is_the_whole_route, 0, NETWORKS);
    tcase_add_test(tc, what_does_not_fit_together_is_refused);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
