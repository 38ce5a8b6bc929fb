/*
 * config_search.h - what config.c and config_search.c share. Not for others.
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

/* "search", after everything else has been read. */
enum sy_status nas_config_read_search(struct nas_config *config,
                                      struct sy_json *root) SY_MUST_USE;

#endif
