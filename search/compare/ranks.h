/*
 * ranks.h - how well the supernet of the first seed's mpnas ranks paths: its
 * scores of the random paths and of the found ones, against what networks of
 * these paths reached when they were trained from scratch. Private to this
 * folder.
 *
 * Thread: init.
 */
#ifndef NAS_COMPARE_RANKS_H
#define NAS_COMPARE_RANKS_H

#include "search/compare/plan.h"

/*
 * Notes both numbers of every path in the study of that search, for its
 * report, and makes {"mean": x, "DOMAIN": {"tau", "low", "high"}}, owned, of
 * Kendall's tau over the paths of each domain. `results` maps places to
 * results; those of the first seed's mpnas and of the random paths are there.
 */
enum sy_status nas_compare_ranks(const struct nas_compare_job *job,
                                 const struct nas_compare_base *base,
                                 const json_t *results, json_t **ranks,
                                 struct sy_error *err) SY_MUST_USE;

#endif
