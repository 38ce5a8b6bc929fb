/*
 * pack_probe.c - a pack's own images, and the answers that it promises.
 *
 * DESIGN. Answers are those of single experts and not of the route: a route
 * that decides by a threshold could decide otherwise on another instruction
 * set, by a last bit, and that is no fault. Images run one by one; what else is
 * in a batch never matters.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "runtime/executor/executor.h"

/* Rooms for one image, as floats and as an answer. */
struct probing {
    const struct sy_pack *pack;
    struct sy_executor *executor;
    float *image, *answers;
    struct sy_pack_probed probed;
    double us, tolerance;
    int64_t runs;
};

static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void sy_probe_run(struct sy_executor *executor, int expert,
                  const uint8_t *images, int count, float *image,
                  float *answers, double *us)
{
    const struct sy_network *network = sy_executor_network(executor);
    int domain = network->expert[expert].domain;
    size_t floats = sy_shape_floats(network->spec.input);
    for (int i = 0; i < count; i++) {
        struct sy_request request = {
            .image = image,
            .domain = domain,
            .lane_count = 1,
            .expert = {expert},
            .result = {{.probabilities =
                            answers +
                            (size_t)i *
                                (size_t)network->domain[domain].classes}},
        };
        /* As every image of bytes is made floats, see dom_normalise. */
        for (size_t f = 0; f < floats; f++) {
            image[f] =
                ((float)images[(size_t)i * floats + f] / 255.0F) * 2.0F - 1.0F;
        }
        sy_rest();
        double start = now_us();
        sy_executor_run(executor, &request, 1, NULL);
        if (us != NULL) {
            *us += now_us() - start;
        }
    }
}

/* One expert's answers against those in the file. */
static enum sy_status compare(struct probing *p,
                              const struct sy_st_entry *wanted,
                              const char *domain, const char *expert,
                              struct sy_error *err)
{
    size_t classes = (size_t)wanted->dim[1];
    for (size_t i = 0; i < wanted->count; i++) {
        double difference =
            fabs((double)p->answers[i] - (double)wanted->data[i]);
        if (!(difference <= p->tolerance)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "pack %s: probe %zu of domain \"%s\", expert "
                           "\"%s\": class %zu: expected the probability %.6f, "
                           "found %.6f",
                           p->pack->id, i / classes, domain, expert,
                           i % classes, (double)wanted->data[i],
                           (double)p->answers[i]);
        }
        p->probed.largest = fmax(p->probed.largest, difference);
    }
    p->probed.same_bits =
        p->probed.same_bits &&
        memcmp(p->answers, wanted->data, wanted->count * sizeof(float)) == 0;
    return SY_OK;
}

static enum sy_status probe_expert(struct probing *p,
                                   const struct sy_expert *expert,
                                   struct sy_error *err)
{
    char name[SY_PACK_NAME_BYTES];
    const char *domain = p->pack->part->domain[expert->domain].name;
    const struct sy_network *network = sy_executor_network(p->executor);
    int d = sy_network_find_domain(network, domain);
    int e = d >= 0 ? sy_network_find_expert(network, d, expert->name) : -1;
    sy_probe_images_name(domain, name);
    const struct sy_st_entry *images = sy_st_find(p->pack->tensors, name);
    sy_probe_answers_name(domain, expert->name, name);
    const struct sy_st_entry *wanted = sy_st_find(p->pack->tensors, name);
    if (images == NULL) {
        return SY_OK;
    }
    if (e < 0 || network->domain[d].classes != (int)wanted->dim[1]) {
        return sy_fail(err, SY_BAD_INPUT,
                       "pack %s: the network has no expert \"%s\" of domain "
                       "\"%s\" with %d classes",
                       p->pack->id, expert->name, domain, (int)wanted->dim[1]);
    }
    int count = (int)images->dim[0];
    sy_probe_run(p->executor, e, images->u8, 1, p->image, p->answers, NULL);
    sy_probe_run(p->executor, e, images->u8, count, p->image, p->answers,
                 &p->us);
    p->runs += count;
    return compare(p, wanted, domain, expert->name, err);
}

/* Floats of the largest set of answers in the pack, and its images. */
static size_t answers_room(const struct sy_pack *pack, int *images)
{
    char name[SY_PACK_NAME_BYTES];
    size_t room = 1;
    *images = 0;
    for (int d = 0; pack->part != NULL && d < pack->part->domain_count; d++) {
        sy_probe_images_name(pack->part->domain[d].name, name);
        const struct sy_st_entry *found = sy_st_find(pack->tensors, name);
        size_t count = found != NULL ? (size_t)found->dim[0] : 0;
        size_t floats = count * (size_t)pack->part->domain[d].classes;
        room = floats > room ? floats : room;
        *images += (int)count;
    }
    return room;
}

enum sy_status sy_pack_probe(const struct sy_pack *pack,
                             struct sy_snapshot *snapshot, struct sy_pool *pool,
                             struct sy_pack_probed *probed,
                             struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct probing p = {.pack = pack,
                        .probed = {.same_bits = true},
                        .tolerance = SY_PACK_PROBE_TOLERANCE};
    const struct sy_network *network = sy_snapshot_network(snapshot);
    size_t room = answers_room(pack, &p.probed.images);
    if (sy_snapshot_weights(snapshot) == SY_WEIGHTS_HALF) {
        p.tolerance = SY_PACK_PROBE_TOLERANCE_HALF;
    }
    if (p.probed.images > 0) {
        p.image =
            sy_alloc(sy_shape_floats(network->spec.input) * sizeof(float));
        p.answers = sy_alloc(room * sizeof(float));
        if (p.image == NULL || p.answers == NULL) {
            status = sy_fail(err, SY_NO_MEMORY, "probing: no memory");
            goto out;
        }
        SY_TRY_OUT(sy_executor_new(&p.executor, snapshot, pool, 1, err));
        for (int e = 0; e < pack->part->expert_count; e++) {
            SY_TRY_OUT(probe_expert(&p, &pack->part->expert[e], err));
        }
        p.probed.us_mean = p.runs > 0 ? p.us / (double)p.runs : 0.0;
    }
    if (probed != NULL) {
        *probed = p.probed;
    }
out:
    sy_executor_free(p.executor);
    sy_free(p.image);
    sy_free(p.answers);
    return status;
}
