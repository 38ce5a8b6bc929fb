/*
 * table.c - the file of a latency table.
 */
#include "runtime/latency/table.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"

static const char kind[] = "switchyard-latency";
static const double most_us = 1e9;

/* Appends an owned value, NULL included; false on failure. */
static bool append(json_t *array, json_t *value)
{
    return array != NULL && json_array_append_new(array, value) == 0;
}

static json_t *heads_json(const struct sy_latency_table *table)
{
    json_t *list = json_array();
    for (int i = 0; i < SY_LATENCY_HEADS; i++) {
        if (!append(list,
                    json_pack("{s:i,s:f}", "classes", sy_latency_classes[i],
                              "us", table->head_us[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* One list of microseconds for each layer, in the order of its blocks. */
static json_t *blocks_json(const struct sy_latency_table *table)
{
    json_t *layers = json_array();
    bool ok = layers != NULL;
    for (int l = 0; ok && l < table->spec.layer_count; l++) {
        json_t *row = json_array();
        for (int b = 0; ok && b < table->spec.layer[l].block_count; b++) {
            ok = append(row, json_real(table->block_us[l][b]));
        }
        ok = append(layers, row) && ok;
    }
    if (!ok) {
        json_decref(layers);
        return NULL;
    }
    return layers;
}

static json_t *check_json(const struct sy_latency_table *table)
{
    const struct sy_latency_check *check = &table->check;
    json_t *paths = json_array();
    bool ok = paths != NULL;
    for (int i = 0; table->path != NULL && ok && i < check->test_paths; i++) {
        char text[SY_PATH_TEXT_BYTES];
        const struct sy_latency_path *path = &table->path[i];
        ok = append(paths, json_pack("{s:s,s:f,s:f}", "path",
                                     sy_path_text(&path->path, text),
                                     "predicted_us", path->predicted_us,
                                     "measured_us", path->measured_us));
    }
    if (!ok) {
        json_decref(paths);
        return NULL;
    }
    return json_pack("{s:i,s:i,s:f,s:f,s:o}", "fit_paths", check->fit_paths,
                     "test_paths", check->test_paths, "median_error",
                     check->median_error, "worst_error", check->worst_error,
                     "paths", paths);
}

json_t *sy_latency_table_to_json(const struct sy_latency_table *table)
{
    return json_pack("{s:s,s:i,s:s,s:s,s:{s:s,s:s,s:i,s:i},s:o,s:f,s:f,s:o,s:o,"
                     "s:{s:f,s:f},s:o}",
                     "kind", kind, "version", 1, "name", table->name, "program",
                     table->program, "machine", "cpu", table->cpu, "kernels",
                     table->kernels, "threads", 1, "batch", 1, "network",
                     sy_spec_to_json(&table->spec), "stem_us", table->stem_us,
                     "trunk_us", table->trunk_us, "heads", heads_json(table),
                     "blocks_us", blocks_json(table), "correction", "offset_us",
                     table->offset_us, "factor", table->factor, "check",
                     check_json(table));
}

/* The number in an array, within [0, most_us]. */
static void read_us(struct sy_json *in, const char *key, json_t *value,
                    int layer, int place, double *us)
{
    double found = json_number_value(value);
    if (!json_is_number(value) || !(found >= 0 && found <= most_us)) {
        sy_json_reject(in, key, "[%d][%d]: expected microseconds from 0 to %g",
                       layer, place, most_us);
        return;
    }
    *us = found;
}

static void read_blocks(struct sy_latency_table *table, struct sy_json *in)
{
    const struct sy_network_spec *spec = &table->spec;
    size_t layers = (size_t)spec->layer_count;
    json_t *list = sy_json_array(in, "blocks_us", layers, layers);
    for (size_t l = 0; l < json_array_size(list); l++) {
        json_t *row = json_array_get(list, l);
        int count = spec->layer[l].block_count;
        if (!json_is_array(row) || json_array_size(row) != (size_t)count) {
            sy_json_reject(in, "blocks_us",
                           "[%zu]: expected a list of %d numbers, one for "
                           "each block of the layer",
                           l, count);
            return;
        }
        for (int b = 0; b < count; b++) {
            read_us(in, "blocks_us", json_array_get(row, (size_t)b), (int)l, b,
                    &table->block_us[l][b]);
        }
    }
}

static void read_heads(struct sy_latency_table *table, struct sy_json *in)
{
    json_t *list =
        sy_json_array(in, "heads", SY_LATENCY_HEADS, SY_LATENCY_HEADS);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int classes = 0;
        char place[32];
        (void)snprintf(place, sizeof place, "heads[%zu]", i);
        struct sy_json head =
            sy_json_object(json_array_get(list, i), in->file, place, in->err);
        sy_json_int(&head, "classes", sy_latency_classes[i],
                    sy_latency_classes[i], &classes);
        sy_json_real(&head, "us", 0, most_us, &table->head_us[i]);
        if (sy_json_end(&head) != SY_OK) {
            in->status = head.status;
            return;
        }
    }
}

static void read_machine(struct sy_latency_table *table, struct sy_json *in)
{
    int one = 1;
    struct sy_json machine = sy_json_child(in, "machine");
    sy_json_text(&machine, "cpu", table->cpu, sizeof table->cpu);
    sy_json_text(&machine, "kernels", table->kernels, sizeof table->kernels);
    sy_json_int(&machine, "threads", 1, 1, &one);
    sy_json_int(&machine, "batch", 1, 1, &one);
    if (sy_json_end(&machine) != SY_OK) {
        in->status = machine.status;
    }
}

static void read_correction(struct sy_latency_table *table, struct sy_json *in)
{
    struct sy_json correction = sy_json_child(in, "correction");
    sy_json_real(&correction, "offset_us", -most_us, most_us,
                 &table->offset_us);
    sy_json_real(&correction, "factor", 1e-3, 1e3, &table->factor);
    if (sy_json_end(&correction) != SY_OK) {
        in->status = correction.status;
    }
}

static void read_check(struct sy_latency_table *table, struct sy_json *in)
{
    struct sy_latency_check *check = &table->check;
    struct sy_json at = sy_json_child(in, "check");
    sy_json_int(&at, "fit_paths", 0, SY_LATENCY_MAX_PATHS, &check->fit_paths);
    sy_json_int(&at, "test_paths", 0, SY_LATENCY_MAX_PATHS, &check->test_paths);
    sy_json_real(&at, "median_error", 0, most_us, &check->median_error);
    sy_json_real(&at, "worst_error", 0, most_us, &check->worst_error);
    (void)sy_json_array(&at, "paths", 0, SY_LATENCY_MAX_PATHS);
    if (sy_json_end(&at) != SY_OK) {
        in->status = at.status;
    }
}

enum sy_status sy_latency_table_from_json(struct sy_latency_table *table,
                                          json_t *json, const char *file,
                                          struct sy_error *err)
{
    char found[32] = "";
    int version = 0;
    memset(table, 0, sizeof *table);
    struct sy_json in = sy_json_object(json, file, "", err);
    sy_json_text(&in, "kind", found, sizeof found);
    if (in.status == SY_OK && strcmp(found, kind) != 0) {
        sy_json_reject(&in, "kind", "expected \"%s\", found \"%s\"", kind,
                       found);
    }
    sy_json_int(&in, "version", 1, 1, &version);
    sy_json_text(&in, "name", table->name, sizeof table->name);
    sy_json_text(&in, "program", table->program, sizeof table->program);
    if (!sy_json_has(&in, "network")) {
        sy_json_reject(&in, "network", "is missing");
    }
    if (in.status == SY_OK) {
        SY_TRY(sy_spec_from_json(&table->spec, json_object_get(json, "network"),
                                 file, "network", err));
    }
    read_machine(table, &in);
    sy_json_real(&in, "stem_us", 0, most_us, &table->stem_us);
    sy_json_real(&in, "trunk_us", 0, most_us, &table->trunk_us);
    read_heads(table, &in);
    read_blocks(table, &in);
    read_correction(table, &in);
    read_check(table, &in);
    return sy_json_end(&in);
}
