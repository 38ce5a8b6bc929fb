/*
 * deadline.c - what a latency table says of the experts of a network.
 *
 * DESIGN. A pack brings blocks that were not there when the table was
 * measured, and its domains must not lose their deadlines for that: so the
 * table is applied to one expert at a time, each a network of its own path.
 */
#include "serving/deadline.h"

#include <math.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/latency/table.h"

/* What the experts' paths cost, one by one. */
struct reading {
    const struct sy_network *network;
    const struct sy_latency_table *table;
    const char *file;
    struct sy_network_spec *spec; /* room */
    struct sy_latency *latency;   /* room */
    int known;                    /* experts that the table has */
    double slowest;               /* us per multiply-add of all of them */
};

/* Multiply-adds of a path outside of its blocks. */
static int64_t fixed_madds(const struct sy_network *network,
                           const struct sy_path *path, int domain)
{
    int64_t madds = sy_network_path_cost(network, path, domain).madds;
    for (int l = 0; l < path->layer_count; l++) {
        int unit = sy_network_block(network, l, path->block[l]);
        madds -= network->unit[unit].cost.madds;
    }
    return madds;
}

/* Lets the expert be counted in its domain's pace, where the table has it. */
static enum sy_status read_expert(struct reading *in, int e,
                                  struct srv_domain_pace *pace,
                                  struct sy_error *err)
{
    const struct sy_expert *expert = &in->network->expert[e];
    int classes = in->network->domain[expert->domain].classes;
    struct sy_path path = expert->path;
    *in->spec = in->network->spec;
    sy_spec_prune(in->spec, &path, 1);
    SY_TRY(sy_latency_apply(in->latency, in->table, in->spec, in->file, err));
    double us = sy_latency_path_us(in->latency, &path, classes);
    int64_t madds =
        sy_network_path_cost(in->network, &expert->path, expert->domain).madds;
    pace->fixed_us =
        in->latency->constant_us + sy_latency_head_us(in->latency, classes);
    int64_t blocks = madds - pace->fixed_madds;
    if (blocks > 0) {
        double each = (us - pace->fixed_us) / (double)blocks;
        pace->us_per_madds = fmax(pace->us_per_madds, each);
        in->slowest = fmax(in->slowest, each);
    }
    in->known++;
    return SY_OK;
}

/* Domains of which no expert is known go by the others. */
static void fill_in(const struct reading *in, struct srv_deadlines *found)
{
    for (int d = 0; d < in->network->domain_count; d++) {
        struct srv_domain_pace *pace = &found->domain[d];
        if (!(pace->us_per_madds > 0)) {
            pace->us_per_madds = in->slowest;
            pace->fixed_us =
                fmax(0, in->latency->constant_us +
                            sy_latency_head_us(in->latency,
                                               in->network->domain[d].classes));
        }
        pace->fixed_us = fmax(0, pace->fixed_us);
    }
}

static enum sy_status read_experts(struct reading *in,
                                   struct srv_deadlines *found,
                                   struct sy_error *err)
{
    struct sy_error first = {0};
    for (int e = 0; e < in->network->expert_count; e++) {
        int domain = in->network->expert[e].domain;
        struct sy_error differs = {0};
        found->domain[domain].fixed_madds =
            fixed_madds(in->network, &in->network->expert[e].path, domain);
        if (read_expert(in, e, &found->domain[domain], &differs) != SY_OK &&
            first.status == SY_OK) {
            first = differs;
        }
    }
    if (in->known == 0) {
        *err = first;
        return first.status;
    }
    if (!(in->slowest > 0)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: no block of any expert takes any time: measure "
                       "the network with `latency build`",
                       in->file);
    }
    fill_in(in, found);
    return SY_OK;
}

enum sy_status srv_deadlines_load(struct srv_deadlines *deadlines,
                                  const char *file,
                                  const struct sy_network *network,
                                  struct sy_error *err)
{
    enum sy_status status = SY_OK;
    json_t *json = NULL;
    struct srv_deadlines found = {.known = true};
    struct sy_latency_table *table = sy_alloc_zero(1, sizeof *table);
    struct reading in = {.network = network,
                         .table = table,
                         .file = file,
                         .spec = sy_alloc_zero(1, sizeof *in.spec),
                         .latency = sy_alloc_zero(1, sizeof *in.latency)};
    if (table == NULL || in.spec == NULL || in.latency == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory", file);
        goto out;
    }
    SY_TRY_OUT(sy_json_load(file, &json, err));
    SY_TRY_OUT(sy_latency_table_from_json(table, json, file, err));
    SY_TRY_OUT(read_experts(&in, &found, err));
    sy_latency_warn_of_machine(file, table->cpu, table->kernels);
    *deadlines = found;
out:
    json_decref(json);
    sy_free(table);
    sy_free(in.spec);
    sy_free(in.latency);
    return status;
}

int64_t srv_deadline_madds(const struct srv_deadlines *deadlines, int domain,
                           int64_t deadline_us)
{
    const struct srv_domain_pace *pace = &deadlines->domain[domain];
    double left_us = (double)deadline_us - pace->fixed_us;
    if (left_us < 0) {
        return 1;
    }
    /* A thousandth of one for rounding: what srv_deadline_us says is paid. */
    double blocks = floor(left_us / pace->us_per_madds + 1e-3);
    return pace->fixed_madds + (int64_t)fmin(blocks, (double)(INT64_MAX / 4));
}

int64_t srv_deadline_us(const struct srv_deadlines *deadlines, int domain,
                        int64_t madds)
{
    const struct srv_domain_pace *pace = &deadlines->domain[domain];
    double blocks = (double)(madds - pace->fixed_madds);
    return (int64_t)ceil(pace->fixed_us + fmax(0, blocks) * pace->us_per_madds);
}
