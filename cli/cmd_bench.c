/*
 * cmd_bench.c - `switchyard bench`: time against MAdds, for a model's experts
 * or for random paths of a configuration's supernet, block by block.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "runtime/base/memory.h"
#include "runtime/executor/bench.h"
#include "search/config.h"

enum { BENCH_CLASSES = 10, BENCH_PATHS = 20 };

/* What is timed: the experts, or random paths through what the model has. */
struct bench {
    struct cli_session session;
    int count;
    struct sy_path *path;
    struct sy_bench_case *timed;
    double *madds;
    double *us;
};

/* A supernet of the configuration, with random weights and one domain. */
static enum sy_status open_supernet(struct cli_session *session,
                                    const char *path, const char *const *set,
                                    int set_count,
                                    const struct cli_session_options *options,
                                    struct sy_error *err)
{
    static struct nas_config config;
    static char label[] = "class";
    char *labels[BENCH_CLASSES];
    struct sy_domain domain = {
        .name = "random", .classes = BENCH_CLASSES, .labels = labels};
    struct sy_network *network = NULL;
    for (int k = 0; k < BENCH_CLASSES; k++) {
        labels[k] = label;
    }
    SY_TRY(nas_config_load(&config, path, set, set_count, err));
    struct sy_network_parts parts = {.name = config.name,
                                     .spec = &config.network,
                                     .domain_count = 1,
                                     .domain = &domain};
    enum sy_status status = sy_network_new(&network, &parts, err);
    nas_config_release(&config);
    SY_TRY(status);
    sy_network_init(network, config.seed);
    return cli_session_start(session, network, "supernet", options, err);
}

/* Fills in case `i`: a path of a domain. */
static void set_case(struct bench *bench, int i, const struct sy_path *path,
                     int domain)
{
    bench->path[i] = *path;
    bench->timed[i] = (struct sy_bench_case){
        .executor = bench->session.executor,
        .path = &bench->path[i],
        .domain = domain,
    };
    bench->madds[i] =
        (double)sy_network_path_cost(bench->session.network, path, domain)
            .madds;
}

static enum sy_status bench_make(struct bench *bench, struct sy_error *err)
{
    const struct sy_network *network = bench->session.network;
    bool supernet = network->expert_count == 0;
    bench->count = supernet ? BENCH_PATHS : network->expert_count;
    size_t n = (size_t)bench->count;
    bench->path = sy_alloc_zero(n, sizeof *bench->path);
    bench->timed = sy_alloc_zero(n, sizeof *bench->timed);
    bench->madds = sy_alloc_zero(n, sizeof *bench->madds);
    bench->us = sy_alloc_zero(n, sizeof *bench->us);
    if (!bench->path || !bench->timed || !bench->madds || !bench->us) {
        return sy_fail(err, SY_NO_MEMORY, "bench: no memory");
    }
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_BENCH, 0, 0);
    for (int i = 0; i < bench->count; i++) {
        if (supernet) {
            struct sy_path path = sy_bench_random_path(&network->spec, &rng);
            set_case(bench, i, &path, 0);
        } else {
            set_case(bench, i, &network->expert[i].path,
                     network->expert[i].domain);
        }
    }
    return SY_OK;
}

static void bench_free(struct bench *bench)
{
    sy_free(bench->path);
    sy_free(bench->timed);
    sy_free(bench->madds);
    sy_free(bench->us);
    cli_session_close(&bench->session);
}

/* "mnist.main", or the path itself in a supernet. */
static const char *case_name(const struct bench *bench, int i, char *text,
                             size_t bytes)
{
    const struct sy_network *network = bench->session.network;
    if (network->expert_count == 0) {
        return sy_path_text(&bench->path[i], text);
    }
    const struct sy_expert *expert = &network->expert[i];
    (void)snprintf(text, bytes, "%s.%s", network->domain[expert->domain].name,
                   expert->name);
    return text;
}

/* Microseconds per run of each unit on one expert's path. */
static enum sy_status profile_expert(struct bench *bench, int i,
                                     struct sy_error *err)
{
    struct sy_bench_options options = {.rounds = 31};
    sy_executor_profile(bench->session.executor, true);
    enum sy_status status = sy_bench_paths(&bench->timed[i], 1, &options, err);
    sy_executor_profile(bench->session.executor, false);
    return status;
}

/* The block profile of case `i` as rows: id, kind, MAdds, us. */
static json_t *profile_json(const struct bench *bench, int i)
{
    const struct sy_network *network = bench->session.network;
    json_t *rows = json_array();
    for (int s = 0; s < sy_network_stages(network); s++) {
        char text[64] = "";
        int index = sy_network_stage_unit(network, s, &bench->path[i],
                                          bench->timed[i].domain);
        const struct sy_unit *unit = &network->unit[index];
        const struct sy_unit_profile *p =
            sy_executor_unit_profile(bench->session.executor, index);
        if (unit->block >= 0) {
            sy_block_text(
                &network->spec.layer[unit->layer].block[unit->block].spec, text,
                sizeof text);
        }
        double us = p->runs > 0 ? (double)p->ns / 1e3 / (double)p->runs : 0.0;
        (void)json_array_append_new(
            rows,
            json_pack("{s:s, s:s, s:I, s:f}", "id", unit->id, "block", text,
                      "madds", (json_int_t)unit->cost.madds, "us", us));
    }
    return rows;
}

static void print_profile(const json_t *rows)
{
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        double madds =
            (double)json_integer_value(json_object_get(row, "madds"));
        double us = json_real_value(json_object_get(row, "us"));
        printf("  %-20s %-28s %10.0f %8.2f us %7.1f GFLOP/s\n",
               json_string_value(json_object_get(row, "id")),
               json_string_value(json_object_get(row, "block")), madds, us,
               us > 0 ? 2 * madds / us / 1e3 : 0.0);
    }
}

/* Times all cases, then each one's blocks; prints or collects rows. */
static enum sy_status bench_run(struct bench *bench, json_t *rows, bool as_json,
                                struct sy_error *err)
{
    char name[SY_PATH_TEXT_BYTES];
    SY_TRY(sy_bench_paths(bench->timed, bench->count, NULL, err));
    if (!as_json) {
        printf("%-24s %11s %10s %10s %9s\n", "expert", "MAdds", "median us",
               "p95 us", "GFLOP/s");
    }
    for (int i = 0; i < bench->count; i++) {
        double us = bench->timed[i].median_us;
        double p95_us = bench->timed[i].p95_us;
        bench->us[i] = us;
        case_name(bench, i, name, sizeof name);
        SY_TRY(profile_expert(bench, i, err));
        json_t *blocks = profile_json(bench, i);
        if (!as_json) {
            printf("%-24s %11.0f %10.1f %10.1f %9.1f\n", name, bench->madds[i],
                   us, p95_us, 2 * bench->madds[i] / us / 1e3);
            print_profile(blocks);
        }
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:f, s:f, s:f, s:o}", "expert", name,
                            "madds", bench->madds[i], "us_median", us, "us_p95",
                            p95_us, "blocks", blocks));
    }
    return SY_OK;
}

static int run(const struct cli_args *args)
{
    struct bench bench = {0};
    struct sy_error err = {0};
    bool as_json = cli_flag(args, "json");
    json_t *rows = json_array();
    int status = CLI_OK;
    int set_count = 0;
    const char *const *set = cli_list(args, "set", &set_count);
    const char *what = cli_arg(args, 0);
    struct cli_session_options session = {
        .threads = 1, .max_requests = 1, .weights = cli_weights(args)};
    enum sy_status opened =
        sy_file_exists(what)
            ? open_supernet(&bench.session, what, set, set_count, &session,
                            &err)
            : cli_session_open(&bench.session, what, &session, &err);
    if (opened != SY_OK || bench_make(&bench, &err) != SY_OK ||
        bench_run(&bench, rows, as_json, &err) != SY_OK) {
        status = cli_error(&err);
    } else {
        double rank = sy_spearman(bench.madds, bench.us, bench.count);
        const char *kernels = sy_snapshot_backend(bench.session.snapshot)->name;
        if (as_json) {
            status =
                cli_json(json_pack("{s:s, s:O, s:f}", "kernels", kernels,
                                   "experts", rows, "rank_correlation", rank));
        } else {
            printf("kernels: %s; rank correlation of time with MAdds: %.3f\n",
                   kernels, rank);
        }
    }
    json_decref(rows);
    bench_free(&bench);
    return status;
}

static const struct cli_option options[] = {
    CLI_SET,
    CLI_HALF_WEIGHTS,
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_bench = {
    .name = "bench",
    .usage = "bench MODEL_OR_CONFIG",
    .summary = "Times each expert against its MAdds, block by block",
    .about =
        "One image at a time, one thread, random pixels; medians over\n"
        "interleaved rounds. The rows under an expert are its blocks. Of a\n"
        "configuration, 20 random paths of its supernet are timed.",
    .example = "switchyard bench runs/models/first",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
