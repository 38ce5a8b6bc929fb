/*
 * names.h - lists of class names: labels.txt, classes.txt, batches.meta.txt.
 *
 * One name a line, line k names label k. Thread: any.
 */
#ifndef DOM_FORMATS_NAMES_H
#define DOM_FORMATS_NAMES_H

#include <stddef.h>

#include "runtime/base/status.h"

/*
 * Reads a list of names from a file (or from text; `name` stands for it in
 * messages). Blank lines at the end are ignored, a blank line elsewhere, a
 * duplicate, a name of DOM_LABEL_BYTES bytes or more, bytes that are not
 * UTF-8 and control characters are refused with their line. *names is an
 * owned array of *count owned strings (dom_names_free).
 */
enum sy_status dom_names_load(const char *path, char ***names, int *count,
                              struct sy_error *err) SY_MUST_USE;
enum sy_status dom_names_parse(const char *text, size_t bytes, const char *name,
                               char ***names, int *count,
                               struct sy_error *err) SY_MUST_USE;

/* NULL is legal. */
void dom_names_free(char **names, int count);

/* True for 1..DOM_LABEL_BYTES-1 bytes of UTF-8 without control characters. */
bool dom_label_is_valid(const char *text, size_t bytes);

#endif
