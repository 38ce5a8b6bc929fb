/*
 * config_search.h - what config.c, config_search.c and config_compare.c share.
 * Not for others.
 */
#ifndef NAS_CONFIG_SEARCH_H
#define NAS_CONFIG_SEARCH_H

#include "runtime/base/json.h"
#include "search/config.h"

/* "optimiser" of a section; what is left out keeps its value, or takes the
   default of another kind when `kind` names one. */
void nas_config_optimiser(struct nas_optimiser_config *optimiser,
                          struct sy_json *section);

/*
 * An object of one number per domain; `out` of domains that it does not name
 * stays. Names of domains that are not in this run are ignored, as they are
 * for another list of domains.
 */
void nas_config_by_domain(const struct nas_config *config, struct sy_json *in,
                          const char *key, double low, double high,
                          double *out);

/* "routes" of "train". */
void nas_config_routes(struct nas_route_config *routes, struct sy_json *train);
void nas_config_root(struct nas_root_config *root, struct sy_json *train);

/* "search", after everything else has been read. */
enum sy_status nas_config_read_search(struct nas_config *config,
                                      struct sy_json *root) SY_MUST_USE;

/* An array of low..64 texts, each of which fits into `bytes`, to rows of that
   size. Returns how many. */
int nas_config_names(struct sy_json *in, const char *key, size_t low,
                     char *rows, size_t bytes);

/* "compare", after "search". */
enum sy_status nas_config_read_compare(struct nas_config *config,
                                       struct sy_json *root) SY_MUST_USE;

#endif
