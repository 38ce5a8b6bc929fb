/*
 * params.h - the parameters of an inference request, checked.
 *
 * Every key that this server knows has one type and one range; a wrong one is
 * SY_BAD_INPUT, and one that asks for what the engine cannot do is
 * SY_UNSUPPORTED: nothing that was asked for is left out in silence. Keys
 * that nobody knows are passed over, as the protocol has it for parameters of
 * other servers; those that begin with "triton_" are reserved and refused.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_PARAMS_H
#define SRV_PROTOCOL_PARAMS_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* What a day has: longer timeouts mean none, and do not overflow. */
#define SRV_MAX_TIMEOUT_US INT64_C(86400000000)

/* Of the whole request. */
struct srv_params {
    const char *domain;  /* borrowed from the request; NULL: not given */
    int64_t max_madds;   /* multiply-adds for one image; 0: no limit */
    int64_t deadline_us; /* 0: none */
    int64_t timeout_ns;  /* the lesser of deadline_us and timeout; 0: none */
    int priority;        /* as in job.h; 0: not given */
    bool binary_output;  /* for outputs that do not say */
    bool explain;        /* tell the route's decisions */
};

/* Of one output. */
struct srv_output_params {
    bool binary;
    int classes; /* classification: the best so many; 0: the tensor itself */
};

/* Of the one input; SRV_NO_BINARY where its data is JSON. */
#define SRV_NO_BINARY SIZE_MAX
struct srv_input_params {
    size_t binary_bytes;
};

/* `owner` is the object that has a member "parameters", or not. */
enum sy_status srv_params_read(struct srv_params *params, const json_t *owner,
                               struct sy_error *err) SY_MUST_USE;
enum sy_status srv_output_params_read(struct srv_output_params *params,
                                      const json_t *owner,
                                      bool binary_by_default,
                                      struct sy_error *err) SY_MUST_USE;
enum sy_status srv_input_params_read(struct srv_input_params *params,
                                     const json_t *owner,
                                     struct sy_error *err) SY_MUST_USE;

#endif
