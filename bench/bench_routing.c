/*
 * bench_routing.c - what deciding costs, beyond what it decides to run.
 *
 *   bench_routing [--json] [--rounds N] [CONFIG]
 *
 * Two experts on the network of a configuration (bench/nets/mbv3s32_1M.json):
 * its first path, and one that takes the same blocks up to the middle and
 * then, where there are any, others. The same blocks are run by a route and by
 * a request that names its experts, interleaved, at batch 1 and 32 on one
 * thread: a route of one expert, a cascade that ends at its first stage, one
 * that never does, an ensemble, and gates that read behind the stem or behind
 * the common layers and send every image to the first. The last is the root
 * gate, of the size for ten domains: the request names no domain.
 *
 * Rows of --json: `ours` by the route, `theirs` with named experts, in us per
 * batch, and their ratio. A cascade that goes on runs in two rounds, and has
 * fewer images side by side than the named pair; the others differ by the
 * decisions alone, those with gates by the gate's own multiply-adds too, which
 * are below a hundredth of the path's, but for the root gate: that is large for
 * this path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/machine.h"
#include "bench/lib/subject.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"

enum { MOST_BATCH = 32, CASES = 7, MOST_ROUNDS = 2000 };

#define FIRST  "{\"kind\":\"expert\",\"expert\":\"first\"}"
#define SECOND "{\"kind\":\"expert\",\"expert\":\"second\"}"
#define STAGES(threshold)                                                      \
    "{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"confidence\","              \
    "\"threshold\":" threshold ",\"route\":" FIRST "},{\"route\":" SECOND      \
    "}]}"

#define GATE(name)                                                             \
    "{\"kind\":\"gate\",\"gate\":\"" name "\",\"children\":[" FIRST "," SECOND \
    "]}"

/* A route, and the experts that it runs. */
static const struct routed_case {
    const char *name, *route;
    int lanes;
    bool open; /* the request names no domain */
} cases[CASES] = {
    {"one expert", FIRST, 1, false},
    {"cascade that ends at its first stage", STAGES("0"), 1, false},
    {"cascade that never ends early", STAGES("2"), 2, false},
    {"ensemble of two",
     "{\"kind\":\"ensemble\",\"members\":[" FIRST "," SECOND "]}", 2, false},
    {"gate behind the stem", GATE("stem"), 1, false},
    {"gate behind the common layers", GATE("half"), 1, false},
    {"root gate", FIRST, 1, true},
};

struct bench {
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    float *images;
    struct sy_request routed[MOST_BATCH], named[MOST_BATCH];
    float answer[MOST_BATCH][BENCH_CLASSES];
};

/* The second expert: as the first up to the middle, then other blocks. */
static void second_path(const struct sy_network_spec *spec,
                        struct sy_path *path)
{
    for (int l = spec->layer_count / 2; l < spec->layer_count; l++) {
        path->block[l] = (path->block[l] + 1) % spec->layer[l].block_count;
    }
}

/* The configuration's network with a second expert and a candidate more. */
static enum sy_status make_network(struct sy_network **network,
                                   const char *config, struct sy_error *err)
{
    struct sy_network *one = NULL;
    SY_TRY(bench_network(&one, config, false, err));
    struct sy_network_spec spec = one->spec;
    struct sy_expert experts[2] = {one->expert[0], one->expert[0]};
    (void)snprintf(experts[0].name, SY_NAME_BYTES, "first");
    (void)snprintf(experts[1].name, SY_NAME_BYTES, "second");
    for (int l = spec.layer_count / 2; l < spec.layer_count; l++) {
        struct sy_layer_spec *layer = &spec.layer[l];
        layer->block[1] = layer->block[0];
        (void)snprintf(layer->block[1].id, sizeof layer->block[1].id, "x%d", l);
        layer->block_count = 2;
    }
    second_path(&spec, &experts[1].path);
    /* As train.routes.gate makes them. Their scores begin as zeros, and of
       equal ones the first child's counts. */
    struct sy_gate gates[3] = {{.name = "stem", .expert = -1},
                               {.name = "half", .layers = spec.layer_count / 2},
                               {.name = "root",
                                .domain = -1,
                                .expert = -1,
                                .cells = 4,
                                .textures = true,
                                .hidden = 56,
                                .outputs = one->domain_count + 1}};
    for (int g = 0; g < 2; g++) {
        gates[g].cells = 2;
        gates[g].hidden = 16;
        gates[g].outputs = 2;
    }
    struct sy_network_parts parts = {.name = "routing",
                                     .spec = &spec,
                                     .domain_count = one->domain_count,
                                     .domain = one->domain,
                                     .expert_count = 2,
                                     .expert = experts,
                                     .gate_count = 3,
                                     .gate = gates};
    enum sy_status status = sy_network_new(network, &parts, err);
    if (status == SY_OK) {
        sy_network_init(*network, 1);
    }
    sy_network_free(one);
    return status;
}

static enum sy_status open_bench(struct bench *b, const char *config,
                                 const char *route_text, struct sy_error *err)
{
    struct sy_network *network = NULL;
    struct sy_route *route = NULL;
    json_t *json = NULL;
    SY_TRY(make_network(&network, config, err));
    enum sy_status status =
        sy_json_parse(route_text, strlen(route_text), "route", &json, err);
    if (status == SY_OK) {
        status = sy_route_from_json(&route, json, network, 0, "route", "", err);
    }
    json_decref(json);
    if (status != SY_OK) {
        sy_network_free(network);
        return status;
    }
    sy_network_set_route(network, 0, route);
    SY_TRY(sy_snapshot_new(&b->snapshot, network, "bench", NULL, err));
    SY_TRY(sy_executor_new(&b->executor, b->snapshot, NULL, MOST_BATCH, err));
    size_t floats = sy_shape_floats(network->spec.input);
    b->images = sy_alloc(MOST_BATCH * floats * sizeof(float));
    if (b->images == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "no memory for images");
    }
    bench_pixels(b->images, MOST_BATCH * floats);
    return SY_OK;
}

static void close_bench(struct bench *b)
{
    sy_executor_free(b->executor);
    sy_snapshot_unref(b->snapshot);
    sy_free(b->images);
}

static void make_requests(struct bench *b, const struct routed_case *c)
{
    size_t floats =
        sy_shape_floats(sy_snapshot_network(b->snapshot)->spec.input);
    for (int i = 0; i < MOST_BATCH; i++) {
        struct sy_request request = {
            .image = b->images + (size_t)i * floats,
            .result = {{.probabilities = b->answer[i]}}};
        b->routed[i] = request;
        b->routed[i].domain = c->open ? -1 : 0;
        request.lane_count = c->lanes;
        request.expert[1] = 1;
        b->named[i] = request;
    }
}

static double run_us(struct bench *b, struct sy_request *requests, int batch)
{
    int64_t start_ns = sy_now_ns();
    sy_executor_run(b->executor, requests, batch, NULL);
    return (double)(sy_now_ns() - start_ns) / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One case at one batch, in turns; the medians. */
static void measure(struct bench *b, int batch, int rounds, double *ours,
                    double *theirs)
{
    static double routed[MOST_ROUNDS], named[MOST_ROUNDS];
    for (int r = -2; r < rounds; r++) {
        double first = run_us(b, b->routed, batch);
        double second = run_us(b, b->named, batch);
        if (r >= 0) {
            routed[r] = first;
            named[r] = second;
        }
    }
    qsort(routed, (size_t)rounds, sizeof *routed, compare);
    qsort(named, (size_t)rounds, sizeof *named, compare);
    *ours = routed[rounds / 2];
    *theirs = named[rounds / 2];
}

/* What the gates cost that were asked for an image. */
static int64_t gate_madds(const struct bench *b)
{
    const struct sy_network *network = sy_snapshot_network(b->snapshot);
    struct sy_route_gates asked = b->routed[0].taken.asked;
    int64_t madds = 0;
    for (int g = 0; g < asked.count; g++) {
        int unit = sy_network_gate(network, asked.gate[g]);
        madds += network->unit[unit].cost.madds;
    }
    return madds;
}

static enum sy_status bench_case(const struct routed_case *c,
                                 const char *config, int rounds, json_t *rows,
                                 bool text, struct sy_error *err)
{
    static struct bench b;
    static const int batches[] = {1, MOST_BATCH};
    char name[128];
    memset(&b, 0, sizeof b);
    enum sy_status status = open_bench(&b, config, c->route, err);
    for (int i = 0; status == SY_OK && i < 2; i++) {
        double ours, theirs;
        make_requests(&b, c);
        measure(&b, batches[i], i == 0 ? rounds : rounds / 8 + 1, &ours,
                &theirs);
        if (b.routed[0].madds - gate_madds(&b) != b.named[0].madds) {
            status = sy_fail(err, SY_INTERNAL,
                             "%s: the route ran %lld MAdds, the named experts "
                             "%lld",
                             c->name, (long long)b.routed[0].madds,
                             (long long)b.named[0].madds);
            break;
        }
        (void)snprintf(name, sizeof name, "%s, batch %d", c->name, batches[i]);
        (void)bench_row(rows, name, "named experts", "us", ours, theirs);
        if (text) {
            printf("%-48s %9.1f us, named %9.1f us: %.3f\n", name, ours, theirs,
                   ours / theirs);
        }
    }
    close_bench(&b);
    return status;
}

int main(int argc, char **argv)
{
    struct sy_error err = {0};
    const char *config = "bench/nets/mbv3s32_1M.json";
    bool json = false;
    int rounds = 800;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = (int)strtol(argv[++i], NULL, 10);
        } else if (argv[i][0] != '-') {
            config = argv[i];
        } else {
            rounds = 0;
        }
    }
    if (rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr,
                "usage: bench_routing [--json] [--rounds 1..%d] [CONFIG]\n",
                MOST_ROUNDS);
        return 2;
    }
    json_t *rows = json_array();
    for (int i = 0; i < CASES; i++) {
        if (bench_case(&cases[i], config, rounds, rows, !json, &err) != SY_OK) {
            fprintf(stderr, "bench_routing: %s\n", err.message);
            json_decref(rows);
            return 1;
        }
    }
    if (json) {
        json_t *machine = bench_machine(sy_backend_best());
        (void)json_object_set_new(machine, "threads", json_integer(1));
        bench_print(machine, rows);
    } else {
        json_decref(rows);
    }
    return 0;
}
