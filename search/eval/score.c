/*
 * score.c - runs a split through the executor and sums up.
 */
#include "search/eval/score.h"

#include <math.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

double nas_ece(const float *confidence, const bool *right, int count)
{
    double sum[NAS_ECE_BINS] = {0};
    int hits[NAS_ECE_BINS] = {0};
    int filled[NAS_ECE_BINS] = {0};
    double ece = 0;
    for (int i = 0; i < count; i++) {
        int bin = (int)ceil((double)confidence[i] * NAS_ECE_BINS) - 1;
        bin = bin < 0 ? 0 : bin;
        bin = bin >= NAS_ECE_BINS ? NAS_ECE_BINS - 1 : bin;
        sum[bin] += (double)confidence[i];
        hits[bin] += right[i];
        filled[bin]++;
    }
    for (int b = 0; b < NAS_ECE_BINS; b++) {
        if (filled[b] > 0) {
            ece += fabs(sum[b] - hits[b]) / count;
        }
    }
    return count > 0 ? ece : 0.0;
}

/* Buffers for one pass over a split. */
struct pass {
    uint8_t *pixels;
    float *images;
    int *labels;
    float *outputs;
    float *probabilities;
    float *raw;        /* one image's probabilities at temperature 1 */
    float *confidence; /* per image of the split */
    float *confidence_raw;
    bool *right;
    struct sy_request *request;
};

static bool make_pass(struct pass *pass, struct sy_arena *arena, size_t image,
                      size_t classes, size_t split)
{
    size_t batch = NAS_SCORE_BATCH;
    pass->pixels = sy_arena_zero(arena, batch, image);
    pass->images = sy_arena_zero(arena, batch * image, sizeof(float));
    pass->labels = sy_arena_zero(arena, batch, sizeof(int));
    pass->outputs = sy_arena_zero(arena, batch * classes, sizeof(float));
    pass->probabilities = sy_arena_zero(arena, batch * classes, sizeof(float));
    pass->raw = sy_arena_zero(arena, classes, sizeof(float));
    pass->confidence = sy_arena_zero(arena, split, sizeof(float));
    pass->confidence_raw = sy_arena_zero(arena, split, sizeof(float));
    pass->right = sy_arena_zero(arena, split, sizeof(bool));
    pass->request = sy_arena_zero(arena, batch, sizeof *pass->request);
    return pass->pixels && pass->images && pass->labels && pass->outputs &&
           pass->probabilities && pass->raw && pass->confidence &&
           pass->confidence_raw && pass->right && pass->request;
}

/* The index of the largest of the answers; of equal ones the first. */
static int largest(const float *answers, int classes)
{
    int best = 0;
    for (int k = 1; k < classes; k++) {
        best = answers[k] > answers[best] ? k : best;
    }
    return best;
}

static double log_loss(float probability)
{
    return -log(probability > 1e-12f ? (double)probability : 1e-12);
}

/* Adds one image's answer to the score. */
static void take_answer(struct nas_score *score, struct pass *pass, int i,
                        int at, int classes)
{
    const float *p = pass->probabilities + (size_t)i * (size_t)classes;
    const float *outputs = pass->outputs + (size_t)i * (size_t)classes;
    int label = pass->labels[i];
    int best = largest(p, classes);
    score->nll += log_loss(p[label]);
    score->top1 += best == label;
    pass->right[at] = best == label;
    pass->confidence[at] = p[best];
    sy_head_classify.answer(outputs, classes, 1.0, pass->raw);
    score->nll_uncalibrated += log_loss(pass->raw[label]);
    pass->confidence_raw[at] = pass->raw[largest(pass->raw, classes)];
    score->madds_mean += (double)pass->request[i].madds;
    for (int e = 0; e < pass->request[i].taken.ran.count; e++) {
        score->ran[pass->request[i].taken.ran.expert[e]]++;
    }
    if (pass->request[i].taken.expert >= 0) {
        score->answered[pass->request[i].taken.expert]++;
    }
    for (int k = 0; k < pass->request[i].taken.decision_count; k++) {
        const struct sy_route_decision *one =
            &pass->request[i].taken.decision[k];
        score->decided[one->node][one->child]++;
        score->passed[one->node][one->child] += one->ended;
    }
    if (pass->request[i].taken.ran.count > 1) {
        score->disagreement += pass->request[i].taken.disagreement;
        score->several++;
    }
}

/* Fills in the requests of one batch. */
static void make_requests(struct pass *pass, const struct sy_network *network,
                          int domain, int count)
{
    size_t image = sy_shape_floats(network->spec.input);
    size_t classes = (size_t)network->domain[domain].classes;
    dom_normalise(pass->pixels, (size_t)count * image, pass->images);
    for (int i = 0; i < count; i++) {
        struct sy_request *r = &pass->request[i];
        memset(r, 0, sizeof *r);
        r->image = pass->images + (size_t)i * image;
        r->domain = domain;
        r->result[0].outputs = pass->outputs + (size_t)i * classes;
        r->result[0].probabilities = pass->probabilities + (size_t)i * classes;
    }
}

/* The sums of n images become means. */
static void finish(struct nas_score *score, const struct pass *pass, int n,
                   int64_t busy_ns)
{
    if (n > 0) {
        score->top1 /= n;
        score->nll /= n;
        score->nll_uncalibrated /= n;
        score->madds_mean /= n;
        score->disagreement /= score->several > 0 ? score->several : 1;
        score->us_mean = (double)busy_ns / 1e3 / n;
    }
    score->ece = nas_ece(pass->confidence, pass->right, n);
    score->ece_uncalibrated = nas_ece(pass->confidence_raw, pass->right, n);
}

static char *right_text(const struct pass *pass, int n)
{
    char *text = sy_alloc((size_t)n + 1);
    for (int i = 0; text != NULL && i < n; i++) {
        text[i] = pass->right[i] ? '1' : '0';
    }
    if (text != NULL) {
        text[n] = '\0';
    }
    return text;
}

enum sy_status nas_score_domain(struct nas_score *score,
                                struct sy_executor *executor,
                                const struct sy_network *network, int domain,
                                struct dom_loader *loader,
                                const struct nas_score_options *options,
                                struct sy_error *err)
{
    enum sy_status status = SY_OK;
    int n = dom_loader_images(loader);
    int classes = network->domain[domain].classes;
    int batch = options != NULL && options->batch > 0 ? options->batch
                                                      : NAS_SCORE_BATCH;
    int64_t busy_ns = 0;
    struct pass pass;
    struct sy_arena arena;
    SY_ASSERT(batch <= NAS_SCORE_BATCH);
    *score = (struct nas_score){.n = n};
    sy_arena_init(&arena, 1 << 20);
    if (!make_pass(&pass, &arena, sy_shape_floats(network->spec.input),
                   (size_t)classes, (size_t)n)) {
        status = sy_fail(err, SY_NO_MEMORY, "evaluation: no memory");
        goto out;
    }
    for (int first = 0; first < n; first += batch) {
        int count = n - first < batch ? n - first : batch;
        struct sy_executor_stats stats;
        SY_TRY_OUT(dom_loader_read(loader, first, count, pass.pixels,
                                   pass.labels, err));
        make_requests(&pass, network, domain, count);
        int64_t begin_ns = sy_now_ns();
        sy_executor_run(executor, pass.request, count, &stats);
        busy_ns += sy_now_ns() - begin_ns;
        for (int i = 0; i < count; i++) {
            if (pass.request[i].status != SY_OK) {
                status = sy_fail(err, SY_BAD_INPUT,
                                 "domain \"%s\": the answer to image %d is "
                                 "not made of finite numbers",
                                 network->domain[domain].name, first + i);
                goto out;
            }
            take_answer(score, &pass, i, first + i, classes);
        }
    }
    finish(score, &pass, n, busy_ns);
    if (options != NULL && options->right) {
        score->right = right_text(&pass, n);
        if (score->right == NULL) {
            status = sy_fail(err, SY_NO_MEMORY, "evaluation: no memory");
        }
    }
out:
    sy_arena_release(&arena);
    return status;
}
