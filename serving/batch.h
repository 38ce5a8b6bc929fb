/*
 * batch.h - slices of jobs to the executor's requests, and their ways back.
 *
 * Thread: engine.
 */
#ifndef SRV_BATCH_H
#define SRV_BATCH_H

#include "serving/queue.h"

/*
 * Writes a request for each image of the slices, and behind all of them,
 * beside those that are to be compared, one for the other route; so there is
 * room for twice the images. Returns how many there are.
 */
int srv_batch_fill(struct sy_request *requests, const struct srv_slice *slices,
                   int slice_count);

/* Counts the pairs of a batch that ran, of so many images. */
void srv_batch_count_pairs(const struct sy_request *requests, int images,
                           const struct srv_slice *slices, int slice_count);

/* Adds to a job the way that its image number `image` took. */
void srv_batch_take(struct srv_job *job, int image,
                    const struct sy_request *request);

#endif
