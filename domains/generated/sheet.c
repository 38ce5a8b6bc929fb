/*
 * sheet.c - samples of the generated domains side by side, for people.
 *
 * Every domain gets one row whatever its side and channels: smaller images
 * stand in the middle of their cell, grey ones are repeated into colour.
 */
#include <string.h>

#include "domains/generated/canvas.h"
#include "domains/generated/generated.h"
#include "domains/image/image.h"
#include "runtime/base/memory.h"

enum {
    ZOOM = 2,
    GAP = 2, /* pixels between cells, before the zoom */
    CELL = DOM_CANVAS_MAX_SIDE + GAP,
    MAX_CELLS = 60, /* keeps a sheet within DOM_MAX_SIDE pixels */
    PAPER = 255
};

/* Draws one image and copies it, zoomed, into its cell. */
static void put_cell(struct dom_image *sheet,
                     const struct dom_generator *generator, uint64_t seed,
                     int row, int column)
{
    uint8_t drawn[DOM_CANVAS_PIXELS * 3];
    int side = generator->side, channels = generator->channels;
    generator->draw(seed, (uint32_t)column, column % generator->classes, drawn);
    int indent = GAP + (DOM_CANVAS_MAX_SIDE - side) / 2;
    int top = (row * CELL + indent) * ZOOM;
    int left = (column * CELL + indent) * ZOOM;
    for (int y = 0; y < side * ZOOM; y++) {
        for (int x = 0; x < side * ZOOM; x++) {
            const uint8_t *from =
                drawn + (y / ZOOM * side + x / ZOOM) * channels;
            uint8_t *to =
                sheet->pixels + ((top + y) * sheet->width + left + x) * 3;
            for (int c = 0; c < 3; c++) {
                to[c] = from[channels == 1 ? 0 : c];
            }
        }
    }
}

enum sy_status dom_contact_sheet(const struct dom_generator *const *list,
                                 int count, int per_row, uint64_t seed,
                                 const char *png_path, struct sy_error *err)
{
    if (count < 1 || count > MAX_CELLS || per_row < 1 || per_row > MAX_CELLS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected 1 to %d rows and columns, found %d and "
                       "%d",
                       png_path, MAX_CELLS, count, per_row);
    }
    struct dom_image sheet = {
        .height = (count * CELL + GAP) * ZOOM,
        .width = (per_row * CELL + GAP) * ZOOM,
        .channels = 3,
    };
    size_t bytes = (size_t)sheet.height * (size_t)sheet.width * 3;
    sheet.pixels = sy_alloc(bytes);
    if (sheet.pixels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory for a sheet",
                       png_path);
    }
    memset(sheet.pixels, PAPER, bytes);
    for (int row = 0; row < count; row++) {
        for (int column = 0; column < per_row; column++) {
            put_cell(&sheet, list[row], seed, row, column);
        }
    }
    enum sy_status status = dom_image_save_png(&sheet, png_path, err);
    dom_image_release(&sheet);
    return status;
}
