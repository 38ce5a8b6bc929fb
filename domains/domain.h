/*
 * domain.h - a domain: a named classification problem in a folder.
 *
 * DIR/NAME/ holds images and labels in one of the formats of domains/formats
 * (IDX, CIFAR binary, class folders of PNG/JPEG, NPY/NPZ). dom_open finds the
 * format, checks everything that can be checked without reading every pixel,
 * and then gives single images by index, decoded on demand: a folder larger
 * than memory streams from disk.
 *
 * Splits. TRAIN and VALID are a fixed partition of the folder's training
 * part: within each class the images are put in an order that depends on the
 * class, their position and nothing else, and the first `holdout` share of
 * them is VALID. TEST is the folder's test part. Selection of anything never
 * looks at TEST.
 *
 * Thread: dom_open and dom_close: init. dom_read and the getters: any.
 */
#ifndef DOM_DOMAIN_H
#define DOM_DOMAIN_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum {
    DOM_NAME_BYTES = 64,
    DOM_LABEL_BYTES = 64,
    DOM_MAX_CLASSES = 4096,
    DOM_MAX_SIDE = 4096 /* pixels */
};

enum dom_split { DOM_TRAIN, DOM_VALID, DOM_TEST };

struct dom_domain;

struct dom_options {
    double holdout; /* share of the training part that is VALID, [0, 0.5] */
    /* Share of each class's training images that there are, VALID included,
       one at least; the rest is in no split. 0 takes all, as 1 does. */
    double fraction;
};

/*
 * Opens DIR/NAME. Errors (SY_BAD_INPUT, SY_NOT_FOUND, SY_IO) name file,
 * place, found against expected: a truncated or lying header, sizes that
 * disagree between images and labels, a label out of range, an empty class,
 * an image that does not decode, a name with characters other than letters,
 * digits, '_' and '-'.
 */
enum sy_status dom_open(struct dom_domain **domain, const char *dir,
                        const char *name, const struct dom_options *options,
                        struct sy_error *err) SY_MUST_USE;
void dom_close(struct dom_domain *domain);

const char *dom_name(const struct dom_domain *domain);
const char *dom_format(const struct dom_domain *domain); /* "idx", ... */
int dom_classes(const struct dom_domain *domain);
const char *dom_class_name(const struct dom_domain *domain, int label);

/* Native shape. Class folders may mix sizes: height and width are then 0. */
int dom_height(const struct dom_domain *domain);
int dom_width(const struct dom_domain *domain);
int dom_channels(const struct dom_domain *domain); /* 1 or 3 */

/* Images in a split. */
int dom_count(const struct dom_domain *domain, enum dom_split split);

/* The label of an image, in [0, classes). */
int dom_label(const struct dom_domain *domain, enum dom_split split, int index);

/*
 * Reads one image, resized to height x width x 3 (grey is repeated), 8 bits,
 * channel last, into `pixels`. Resizing is area-weighted linear filtering
 * (domains/image/resize.h), the same as for images sent to the server.
 */
enum sy_status dom_read(const struct dom_domain *domain, enum dom_split split,
                        int index, int height, int width, uint8_t *pixels,
                        struct sy_error *err) SY_MUST_USE;

/*
 * SHA-256 over the domain's content (names, sizes and bytes of its files, in
 * order of name), for provenance.
 */
enum sy_status dom_hash(const struct dom_domain *domain, char *text,
                        struct sy_error *err) SY_MUST_USE;

/* True for 1..63 letters, digits, '_' and '-'. */
bool dom_name_is_valid(const char *name);

#endif
