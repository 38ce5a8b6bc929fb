/*
 * top.c - the most probable classes, by insertion into a short list.
 */
#include "runtime/executor/top.h"

#include <string.h>

int sy_top_classes(const float *probabilities, int classes, int *top, int most)
{
    int count = 0;
    for (int k = 0; k < classes; k++) {
        int at = count;
        while (at > 0 && probabilities[k] > probabilities[top[at - 1]]) {
            at--;
        }
        if (at == most) {
            continue;
        }
        count += count < most ? 1 : 0;
        memmove(top + at + 1, top + at, (size_t)(count - at - 1) * sizeof *top);
        top[at] = k;
    }
    return count;
}
