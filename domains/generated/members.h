/*
 * members.h - the domains of this folder, each in the file of its name.
 * Private to the folder; the table in generated.c lists them all.
 */
#ifndef DOM_GENERATED_MEMBERS_H
#define DOM_GENERATED_MEMBERS_H

#include "domains/generated/generated.h"

extern const struct dom_generator dom_glyphs;
extern const struct dom_generator dom_polygons;
extern const struct dom_generator dom_textures;
extern const struct dom_generator dom_blobs;
extern const struct dom_generator dom_colours;
extern const struct dom_generator dom_barcodes;
extern const struct dom_generator dom_curves;

#endif
