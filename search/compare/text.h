/*
 * text.h - table.json as Markdown, for people.
 *
 * Thread: any.
 */
#ifndef NAS_COMPARE_TEXT_H
#define NAS_COMPARE_TEXT_H

#include "search/config.h"

/*
 * The tables of `table`, which nas_compare has made, with the domains in the
 * configuration's order. Owned (sy_free); NULL: no memory.
 */
char *nas_compare_text(const struct nas_config *config, const json_t *table);

#endif
