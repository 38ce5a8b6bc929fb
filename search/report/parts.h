/*
 * parts.h - the parts of a report's document, each made in a file of its own.
 * All return owned references; NULL from those without a status: no memory.
 */
#ifndef NAS_REPORT_PARTS_H
#define NAS_REPORT_PARTS_H

#include "runtime/network/paths_json.h"
#include "search/report/report.h"

/* {"input", "layers": [{"channels", "stride", "blocks": [{"id", "text",
   "kind", "passes", "madds", "params"}]}]} */
json_t *nas_report_network(const struct sy_network_spec *spec);

/* [{"domain", "expert", "path": [3, 0, 5], "madds", "params"}] */
json_t *nas_report_paths(const struct sy_paths *paths);

/* {"names": [...], "matrix": [[...]]} */
json_t *nas_report_jaccard(const struct sy_paths *paths,
                           const struct sy_network_spec *spec);

/*
 * What the study has of a run (label NULL: the newest): {"run", "domains",
 * "curves", "samples", "scores", "ranks"},
 * and "training" where the file has one, see docs/report.md. A file without
 * that run is SY_NOT_FOUND.
 */
enum sy_status nas_report_history(json_t **history, const char *file,
                                  const char *label,
                                  struct sy_error *err) SY_MUST_USE;

#endif
