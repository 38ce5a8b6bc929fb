/*
 * inputs.h - what a load sends: for every domain some images, each a whole
 * HTTP request that waits in memory, and what is known of its answer.
 *
 * Thread: one at a time.
 */
#ifndef SRV_LOAD_INPUTS_H
#define SRV_LOAD_INPUTS_H

#include <jansson.h>

#include "runtime/base/rng.h"
#include "runtime/network/network.h"
#include "serving/load/wire.h"

enum srv_load_format {
    SRV_LOAD_BINARY, /* /v2/models/NET.DOMAIN/infer, binary tensors */
    SRV_LOAD_JSON,   /* the same, JSON */
    SRV_LOAD_IMAGE,  /* /v1/classify/NET.DOMAIN, a PNG */
    SRV_LOAD_FORMATS
};

extern const char *const srv_load_format_names[SRV_LOAD_FORMATS + 1];

/* What to ask for; strings are borrowed. */
struct srv_inputs_options {
    const char *network;        /* NULL: the only one there is */
    const char *const *domains; /* "NAME" or "NAME=WEIGHT"; none: all */
    int domain_count;
    const char *data; /* folder with the domains' test images; NULL: random */
    enum srv_load_format format;
    bool floats;         /* FP32 in place of UINT8; not for IMAGE */
    int per_domain;      /* images of each */
    const char *headers; /* lines that end with \r\n, or "" */
    int timeout_ms;
    uint64_t seed;
};

enum {
    SRV_LOAD_SNAPSHOTS = 4, /* whose answers are remembered of each input */
    SRV_LOAD_SNAPSHOT_BYTES = 160
};

/* How an answer compares with what was known before. */
enum srv_answer {
    SRV_ANSWER_SAME,  /* the same bits as before */
    SRV_ANSWER_FIRST, /* the first for this input from this snapshot */
    SRV_ANSWER_OTHER, /* other bits from the same snapshot: wrong */
    SRV_ANSWER_NONE   /* not an answer to this request */
};

/* What a snapshot computed for an input. */
struct srv_known {
    char snapshot[SRV_LOAD_SNAPSHOT_BYTES]; /* "": nothing yet */
    char *answer;                           /* owned */
    size_t answer_bytes;
};

/* One request, and what is known of its answers. Owned by srv_inputs. */
struct srv_input {
    int domain; /* index into srv_inputs.domain */
    int label;  /* the true class, index of the network's label; -1: unknown */
    char *request;
    size_t request_bytes;
    struct srv_known known[SRV_LOAD_SNAPSHOTS]; /* the latest ones */
    int known_count;                            /* ever; the ring's place */
    bool answered;
    bool right; /* the last first answer of a snapshot is `label` */
};

struct srv_input_domain {
    char name[SY_NAME_BYTES];
    double share;     /* of the requests; all add up to 1 */
    json_t *labels;   /* borrowed from srv_inputs.described */
    int first, count; /* its inputs */
};

struct srv_inputs {
    struct srv_wire_target target;
    enum srv_load_format format;
    char network[SY_NAME_BYTES];
    struct sy_shape shape;
    json_t *described; /* GET /v1/networks/NET, owned */
    int domain_count;
    struct srv_input_domain domain[SY_MAX_DOMAINS];
    int count;
    struct srv_input *input;
};

/*
 * Asks the server what it serves and makes the requests. Errors: the URL, a
 * server that does not answer, a network or domain that it does not have,
 * labels or images of the data folder that do not fit.
 */
enum sy_status srv_inputs_open(struct srv_inputs *inputs, const char *url,
                               const struct srv_inputs_options *options,
                               struct sy_error *err) SY_MUST_USE;
void srv_inputs_close(struct srv_inputs *inputs);

/*
 * Pairs of snapshots that gave an input the same bits, over all inputs: 0 where
 * snapshots differ on everything, so that an answer can only be of the one
 * that it names.
 */
int srv_inputs_alike(const struct srv_inputs *inputs);

/* The index of an input: a domain by its share, then any of its images. */
int srv_inputs_draw(const struct srv_inputs *inputs, struct sy_rng *rng);

/*
 * Judges the body of a 200. What is compared is what the network computed:
 * the outputs, or label and probabilities; not the time that an answer tells.
 * An input's answers are remembered for its latest SRV_LOAD_SNAPSHOTS
 * snapshots, so that those of a server that goes back and forth are compared.
 */
enum srv_answer srv_inputs_judge(struct srv_inputs *inputs, int index,
                                 const char *body, size_t bytes);

#endif
