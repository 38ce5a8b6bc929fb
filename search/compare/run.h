/*
 * run.h - one run of a comparison: a search, a training, a test, in a folder
 * of its own. Private to this folder.
 *
 *   OUT/PLACE/paths.json, checkpoint.safetensors     of the search
 *   OUT/PLACE/model/1                                what was trained
 *   OUT/PLACE/result.json                            written last
 *
 * result.json holds what makes it this run ("about") and what came out:
 *
 *   {"about": {"program", "config", "data", "start"},
 *    "paths": {"NAME": "3:0:5"}, "entropy",
 *    "domains": [{"name","n","top1","nll","ece","params","madds_mean"}],
 *    "params", "seconds"}
 *
 * Thread: init.
 */
#ifndef NAS_COMPARE_RUN_H
#define NAS_COMPARE_RUN_H

#include "search/compare/compare.h"

enum { NAS_PLACE_BYTES = 2 * SY_NAME_BYTES };

struct nas_compare_run {
    char place[NAS_PLACE_BYTES]; /* "seed1/mpnas", folder below OUT */
    json_t *config;              /* owned by the caller */
    bool search;                 /* else the configuration's paths */
    bool held_out;               /* tested on held-out images, not on "test" */
    char start[NAS_PLACE_BYTES]; /* run whose frozen numbers it begins with */
};

/*
 * Does what is left of the run; *result is owned. SY_BAD_INPUT where the
 * folder holds a result of something else.
 */
enum sy_status nas_compare_run(const struct nas_compare_job *job,
                               const struct nas_compare_run *run,
                               json_t **result,
                               struct sy_error *err) SY_MUST_USE;

#endif
