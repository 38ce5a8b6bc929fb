/*
 * test_export.c - the ONNX file of an expert: what is found by name, that the
 * graph is whole and in order, that weights are where ONNX wants them with
 * norms folded in, and that a failure leaves nothing behind. What the graph
 * computes is ONNX Runtime's to say: tests/interop/check_onnx.py.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/onnx/export.h"
#include "runtime/onnx/forms.h"
#include "runtime/onnx/onnx.pb-c.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

enum { NETWORKS = 12, MAX_BYTES = 1 << 24 };

static struct sy_network *new_network(uint64_t seed, int experts)
{
    return sy_random_network(&(struct sy_random_options){
        .seed = seed,
        .experts = experts,
        .norm = (enum sy_norm_mode)(seed % SY_NORM_MODES)});
}

/* The file as protobuf-c reads it, with its own allocator. */
static SyOnnx__ModelProto *read_model(const char *path)
{
    struct sy_error err = {0};
    char *data;
    size_t bytes;
    sy_check_ok(sy_file_read(path, MAX_BYTES, &data, &bytes, &err), err);
    SyOnnx__ModelProto *model =
        sy_onnx__model_proto__unpack(NULL, bytes, (const uint8_t *)data);
    ck_assert_ptr_nonnull(model);
    sy_free(data);
    return model;
}

static void free_model(SyOnnx__ModelProto *model)
{
    sy_onnx__model_proto__free_unpacked(model, NULL);
}

/* Exports expert `e` and reads it back. */
static SyOnnx__ModelProto *export(const struct sy_network *network, int e)
{
    struct sy_error err = {0};
    struct sy_export what = {
        .domain = network->expert[e].domain, .expert = e, .snapshot = "net/1"};
    const char *path = sy_check_path("x.onnx");
    sy_check_ok(sy_export_write(network, &what, path, NULL, &err), err);
    return read_model(path);
}

static const SyOnnx__TensorProto *find_tensor(const SyOnnx__ModelProto *model,
                                              const char *name)
{
    for (size_t i = 0; i < model->graph->n_initializer; i++) {
        if (strcmp(model->graph->initializer[i]->name, name) == 0) {
            return model->graph->initializer[i];
        }
    }
    return NULL;
}

static const SyOnnx__NodeProto *find_node(const SyOnnx__ModelProto *model,
                                          const char *name)
{
    for (size_t i = 0; i < model->graph->n_node; i++) {
        if (strcmp(model->graph->node[i]->name, name) == 0) {
            return model->graph->node[i];
        }
    }
    return NULL;
}

/* One float of a constant; the bytes of a message lie anywhere. */
static float number(const SyOnnx__TensorProto *tensor, size_t index)
{
    float value;
    if ((index + 1) * sizeof value > tensor->raw_data.len) {
        ck_abort_msg("%s has no number %zu", tensor->name, index);
    }
    memcpy(&value, tensor->raw_data.data + index * sizeof value, sizeof value);
    return value;
}

static const char *metadata(const SyOnnx__ModelProto *model, const char *key)
{
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        if (strcmp(model->metadata_props[i]->key, key) == 0) {
            return model->metadata_props[i]->value;
        }
    }
    ck_abort_msg("no metadata \"%s\"", key);
}

START_TEST(domain_and_expert_are_found_by_name)
{
    struct sy_network *network = new_network(1, 3);
    struct sy_export what = {0};
    struct sy_error err = {0};
    sy_check_ok(sy_export_find(network, "d1", "e2", &what, &err), err);
    ck_assert_int_eq(what.domain, 1);
    ck_assert_int_eq(network->expert[what.expert].domain, 1);
    ck_assert_str_eq(network->expert[what.expert].name, "e2");
    sy_network_free(network);
}
END_TEST

START_TEST(without_a_name_it_is_the_first_expert_of_the_route)
{
    struct sy_network *network = new_network(1, 3);
    struct sy_export what = {0};
    struct sy_error err = {0};
    int e = sy_network_find_expert(network, 2, "e1");
    sy_network_set_route(network, 2, sy_route_new_expert(e));
    sy_check_ok(sy_export_find(network, "d2", NULL, &what, &err), err);
    ck_assert_int_eq(what.expert, e);
    sy_network_free(network);
}
END_TEST

START_TEST(unknown_names_are_refused_with_those_there_are)
{
    struct sy_network *network = new_network(1, 2);
    struct sy_export what = {.domain = 77, .expert = 78};
    struct sy_error err = {0};
    ck_assert_int_eq(sy_export_find(network, "d9", NULL, &what, &err),
                     SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "\"d9\""));
    ck_assert_ptr_nonnull(strstr(err.message, "d0, d1, d2"));
    ck_assert_int_eq(sy_export_find(network, "d1", "main", &what, &err),
                     SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "\"main\""));
    ck_assert_ptr_nonnull(strstr(err.message, "e0, e1"));
    ck_assert_int_eq(what.domain, 77);
    ck_assert_int_eq(what.expert, 78);
    sy_network_free(network);
}
END_TEST

START_TEST(a_supernet_has_nothing_to_export)
{
    struct sy_network *network = new_network(1, 0);
    struct sy_export what = {0};
    struct sy_error err = {0};
    ck_assert_int_eq(sy_export_find(network, "d0", NULL, &what, &err),
                     SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "supernet"));
    sy_network_free(network);
}
END_TEST

static void check_dims(const SyOnnx__ValueInfoProto *value, const char *name,
                       const int64_t *dims, size_t count)
{
    const SyOnnx__TypeProto__Tensor *type = value->type->tensor_type;
    ck_assert_str_eq(value->name, name);
    ck_assert_int_eq(type->elem_type, 1);
    ck_assert_uint_eq(type->shape->n_dim, count + 1);
    ck_assert_str_eq(type->shape->dim[0]->dim_param, "N");
    for (size_t d = 0; d < count; d++) {
        ck_assert_int_eq(type->shape->dim[d + 1]->dim_value, dims[d]);
    }
}

START_TEST(the_file_says_what_it_is)
{
    struct sy_network *network = new_network(2, 1);
    const struct sy_shape in = network->spec.input;
    struct sy_domain *domain = &network->domain[0];
    sy_free(domain->labels[0]);
    domain->labels[0] = sy_strdup("a \"quoted\" label");
    SyOnnx__ModelProto *model = export(network, 0);
    int64_t image[3] = {3, in.h, in.w}, classes = domain->classes;
    ck_assert_int_eq(model->ir_version, 8);
    ck_assert_uint_eq(model->n_opset_import, 1);
    ck_assert_str_eq(model->opset_import[0]->domain, "");
    ck_assert_int_eq(model->opset_import[0]->version, 17);
    ck_assert_str_eq(model->producer_name, "switchyard");
    ck_assert_ptr_nonnull(strstr(model->doc_string, "(x/255)*2-1"));
    ck_assert_str_eq(model->graph->name, "d0.e0");
    ck_assert_uint_eq(model->graph->n_input, 1);
    check_dims(model->graph->input[0], "image", image, 3);
    ck_assert_uint_eq(model->graph->n_output, 2);
    check_dims(model->graph->output[0], "logits", &classes, 1);
    check_dims(model->graph->output[1], "probabilities", &classes, 1);
    ck_assert_str_eq(metadata(model, "domain"), "d0");
    ck_assert_str_eq(metadata(model, "expert"), "e0");
    ck_assert_str_eq(metadata(model, "snapshot"), "net/1");
    ck_assert_str_eq(metadata(model, "normalisation"), "(x/255)*2-1");
    ck_assert_double_eq(strtod(metadata(model, "temperature"), NULL),
                        network->expert[0].temperature);
    ck_assert_ptr_nonnull(
        strstr(metadata(model, "labels"), "[\"a \\\"quoted\\\" label\",\"b\""));
    free_model(model);
    sy_network_free(network);
}
END_TEST

/* The place of a name in a list, or -1. */
static int index_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Every value is made once, before it is read, and every one is read. */
static void check_order(const SyOnnx__GraphProto *graph)
{
    static const char *names[4096];
    static bool read[4096];
    int count = 0;
    memset(read, 0, sizeof read);
    names[count++] = graph->input[0]->name;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        ck_assert_int_lt(index_of(names, count, graph->initializer[i]->name),
                         0);
        names[count++] = graph->initializer[i]->name;
    }
    for (size_t n = 0; n < graph->n_node; n++) {
        const SyOnnx__NodeProto *node = graph->node[n];
        for (size_t i = 0; i < node->n_input; i++) {
            int at = index_of(names, count, node->input[i]);
            ck_assert_msg(at >= 0, "%s reads %s", node->name, node->input[i]);
            read[at] = true;
        }
        ck_assert_uint_eq(node->n_output, 1);
        ck_assert_int_lt(index_of(names, count, node->output[0]), 0);
        names[count++] = node->output[0];
    }
    for (size_t o = 0; o < graph->n_output; o++) {
        int at = index_of(names, count, graph->output[o]->name);
        ck_assert_int_ge(at, 0);
        read[at] = true;
    }
    for (int i = 0; i < count; i++) {
        ck_assert_msg(read[i], "%s is never read", names[i]);
    }
}

START_TEST(values_stand_before_they_are_read_and_none_is_idle)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct sy_network *network = new_network(seed, 2);
        for (int e = 0; e < network->expert_count; e++) {
            SyOnnx__ModelProto *model = export(network, e);
            check_order(model->graph);
            free_model(model);
        }
        sy_network_free(network);
    }
}
END_TEST

/* Factor and offset of a norm's channel, from its definition. */
static void fold(const float *norm, int channels, int k, double *factor,
                 double *offset)
{
    *factor = norm[k] / sqrt(norm[3 * channels + k] + (double)SY_NORM_EPSILON);
    *offset = norm[channels + k] - norm[2 * channels + k] * *factor;
}

/* Checks the weight of a fused convolution in the file against ours. */
static void check_window(const SyOnnx__ModelProto *model,
                         const struct sy_network *network, int unit, int slot,
                         const struct sy_node *node)
{
    const struct sy_unit *u = &network->unit[unit];
    const struct sy_plan_param *param = &u->plan.param[node->weight];
    const float *ours = network->values + u->weight[node->weight];
    const float *norm =
        network->values + sy_network_norm(network, unit, slot, node->norm);
    bool depthwise = node->op == SY_OP_DEPTHWISE;
    int k = node->kernel, channels = u->plan.value[node->out].c;
    int per = depthwise ? 1 : param->dim[2];
    char name[160];
    snprintf(name, sizeof name, "%s.%s", u->id, param->name);
    const SyOnnx__TensorProto *weight = find_tensor(model, name);
    snprintf(name, sizeof name, "%s.%.*s.bias", u->id,
             (int)(strchr(param->name, '.') - param->name), param->name);
    const SyOnnx__TensorProto *bias = find_tensor(model, name);
    ck_assert_ptr_nonnull(weight);
    ck_assert_ptr_nonnull(bias);
    ck_assert_uint_eq(weight->n_dims, 4);
    ck_assert_int_eq(weight->dims[0], channels);
    ck_assert_int_eq(weight->dims[1], per);
    ck_assert_int_eq(weight->dims[2], k);
    ck_assert_int_eq(weight->dims[3], k);
    double worst = 0.0;
    for (int o = 0; o < channels; o++) {
        double factor, offset;
        fold(norm, channels, o, &factor, &offset);
        ck_assert_float_eq_tol(number(bias, (size_t)o), offset, 1e-6);
        for (int i = 0; i < per * k * k; i++) {
            int c = i / (k * k), window = i % (k * k);
            double expected = factor * ours[(window * per + c) * channels + o];
            double found = number(weight, (size_t)(o * per * k * k + i));
            worst = fmax(worst, fabs(found - expected));
        }
    }
    ck_assert_double_le(worst, 1e-6);
}

START_TEST(weights_lie_as_onnx_wants_them_with_norms_folded_in)
{
    int windows = 0, depthwise = 0, groups = 0;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        struct sy_network *network = new_network(seed, 1);
        SyOnnx__ModelProto *model = export(network, 1);
        for (int s = 0; s < sy_network_stages(network); s++) {
            const struct sy_path *path = &network->expert[1].path;
            int unit = sy_network_stage_unit(network, s, path, 1);
            int slot = sy_network_slot(network, unit, 1, path);
            struct sy_infer_plan fused;
            sy_plan_fuse(&network->unit[unit].plan, &fused);
            for (int i = 0; i < fused.step_count; i++) {
                const struct sy_node *node = &fused.step[i].node;
                if (node->op == SY_OP_CONV || node->op == SY_OP_DEPTHWISE) {
                    check_window(model, network, unit, slot, node);
                    windows++;
                    depthwise += node->op == SY_OP_DEPTHWISE;
                    groups += node->op == SY_OP_CONV && node->groups > 1;
                }
            }
        }
        free_model(model);
        sy_network_free(network);
    }
    ck_assert_int_gt(windows, 3 * NETWORKS);
    ck_assert_int_gt(depthwise, 0);
    ck_assert_int_gt(groups, 0);
}
END_TEST

START_TEST(the_classifier_is_ours_as_it_is)
{
    struct sy_network *network = new_network(3, 1);
    SyOnnx__ModelProto *model = export(network, 0);
    const struct sy_unit *head = &network->unit[sy_network_head(network, 0)];
    const SyOnnx__TensorProto *weight =
        find_tensor(model, "head.d0.classifier.weight");
    ck_assert_ptr_nonnull(weight);
    ck_assert_int_eq(weight->dims[0], head->plan.value[0].c);
    ck_assert_int_eq(weight->dims[1], network->domain[0].classes);
    ck_assert_mem_eq(weight->raw_data.data, network->values + head->weight[0],
                     weight->raw_data.len);
    free_model(model);
    sy_network_free(network);
}
END_TEST

START_TEST(a_temperature_of_one_divides_nothing)
{
    struct sy_network *network = new_network(4, 1);
    SyOnnx__ModelProto *model = export(network, 0);
    ck_assert_ptr_nonnull(find_node(model, "logits.scaled"));
    ck_assert_float_eq(number(find_tensor(model, "temperature"), 0),
                       (float)network->expert[0].temperature);
    free_model(model);
    network->expert[0].temperature = 1.0;
    model = export(network, 0);
    ck_assert_ptr_null(find_node(model, "logits.scaled"));
    ck_assert_ptr_null(find_tensor(model, "temperature"));
    ck_assert_str_eq(find_node(model, "probabilities")->input[0], "logits");
    free_model(model);
    sy_network_free(network);
}
END_TEST

START_TEST(what_is_reported_is_what_is_there)
{
    struct sy_network *network = new_network(5, 1);
    struct sy_export what = {.snapshot = "net/1"};
    struct sy_onnx_size size;
    struct sy_error err = {0};
    char *data;
    size_t bytes;
    const char *path = sy_check_path("x.onnx");
    sy_check_ok(sy_export_write(network, &what, path, &size, &err), err);
    sy_check_ok(sy_file_read(path, MAX_BYTES, &data, &bytes, &err), err);
    sy_free(data);
    SyOnnx__ModelProto *model = read_model(path);
    ck_assert_uint_eq(size.bytes, bytes);
    ck_assert_uint_eq((size_t)size.nodes, model->graph->n_node);
    ck_assert_uint_eq((size_t)size.tensors, model->graph->n_initializer);
    ck_assert_int_gt(size.numbers, 0);
    ck_assert_uint_le((size_t)size.numbers * sizeof(float), bytes);
    free_model(model);
    sy_network_free(network);
}
END_TEST

/*
 * No block kind leaves a norm, an activation or an add on its own today, so
 * their forms are taken by hand: norm, hard sigmoid, and a sum, on 1 x 1 x 2.
 */
START_TEST(operators_that_stand_alone_have_their_form)
{
    static float values[8] = {2, 3, 5, 7, 11, 13, 1, 4};
    static size_t offset[1] = {0};
    struct sy_error err = {0};
    struct sy_network network = {.values = values, .unit_count = 1};
    struct sy_unit unit = {.id = "u", .norm = offset};
    struct sy_onnx *model;
    static const int64_t dims[4] = {SY_ONNX_BATCH, 2, 1, 1};
    unit.plan.norm_count = 1;
    unit.plan.norm[0].channels = 2;
    for (int v = 0; v < 4; v++) {
        unit.plan.value[v] = (struct sy_shape){1, 1, 2};
    }
    network.unit = &unit;
    network.spec.norm = SY_NORM_SHARED;
    sy_check_ok(sy_onnx_new(&model, "g", &err), err);
    struct sy_onnx_context c = {
        .model = model, .network = &network, .value = {{.name = "x"}}};
    struct sy_node node = {.op = SY_OP_NORM, .out = 1, .weight = -1};
    sy_onnx_add_step(&c, &(struct sy_step){.node = node, .residual = -1});
    node = (struct sy_node){.op = SY_OP_ACT,
                            .act = SY_ACT_HSIGMOID,
                            .in = {1},
                            .out = 2,
                            .weight = -1};
    sy_onnx_add_step(&c, &(struct sy_step){.node = node, .residual = -1});
    node =
        (struct sy_node){.op = SY_OP_ADD, .in = {2, 0}, .out = 3, .weight = -1};
    sy_onnx_add_step(&c, &(struct sy_step){.node = node, .residual = -1});
    sy_onnx_input(model, "x", dims, 4, "");
    sy_onnx_output(model, c.value[3].name, dims, 4, "");
    const char *path = sy_check_path("x.onnx");
    sy_check_ok(sy_onnx_write(model, path, NULL, &err), err);
    sy_onnx_free(model);

    SyOnnx__ModelProto *read = read_model(path);
    static const char *const ops[] = {"Mul", "Add", "HardSigmoid", "Add"};
    ck_assert_uint_eq(read->graph->n_node, 4);
    for (int n = 0; n < 4; n++) {
        ck_assert_str_eq(read->graph->node[n]->op_type, ops[n]);
    }
    check_order(read->graph);
    const SyOnnx__TensorProto *factor = find_tensor(read, "u.norm1.factor");
    const SyOnnx__TensorProto *shift = find_tensor(read, "u.norm1.offset");
    ck_assert_uint_eq(factor->n_dims, 4);
    ck_assert_int_eq(factor->dims[1], 2);
    for (int k = 0; k < 2; k++) {
        double f, o;
        fold(values, 2, k, &f, &o);
        ck_assert_float_eq_tol(number(factor, (size_t)k), f, 1e-6);
        ck_assert_float_eq_tol(number(shift, (size_t)k), o, 1e-5);
    }
    free_model(read);
}
END_TEST

START_TEST(numbers_that_a_norm_makes_infinite_are_refused)
{
    struct sy_network *network = new_network(6, 1);
    struct sy_export what = {.snapshot = "net/1"};
    struct sy_error err = {0};
    const char *path = sy_check_path("x.onnx");
    size_t norm = sy_network_norm(network, network->stem, 0, 0);
    network->values[norm] = 3e38f;
    network->values[norm + 3 * (size_t)network->spec.stem_channels] = 0.0f;
    ck_assert_int_eq(sy_export_write(network, &what, path, NULL, &err),
                     SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "stem.conv"));
    ck_assert_int_eq(sy_check_folder_count(), 0);
    sy_network_free(network);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_reported)
{
    struct sy_network *network = new_network(7, 1);
    struct sy_export what = {.snapshot = "net/1"};
    struct sy_error err = {0};
    const char *path = sy_check_path("no/such/x.onnx");
    enum sy_status status = sy_export_write(network, &what, path, NULL, &err);
    ck_assert(status == SY_NOT_FOUND || status == SY_IO);
    ck_assert_ptr_nonnull(strstr(err.message, path));
    ck_assert_int_eq(
        sy_export_write(network, &what, sy_check_folder(), NULL, &err),
        SY_BAD_INPUT);
    ck_assert_int_eq(sy_check_folder_count(), 0);
    sy_network_free(network);
}
END_TEST

START_TEST(failed_allocations_keep_the_old_file)
{
    struct sy_network *network = new_network(8, 1);
    struct sy_export what = {.snapshot = "net/1"};
    const char *path = sy_check_path("x.onnx");
    int64_t before = sy_alloc_live();
    bool failed = true;
    struct sy_error err = {0};
    sy_check_ok(sy_file_write(path, "old", 3, &err), err);
    for (int64_t n = 1; failed; n++) {
        char *data;
        size_t bytes;
        sy_alloc_fail_at(n, n % 2 == 0);
        enum sy_status status =
            sy_export_write(network, &what, path, NULL, &err);
        sy_alloc_fail_at(0, false);
        failed = status != SY_OK;
        ck_assert(!failed || status == SY_NO_MEMORY);
        ck_assert_int_eq(sy_alloc_live(), before);
        ck_assert_int_eq(sy_check_folder_count(), 1);
        sy_check_ok(sy_file_read(path, MAX_BYTES, &data, &bytes, &err), err);
        ck_assert(failed ? bytes == 3 : bytes > 3);
        sy_free(data);
        ck_assert_int_lt(n, 10000);
    }
    sy_network_free(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export");
    TCase *tc = tcase_create("export");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, domain_and_expert_are_found_by_name);
    tcase_add_test(tc, without_a_name_it_is_the_first_expert_of_the_route);
    tcase_add_test(tc, unknown_names_are_refused_with_those_there_are);
    tcase_add_test(tc, a_supernet_has_nothing_to_export);
    tcase_add_test(tc, the_file_says_what_it_is);
    tcase_add_test(tc, values_stand_before_they_are_read_and_none_is_idle);
    tcase_add_test(tc, weights_lie_as_onnx_wants_them_with_norms_folded_in);
    tcase_add_test(tc, the_classifier_is_ours_as_it_is);
    tcase_add_test(tc, a_temperature_of_one_divides_nothing);
    tcase_add_test(tc, what_is_reported_is_what_is_there);
    tcase_add_test(tc, operators_that_stand_alone_have_their_form);
    tcase_add_test(tc, numbers_that_a_norm_makes_infinite_are_refused);
    tcase_add_test(tc, a_file_that_cannot_be_written_is_reported);
    tcase_add_test(tc, failed_allocations_keep_the_old_file);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
