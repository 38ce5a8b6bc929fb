/*
 * snapshot.h - one immutable, reference-counted state of a served network.
 *
 * Made off the serving threads from a network: weights packed once per
 * block, norms folded to a scale and a bias per (block, domain), plans fused.
 * It never changes afterwards; swapping publishes another one.
 *
 * Thread: sy_snapshot_new: any, one at a time per network. The rest: any.
 */
#ifndef SY_EXECUTOR_SNAPSHOT_H
#define SY_EXECUTOR_SNAPSHOT_H

#include "runtime/backend/backend.h"
#include "runtime/network/network.h"

struct sy_snapshot;

/*
 * Takes the network (also frees it when this fails). `label` names the
 * snapshot in answers, e.g. the version ("3"); it is copied. `backend` NULL
 * takes the best. A supernet without experts is legal: paths are then given
 * with each request. Returns one owned reference.
 */
enum sy_status sy_snapshot_new(struct sy_snapshot **snapshot,
                               struct sy_network *network, const char *label,
                               const struct sy_backend *backend,
                               struct sy_error *err) SY_MUST_USE;

struct sy_snapshot *sy_snapshot_ref(struct sy_snapshot *snapshot);
void sy_snapshot_unref(struct sy_snapshot *snapshot); /* NULL is legal */

/*
 * Ends a snapshot that nobody else has a reference to, and gives its network
 * back, so that it may be changed and published anew.
 */
struct sy_network *sy_snapshot_dissolve(struct sy_snapshot *snapshot);

const struct sy_network *sy_snapshot_network(const struct sy_snapshot *s);
const char *sy_snapshot_label(const struct sy_snapshot *s);
const struct sy_backend *sy_snapshot_backend(const struct sy_snapshot *s);

#endif
