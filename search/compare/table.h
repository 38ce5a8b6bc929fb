/*
 * table.h - from the results of runs to table.json and table.md. Private to
 * this folder; docs/compare.md says what stands in them.
 *
 * Thread: any.
 */
#ifndef NAS_COMPARE_TABLE_H
#define NAS_COMPARE_TABLE_H

#include "search/compare/compare.h"

/*
 * Writes both files under job->out. `results` maps places to results
 * (run.h); all of the comparison must be there. `ranks` (ranks.h) may be NULL.
 * *table is owned.
 */
enum sy_status nas_compare_table(const struct nas_compare_job *job, double rate,
                                 json_t *results, json_t *ranks, json_t **table,
                                 struct sy_error *err) SY_MUST_USE;

#endif
