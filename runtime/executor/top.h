/*
 * top.h - the most probable classes of an answer.
 *
 * Thread: any.
 */
#ifndef SY_EXECUTOR_TOP_H
#define SY_EXECUTOR_TOP_H

/*
 * Writes the indices of the `most` highest of `classes` probabilities to
 * `top`, highest first, ties to the lower index. Returns how many: the lesser
 * of `classes` and `most`.
 */
int sy_top_classes(const float *probabilities, int classes, int *top, int most);

#endif
