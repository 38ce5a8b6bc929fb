/*
 * fuzz_infer_body.c - the whole way from a request body to a job.
 *
 * The first line is the value of Inference-Header-Content-Length, empty for
 * none; what follows is the body: JSON, then binary tensors, or raw bytes.
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
static struct sy_route leaves[2] = {{.type = &sy_route_expert, .expert = 0},
                                    {.type = &sy_route_expert, .expert = 1}};
static struct sy_route *routes[2] = {&leaves[0], &leaves[1]};
static struct sy_unit units[4] = {{.cost = {.madds = 1000}}};
static struct sy_network network = {.spec = {.input = {2, 1, 3}},
                                    .domain_count = 2,
                                    .domain = domains,
                                    .expert_count = 2,
                                    .expert = experts,
                                    .route = routes,
                                    .unit_count = 4,
                                    .unit = units,
                                    .trunk = 1,
                                    .first_head = 2};
static struct srv_live live = {.refs = 1000,
                               .name = "net",
                               .label = "1",
                               .network = &network,
                               .cost_madds = {1, 1}};

static void take_body(int domain, const struct srv_infer_body *body)
{
    struct srv_model model = {.name = "net", .live = &live, .domain = domain};
    struct srv_infer infer;
    struct sy_error err = {0};
    if (srv_infer_parse(&infer, &model, body, 8, &err) != SY_OK) {
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
    size_t json_bytes = 0;
    srv_infer_encode(&infer, &text, &json_bytes);
    if (!text.failed && json_bytes > text.bytes) {
        abort();
    }
    srv_text_release(&text);
    srv_infer_release(&infer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *line = memchr(data, '\n', bytes);
    size_t header_bytes = line == NULL ? 0 : (size_t)(line - data);
    char header[160];
    if (line == NULL || header_bytes >= sizeof header) {
        return 0;
    }
    memcpy(header, data, header_bytes);
    header[header_bytes] = '\0';
    bytes -= header_bytes + 1;
    char *copy = malloc(bytes + 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, line + 1, bytes);
    copy[bytes] = '\0';
    struct srv_infer_body body;
    if (srv_infer_split(&body, header, copy, bytes, NULL) == SY_OK) {
        take_body(0, &body);
        take_body(-1, &body);
    }
    free(copy);
    return 0;
}
