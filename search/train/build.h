/*
 * build.h - from a configuration, data and paths to a network to train.
 *
 * Candidates that no path uses are dropped; block ids stay.
 *
 * Thread: init.
 */
#ifndef NAS_TRAIN_BUILD_H
#define NAS_TRAIN_BUILD_H

#include "search/train/data.h"

/*
 * Builds and initialises the network. Paths come from `paths_file`
 * (paths.json) when it is not NULL, else from the configuration's own
 * "paths", given to the domains in turn as experts named "main". Errors name
 * a domain without a path.
 */
enum sy_status nas_build(struct sy_network **network,
                         const struct nas_config *config,
                         const struct nas_data *data, const char *paths_file,
                         struct sy_error *err) SY_MUST_USE;

/* A network of all candidates, initialised, without experts. */
enum sy_status nas_build_supernet(struct sy_network **network,
                                  const struct nas_config *config,
                                  const struct nas_data *data,
                                  struct sy_error *err) SY_MUST_USE;

#endif
