/*
 * way.c - the route of an answer, in words.
 */
#include "serving/protocol/way.h"

#include <string.h>

static const struct sy_route *route_of(const struct srv_job *job)
{
    return srv_job_network(job)->route[job->pick.named_domain];
}

const char *srv_way_experts(const struct srv_job *job, char *text)
{
    const struct sy_network *network = srv_job_network(job);
    size_t at = 0;
    text[0] = '\0';
    for (int i = 0; i < job->ran.count; i++) {
        const char *name = network->expert[job->ran.expert[i]].name;
        size_t length = strlen(name);
        SY_ASSERT(length + 1 < SRV_EXPERTS_BYTES - at);
        if (i > 0) {
            text[at++] = ',';
        }
        memcpy(text + at, name, length + 1);
        at += length;
    }
    return text;
}

const char *srv_way_exit(const struct srv_job *job)
{
    return job->exit >= 0 ? srv_job_network(job)->expert[job->exit].name
                          : "several";
}

char *srv_way_explain(const struct srv_job *job)
{
    json_t *told =
        sy_route_explain(route_of(job), srv_job_network(job), &job->way);
    char *text = told != NULL
                     ? json_dumps(told, JSON_COMPACT | JSON_REAL_PRECISION(9))
                     : NULL;
    json_decref(told);
    return text;
}
