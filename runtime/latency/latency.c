/*
 * latency.c - a table applied to a network, and the cost of a path.
 */
#include "runtime/latency/latency.h"

#include <stdio.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/latency/table.h"

const int sy_latency_classes[SY_LATENCY_HEADS] = {10, 100, 1000};

double sy_latency_head_us(const struct sy_latency *latency, int classes)
{
    int at = 0; /* the span that holds `classes`, or the one nearest to it */
    while (at < SY_LATENCY_HEADS - 2 && classes > sy_latency_classes[at + 1]) {
        at++;
    }
    double low = latency->head_us[at];
    double span = sy_latency_classes[at + 1] - sy_latency_classes[at];
    double share = (classes - sy_latency_classes[at]) / span;
    double us = low + share * (latency->head_us[at + 1] - low);
    return us > 0 ? us : 0;
}

double sy_latency_path_us(const struct sy_latency *latency,
                          const struct sy_path *path, int classes)
{
    double us = latency->constant_us + sy_latency_head_us(latency, classes);
    for (int l = 0; l < path->layer_count; l++) {
        us += latency->block_us[l][path->block[l]];
    }
    return us;
}

static enum sy_status differ(const char *file, struct sy_error *err,
                             const char *what, const char *table,
                             const char *network)
{
    return sy_fail(err, SY_BAD_INPUT,
                   "%s: is the table of another network: %s: the table has "
                   "%s, the network has %s; measure this one with `latency "
                   "build`",
                   file, what, table, network);
}

/* What all paths have in common, as one text, so that the first part in
   which two networks differ can be shown. */
enum { PARTS = 3, PART_BYTES = 96 };

static const char *const part_names[PARTS] = {"input", "stem", "head"};

static void write_parts(const struct sy_network_spec *spec,
                        char part[PARTS][PART_BYTES])
{
    char text[64];
    (void)snprintf(part[0], PART_BYTES, "%dx%dx%d", spec->input.h,
                   spec->input.w, spec->input.c);
    (void)snprintf(part[1], PART_BYTES, "%s to %d channels, stride %d",
                   sy_block_text(&spec->stem, text, sizeof text),
                   spec->stem_channels, spec->stem_stride);
    (void)snprintf(part[2], PART_BYTES, "width %d, hidden %d, %s",
                   spec->head.width, spec->head.hidden,
                   sy_act_names[spec->head.act]);
}

static enum sy_status check_parts(const struct sy_network_spec *table,
                                  const struct sy_network_spec *network,
                                  const char *file, struct sy_error *err)
{
    char a[PARTS][PART_BYTES], b[PARTS][PART_BYTES];
    write_parts(table, a);
    write_parts(network, b);
    for (int i = 0; i < PARTS; i++) {
        if (strcmp(a[i], b[i]) != 0) {
            return differ(file, err, part_names[i], a[i], b[i]);
        }
    }
    (void)snprintf(a[0], PART_BYTES, "%d", table->layer_count);
    (void)snprintf(b[0], PART_BYTES, "%d", network->layer_count);
    return table->layer_count == network->layer_count
               ? SY_OK
               : differ(file, err, "layers", a[0], b[0]);
}

/* The place of the network's block in the table's layer. */
static enum sy_status find_block(const struct sy_layer_spec *layer,
                                 const struct sy_candidate *block,
                                 const char *what, int *place, const char *file,
                                 struct sy_error *err)
{
    char a[64], b[64];
    (void)sy_block_text(&block->spec, b, sizeof b);
    for (int i = 0; i < layer->block_count; i++) {
        if (strcmp(layer->block[i].id, block->id) != 0) {
            continue;
        }
        (void)sy_block_text(&layer->block[i].spec, a, sizeof a);
        *place = i;
        return strcmp(a, b) == 0 ? SY_OK : differ(file, err, what, a, b);
    }
    return differ(file, err, what, "no such block", b);
}

static enum sy_status apply_layer(struct sy_latency *latency,
                                  const struct sy_latency_table *table,
                                  const struct sy_network_spec *spec, int l,
                                  const char *file, struct sy_error *err)
{
    const struct sy_layer_spec *from = &table->spec.layer[l];
    const struct sy_layer_spec *to = &spec->layer[l];
    char what[64], a[64], b[64];
    (void)snprintf(what, sizeof what, "layers[%d]", l);
    (void)snprintf(a, sizeof a, "%d channels, stride %d", from->channels,
                   from->stride);
    (void)snprintf(b, sizeof b, "%d channels, stride %d", to->channels,
                   to->stride);
    if (strcmp(a, b) != 0) {
        return differ(file, err, what, a, b);
    }
    for (int i = 0; i < to->block_count; i++) {
        int place = 0;
        (void)snprintf(what, sizeof what, "layers[%d]: block \"%s\"", l,
                       to->block[i].id);
        SY_TRY(find_block(from, &to->block[i], what, &place, file, err));
        latency->block_us[l][i] = table->factor * table->block_us[l][place];
    }
    return SY_OK;
}

enum sy_status sy_latency_apply(struct sy_latency *latency,
                                const struct sy_latency_table *table,
                                const struct sy_network_spec *spec,
                                const char *file, struct sy_error *err)
{
    struct sy_latency applied = {.check = table->check};
    SY_TRY(check_parts(&table->spec, spec, file, err));
    for (int l = 0; l < spec->layer_count; l++) {
        SY_TRY(apply_layer(&applied, table, spec, l, file, err));
    }
    applied.constant_us =
        table->offset_us + table->factor * (table->stem_us + table->trunk_us);
    for (int i = 0; i < SY_LATENCY_HEADS; i++) {
        applied.head_us[i] = table->factor * table->head_us[i];
    }
    memcpy(applied.cpu, table->cpu, sizeof applied.cpu);
    memcpy(applied.kernels, table->kernels, sizeof applied.kernels);
    *latency = applied;
    return SY_OK;
}

void sy_latency_warn_of_machine(const char *file, const char *cpu,
                                const char *kernels)
{
    char here[SY_MACHINE_BYTES];
    const char *best = sy_backend_best()->name;
    (void)sy_machine_cpu(here, sizeof here);
    if (strcmp(here, cpu) != 0 || strcmp(best, kernels) != 0) {
        sy_log_warn("%s: was measured on \"%s\" with %s kernels; this is "
                    "\"%s\" with %s",
                    file, cpu, kernels, here, best);
    }
}

enum sy_status sy_latency_from_json(struct sy_latency *latency, json_t *json,
                                    const struct sy_network_spec *spec,
                                    const char *file, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_latency_table *table = sy_alloc_zero(1, sizeof *table);
    if (table == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", file);
    }
    SY_TRY_OUT(sy_latency_table_from_json(table, json, file, err));
    SY_TRY_OUT(sy_latency_apply(latency, table, spec, file, err));
    sy_latency_warn_of_machine(file, latency->cpu, latency->kernels);
out:
    sy_free(table);
    return status;
}

enum sy_status sy_latency_load(struct sy_latency *latency, const char *file,
                               const struct sy_network_spec *spec,
                               struct sy_error *err)
{
    json_t *json = NULL;
    SY_TRY(sy_json_load(file, &json, err));
    enum sy_status status =
        sy_latency_from_json(latency, json, spec, file, err);
    json_decref(json);
    return status;
}
