/*
 * inspect.h - a network as JSON for people and scripts: what it is made of,
 * who uses what, and how much its experts share.
 *
 *   {"name", "params",
 *    "input": [H, W, C],
 *    "domains": [{"name", "classes", "labels": [...]}],
 *    "layers":  [{"layer", "channels", "stride", "blocks", "input": [H,W,C]}],
 *    "blocks":  [{"layer", "block", "id", "kind", "text", "params", "madds",
 *                 "used_by": ["DOMAIN.EXPERT", ...]}],
 *    "experts": [{"domain", "name", "path", "madds", "params"}],
 *    "gates":   [{"domain" (null: the root gate), "name", "layers", "outputs",
 *                 "madds", "params"}],
 *    "routes":  {"DOMAIN": {"kind": ...}},
 *    "jaccard": {"names": ["DOMAIN.EXPERT", ...], "matrix": [[...]]}}
 *
 * `params` of a block are its weights and one set of norms; of an expert,
 * everything on its path with stem, trunk and head; of the network, each
 * number once. MAdds are for one image. A supernet has no experts: the lists
 * that speak of them are then empty.
 *
 * Thread: any.
 */
#ifndef SY_NETWORK_INSPECT_H
#define SY_NETWORK_INSPECT_H

#include <jansson.h>

#include "runtime/network/network.h"

/* An owned reference (json_decref), or NULL: no memory. */
json_t *sy_inspect_json(const struct sy_network *network);

#endif
