/*
 * cmd_eval.c - `switchyard eval`: accuracy, calibration and cost on the test
 * part of each domain.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "search/eval/evaluate.h"

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

static int print_json(const struct sy_network *network,
                      const struct nas_evaluation *rows, int count)
{
    struct nas_score mean = mean_score(rows, count);
    json_t *domains = json_array();
    for (int i = 0; i < count; i++) {
        const struct nas_score *s = &rows[i].score;
        (void)json_array_append_new(
            domains,
            json_pack("{s:s, s:i, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:f, s:o}",
                      "name", network->domain[rows[i].domain].name, "n", s->n,
                      "top1", s->top1, "nll", s->nll, "ece", s->ece, "params",
                      (json_int_t)rows[i].params, "madds_mean", s->madds_mean,
                      "us_mean", s->us_mean, "ece_uncalibrated",
                      s->ece_uncalibrated, "nll_uncalibrated",
                      s->nll_uncalibrated, "experts",
                      experts_json(network, &rows[i])));
    }
    return cli_json(json_pack(
        "{s:o, s:{s:f, s:f, s:f, s:f}, s:I}", "domains", domains, "mean",
        "top1", mean.top1, "nll", mean.nll, "ece", mean.ece, "madds_mean",
        mean.madds_mean, "params", (json_int_t)sy_network_params(network)));
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
    }
}

static void print_text(const struct sy_network *network,
                       const struct nas_evaluation *rows, int count)
{
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
}

static int run(const struct cli_args *args)
{
    static struct nas_evaluation rows[SY_MAX_DOMAINS];
    struct cli_session session;
    struct sy_error err = {0};
    const char *only = cli_text(args, "domain", NULL);
    int first = 0;
    int status = CLI_OK;
    if (cli_session_open(&session, cli_arg(args, 0),
                         (int)cli_int(args, "threads", 0), NAS_SCORE_BATCH,
                         &err) != SY_OK) {
        return cli_error(&err);
    }
    int count = session.network->domain_count;
    if (cli_session_answers(&session, &err) != SY_OK) {
        status = cli_error(&err);
        goto out;
    }
    if (only != NULL) {
        count = 1;
        if (cli_session_domain(&session, only, &first, &err) != SY_OK) {
            status = cli_error(&err);
            goto out;
        }
    }
    for (int i = 0; i < count; i++) {
        if (nas_evaluate(&rows[i], session.executor, first + i,
                         cli_text(args, "data", NULL), session.pool,
                         &err) != SY_OK) {
            status = cli_error(&err);
            goto out;
        }
    }
    if (cli_flag(args, "json")) {
        status = print_json(session.network, rows, count);
    } else {
        print_text(session.network, rows, count);
    }
out:
    cli_session_close(&session);
    return status;
}

static const struct cli_option options[] = {
    {"data", CLI_TEXT, "DIR", "the data folder, one folder per domain", 0, 0,
     true},
    {"domain", CLI_TEXT, "D", "only this domain", 0, 0, false},
    CLI_THREADS,
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
        "us the time per image in batches of 32; params counts weights,\n"
        "norms and heads that the domain's answers need, and those of the\n"
        "whole network, shared ones once, in the last row.",
    .example = "switchyard eval runs/models/first --data ../shared/data",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
