/*
 * export.c - one expert of one domain as an ONNX file.
 *
 * Walks the stages of the expert's path as the executor does, takes each
 * unit's fused plan, and adds its steps (forms.c) to a model (builder.c).
 * Blocks that pass their input on leave nothing behind.
 *
 * The head's answer follows: softmax(logits / temperature), without the
 * division where the temperature is 1.
 */
#include "runtime/onnx/export.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/onnx/forms.h"

#define INPUT_NAME    "image"
#define NORMALISATION "(x/255)*2-1"

/* Adds ", NAME" to a list in a message, as long as there is room. */
static void append_name(char *list, size_t bytes, const char *name)
{
    size_t used = strlen(list);

    (void)snprintf(list + used, bytes - used, "%s%s", used > 0 ? ", " : "",
                   name);
}

enum sy_status sy_export_find(const struct sy_network *network,
                              const char *domain, const char *expert,
                              struct sy_export *what, struct sy_error *err)
{
    char names[512] = "";
    int d = sy_network_find_domain(network, domain);
    int e = -1;

    if (d < 0) {
        for (int i = 0; i < network->domain_count; i++) {
            append_name(names, sizeof names, network->domain[i].name);
        }
        return sy_fail(err, SY_BAD_INPUT, "no domain \"%s\"; there are: %s",
                       domain, names);
    }
    if (network->expert_count == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "a supernet has no experts to export: train its paths "
                       "first");
    }
    if (expert == NULL) {
        (void)sy_network_route_experts(network, d, &e, 1);
        SY_ASSERT(e >= 0);
    } else {
        e = sy_network_find_expert(network, d, expert);
    }
    if (e < 0) {
        for (int i = 0; i < network->expert_count; i++) {
            if (network->expert[i].domain == d) {
                append_name(names, sizeof names, network->expert[i].name);
            }
        }
        return sy_fail(err, SY_BAD_INPUT,
                       "domain \"%s\" has no expert \"%s\"; it has: %s", domain,
                       expert, names);
    }
    what->domain = d;
    what->expert = e;
    return SY_OK;
}

/* Adds one unit of the path; its result becomes the context's value 0. */
static void add_unit(struct sy_onnx_context *context)
{
    struct sy_infer_plan fused;

    sy_plan_fuse(&context->network->unit[context->unit].plan, &fused);
    for (int i = 0; i < fused.step_count; i++) {
        sy_onnx_add_step(context, &fused.step[i]);
    }
    context->value[0] = context->value[fused.output];
}

/* `texts` as a JSON list, under `key`. False: no memory. */
static bool add_list(struct sy_onnx *model, const char *key,
                     const char *const *texts, int count)
{
    json_t *list = json_array();
    bool fits = list != NULL;

    for (int i = 0; i < count; i++) {
        fits = fits && json_array_append_new(list, json_string(texts[i])) == 0;
    }
    char *text = fits ? json_dumps(list, JSON_COMPACT) : NULL;
    if (text != NULL) {
        sy_onnx_metadata(model, key, text);
    }
    fits = text != NULL;
    sy_free(text);
    json_decref(list);
    return fits;
}

/* What the file says of itself, for people and for programs. */
static enum sy_status describe(struct sy_onnx *model,
                               const struct sy_network *network,
                               const struct sy_export *what,
                               struct sy_error *err)
{
    const struct sy_domain *domain = &network->domain[what->domain];
    const struct sy_expert *expert = &network->expert[what->expert];
    const char *ids[SY_MAX_LAYERS] = {NULL};
    const char *const *labels = (const char *const *)domain->labels;

    for (int l = 0; l < expert->path.layer_count; l++) {
        int unit = sy_network_block(network, l, expert->path.block[l]);
        ids[l] = network->unit[unit].id;
    }
    sy_onnx_doc(
        model,
        sy_onnx_text(
            model,
            "Classifier of domain %s, expert %s of %s. Input " INPUT_NAME
            ": float32 [N, 3, %d, %d] (NCHW), channels red, green, blue, each "
            "pixel x of 0..255 already normalised as " NORMALISATION
            ". Outputs: logits, and probabilities = softmax(logits / %.9g). "
            "The labels are a JSON list in the metadata.",
            domain->name, expert->name, what->snapshot, network->spec.input.h,
            network->spec.input.w, expert->temperature));
    sy_onnx_metadata(model, "domain", domain->name);
    sy_onnx_metadata(model, "expert", expert->name);
    sy_onnx_metadata(model, "snapshot", what->snapshot);
    sy_onnx_metadata(model, "normalisation", NORMALISATION);
    sy_onnx_metadata(model, "temperature",
                     sy_onnx_text(model, "%.17g", expert->temperature));
    if (!add_list(model, "labels", labels, domain->classes) ||
        !add_list(model, "path", ids, expert->path.layer_count)) {
        return sy_fail(err, SY_NO_MEMORY, "ONNX: no memory for the metadata");
    }
    return SY_OK;
}

/* The answer of the head, from the last value on. */
static void add_answer(struct sy_onnx *model, struct sy_onnx_value last,
                       const struct sy_domain *domain, double temperature)
{
    static const int64_t one[1] = {1};
    const int64_t dims[2] = {SY_ONNX_BATCH, domain->classes};
    const char *scaled = "logits";

    SY_ASSERT(last.flat);
    sy_onnx_add_node(model, &(struct sy_onnx_node){.op = "Identity",
                                                   .name = "logits",
                                                   .input = {last.name},
                                                   .output = "logits"});
    if (temperature < 1.0 || temperature > 1.0) {
        float *number = sy_onnx_floats(model, "temperature", one, 1);
        if (number != NULL) {
            *number = (float)temperature;
        }
        scaled = "logits.scaled";
        sy_onnx_add_node(model, &(struct sy_onnx_node){
                                    .op = "Div",
                                    .name = scaled,
                                    .input = {"logits", "temperature"},
                                    .output = scaled,
                                });
    }
    sy_onnx_add_node(
        model,
        &(struct sy_onnx_node){
            .op = "Softmax",
            .name = "probabilities",
            .input = {scaled},
            .output = "probabilities",
            .attribute = {{.name = "axis", .kind = SY_ONNX_INT, .whole = {1}}},
        });
    sy_onnx_output(model, "logits", dims, 2, "raw outputs");
    sy_onnx_output(model, "probabilities", dims, 2,
                   "softmax of logits / temperature");
}

static enum sy_status build(struct sy_onnx *model,
                            const struct sy_network *network,
                            const struct sy_export *what, struct sy_error *err)
{
    const struct sy_expert *expert = &network->expert[what->expert];
    const struct sy_shape input = network->spec.input;
    const int64_t dims[4] = {SY_ONNX_BATCH, input.c, input.h, input.w};
    struct sy_onnx_context context = {
        .model = model,
        .network = network,
        .value = {{.name = INPUT_NAME}},
    };

    sy_onnx_input(model, INPUT_NAME, dims, 4,
                  "RGB, each pixel normalised as " NORMALISATION);
    for (int s = 0; s < sy_network_stages(network); s++) {
        context.unit =
            sy_network_stage_unit(network, s, &expert->path, what->domain);
        context.slot =
            sy_network_slot(network, context.unit, what->domain, &expert->path);
        add_unit(&context);
    }
    add_answer(model, context.value[0], &network->domain[what->domain],
               expert->temperature);
    return describe(model, network, what, err);
}

enum sy_status sy_export_write(const struct sy_network *network,
                               const struct sy_export *what, const char *path,
                               struct sy_onnx_size *size, struct sy_error *err)
{
    struct sy_onnx *model = NULL;
    char name[2 * SY_NAME_BYTES];

    SY_ASSERT(what->expert >= 0 && what->expert < network->expert_count);
    SY_ASSERT(network->expert[what->expert].domain == what->domain);
    (void)snprintf(name, sizeof name, "%s.%s",
                   network->domain[what->domain].name,
                   network->expert[what->expert].name);
    SY_TRY(sy_onnx_new(&model, name, err));
    enum sy_status status = build(model, network, what, err);
    if (status == SY_OK) {
        status = sy_onnx_write(model, path, size, err);
    }
    sy_onnx_free(model);
    return status;
}
