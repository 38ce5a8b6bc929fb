/*
 * cifar.h - CIFAR-10's binary batches, over bytes in memory. What cifar.c's
 * folder reader and the fuzz target share.
 *
 * A batch is records of one label byte and 3072 bytes of a 32 x 32 picture:
 * all red, then all green, then all blue, row by row.
 */
#ifndef DOM_FORMATS_CIFAR_H
#define DOM_FORMATS_CIFAR_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum {
    DOM_CIFAR_SIDE = 32,
    DOM_CIFAR_PLANE = DOM_CIFAR_SIDE * DOM_CIFAR_SIDE,
    DOM_CIFAR_RECORD = 1 + 3 * DOM_CIFAR_PLANE,
    DOM_CIFAR_CLASSES = 10
};

/*
 * Checks that the bytes are whole records with labels in [0, classes);
 * *count is their number, at least 1. Thread: any.
 */
enum sy_status dom_cifar_check(const uint8_t *data, size_t bytes, int classes,
                               const char *name, int *count,
                               struct sy_error *err) SY_MUST_USE;

/* The picture of a record, channel last, 3072 bytes. Thread: any. */
void dom_cifar_pixels(const uint8_t *record, uint8_t *pixels);

#endif
