/*
 * cmd_eval.c - `switchyard eval`: accuracy, calibration and cost on the test
 * part of each domain.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "runtime/base/memory.h"
#include "search/eval/evaluate.h"
#include "search/eval/find.h"

/* What eval was asked for. */
struct asked {
    const char *dir;
    struct nas_score_options score;
    struct nas_find_options find;
    const char *const *foreign;
    int foreign_count;
};

/* What eval prints. */
struct evaluated {
    struct nas_evaluation rows[SY_MAX_DOMAINS];
    int count;
    struct nas_finding
        found[2 * SY_MAX_DOMAINS]; /* where there is a root gate */
    int found_count;
};

static struct nas_score mean_score(const struct nas_evaluation *rows, int count)
{
    struct nas_score mean = {0};
    for (int i = 0; i < count; i++) {
        mean.top1 += rows[i].score.top1 / count;
        mean.nll += rows[i].score.nll / count;
        mean.nll_uncalibrated += rows[i].score.nll_uncalibrated / count;
        mean.ece += rows[i].score.ece / count;
        mean.ece_uncalibrated += rows[i].score.ece_uncalibrated / count;
        mean.madds_mean += rows[i].score.madds_mean / count;
    }
    return mean;
}

/* How many images each expert of the domain's route ran for and answered. */
static json_t *experts_json(const struct sy_network *network,
                            const struct nas_evaluation *row)
{
    struct sy_route_experts all =
        sy_route_all_experts(network->route[row->domain]);
    json_t *list = json_array();
    for (int i = 0; i < all.count; i++) {
        int e = all.expert[i];
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:i, s:i}", "name", network->expert[e].name, "ran",
                      row->score.ran[e], "answered", row->score.answered[e]));
    }
    return list;
}

/* What the route's nodes decided, and whether any image passed. */
static json_t *decisions_json(const struct sy_network *network,
                              const struct nas_evaluation *row)
{
    const struct sy_route *route = network->route[row->domain];
    json_t *list = json_array();
    for (int n = 0; n < sy_route_nodes(route); n++) {
        const struct sy_route *node = sy_route_node(route, n);
        for (int c = 0; c < node->child_count; c++) {
            if (row->score.decided[n][c] > 0) {
                (void)json_array_append_new(
                    list, json_pack("{s:i, s:i, s:i, s:i}", "node", n, "child",
                                    c, "decided", row->score.decided[n][c],
                                    "passed", row->score.passed[n][c]));
            }
        }
    }
    return list;
}

/* Thresholds and gates that do nothing are worth a line. */
static void print_idle(const struct sy_network *network,
                       const struct nas_evaluation *row)
{
    const struct sy_route *route = network->route[row->domain];
    for (int n = 0; n < sy_route_nodes(route); n++) {
        const struct sy_route *node = sy_route_node(route, n);
        for (int c = 0; c < node->child_count; c++) {
            if (row->score.decided[n][c] > 0 && row->score.passed[n][c] == 0) {
                printf("%-16s %s %d: no image %s child %d\n",
                       network->domain[row->domain].name, node->type->name, n,
                       node->type == &sy_route_gate ? "was sent to"
                                                    : "passed the threshold of",
                       c);
            }
        }
    }
}

/* The confusions of the root gate. */
static json_t *root_json(const struct sy_network *network,
                         const struct evaluated *of)
{
    json_t *rows = json_array(), *names = json_array();
    for (int d = 0; d < network->domain_count; d++) {
        (void)json_array_append_new(names,
                                    json_string(network->domain[d].name));
    }
    for (int i = 0; i < of->found_count; i++) {
        const struct nas_finding *f = &of->found[i];
        json_t *taken = json_array();
        for (int d = 0; d < network->domain_count; d++) {
            (void)json_array_append_new(taken, json_integer(f->found[d]));
        }
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:b, s:i, s:o, s:i, s:f, s:f}", "name",
                            f->name, "known", f->domain >= 0, "n", f->n,
                            "taken_for", taken, "abstained", f->abstained,
                            "top1", (double)f->right / (f->n > 0 ? f->n : 1),
                            "madds_mean", f->madds_mean));
    }
    int gate = sy_network_gate(network, sy_network_root_gate(network));
    return json_pack("{s:f, s:I, s:o, s:o}", "balanced_accuracy",
                     nas_found_balanced(of->found, of->found_count), "madds",
                     (json_int_t)network->unit[gate].cost.madds, "domains",
                     names, "rows", rows);
}

/* A row for each folder: what its images were taken for, in percent. */
static void print_root(const struct sy_network *network,
                       const struct evaluated *of)
{
    if (of->found_count == 0) {
        return;
    }
    int gate = sy_network_gate(network, sy_network_root_gate(network));
    printf("\nwithout their domain: found %.4f (domains alike), for %lld "
           "MAdds; top-1 end to end, abstained, taken for others\n",
           nas_found_balanced(of->found, of->found_count),
           (long long)network->unit[gate].cost.madds);
    for (int i = 0; i < of->found_count; i++) {
        const struct nas_finding *f = &of->found[i];
        double n = f->n > 0 ? f->n : 1;
        printf("%-16s %6d %7.4f %6.2f %%", f->name, f->n, f->right / n,
               100 * f->abstained / n);
        for (int d = 0; d < network->domain_count; d++) {
            if (d != f->domain && f->found[d] > 0) {
                printf("  %s %.2f %%", network->domain[d].name,
                       100 * f->found[d] / n);
            }
        }
        printf("\n");
    }
}

static int print_json(const struct sy_network *network,
                      const struct evaluated *of)
{
    const struct nas_evaluation *rows = of->rows;
    int count = of->count;
    struct nas_score mean = mean_score(rows, count);
    json_t *domains = json_array();
    for (int i = 0; i < count; i++) {
        const struct nas_score *s = &rows[i].score;
        json_t *row = json_pack(
            "{s:s, s:i, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:f, s:o, "
            "s:o, s:f}",
            "name", network->domain[rows[i].domain].name, "n", s->n, "top1",
            s->top1, "nll", s->nll, "ece", s->ece, "params",
            (json_int_t)rows[i].params, "madds_mean", s->madds_mean, "us_mean",
            s->us_mean, "ece_uncalibrated", s->ece_uncalibrated,
            "nll_uncalibrated", s->nll_uncalibrated, "experts",
            experts_json(network, &rows[i]), "decisions",
            decisions_json(network, &rows[i]), "disagreement", s->disagreement);
        if (s->right != NULL) {
            (void)json_object_set_new(row, "right", json_string(s->right));
        }
        (void)json_array_append_new(domains, row);
    }
    json_t *all = json_pack("{s:o, s:{s:f, s:f, s:f, s:f}, s:I}", "domains",
                            domains, "mean", "top1", mean.top1, "nll", mean.nll,
                            "ece", mean.ece, "madds_mean", mean.madds_mean,
                            "params", (json_int_t)sy_network_params(network));
    if (of->found_count > 0) {
        (void)json_object_set_new(all, "root", root_json(network, of));
    }
    return cli_json(all);
}

/* Who answers, for the domains whose routes have several experts. */
static void print_experts(const struct sy_network *network,
                          const struct nas_evaluation *rows, int count)
{
    for (int i = 0; i < count; i++) {
        const struct nas_score *s = &rows[i].score;
        struct sy_route_experts all =
            sy_route_all_experts(network->route[rows[i].domain]);
        double n = s->n > 0 ? s->n : 1;
        for (int k = 0; k < all.count && all.count > 1; k++) {
            int e = all.expert[k];
            printf("%s%-16s %-16s ran for %5.1f %%, alone answered %5.1f %%\n",
                   k == 0 ? "\n" : "",
                   k == 0 ? network->domain[rows[i].domain].name : "",
                   network->expert[e].name, 100 * s->ran[e] / n,
                   100 * s->answered[e] / n);
        }
        print_idle(network, &rows[i]);
        if (s->several > 0) {
            printf("%-16s experts disagree by %.4f where several ran\n", "",
                   s->disagreement);
        }
    }
}

static void print_text(const struct sy_network *network,
                       const struct evaluated *of)
{
    const struct nas_evaluation *rows = of->rows;
    int count = of->count;
    struct nas_score mean = mean_score(rows, count);
    printf("%-16s %6s %7s %7s %7s %7s %7s %9s %10s %8s %7s\n", "domain", "n",
           "top-1", "NLL", "raw", "ECE", "raw", "params", "MAdds", "us",
           "chance");
    for (int i = 0; i < count; i++) {
        const struct nas_score *s = &rows[i].score;
        const struct sy_domain *domain = &network->domain[rows[i].domain];
        printf("%-16s %6d %7.4f %7.4f %7.4f %7.4f %7.4f %9lld %10.0f %8.1f "
               "%7.4f\n",
               domain->name, s->n, s->top1, s->nll, s->nll_uncalibrated, s->ece,
               s->ece_uncalibrated, (long long)rows[i].params, s->madds_mean,
               s->us_mean, 1.0 / domain->classes);
    }
    printf("%-16s %6s %7.4f %7.4f %7.4f %7.4f %7.4f %9lld %10.0f\n",
           "mean / all", "", mean.top1, mean.nll, mean.nll_uncalibrated,
           mean.ece, mean.ece_uncalibrated,
           (long long)sy_network_params(network), mean.madds_mean);
    print_experts(network, rows, count);
    print_root(network, of);
}

/* Domains from first on, on their test images. */
static enum sy_status evaluate(struct evaluated *of,
                               const struct cli_session *session, int first,
                               const struct asked *asked, struct sy_error *err)
{
    for (int i = 0; i < of->count; i++) {
        SY_TRY(nas_evaluate(&of->rows[i], session->executor, first + i,
                            asked->dir, &asked->score, session->pool, err));
    }
    return SY_OK;
}

/* The same images without their domain, and those of foreign folders. */
static enum sy_status find(struct evaluated *of,
                           const struct cli_session *session, int first,
                           const struct asked *asked, struct sy_error *err)
{
    const struct sy_network *network = session->network;
    if (sy_network_root_gate(network) < 0) {
        return asked->foreign_count == 0 && asked->find.jpeg == 0
                   ? SY_OK
                   : sy_fail(err, SY_BAD_INPUT,
                             "--%s: %s has no root gate that could look at "
                             "images without their domain; see train.root",
                             asked->foreign_count > 0 ? "foreign"
                                                      : "reencode-jpeg",
                             session->artefact.path);
    }
    for (int i = 0; i < of->count + asked->foreign_count; i++) {
        const char *name = i < of->count ? network->domain[first + i].name
                                         : asked->foreign[i - of->count];
        if (of->found_count == 2 * SY_MAX_DOMAINS) {
            return sy_fail(err, SY_BAD_INPUT, "--foreign: too many folders");
        }
        SY_TRY(nas_find(&of->found[of->found_count++], session->executor,
                        asked->dir, name, &asked->find, session->pool, err));
    }
    return SY_OK;
}

/* Every domain, or `only` that one, by its expert of that name alone. */
static enum sy_status set_expert(struct sy_network *network, const char *only,
                                 const char *name, struct sy_error *err)
{
    for (int d = 0; d < network->domain_count; d++) {
        const char *domain = network->domain[d].name;
        if (only != NULL && strcmp(domain, only) != 0) {
            continue;
        }
        int expert = sy_network_find_expert(network, d, name);
        if (expert < 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "--expert: domain \"%s\" has no expert \"%s\"; see "
                           "`switchyard inspect`, and name one domain with "
                           "--domain where others have it",
                           domain, name);
        }
        struct sy_route *route = sy_route_new_expert(expert);
        if (route == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "--expert: no memory");
        }
        sy_network_set_route(network, d, route);
    }
    return SY_OK;
}

/* The model, by its routes or by one expert of each domain. */
static enum sy_status open_session(struct cli_session *session,
                                   const struct cli_args *args,
                                   struct sy_error *err)
{
    const char *expert = cli_text(args, "expert", NULL);
    struct sy_network *network = NULL;
    struct sy_artefact artefact;
    SY_TRY(sy_artefact_load(cli_arg(args, 0), &network, &artefact, err));
    if (expert != NULL) {
        enum sy_status status =
            set_expert(network, cli_text(args, "domain", NULL), expert, err);
        if (status != SY_OK) {
            sy_network_free(network);
            return status;
        }
    }
    const struct cli_session_options opened = {
        .threads = (int)cli_int(args, "threads", 0),
        .max_requests = NAS_SCORE_BATCH,
        .weights = cli_weights(args)};
    SY_TRY(cli_session_start(session, network, artefact.label, &opened, err));
    session->artefact = artefact;
    return SY_OK;
}

static struct asked read_args(const struct cli_args *args)
{
    struct asked asked = {
        .dir = cli_text(args, "data", NULL),
        .score = {.batch = (int)cli_int(args, "batch", NAS_SCORE_BATCH),
                  .right = cli_flag(args, "each")},
        .find = {.jpeg = (int)cli_int(args, "reencode-jpeg", 0)}};
    asked.foreign = cli_list(args, "foreign", &asked.foreign_count);
    return asked;
}

static int run(const struct cli_args *args)
{
    static struct evaluated of;
    const struct asked asked = read_args(args);
    struct cli_session session;
    struct sy_error err = {0};
    const char *only = cli_text(args, "domain", NULL);
    int first = 0;
    int status = CLI_OK;
    if (open_session(&session, args, &err) != SY_OK) {
        return cli_error(&err);
    }
    of.count = session.network->domain_count;
    if (cli_session_answers(&session, &err) != SY_OK) {
        status = cli_error(&err);
        goto out;
    }
    if (only != NULL) {
        of.count = 1;
        if (cli_session_domain(&session, only, &first, &err) != SY_OK) {
            status = cli_error(&err);
            goto out;
        }
    }
    if (evaluate(&of, &session, first, &asked, &err) != SY_OK ||
        find(&of, &session, first, &asked, &err) != SY_OK) {
        status = cli_error(&err);
        goto out;
    }
    if (cli_flag(args, "json")) {
        status = print_json(session.network, &of);
    } else {
        print_text(session.network, &of);
    }
out:
    for (int i = 0; i < of.count; i++) {
        sy_free(of.rows[i].score.right);
    }
    cli_session_close(&session);
    return status;
}

static const struct cli_option options[] = {
    {"data", CLI_TEXT, "DIR", "the data folder, one folder per domain", 0, 0,
     true},
    {"domain", CLI_TEXT, "D", "only this domain", 0, 0, false},
    {"foreign", CLI_LIST, "D", "also a folder that the root gate never saw", 0,
     0, false},
    {"expert", CLI_TEXT, "E", "every domain by its expert of that name alone",
     0, 0, false},
    {"batch", CLI_INT, "N", "images at a time (default: 32)", 1,
     NAS_SCORE_BATCH, false},
    {"each", CLI_FLAG, NULL,
     "with --json: a 1 or 0 for every image, right or not", 0, 0, false},
    {"reencode-jpeg", CLI_INT, "Q",
     "images without their domain through a JPEG of that quality first", 1, 100,
     false},
    CLI_THREADS,
    CLI_HALF_WEIGHTS,
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_eval = {
    .name = "eval",
    .usage = "eval MODEL --data DIR [--domain D]",
    .summary = "Measures accuracy, calibration and cost on the test images",
    .about =
        "NLL is in nats, ECE has 15 bins; raw is the one before it without\n"
        "calibration (temperature 1). MAdds are those executed per image,\n"
        "us the time per image in batches of --batch; params counts weights,\n"
        "norms and heads that the domain's answers need, and those of the\n"
        "whole network, shared ones once, in the last row. With a root gate\n"
        "all images are asked once more without their domain. Times are of\n"
        "this machine: --threads 1 --batch 1 gives one image's alone.",
    .example = "switchyard eval runs/models/first --data ../shared/data",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
