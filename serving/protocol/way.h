/*
 * way.h - what an answer tells of its route.
 *
 * Thread: any (a job belongs to one thread at a time).
 */
#ifndef SRV_PROTOCOL_WAY_H
#define SRV_PROTOCOL_WAY_H

#include "serving/job.h"

enum { SRV_EXPERTS_BYTES = SY_ROUTE_MAX_EXPERTS * SY_NAME_BYTES };

/*
 * "small,main": the experts that ran for images of the job, in `text` with
 * SRV_EXPERTS_BYTES; and the one whose answer all images got, or "several".
 */
const char *srv_way_experts(const struct srv_job *job, char *text);
const char *srv_way_exit(const struct srv_job *job);

/*
 * The decisions about the first image, owned (sy_free): a JSON array as
 * sy_route_explain has it. NULL: no memory.
 */
char *srv_way_explain(const struct srv_job *job);

#endif
