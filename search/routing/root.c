/*
 * root.c - the root gate, fitted on frozen features.
 *
 * DESIGN. Nothing of the network moves: the gate is fitted on what the stem
 * leaves of images (root_rows.h). Which pass is kept, and the thresholds, are
 * chosen on held-out images of the domains only.
 */
#include "search/routing/root.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "search/routing/gate_look.h"
#include "search/routing/gate_net.h"
#include "search/routing/root_rows.h"

#define DECAY 0.1

enum { BATCH = 128 };

static const char root_name[] = "domain";

struct nas_root_config nas_root_defaults(void)
{
    return (struct nas_root_config){.cells = 4,
                                    .textures = true,
                                    .hidden = 48,
                                    .images = 2000,
                                    .passes = 30,
                                    .rate = 0.003,
                                    .abstain = 0.01};
}

struct rooting {
    const struct nas_root_config *config;
    struct nas_gate_look look;
    struct nas_root_rows rows;
    struct nas_gate_net net;
    double threshold[SY_MAX_DOMAINS];
    struct sy_arena arena;
};

/* Weighted cross entropy. */
static double cross_entropy(void *context, const struct nas_gate_batch *batch)
{
    const struct rooting *r = context;
    int outputs = r->net.outputs;
    double sum = 0.0;

    for (int i = 0; i < batch->count; i++) {
        const double *s = batch->scores + (size_t)i * (size_t)outputs;
        double *d = batch->d_scores + (size_t)i * (size_t)outputs;
        int sample = batch->sample[i], domain = r->rows.domain[sample];
        double top = s[0], all = 0.0;
        for (int k = 1; k < outputs; k++) {
            top = s[k] > top ? s[k] : top;
        }
        for (int k = 0; k < outputs; k++) {
            all += exp(s[k] - top);
        }
        double weight = r->rows.weight[sample] / batch->count;
        for (int k = 0; k < outputs; k++) {
            d[k] = weight * (exp(s[k] - top) / all - (k == domain));
        }
        sum += weight * (log(all) - (s[domain] - top));
    }
    return sum;
}

static int by_value(const void *a, const void *b)
{
    const struct nas_sureness *x = a, *y = b;
    return x->value != y->value
               ? (x->value > y->value) - (x->value < y->value)
               : (x->weight > y->weight) - (x->weight < y->weight);
}

void nas_root_thresholds(struct nas_sureness *sure, int n, double abstain,
                         int domains, double *threshold)
{
    double all[SY_MAX_DOMAINS] = {0.0}, below[SY_MAX_DOMAINS] = {0.0};
    bool ended[SY_MAX_DOMAINS] = {false};

    for (int i = 0; i < n; i++) {
        all[sure[i].found] += sure[i].weight;
    }
    memset(threshold, 0, (size_t)domains * sizeof *threshold);
    qsort(sure, (size_t)n, sizeof *sure, by_value);
    for (int i = 0; i < n; i++) {
        int d = sure[i].found;
        below[d] += sure[i].weight;
        if (!ended[d]) {
            threshold[d] = sure[i].value;
            ended[d] = below[d] > (abstain + 1e-12) * all[d];
        }
    }
}

/* Probability of the likeliest domain for a row; which one in *domain. */
static double sureness(struct rooting *r, int row, int *domain)
{
    double scores[SY_GATE_MAX_OUTPUTS], p[SY_GATE_MAX_OUTPUTS];
    float rounded[SY_GATE_MAX_OUTPUTS];
    nas_gate_net_scores(&r->net,
                        r->rows.features + (size_t)row * (size_t)r->rows.inputs,
                        scores);
    for (int k = 0; k < r->net.outputs; k++) {
        rounded[k] = (float)scores[k];
    }
    *domain = 0;
    if (sy_gate_softmax(rounded, r->net.outputs, p) < 0) {
        return 0.0;
    }
    for (int k = 1; k + 1 < r->net.outputs; k++) {
        *domain = p[k] > p[*domain] ? k : *domain;
    }
    return p[*domain];
}

/* Finds the thresholds, and says what the gate does on held-out images. */
static enum sy_status choose_thresholds(struct rooting *r, struct sy_error *err)
{
    const struct nas_root_rows *rows = &r->rows;
    int abstained = 0;
    double right = 0.0, kept = 0.0;
    struct nas_sureness *sure =
        sy_arena_zero(&r->arena, (size_t)rows->held, sizeof *sure);
    if (sure == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "root gate: no memory");
    }
    for (int i = 0; i < rows->held; i++) {
        sure[i].value = sureness(r, rows->n + i, &sure[i].found);
        sure[i].weight = rows->weight[rows->n + i];
    }
    nas_root_thresholds(sure, rows->held, r->config->abstain,
                        rows->of.network->domain_count, r->threshold);
    for (int i = 0; i < rows->held; i++) {
        int row = rows->n + i, found;
        double value = sureness(r, row, &found);
        bool sure_enough = value >= r->threshold[found];
        abstained += !sure_enough;
        right += rows->weight[row] * (found == rows->domain[row]);
        kept += rows->weight[row] * (found == rows->domain[row] && sure_enough);
    }
    double all = rows->held > 0 ? rows->held : 1;
    sy_log_info("root gate: finds the domain of %.2f %% of %d held-out images "
                "(domains alike), and of %.2f %% where it abstains on %d",
                100.0 * right / all, rows->held, 100.0 * kept / all, abstained);
    return SY_OK;
}

/* The cheapest expert, whose stem is everybody's. */
static int cheapest(const struct sy_network *network)
{
    int best = 0;
    int64_t least = INT64_MAX;
    for (int e = 0; e < network->expert_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        int64_t madds =
            sy_network_path_cost(network, &expert->path, expert->domain).madds;
        best = madds < least ? e : best;
        least = madds < least ? madds : least;
    }
    return best;
}

/* The rows of the first pass are there: the inputs' scale was taken of them. */
static enum sy_status begin_pass(void *context, int pass, struct sy_error *err)
{
    struct rooting *r = context;
    return pass > 0 ? nas_root_rows_draw(&r->rows, pass, err) : SY_OK;
}

/* Fits the net; the network is a snapshot's for that time. */
static enum sy_status fit(struct rooting *r, const struct nas_root_source *of,
                          struct sy_executor *executor, struct sy_error *err)
{
    struct nas_root_rows *rows = &r->rows;
    struct nas_gate_descent descent = nas_gate_descent_defaults();
    descent.batch = BATCH;
    descent.decay = DECAY;
    descent.begin = begin_pass;
    descent.passes = r->config->passes;
    descent.rate = r->config->rate;
    descent.seed = of->seed;
    SY_TRY(nas_gate_look_init(&r->look, executor, cheapest(of->network), 0,
                              r->config->cells, r->config->textures, err));
    SY_TRY(nas_root_rows_init(rows, of, r->config->images, &r->look, &r->arena,
                              err));
    SY_TRY(nas_gate_net_init(&r->net, rows->inputs, r->config->hidden,
                             of->network->domain_count + 1, of->seed, err));
    nas_gate_net_standardise(&r->net, rows->features, rows->n);
    SY_TRY(nas_gate_net_fit(&r->net, &descent, rows->features, rows->n,
                            rows->held, cross_entropy, cross_entropy, r, err));
    return choose_thresholds(r, err);
}

/* Puts the gate in the place of the one before. */
static enum sy_status install(struct sy_network **network,
                              const struct rooting *r, struct sy_error *err)
{
    struct sy_gate *gates =
        sy_alloc_zero((size_t)(*network)->gate_count + 1, sizeof *gates);
    int count = 0;
    if (gates == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "root gate: no memory");
    }
    for (int g = 0; g < (*network)->gate_count; g++) {
        if ((*network)->gate[g].domain >= 0) {
            gates[count++] = (*network)->gate[g];
        }
    }
    struct sy_gate *root = &gates[count++];
    *root = (struct sy_gate){.domain = -1,
                             .expert = -1,
                             .cells = r->config->cells,
                             .textures = r->config->textures,
                             .hidden = r->config->hidden,
                             .outputs = (*network)->domain_count + 1};
    memcpy(root->threshold, r->threshold, sizeof root->threshold);
    memcpy(root->name, root_name, sizeof root_name);
    enum sy_status status = sy_network_set_gates(network, gates, count, err);
    sy_free(gates);
    if (status == SY_OK) {
        nas_gate_net_export(&r->net, *network, count - 1);
    }
    return status;
}

enum sy_status nas_root_fit(struct sy_network **network,
                            const struct nas_root_config *config,
                            struct dom_loader *const *train,
                            struct dom_loader *const *held_out, uint64_t seed,
                            struct sy_pool *pool, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    struct rooting r = {.config = config};
    const struct nas_root_source of = {*network, train, held_out, seed};

    sy_arena_init(&r.arena, 0);
    sy_arena_init(&r.net.arena, 0);
    *network = NULL;
    SY_TRY(sy_snapshot_new(&snapshot,
                           (struct sy_network *)(uintptr_t)of.network, "new",
                           NULL, err));
    SY_TRY_OUT(sy_executor_new(&executor, snapshot, pool, NAS_LOOK_BATCH, err));
    SY_TRY_OUT(fit(&r, &of, executor, err));
out:
    nas_gate_look_release(&r.look);
    sy_executor_free(executor);
    if (status == SY_OK) {
        *network = sy_snapshot_dissolve(snapshot);
        status = install(network, &r, err);
    } else {
        sy_snapshot_unref(snapshot);
    }
    nas_gate_net_release(&r.net);
    sy_arena_release(&r.arena);
    return status;
}
