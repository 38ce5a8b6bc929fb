/*
 * way.c - the route of an answer, in words.
 */
#include "serving/protocol/way.h"

#include <string.h>

/* The route that the first image went; NULL: it was of no domain. */
static const struct sy_route *route_of(const struct srv_job *job)
{
    int domain = srv_job_image_domain(job, 0);
    return domain >= 0 ? srv_job_network(job)->route[domain] : NULL;
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
    if (job->ran.count == 0) {
        return ""; /* the root gate abstained, and nobody was asked */
    }
    return job->exit >= 0 ? srv_job_network(job)->expert[job->exit].name
                          : "several";
}

char *srv_way_explain(const struct srv_job *job)
{
    const struct sy_route *route = route_of(job);
    json_t *told = route == NULL ? json_array()
                                 : sy_route_explain(route, srv_job_network(job),
                                                    &job->way);
    char *text = told != NULL
                     ? json_dumps(told, JSON_COMPACT | JSON_REAL_PRECISION(9))
                     : NULL;
    json_decref(told);
    return text;
}
