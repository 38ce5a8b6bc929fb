/*
 * fit_gate.c - the gates of a domain's route.
 *
 * DESIGN. The experts do not move: what each of them gives the label of each
 * held-out image is one array, what the gate will see of the image another,
 * and every method is a loss on these two (gate_loss.c) or EM (gate_em.c).
 * (Experts that were trained and gated on the same images would all look
 * right there.) Every fourth image is kept for choosing.
 */
#include "search/routing/fit_gate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/rng.h"
#include "runtime/executor/top.h"
#include "search/routing/gate_look.h"
#include "search/routing/gate_loss.h"

enum { JUDGED = 4, MOST = SY_ROUTE_MAX_CHILDREN };

const char *const nas_gate_method_names[NAS_GATE_METHODS + 1] = {
    "gradient", "em", "cheapest", "switches", NULL};

struct nas_gate_config nas_gate_defaults(void)
{
    return (struct nas_gate_config){.method = NAS_GATE_CHEAPEST,
                                    .cells = 2,
                                    .hidden = 16,
                                    .top = 1,
                                    .passes = 60,
                                    .rate = 0.003,
                                    .balance = 0.01,
                                    .price = 0.1};
}

/* Rows: those that are fitted on, then those that are judged on. */
struct fitting {
    const struct nas_gate_config *config;
    const struct sy_network *network;
    const struct nas_held_out *held;
    int domain, experts, inputs;
    int expert[MOST];  /* of the network, by cost */
    int number[MOST];  /* the same, in `held` */
    double cost[MOST]; /* over the dearest one's */
    int n, judged;
    float *features;    /* [row][inputs] */
    double *likelihood; /* [row][expert] that it gives the label */
    bool *right;        /* [row][expert] */
    struct sy_rng noise;
    struct sy_arena arena;
};

static int64_t cost_of(const struct fitting *f, int expert)
{
    const struct sy_path *path = &f->network->expert[expert].path;
    return sy_network_path_cost(f->network, path, f->domain).madds;
}

static void order_experts(struct fitting *f)
{
    for (int i = 0; i < f->held->expert_count; i++) {
        int expert = f->held->expert[i], at = f->experts++;
        for (; at > 0 && cost_of(f, f->expert[at - 1]) > cost_of(f, expert);
             at--) {
            f->expert[at] = f->expert[at - 1];
            f->number[at] = f->number[at - 1];
        }
        f->expert[at] = expert;
        f->number[at] = i;
    }
    for (int k = 0; k < f->experts; k++) {
        f->cost[k] = (double)cost_of(f, f->expert[k]) /
                     (double)cost_of(f, f->expert[f->experts - 1]);
    }
}

/* The row of an image: every fourth one stands behind the others. */
static int row_of(const struct fitting *f, int image)
{
    return image % JUDGED == JUDGED - 1 ? f->n + image / JUDGED
                                        : image - image / JUDGED;
}

/* What the experts give the labels. */
static bool take_answers(struct fitting *f, const double *temperature)
{
    int classes = f->held->classes;
    float *answer = sy_arena_zero(&f->arena, (size_t)classes, sizeof *answer);
    if (answer == NULL) {
        return false;
    }
    for (int k = 0; k < f->experts; k++) {
        const float *outputs = nas_held_out_outputs(f->held, f->number[k]);
        for (int i = 0; i < f->held->n; i++) {
            size_t at = (size_t)row_of(f, i) * (size_t)f->experts + (size_t)k;
            int best = 0, label = f->held->labels[i];
            sy_head_classify.answer(outputs + (size_t)i * (size_t)classes,
                                    classes, temperature[f->expert[k]], answer);
            (void)sy_top_classes(answer, classes, &best, 1);
            f->likelihood[at] = fmax((double)answer[label], 1e-12);
            f->right[at] = best == label;
        }
    }
    return true;
}

/* What the gate sees of the images. */
static enum sy_status take_features(struct fitting *f,
                                    struct nas_gate_look *look,
                                    struct dom_loader *loader,
                                    struct sy_error *err)
{
    size_t image = sy_shape_floats(f->network->spec.input);
    size_t row = (size_t)f->inputs;
    uint8_t *pixels = sy_arena_zero(&f->arena, NAS_LOOK_BATCH, image);
    float *images =
        sy_arena_zero(&f->arena, NAS_LOOK_BATCH * image, sizeof(float));
    float *seen = sy_arena_zero(&f->arena, NAS_LOOK_BATCH * row, sizeof(float));
    int labels[NAS_LOOK_BATCH];
    if (pixels == NULL || images == NULL || seen == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory for features");
    }
    for (int at = 0; at < f->held->n; at += NAS_LOOK_BATCH) {
        int left = f->held->n - at;
        int count = left < NAS_LOOK_BATCH ? left : NAS_LOOK_BATCH;
        SY_TRY(dom_loader_read(loader, at, count, pixels, labels, err));
        dom_normalise(pixels, (size_t)count * image, images);
        nas_gate_look_at(look, images, count, seen);
        for (int i = 0; i < count; i++) {
            memcpy(f->features + (size_t)row_of(f, at + i) * row,
                   seen + (size_t)i * row, row * sizeof(float));
        }
    }
    return SY_OK;
}

static enum sy_status collect(struct fitting *f, struct nas_gate_look *look,
                              struct dom_loader *loader,
                              const double *temperature, struct sy_error *err)
{
    size_t n = (size_t)f->held->n, experts = (size_t)f->experts;
    f->judged = f->held->n / JUDGED;
    f->n = f->held->n - f->judged;
    f->features =
        sy_arena_zero(&f->arena, n * (size_t)f->inputs, sizeof(float));
    f->likelihood = sy_arena_zero(&f->arena, n * experts, sizeof(double));
    f->right = sy_arena_zero(&f->arena, n * experts, sizeof(bool));
    if (f->features == NULL || f->likelihood == NULL || f->right == NULL ||
        !take_answers(f, temperature)) {
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory for answers");
    }
    return take_features(f, look, loader, err);
}

static const double *likelihood_of(const struct fitting *f, int row)
{
    return f->likelihood + (size_t)row * (size_t)f->experts;
}

/* Noisy top-k on the batch. Two are asked at least, as one alone has weight 1
   whatever its score. */
static double gradient_loss(void *context, const struct nas_gate_batch *batch)
{
    struct fitting *f = context;
    double noise[64 * MOST], likelihood[64 * MOST];
    struct nas_gate_noisy options = {.children = f->experts,
                                     .top = f->config->top < 2 ? 2
                                                               : f->config->top,
                                     .balance = f->config->balance};
    SY_ASSERT(batch->count <= 64);
    for (int i = 0; i < batch->count; i++) {
        for (int k = 0; k < f->experts; k++) {
            noise[i * f->experts + k] = (double)sy_rng_normal(&f->noise);
            likelihood[i * f->experts + k] =
                likelihood_of(f, batch->sample[i])[k];
        }
    }
    return nas_gate_noisy_loss(&options, batch->count, batch->scores, noise,
                               likelihood, batch->d_scores);
}

/* The route's own answer, as it will be given: without noise, top `top`. */
static double judge_top(void *context, const struct nas_gate_batch *batch)
{
    struct fitting *f = context;
    int outputs =
        f->config->method == NAS_GATE_GRADIENT ? 2 * f->experts : f->experts;
    double sum = 0.0;
    for (int i = 0; i < batch->count; i++) {
        double gate[MOST], chance = 0.0;
        int rank[MOST];
        nas_gate_top(batch->scores + (size_t)i * (size_t)outputs, f->experts,
                     f->config->top, gate, rank);
        for (int k = 0; k < f->experts; k++) {
            chance += gate[k] * likelihood_of(f, batch->sample[i])[k];
        }
        sum -= log(fmax(chance, 1e-12)) / batch->count;
    }
    return sum;
}

/* The cheapest expert that is right; the cheapest where none is. */
static double cheapest_loss(void *context, const struct nas_gate_batch *batch)
{
    struct fitting *f = context;
    double sum = 0.0;
    for (int i = 0; i < batch->count; i++) {
        size_t at = (size_t)i * (size_t)f->experts;
        size_t row = (size_t)batch->sample[i] * (size_t)f->experts;
        double target[MOST] = {0.0};
        int best = 0;
        while (best < f->experts && !f->right[row + (size_t)best]) {
            best++;
        }
        target[best < f->experts ? best : 0] = 1.0;
        sum +=
            nas_gate_soft_loss(batch->scores + at, target, 1.0 / batch->count,
                               f->experts, batch->d_scores + at);
    }
    return sum;
}

static double switch_loss(struct fitting *f, const struct nas_gate_batch *batch,
                          bool noisy)
{
    const struct nas_gate_switch options = {.children = f->experts,
                                            .price = f->config->price,
                                            .temperature = 0.5,
                                            .cost = f->cost};
    double sum = 0.0;
    for (int i = 0; i < batch->count; i++) {
        size_t at = (size_t)i * (size_t)f->experts;
        double noise[MOST];
        for (int k = 0; k < f->experts; k++) {
            double u = (double)sy_rng_uniform(&f->noise);
            u = fmin(fmax(u, 1e-6), 1.0 - 1e-6);
            noise[k] = noisy ? log(u) - log1p(-u) : 0.0;
        }
        sum += nas_gate_switch_loss(&options, batch->scores + at, noise,
                                    likelihood_of(f, batch->sample[i]),
                                    batch->d_scores + at);
        for (int k = 0; k < f->experts; k++) {
            batch->d_scores[at + (size_t)k] /= batch->count;
        }
    }
    return sum / batch->count;
}

static double noisy_switches(void *context, const struct nas_gate_batch *batch)
{
    return switch_loss(context, batch, true);
}

static double still_switches(void *context, const struct nas_gate_batch *batch)
{
    return switch_loss(context, batch, false);
}

/* Adds a gate with this many scores to the route, and its net. */
static enum sy_status add_gate(struct nas_gate_route *route,
                               const struct fitting *f, int outputs,
                               int net_outputs, uint64_t seed,
                               struct sy_error *err)
{
    struct sy_gate *gate = &route->gate[route->count];
    *gate =
        (struct sy_gate){.domain = f->domain,
                         .layers = f->config->layers,
                         .expert = f->config->layers > 0 ? f->expert[0] : -1,
                         .cells = f->config->cells,
                         .hidden = f->config->hidden,
                         .outputs = outputs};
    (void)snprintf(gate->name, sizeof gate->name, "gate%d", route->count);
    SY_TRY(nas_gate_net_init(&route->net[route->count], f->inputs,
                             f->config->hidden, net_outputs,
                             seed + (uint64_t)route->count, err));
    nas_gate_net_standardise(&route->net[route->count], f->features, f->n);
    route->count++;
    return SY_OK;
}

/* One gate over all experts, by descent. */
static enum sy_status descend(struct nas_gate_route *route, struct fitting *f,
                              uint64_t seed, struct sy_error *err)
{
    static const nas_gate_loss_fn losses[NAS_GATE_METHODS] = {
        [NAS_GATE_GRADIENT] = gradient_loss,
        [NAS_GATE_CHEAPEST] = cheapest_loss,
        [NAS_GATE_SWITCHES] = noisy_switches};
    static const nas_gate_loss_fn judges[NAS_GATE_METHODS] = {
        [NAS_GATE_GRADIENT] = judge_top,
        [NAS_GATE_CHEAPEST] = cheapest_loss,
        [NAS_GATE_SWITCHES] = still_switches};
    enum nas_gate_method method = f->config->method;
    struct nas_gate_descent descent = nas_gate_descent_defaults();
    descent.passes = f->config->passes;
    descent.rate = f->config->rate;
    descent.seed = seed;
    SY_TRY(add_gate(route, f, f->experts,
                    method == NAS_GATE_GRADIENT ? 2 * f->experts : f->experts,
                    seed, err));
    return nas_gate_net_fit(&route->net[0], &descent, f->features, f->n,
                            f->judged, losses[method], judges[method], f, err);
}

/* A root over the cheaper and the dearer half; one level below four. */
static void make_tree(struct nas_em_tree *tree, int experts)
{
    *tree =
        (struct nas_em_tree){.gates = experts < 4 ? 1 : 3, .leaves = experts};
    if (tree->gates == 1) {
        tree->gate[0].children = experts;
        for (int k = 0; k < experts; k++) {
            tree->gate[0].child[k] = k;
        }
        return;
    }
    tree->gate[0] = (struct nas_em_gate){2, {-2, -3}};
    for (int k = 0; k < experts; k++) {
        struct nas_em_gate *gate = &tree->gate[k < experts / 2 ? 1 : 2];
        gate->child[gate->children++] = k;
    }
}

static enum sy_status maximise(struct nas_gate_route *route, struct fitting *f,
                               const struct nas_em_tree *tree, uint64_t seed,
                               struct sy_error *err)
{
    enum { ROUNDS = 60 };
    double trace[ROUNDS + 1];
    struct nas_gate_net *nets[NAS_EM_GATES];
    struct nas_em_options options = nas_em_defaults();
    int rounds = 0;
    options.rounds = ROUNDS;
    for (int g = 0; g < tree->gates; g++) {
        int children = tree->gate[g].children;
        SY_TRY(add_gate(route, f, children, children, seed, err));
        nets[g] = &route->net[g];
    }
    SY_TRY(nas_em_fit(tree, nets, f->features, f->likelihood, f->n, &options,
                      trace, &rounds, err));
    sy_log_info("%s: EM: log-likelihood %.4f to %.4f in %d rounds",
                f->network->domain[f->domain].name, trace[0], trace[rounds],
                rounds);
    return SY_OK;
}

static json_t *leaf_json(const struct fitting *f, int k)
{
    return json_pack("{s:s,s:s}", "kind", "expert", "expert",
                     f->network->expert[f->expert[k]].name);
}

/* The node of gate `g` of the tree, with all below it. */
static json_t *node_json(const struct nas_gate_route *route,
                         const struct fitting *f,
                         const struct nas_em_tree *tree, int g)
{
    const struct nas_em_gate *gate = &tree->gate[g];
    json_t *children = json_array();
    json_t *node =
        json_pack("{s:s,s:s}", "kind", "gate", "gate", route->gate[g].name);
    for (int k = 0; k < gate->children; k++) {
        int child = gate->child[k];
        (void)json_array_append_new(
            children, child < 0 ? node_json(route, f, tree, -1 - child)
                                : leaf_json(f, child));
    }
    if (f->config->method == NAS_GATE_SWITCHES) {
        (void)json_object_set_new(node, "choose", json_string("each"));
    } else {
        int top =
            f->config->top < gate->children ? f->config->top : gate->children;
        (void)json_object_set_new(node, "top", json_integer(top));
    }
    (void)json_object_set_new(node, "children", children);
    return node;
}

/* A gate behind layers reads along the cheapest expert, which every node that
   has such a gate needs below it. */
static bool reads_beside(const struct fitting *f,
                         const struct nas_em_tree *tree)
{
    return f->config->layers > 0 && tree->gates > 1;
}

enum sy_status nas_gate_route_fit(struct nas_gate_route *route,
                                  const struct nas_gate_config *config,
                                  struct sy_executor *executor, int domain,
                                  struct dom_loader *loader,
                                  const struct nas_held_out *held,
                                  const double *temperature, uint64_t seed,
                                  struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct nas_gate_look look = {0};
    struct nas_em_tree tree;
    struct fitting f = {.config = config,
                        .network = sy_executor_network(executor),
                        .held = held,
                        .domain = domain};
    *route = (struct nas_gate_route){0};
    sy_arena_init(&f.arena, 0);
    f.noise =
        sy_rng_stream(seed, SY_RNG_GATE, UINT64_C(2) << 32, (uint32_t)domain);
    order_experts(&f);
    make_tree(&tree, f.experts);
    if (config->method != NAS_GATE_EM || reads_beside(&f, &tree)) {
        tree = (struct nas_em_tree){.gates = 1, .leaves = f.experts};
        for (int k = 0; k < f.experts; k++) {
            tree.gate[0].child[tree.gate[0].children++] = k;
        }
    }
    SY_TRY_OUT(nas_gate_look_init(&look, executor, f.expert[0], config->layers,
                                  config->cells, false, err));
    f.inputs = nas_gate_look_inputs(&look);
    SY_TRY_OUT(collect(&f, &look, loader, temperature, err));
    SY_TRY_OUT(config->method == NAS_GATE_EM
                   ? maximise(route, &f, &tree, seed, err)
                   : descend(route, &f, seed, err));
    route->json = node_json(route, &f, &tree, 0);
    if (route->json == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "gate: no memory for a route");
    }
out:
    nas_gate_look_release(&look);
    sy_arena_release(&f.arena);
    if (status != SY_OK) {
        nas_gate_route_release(route);
    }
    return status;
}

void nas_gate_route_release(struct nas_gate_route *route)
{
    for (int g = 0; g < route->count; g++) {
        nas_gate_net_release(&route->net[g]);
    }
    json_decref(route->json);
    *route = (struct nas_gate_route){0};
}
