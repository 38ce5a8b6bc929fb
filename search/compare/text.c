/*
 * text.c - table.json as Markdown.
 */
#include "search/compare/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "runtime/base/memory.h"

/* Rows and columns are bounded, so a table is: some 30 bytes a number. */
enum { TEXT_BYTES = 256 * 1024 };

struct text {
    char *data;
    size_t used;
};

static void add(struct text *out, const char *format, ...) SY_PRINTF(2, 3);
static void add(struct text *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length =
        vsnprintf(out->data + out->used, TEXT_BYTES - out->used, format, args);
    va_end(args);
    SY_ASSERT(length >= 0 && out->used + (size_t)length < TEXT_BYTES);
    out->used += (size_t)length;
}

/* A number's mean; its deviation goes to *std, or -1 where there is none. */
static double mean_of(const json_t *value, double *std)
{
    const json_t *spread = json_object_get(value, "std");
    *std = spread != NULL ? json_number_value(spread) : -1;
    return json_number_value(spread != NULL ? json_object_get(value, "mean")
                                            : value);
}

static double plain_mean(const json_t *row, const char *key)
{
    double std;
    return mean_of(json_object_get(row, key), &std);
}

/* "| 0.9551 ± 0.0012 ", or "| " where there is no such member. */
static void cell(struct text *out, const json_t *value)
{
    double std;
    if (value == NULL) {
        add(out, "| ");
        return;
    }
    double mean = mean_of(value, &std);
    add(out, "| %.4f", mean);
    if (std >= 0) {
        add(out, " ± %.4f", std);
    }
    add(out, " ");
}

/* "| +1.23 [0.40, 2.00] ", in points. */
static void interval_cell(struct text *out, const json_t *value)
{
    if (value == NULL) {
        add(out, "| ");
        return;
    }
    add(out, "| %+.2f [%.2f, %.2f] ",
        100 * json_number_value(json_object_get(value, "mean")),
        100 * json_number_value(json_object_get(value, "low")),
        100 * json_number_value(json_object_get(value, "high")));
}

/* Sizes beside those of the first row: `independent`, where it was run. */
static void strategies(struct text *out, const json_t *rows, bool without)
{
    const json_t *first = json_array_get(rows, 0);
    add(out,
        "| strategy | parameters | of the first | mean MAdds "
        "| of the first | mean top-1 |%s mpnas ahead, "
        "points |\n|---|---|---|---|---|---|%s---|\n",
        without ? " without some |" : "", without ? "---|" : "");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        double params = plain_mean(row, "params");
        double madds = plain_mean(row, "madds_mean");
        add(out, "| %s | %.0f | %.2f | %.0f | %.2f ",
            json_string_value(json_object_get(row, "strategy")), params,
            params / plain_mean(first, "params"), madds,
            madds / plain_mean(first, "madds_mean"));
        cell(out, json_object_get(row, "top1_mean"));
        if (without) {
            cell(out, json_object_get(row, "top1_mean_without"));
        }
        interval_cell(out, json_object_get(row, "mpnas_ahead"));
        add(out, "|\n");
    }
}

static void losses(struct text *out, const json_t *rows)
{
    add(out, "\n| loss | mean top-1 | ahead of uniform, points |\n"
             "|---|---|---|\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        add(out, "| %s ", json_string_value(json_object_get(row, "loss")));
        cell(out, json_object_get(row, "top1_mean"));
        interval_cell(out, json_object_get(row, "ahead_of_uniform"));
        add(out, "|\n");
    }
}

/* One line per domain, one column per row of the table. */
static void domains(struct text *out, const struct nas_config *config,
                    const json_t *rows, const char *key)
{
    size_t count = json_array_size(rows);
    add(out, "\n| domain ");
    for (size_t i = 0; i < count; i++) {
        add(out, "| %s ",
            json_string_value(json_object_get(json_array_get(rows, i), key)));
    }
    add(out, "|\n|---");
    for (size_t i = 0; i < count; i++) {
        add(out, "|---");
    }
    add(out, "|\n");
    for (int d = 0; d < config->domain_count; d++) {
        add(out, "| %s ", config->domain[d]);
        for (size_t i = 0; i < count; i++) {
            cell(out, json_object_get(
                          json_object_get(json_array_get(rows, i), "top1"),
                          config->domain[d]));
        }
        add(out, "|\n");
    }
}

/* Which domains share blocks. */
static void alike(struct text *out, const json_t *jaccard)
{
    const json_t *names = json_object_get(jaccard, "names");
    const json_t *matrix = json_object_get(jaccard, "matrix");
    size_t count = json_array_size(names);
    add(out, "\n| shared blocks (Jaccard) ");
    for (size_t i = 0; i < count; i++) {
        add(out, "| %s ", json_string_value(json_array_get(names, i)));
    }
    add(out, "|\n|---");
    for (size_t i = 0; i < count; i++) {
        add(out, "|---");
    }
    add(out, "|\n");
    for (size_t i = 0; i < count; i++) {
        add(out, "| %s ", json_string_value(json_array_get(names, i)));
        for (size_t j = 0; j < count; j++) {
            add(out, "| %.2f ",
                json_number_value(
                    json_array_get(json_array_get(matrix, i), j)));
        }
        add(out, "|\n");
    }
}

/* What there is of random networks. */
static void random_paths(struct text *out, const json_t *random)
{
    const json_t *errors =
        json_object_get(random, "found_ahead_standard_errors");
    add(out,
        "\nRandom paths of equal MAdds: mean top-1 %.4f; the found ones are "
        "%+.2f points ahead",
        plain_mean(random, "top1_mean"),
        100 * plain_mean(random, "found_ahead"));
    if (errors != NULL) {
        add(out, ", %.1f standard errors", json_number_value(errors));
    }
    add(out, ".\n");
    const json_t *tau = json_object_get(random, "kendall_tau");
    if (tau != NULL) {
        add(out,
            "The supernet ranks these paths as training from scratch does with "
            "Kendall's tau %.2f, mean over domains.\n",
            json_number_value(json_object_get(tau, "mean")));
    }
}

char *nas_compare_text(const struct nas_config *config, const json_t *table)
{
    const json_t *rows = json_object_get(table, "rows");
    const json_t *ablation = json_object_get(table, "ablation");
    const json_t *random = json_object_get(table, "random");
    struct text out = {.data = sy_alloc(TEXT_BYTES)};
    if (out.data == NULL) {
        return NULL;
    }
    strategies(&out, rows, json_object_get(table, "without") != NULL);
    domains(&out, config, rows, "strategy");
    if (json_object_get(table, "jaccard") != NULL) {
        alike(&out, json_object_get(table, "jaccard"));
    }
    if (json_array_size(ablation) > 0) {
        losses(&out, ablation);
        domains(&out, config, ablation, "loss");
    }
    if (random != NULL) {
        random_paths(&out, random);
    }
    return out.data;
}
