/*
 * alike.h - which domains' found paths share blocks. Private to this folder.
 *
 * Thread: any.
 */
#ifndef NAS_COMPARE_ALIKE_H
#define NAS_COMPARE_ALIKE_H

#include "search/compare/compare.h"

/*
 * {"names": [...], "matrix": [[...]]} of the Jaccard similarity of mpnas's
 * paths, mean over the seeds; owned. `results` maps places to results, those
 * of mpnas among them. NULL: no memory, or a result without a path.
 */
json_t *nas_compare_alike(const struct nas_config *config,
                          const json_t *results);

#endif
