/* test_network.c - layout, lookups, costs and initial values of a network. */
#include "runtime/network/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static const struct sy_tensor *find(const struct sy_network *network,
                                    const char *name)
{
    for (int t = 0; t < network->tensor_count; t++) {
        if (strcmp(network->tensor[t].name, name) == 0) {
            return &network->tensor[t];
        }
    }
    return NULL;
}

START_TEST(tensors_fill_the_values_without_a_gap)
{
    struct sy_network *network =
        _i == 0 ? sy_small_supernet(1) : sy_small_network(1);
    size_t at = 0;
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        size_t count = 1;
        for (int d = 0; d < tensor->dims; d++) {
            count *= (size_t)tensor->dim[d];
        }
        ck_assert_uint_eq(tensor->offset, at);
        ck_assert_uint_eq(tensor->count, count);
        ck_assert_ptr_eq(find(network, tensor->name), tensor);
        ck_assert(t == 0 || tensor->unit >= network->tensor[t - 1].unit);
        at += count;
    }
    ck_assert_uint_eq(network->value_count, at);
    ck_assert_int_eq(sy_network_params(network), (int64_t)at);
    sy_network_free(network);
}
END_TEST

START_TEST(units_stand_in_order_and_tensors_have_their_names)
{
    struct sy_network *network = sy_small_supernet(1);
    static const char *const ids[] = {"stem",  "l0b0",        "skip",
                                      "l1b0",  "l1b1",        "l1b2",
                                      "trunk", "head.digits", "head.shapes"};
    ck_assert_int_eq(network->unit_count, 9);
    for (int u = 0; u < 9; u++) {
        ck_assert_str_eq(network->unit[u].id, ids[u]);
    }
    ck_assert_int_eq(network->unit[0].layer, -1);
    ck_assert_int_eq(network->unit[4].layer, 1);
    ck_assert_int_eq(network->unit[4].block, 1);
    static const char *const names[] = {
        "block.stem.conv.weight",        "norm.all.stem.conv.scale",
        "norm.digits.l0b0.conv.bias",    "norm.shapes.l0b0.conv.var",
        "block.l1b0.se.reduce.weight",   "norm.digits.trunk.conv.mean",
        "head.digits.classifier.weight", "head.shapes.classifier.bias"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_msg(find(network, names[i]) != NULL, "%s", names[i]);
    }
    const struct sy_tensor *var = find(network, "norm.shapes.l0b0.conv.var");
    ck_assert(!var->trained && !var->decay);
    ck_assert_int_eq(var->slot, 1);
    ck_assert_int_eq(var->unit, 1);
    sy_network_free(network);
}
END_TEST

START_TEST(norms_lie_scale_bias_mean_var)
{
    struct sy_network *network = sy_small_supernet(1);
    size_t at = sy_network_norm(network, 1, 1, 0);
    ck_assert_uint_eq(at, find(network, "norm.shapes.l0b0.conv.scale")->offset);
    ck_assert_uint_eq(at + 8,
                      find(network, "norm.shapes.l0b0.conv.bias")->offset);
    ck_assert_uint_eq(at + 16,
                      find(network, "norm.shapes.l0b0.conv.mean")->offset);
    ck_assert_uint_eq(at + 24,
                      find(network, "norm.shapes.l0b0.conv.var")->offset);
    /* The stem's norm is one for all. */
    ck_assert_int_eq(sy_network_slots(network), 2);
    ck_assert_int_eq(sy_network_slot(network, network->stem, 1, NULL), 0);
    ck_assert_int_eq(sy_network_slot(network, network->trunk, 1, NULL), 1);
    sy_network_free(network);
}
END_TEST

START_TEST(with_experts_only_norms_on_their_paths_exist)
{
    struct sy_network *network = sy_small_network(1);
    /* digits: 0:0 and 1:1 (skip, group); shapes: 0:1. */
    int conv = sy_network_block(network, 0, 0);
    int mb = sy_network_block(network, 1, 0);
    int group = sy_network_block(network, 1, 1);
    ck_assert_uint_ne(sy_network_norm(network, conv, 0, 0), SY_ABSENT);
    ck_assert_uint_ne(sy_network_norm(network, conv, 1, 0), SY_ABSENT);
    ck_assert_uint_ne(sy_network_norm(network, mb, 0, 0), SY_ABSENT);
    ck_assert_uint_eq(sy_network_norm(network, mb, 1, 0), SY_ABSENT);
    ck_assert_uint_ne(sy_network_norm(network, group, 1, 0), SY_ABSENT);
    ck_assert_uint_ne(sy_network_norm(network, network->trunk, 1, 0),
                      SY_ABSENT);
    ck_assert_ptr_null(find(network, "norm.shapes.l1b0.project.scale"));
    ck_assert_ptr_nonnull(find(network, "norm.digits.l1b0.project.scale"));
    sy_network_free(network);
}
END_TEST

START_TEST(experts_share_norms_as_far_as_their_paths_are_the_same)
{
    struct sy_error err = {0};
    struct sy_network_spec spec;
    struct sy_network *network;
    const struct sy_domain domains[2] = {{.name = "a", .classes = 2},
                                         {.name = "b", .classes = 2}};
    /* Both of l1 behind l0b0 for `late` and `early`; `other` comes to the same
       l1b1 behind skip. */
    const struct sy_expert experts[4] = {
        {.name = "early", .domain = 0, .path = {2, {0, 1}}, .temperature = 1},
        {.name = "late", .domain = 0, .path = {2, {0, 0}}, .temperature = 1},
        {.name = "other", .domain = 0, .path = {2, {1, 1}}, .temperature = 1},
        {.name = "main", .domain = 1, .path = {2, {0, 1}}, .temperature = 1},
    };
    sy_small_spec(&spec);
    spec.norm = SY_NORM_PER_EXPERT;
    spec.layer[1].block_count = 2;
    struct sy_network_parts parts = {.name = "n",
                                     .spec = &spec,
                                     .domain_count = 2,
                                     .domain = domains,
                                     .expert_count = 4,
                                     .expert = experts};
    sy_check_ok(sy_network_new(&network, &parts, &err), err);
    int conv = sy_network_block(network, 0, 0);
    int group = sy_network_block(network, 1, 1);
    ck_assert_int_eq(sy_network_slots(network), 4);
    ck_assert_int_eq(sy_network_slot(network, conv, 0, &experts[1].path), 0);
    ck_assert_int_eq(sy_network_slot(network, group, 0, &experts[0].path), 0);
    ck_assert_int_eq(sy_network_slot(network, group, 0, &experts[2].path), 2);
    ck_assert_int_eq(sy_network_slot(network, group, 1, &experts[3].path), 3);
    ck_assert_int_eq(
        sy_network_slot(network, network->trunk, 0, &experts[1].path), 1);
    ck_assert_ptr_nonnull(find(network, "norm.a.l0b0.conv.scale"));
    ck_assert_ptr_null(find(network, "norm.a.late.l0b0.conv.scale"));
    ck_assert_ptr_nonnull(find(network, "norm.a.late.l1b0.project.scale"));
    ck_assert_ptr_null(find(network, "norm.a.l1b0.project.scale"));
    ck_assert_ptr_nonnull(find(network, "norm.a.other.l1b1.project.scale"));
    ck_assert_ptr_nonnull(find(network, "norm.b.l1b1.project.scale"));
    ck_assert_uint_eq(sy_network_norm(network, conv, 1, 0), SY_ABSENT);
    /* A path that is no expert's follows those that there are. */
    const struct sy_path mixed = {2, {1, 0}};
    int mb = sy_network_block(network, 1, 0);
    ck_assert_int_eq(sy_network_slot(network, mb, 0, &mixed), 1);
    sy_network_free(network);
}
END_TEST

START_TEST(shared_norms_have_one_slot)
{
    struct sy_error err = {0};
    struct sy_network_spec spec;
    struct sy_network *network;
    const struct sy_domain domains[2] = {{.name = "a", .classes = 2},
                                         {.name = "b", .classes = 2}};
    sy_small_spec(&spec);
    spec.norm = SY_NORM_SHARED;
    struct sy_network_parts parts = {
        .name = "n", .spec = &spec, .domain_count = 2, .domain = domains};
    sy_check_ok(sy_network_new(&network, &parts, &err), err);
    ck_assert_int_eq(sy_network_slots(network), 1);
    ck_assert_int_eq(sy_network_slot(network, 1, 1, NULL), 0);
    ck_assert_ptr_nonnull(find(network, "norm.all.l0b0.conv.scale"));
    ck_assert_str_eq(network->domain[1].labels[1], "1");
    sy_network_free(network);
}
END_TEST

START_TEST(stages_are_stem_layers_trunk_head)
{
    struct sy_network *network = sy_small_network(1);
    const struct sy_path *path = &network->expert[1].path;
    ck_assert_int_eq(sy_network_stages(network), 5);
    ck_assert_int_eq(sy_network_stage_unit(network, 0, path, 0), network->stem);
    ck_assert_int_eq(sy_network_stage_unit(network, 1, path, 0),
                     sy_network_block(network, 0, 1));
    ck_assert_int_eq(sy_network_stage_unit(network, 2, path, 0),
                     sy_network_block(network, 1, 1));
    ck_assert_int_eq(sy_network_stage_unit(network, 3, path, 0),
                     network->trunk);
    ck_assert_int_eq(sy_network_stage_unit(network, 4, path, 1),
                     sy_network_head(network, 1));
    sy_network_free(network);
}
END_TEST

START_TEST(names_are_found)
{
    struct sy_network *network = sy_small_network(1);
    ck_assert_int_eq(sy_network_find_domain(network, "shapes"), 1);
    ck_assert_int_eq(sy_network_find_domain(network, "shape"), -1);
    ck_assert_int_eq(sy_network_find_expert(network, 0, "second"), 1);
    ck_assert_int_eq(sy_network_find_expert(network, 1, "main"), 2);
    ck_assert_int_eq(sy_network_find_expert(network, 1, "second"), -1);
    sy_network_free(network);
}
END_TEST

START_TEST(a_path_costs_what_its_units_cost)
{
    struct sy_network *network = sy_small_network(1);
    const struct sy_path *path = &network->expert[2].path; /* conv, group */
    struct sy_cost cost = sy_network_path_cost(network, path, 1);
    /* By hand: 48 pixels before layer 1, 12 behind it. */
    int64_t stem = 48 * 27 * 8, conv = 48 * 8 * 8;
    int64_t group = 48 * 8 * 8 + 12 * 9 * 2 * 8 + 12 * 8 * 8;
    int64_t trunk = 12 * 8 * 8, head = 8 * 2;
    ck_assert_int_eq(cost.madds, stem + conv + group + trunk + head);
    int64_t params = (27 * 8 + 32) + (64 + 32) +
                     (64 + 32 + 9 * 2 * 8 + 32 + 64 + 32) + (64 + 32) +
                     (8 * 2 + 2);
    ck_assert_int_eq(cost.params, params);
    ck_assert_int_eq(cost.bytes, params * 4);
    sy_network_free(network);
}
END_TEST

START_TEST(a_tensor_starts_alike_in_any_network_of_the_seed)
{
    struct sy_network *supernet = sy_small_supernet(5);
    struct sy_network *network = sy_small_network(5);
    struct sy_network *other = sy_small_network(6);
    const char *name = "block.l1b1.expand.weight";
    const struct sy_tensor *a = find(supernet, name);
    const struct sy_tensor *b = find(network, name);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_ne(a->offset, b->offset);
    ck_assert_mem_eq(supernet->values + a->offset, network->values + b->offset,
                     a->count * sizeof(float));
    ck_assert_mem_ne(other->values + b->offset, network->values + b->offset,
                     b->count * sizeof(float));
    sy_network_free(supernet);
    sy_network_free(network);
    sy_network_free(other);
}
END_TEST

START_TEST(the_stream_of_a_tensor_is_keyed_by_its_name)
{
    struct sy_network *network = sy_small_network(5);
    const struct sy_tensor *tensor = find(network, "block.stem.conv.weight");
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = tensor->name; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    }
    struct sy_rng rng =
        sy_rng_stream(5, SY_RNG_INIT, hash & ((UINT64_C(1) << 56) - 1), 0);
    float spread = (float)sqrt(2.0 / 27.0);
    for (size_t i = 0; i < tensor->count; i++) {
        ck_assert(network->values[tensor->offset + i] ==
                  spread * sy_rng_normal(&rng));
    }
    sy_network_free(network);
}
END_TEST

START_TEST(norms_start_as_identity_and_biases_at_zero)
{
    struct sy_network *network = sy_small_network(5);
    sy_network_init(network, 5);
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        const char *end = strrchr(tensor->name, '.');
        const float *values = network->values + tensor->offset;
        for (size_t i = 0; i < tensor->count && tensor->slot >= 0; i++) {
            bool one =
                strcmp(end, ".var") == 0 ||
                (strcmp(end, ".scale") == 0 && tensor->init == SY_INIT_ONE);
            ck_assert(values[i] == (one ? 1.0f : 0.0f));
        }
        for (size_t i = 0;
             i < tensor->count && tensor->slot < 0 && strcmp(end, ".bias") == 0;
             i++) {
            ck_assert(values[i] == 0.0f);
        }
    }
    sy_network_free(network);
}
END_TEST

/* Parts that are right, to be made wrong. */
struct wrong_parts {
    struct sy_network_spec spec;
    struct sy_domain domain[2];
    struct sy_expert expert[2];
    struct sy_network_parts parts;
};

static void right(struct wrong_parts *p)
{
    memset(p, 0, sizeof *p);
    struct sy_path paths[2] = {{2, {0, 0}}, {2, {1, 0}}};
    sy_small_spec(&p->spec);
    sy_spec_prune(&p->spec, paths, 2);
    p->domain[0] = (struct sy_domain){.name = "a", .classes = 2};
    p->domain[1] = (struct sy_domain){.name = "b", .classes = 3};
    p->expert[0] = (struct sy_expert){"main", 0, paths[0], 1.0};
    p->expert[1] = (struct sy_expert){"main", 1, paths[1], 1.0};
    p->parts = (struct sy_network_parts){.name = "net",
                                         .spec = &p->spec,
                                         .domain_count = 2,
                                         .domain = p->domain,
                                         .expert_count = 2,
                                         .expert = p->expert};
}

static void refuse(struct wrong_parts *p, const char *says)
{
    struct sy_error err = {0};
    struct sy_network *network = NULL;
    int64_t live = sy_alloc_live();
    sy_check_fails(sy_network_new(&network, &p->parts, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, says);
    ck_assert_ptr_null(network);
    ck_assert_int_eq(sy_alloc_live(), live);
    right(p);
}

START_TEST(parts_that_do_not_fit_are_refused)
{
    static struct wrong_parts p;
    struct sy_error err = {0};
    struct sy_network *network;
    right(&p);
    sy_check_ok(sy_network_new(&network, &p.parts, &err), err);
    sy_network_free(network);
    p.parts.name = "a.b";
    refuse(&p, "name");
    p.parts.domain_count = 0;
    refuse(&p, "domains: expected 1 to 64");
    p.domain[1].name[0] = 'a';
    refuse(&p, "domains[1].name: \"a\" is the name of domains[0] already");
    p.domain[1].name[0] = '.';
    refuse(&p, "domains[1].name");
    p.domain[0].classes = 0;
    refuse(&p, "domains[0].classes");
    p.parts.expert_count = SY_MAX_EXPERTS + 1;
    refuse(&p, "experts: expected 0 to 256");
    p.expert[1].domain = 2;
    refuse(&p, "experts[1].domain");
    p.expert[1].domain = 0;
    refuse(&p, "experts[1].name: domain \"a\" has an expert \"main\" already");
    p.parts.expert_count = 1;
    refuse(&p, "domain \"b\" has none");
    p.expert[0].path.layer_count = 1;
    refuse(&p, "experts[0].path: expected 2 blocks");
    p.expert[0].path.block[1] = 1;
    refuse(&p, "experts[0].path: layer 1: expected a block from 0 to 0");
    p.expert[0].temperature = NAN;
    refuse(&p, "experts[0].temperature");
    p.expert[0].temperature = 0.0;
    refuse(&p, "experts[0].temperature");
    p.expert[1].path.block[0] = 0;
    refuse(&p, "block \"skip\" is on no expert's path");
    p.spec.layer[0].stride = 3;
    refuse(&p, "layers[0].blocks[0]");
    p.parts.max_values = 100;
    refuse(&p, "expected at most 100");
}
END_TEST

START_TEST(a_hostile_spec_takes_no_memory)
{
    struct sy_error err = {0};
    struct sy_network *network = NULL;
    static struct wrong_parts p;
    right(&p);
    p.parts.expert_count = 0;
    p.spec.layer_count = SY_MAX_LAYERS;
    p.spec.stem_channels = 1000;
    for (int l = 0; l < SY_MAX_LAYERS; l++) {
        p.spec.layer[l] = (struct sy_layer_spec){
            .channels = 1000, .stride = 1, .block_count = SY_MAX_BLOCKS};
        for (int b = 0; b < SY_MAX_BLOCKS; b++) {
            struct sy_candidate *c = &p.spec.layer[l].block[b];
            c->spec = sy_block_defaults(SY_BLOCK_FUSED);
            c->spec.kernel = 7;
            c->spec.expansion = 8;
            snprintf(c->id, sizeof c->id, "l%db%d", l % SY_MAX_LAYERS,
                     b % SY_MAX_BLOCKS);
        }
    }
    sy_check_fails(sy_network_new(&network, &p.parts, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "values, expected at most 268435456");
}
END_TEST

START_TEST(every_failed_allocation_is_a_status)
{
    static struct wrong_parts p;
    struct sy_error err = {0};
    right(&p);
    int64_t live = sy_alloc_live();
    for (int64_t n = 1;; n++) {
        struct sy_network *network = NULL;
        sy_alloc_fail_at(n, n % 2 == 0);
        enum sy_status status = sy_network_new(&network, &p.parts, &err);
        sy_alloc_fail_at(0, false);
        if (status == SY_OK) {
            sy_network_free(network);
            ck_assert_int_gt(n, 15);
            break;
        }
        ck_assert_int_eq(status, SY_NO_MEMORY);
        ck_assert_ptr_null(network);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("network");
    TCase *tc = tcase_create("network");
    tcase_add_loop_test(tc, tensors_fill_the_values_without_a_gap, 0, 2);
    tcase_add_test(tc, units_stand_in_order_and_tensors_have_their_names);
    tcase_add_test(tc, norms_lie_scale_bias_mean_var);
    tcase_add_test(tc, with_experts_only_norms_on_their_paths_exist);
    tcase_add_test(tc, experts_share_norms_as_far_as_their_paths_are_the_same);
    tcase_add_test(tc, shared_norms_have_one_slot);
    tcase_add_test(tc, stages_are_stem_layers_trunk_head);
    tcase_add_test(tc, names_are_found);
    tcase_add_test(tc, a_path_costs_what_its_units_cost);
    tcase_add_test(tc, a_tensor_starts_alike_in_any_network_of_the_seed);
    tcase_add_test(tc, the_stream_of_a_tensor_is_keyed_by_its_name);
    tcase_add_test(tc, norms_start_as_identity_and_biases_at_zero);
    tcase_add_test(tc, parts_that_do_not_fit_are_refused);
    tcase_add_test(tc, a_hostile_spec_takes_no_memory);
    tcase_add_test(tc, every_failed_allocation_is_a_status);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
