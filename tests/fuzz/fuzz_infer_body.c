/*
 * fuzz_infer_body.c - the whole way from a request body to a job.
 *
 * The network is a description without weights: parsing needs its shape,
 * domains and labels only. A body that is taken is encoded as well, which
 * walks the answer's side over whatever id and outputs the body asked for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serving/protocol/infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { CLASSES = 3 };

static char *labels[CLASSES] = {"a", "b\"", "\xff"};
static struct sy_domain domains[2] = {
    {.name = "d0", .classes = CLASSES, .labels = labels},
    {.name = "d1", .classes = CLASSES, .labels = labels}};
static struct sy_expert experts[2] = {{.name = "main", .domain = 0},
                                      {.name = "main", .domain = 1}};
static struct sy_network network = {.spec = {.input = {2, 1, 3}},
                                    .domain_count = 2,
                                    .domain = domains,
                                    .expert_count = 2,
                                    .expert = experts};
static struct srv_live live = {.refs = 1000,
                               .name = "net",
                               .label = "1",
                               .network = &network,
                               .expert = {0, 1}};

static void take_body(int domain, const char *body, size_t bytes)
{
    struct srv_model model = {.name = "net", .live = &live, .domain = domain};
    struct srv_infer infer;
    struct sy_error err = {0};
    if (srv_infer_parse(&infer, &model, body, bytes, 8, &err) != SY_OK) {
        if (err.message[0] == '\0') {
            abort();
        }
        return;
    }
    struct srv_job *job = infer.job;
    for (size_t i = 0; i < (size_t)job->image_count * job->image_floats; i++) {
        if (!(job->images[i] > -1.1f && job->images[i] < 1.1f)) {
            abort();
        }
    }
    size_t outputs = (size_t)job->image_count * CLASSES;
    memset(job->logits, 0, 2 * outputs * sizeof(float));
    struct srv_text text = {0};
    srv_infer_encode(&infer, &text);
    srv_text_release(&text);
    srv_infer_release(&infer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *body = malloc(bytes + 1);
    if (body == NULL) {
        abort();
    }
    memcpy(body, data, bytes);
    body[bytes] = '\0';
    take_body(0, body, bytes);
    take_body(-1, body, bytes);
    free(body);
    return 0;
}
