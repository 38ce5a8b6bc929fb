/*
 * root.c - the root gate, fitted on frozen features.
 *
 * DESIGN. Nothing of the network moves: the stem is run once over some images
 * of every domain and the gate is fitted on what it left. Rows for training
 * come first, then those that were held out; each domain's rows weigh alike in
 * either part, and made-up images weigh as much as one domain. Selection and
 * threshold see held-out images of the domains only.
 */
#include "search/routing/root.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "search/routing/gate_look.h"
#include "search/routing/gate_net.h"
#include "search/routing/outliers.h"

enum { OUTLIER_SHARE = 2, SOURCE_IMAGES = 64 };

static const char root_name[] = "domain";

struct nas_root_config nas_root_defaults(void)
{
    return (struct nas_root_config){.cells = 4,
                                    .hidden = 32,
                                    .images = 2000,
                                    .passes = 40,
                                    .rate = 0.003,
                                    .abstain = 0.01};
}

/* Rows of features, their domains (domain_count: of none) and weights. */
struct rooting {
    const struct nas_root_config *config;
    const struct sy_network *network;
    struct nas_gate_look look;
    struct nas_gate_net net;
    uint64_t seed;
    int inputs, n, held; /* rows for training, and behind them held-out ones */
    float *features;
    int *domain;
    double *weight;  /* of its loss; the mean over training rows is 1 */
    uint8_t *source; /* [domain][SOURCE_IMAGES] images to make others of */
    uint8_t *pixels; /* of a batch */
    float *images;
    int *labels;
    struct sy_arena arena;
};

/* Which images of a loader go to which part. */
struct share {
    struct dom_loader *loader;
    int count;      /* rows */
    int step, skip; /* every `step`-th, without every `skip`-th (0: none) */
    int first;
};

/* The training rows of a domain: spread over all its images. */
static struct share train_share(const struct rooting *r,
                                struct dom_loader *train,
                                const struct dom_loader *held_out)
{
    int images = dom_loader_images(train);
    int step = (images + r->config->images - 1) / r->config->images;
    struct share share = {.loader = train, .step = step > 0 ? step : 1};
    share.skip = held_out == NULL ? 10 : 0;
    for (int i = 0, k = 0; i < images; i += share.step, k++) {
        share.count += share.skip == 0 || k % share.skip != 0;
    }
    return share;
}

/* The held-out rows: of the held-out part, or every tenth of the training. */
static struct share held_share(const struct rooting *r,
                               struct dom_loader *train,
                               struct dom_loader *held_out)
{
    struct dom_loader *loader = held_out != NULL ? held_out : train;
    int images = dom_loader_images(loader);
    int step = (images + r->config->images - 1) / r->config->images;
    struct share share = {.loader = loader, .step = step > 0 ? step : 1};
    share.step *= held_out == NULL ? 10 : 1;
    share.count = (images + share.step - 1) / share.step;
    return share;
}

/* Looks at `count` images of the batch and appends their rows at `row`. */
static void look_at(struct rooting *r, int count, int row)
{
    size_t image = sy_shape_floats(r->network->spec.input);
    dom_normalise(r->pixels, (size_t)count * image, r->images);
    nas_gate_look_at(&r->look, r->images, count,
                     r->features + (size_t)row * (size_t)r->inputs);
}

/* The rows of a share from `row` on. */
static enum sy_status look_at_share(struct rooting *r,
                                    const struct share *share, int domain,
                                    int row, struct sy_error *err)
{
    size_t image = sy_shape_floats(r->network->spec.input);
    int waiting = 0, end = row + share->count;
    for (int i = 0, k = 0; row + waiting < end; i += share->step, k++) {
        if (share->skip > 0 && k % share->skip == 0) {
            continue;
        }
        r->domain[row + waiting] = domain;
        r->weight[row + waiting] = 1.0 / share->count;
        SY_TRY(dom_loader_read(share->loader, i, 1,
                               r->pixels + (size_t)waiting * image, r->labels,
                               err));
        if (++waiting == NAS_LOOK_BATCH || row + waiting == end) {
            look_at(r, waiting, row);
            row += waiting;
            waiting = 0;
        }
    }
    return SY_OK;
}

/* Images that others are made of. */
static enum sy_status read_sources(struct rooting *r,
                                   struct dom_loader *const *train,
                                   struct sy_error *err)
{
    size_t image = sy_shape_floats(r->network->spec.input);
    for (int d = 0; d < r->network->domain_count; d++) {
        int images = dom_loader_images(train[d]);
        for (int i = 0; i < SOURCE_IMAGES; i++) {
            int at = (int)((int64_t)images * i / SOURCE_IMAGES);
            SY_TRY(dom_loader_read(train[d], at, 1,
                                   r->source +
                                       (size_t)(d * SOURCE_IMAGES + i) * image,
                                   r->labels, err));
        }
    }
    return SY_OK;
}

/* Rows of images that are of no domain. */
static enum sy_status look_at_outliers(struct rooting *r, int row, int count,
                                       struct sy_error *err)
{
    size_t image = sy_shape_floats(r->network->spec.input);
    struct nas_outlier_source source = {r->network, r->source, SOURCE_IMAGES};
    int waiting = 0;
    for (int i = 0; i < count; i++) {
        struct sy_rng rng =
            sy_rng_stream(r->seed, SY_RNG_GATE, UINT64_C(1) << 32, (uint32_t)i);
        r->domain[row + waiting] = r->network->domain_count;
        r->weight[row + waiting] = 1.0 / count;
        SY_TRY(nas_outlier_draw(&source, &rng,
                                r->pixels + (size_t)waiting * image, err));
        if (++waiting == NAS_LOOK_BATCH || i + 1 == count) {
            look_at(r, waiting, row);
            row += waiting;
            waiting = 0;
        }
    }
    return SY_OK;
}

static enum sy_status take_room(struct rooting *r, size_t rows,
                                struct sy_error *err)
{
    struct sy_arena *arena = &r->arena;
    size_t image = sy_shape_floats(r->network->spec.input);
    size_t domains = (size_t)r->network->domain_count;
    r->features = sy_arena_zero(arena, rows * (size_t)r->inputs, sizeof(float));
    r->domain = sy_arena_zero(arena, rows, sizeof *r->domain);
    r->weight = sy_arena_zero(arena, rows, sizeof *r->weight);
    r->source = sy_arena_zero(arena, domains * SOURCE_IMAGES, image);
    r->pixels = sy_arena_zero(arena, NAS_LOOK_BATCH, image);
    r->images = sy_arena_zero(arena, NAS_LOOK_BATCH * image, sizeof(float));
    r->labels = sy_arena_zero(arena, NAS_LOOK_BATCH, sizeof *r->labels);
    return r->features && r->domain && r->weight && r->source && r->pixels &&
                   r->images && r->labels
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY,
                         "root gate: no memory for features");
}

/* All rows: training, made up, held out. */
static enum sy_status collect(struct rooting *r,
                              struct dom_loader *const *train,
                              struct dom_loader *const *held_out,
                              struct sy_error *err)
{
    struct share shares[2][SY_MAX_DOMAINS];
    int domains = r->network->domain_count, row = 0;
    for (int d = 0; d < domains; d++) {
        shares[0][d] = train_share(r, train[d], held_out[d]);
        shares[1][d] = held_share(r, train[d], held_out[d]);
        r->n += shares[0][d].count;
        r->held += shares[1][d].count;
    }
    int made_up = OUTLIER_SHARE * r->n / domains;
    SY_TRY(take_room(r, (size_t)(r->n + made_up + r->held), err));
    SY_TRY(read_sources(r, train, err));
    for (int d = 0; d < domains; row += shares[0][d++].count) {
        SY_TRY(look_at_share(r, &shares[0][d], d, row, err));
    }
    SY_TRY(look_at_outliers(r, row, made_up, err));
    r->n += made_up;
    row += made_up;
    for (int i = 0; i < r->n; i++) {
        r->weight[i] *= (double)r->n / (domains + 1);
    }
    for (int d = 0; d < domains; row += shares[1][d++].count) {
        SY_TRY(look_at_share(r, &shares[1][d], d, row, err));
    }
    for (int i = r->n; i < r->n + r->held; i++) {
        r->weight[i] *= (double)r->held / domains;
    }
    return SY_OK;
}

/* Weighted cross entropy. */
static double cross_entropy(void *context, const struct nas_gate_batch *batch)
{
    const struct rooting *r = context;
    int outputs = r->net.outputs;
    double sum = 0.0;

    for (int i = 0; i < batch->count; i++) {
        const double *s = batch->scores + (size_t)i * (size_t)outputs;
        double *d = batch->d_scores + (size_t)i * (size_t)outputs;
        int sample = batch->sample[i], domain = r->domain[sample];
        double top = s[0], all = 0.0;
        for (int k = 1; k < outputs; k++) {
            top = s[k] > top ? s[k] : top;
        }
        for (int k = 0; k < outputs; k++) {
            all += exp(s[k] - top);
        }
        double weight = r->weight[sample] / batch->count;
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
               : (x->domain > y->domain) - (x->domain < y->domain);
}

double nas_root_threshold(struct nas_sureness *sure, int n, double abstain)
{
    int count[SY_MAX_DOMAINS] = {0}, there = 0;
    double below = 0.0;

    for (int i = 0; i < n; i++) {
        there += count[sure[i].domain]++ == 0;
    }
    qsort(sure, (size_t)n, sizeof *sure, by_value);
    for (int i = 0; i < n; i++) {
        below += 1.0 / count[sure[i].domain] / there;
        if (below > abstain + 1e-12) {
            return sure[i].value;
        }
    }
    return n > 0 ? sure[n - 1].value : 0.0;
}

/* Probability of the likeliest domain for a row; which one in *domain. */
static double sureness(struct rooting *r, int row, int *domain)
{
    double scores[SY_GATE_MAX_OUTPUTS], p[SY_GATE_MAX_OUTPUTS];
    float rounded[SY_GATE_MAX_OUTPUTS];
    nas_gate_net_scores(&r->net, r->features + (size_t)row * (size_t)r->inputs,
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

/* Finds the threshold, and says what the gate does on held-out images. */
static enum sy_status choose_threshold(struct rooting *r, double *threshold,
                                       struct sy_error *err)
{
    int abstained = 0;
    double right = 0.0;
    struct nas_sureness *sure =
        sy_arena_zero(&r->arena, (size_t)r->held, sizeof *sure);
    if (sure == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "root gate: no memory");
    }
    for (int i = 0; i < r->held; i++) {
        int row = r->n + i, found;
        sure[i].value = sureness(r, row, &found);
        sure[i].domain = r->domain[row];
        right += r->weight[row] * (found == r->domain[row]);
    }
    *threshold = nas_root_threshold(sure, r->held, r->config->abstain);
    for (int i = 0; i < r->held; i++) {
        abstained += sure[i].value < *threshold;
    }
    sy_log_info("root gate: finds the domain of %.2f %% of %d held-out images "
                "(domains alike), abstains below %.4f on %d of them",
                100.0 * right / (r->held > 0 ? r->held : 1), r->held,
                *threshold, abstained);
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

/* Fits the net; the network is a snapshot's for that time. */
static enum sy_status fit(struct rooting *r, struct sy_executor *executor,
                          struct dom_loader *const *train,
                          struct dom_loader *const *held_out, double *threshold,
                          struct sy_error *err)
{
    struct nas_gate_descent descent = nas_gate_descent_defaults();
    descent.passes = r->config->passes;
    descent.rate = r->config->rate;
    descent.seed = r->seed;
    SY_TRY(nas_gate_look_init(&r->look, executor, cheapest(r->network), 0,
                              r->config->cells, err));
    r->inputs = nas_gate_look_inputs(&r->look);
    SY_TRY(collect(r, train, held_out, err));
    SY_TRY(nas_gate_net_init(&r->net, r->inputs, r->config->hidden,
                             r->network->domain_count + 1, r->seed, err));
    nas_gate_net_standardise(&r->net, r->features, r->n);
    SY_TRY(nas_gate_net_fit(&r->net, &descent, r->features, r->n, r->held,
                            cross_entropy, cross_entropy, r, err));
    return choose_threshold(r, threshold, err);
}

/* Puts the gate in the place of the one before. */
static enum sy_status install(struct sy_network **network,
                              const struct rooting *r, double threshold,
                              struct sy_error *err)
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
                             .hidden = r->config->hidden,
                             .outputs = (*network)->domain_count + 1,
                             .threshold = threshold};
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
    struct rooting r = {.config = config, .network = *network, .seed = seed};
    double threshold = 0.0;

    sy_arena_init(&r.arena, 0);
    sy_arena_init(&r.net.arena, 0);
    *network = NULL;
    SY_TRY(sy_snapshot_new(&snapshot, (struct sy_network *)(uintptr_t)r.network,
                           "new", NULL, err));
    SY_TRY_OUT(sy_executor_new(&executor, snapshot, pool, NAS_LOOK_BATCH, err));
    SY_TRY_OUT(fit(&r, executor, train, held_out, &threshold, err));
out:
    nas_gate_look_release(&r.look);
    sy_executor_free(executor);
    if (status == SY_OK) {
        *network = sy_snapshot_dissolve(snapshot);
        status = install(network, &r, threshold, err);
    } else {
        sy_snapshot_unref(snapshot);
    }
    nas_gate_net_release(&r.net);
    sy_arena_release(&r.arena);
    return status;
}
