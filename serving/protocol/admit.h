/*
 * admit.h - from what a request asks for to a job: which domain, which
 * expert, for how long.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_ADMIT_H
#define SRV_PROTOCOL_ADMIT_H

#include "serving/protocol/model.h"
#include "serving/protocol/params.h"

/*
 * A job for `image_count` images of what the model and the parameters name.
 * The domain's route answers, within `max_madds` where it is given, and within
 * what `deadline_us` pays for where the network has a latency table
 * (serving/deadline.h); where that pays for none of the route's experts, the
 * dearest other expert of the domain that it pays for. SY_BAD_INPUT: no such
 * domain, or a bound below the cheapest expert's cost, which the message
 * names. Owned.
 */
enum sy_status srv_admit(struct srv_job **job, const struct srv_model *model,
                         const struct srv_params *params, int image_count,
                         struct sy_error *err) SY_MUST_USE;

#endif
