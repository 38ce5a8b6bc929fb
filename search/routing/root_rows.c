/*
 * root_rows.c - the rows that a root gate is fitted and judged on.
 *
 * DESIGN. A pass draws as many images of every domain, whatever it has, each
 * moved by some pixels, and makes up others; what was looked at is dropped with
 * the pass, so room does not grow with the images. Some go through a JPEG, of
 * the domains' and of the made-up ones alike: how sharp a picture is tells much
 * of its domain, and the traces of a file must not. What a row is, is a
 * function of (seed, pass, row).
 */
#include "search/routing/root_rows.h"

#include <string.h>

#include "domains/image/image.h"
#include "runtime/base/rng.h"
#include "search/routing/outliers.h"

enum {
    OUTLIER_SHARE = 3,   /* made-up images of a pass, over a domain's */
    SOURCE_IMAGES = 512, /* of a domain, that others are made of */
    SHIFT = 2,           /* pixels */
    JPEG_SHARE = 4,      /* one in so many goes through a JPEG */
    ASIDE = 10           /* every so many training images is for judging */
};

/* Looks at `count` images of the batch and appends their rows at `row`. */
static void look_at(struct nas_root_rows *r, int count, int row)
{
    size_t image = sy_shape_floats(r->of.network->spec.input);
    dom_normalise(r->pixels, (size_t)count * image, r->images);
    nas_gate_look_at(r->look, r->images, count,
                     r->features + (size_t)row * (size_t)r->inputs);
}

/* The image moved by so many pixels, and mirrored; what comes in repeats the
   border. */
static void move(struct sy_shape input, const uint8_t *from, int down,
                 int right, bool mirror, uint8_t *to)
{
    size_t pixel = (size_t)input.c;
    for (int h = 0; h < input.h; h++) {
        int y = h - down;
        y = y < 0 ? 0 : y < input.h ? y : input.h - 1;
        for (int w = 0; w < input.w; w++, to += pixel) {
            int x = w - right;
            x = x < 0 ? 0 : x < input.w ? x : input.w - 1;
            x = mirror ? input.w - 1 - x : x;
            memcpy(to, from + ((size_t)y * (size_t)input.w + (size_t)x) * pixel,
                   pixel);
        }
    }
}

/* A training image of the domain, moved by up to SHIFT pixels each way and
   mirrored or not; none of those that are judged on. */
static enum sy_status draw(struct nas_root_rows *r, int domain,
                           struct sy_rng *rng, uint8_t *pixels,
                           struct sy_error *err)
{
    struct dom_loader *loader = r->of.train[domain];
    int images = dom_loader_images(loader), at = 0;
    if (images > 1) {
        at = (int)sy_rng_below(
            rng, (uint32_t)(images - (images + ASIDE - 1) / ASIDE));
        at = at / (ASIDE - 1) * ASIDE + 1 + at % (ASIDE - 1);
    }
    SY_TRY(dom_loader_read(loader, at, 1, r->drawn, r->labels, err));
    int down = (int)sy_rng_below(rng, 2 * SHIFT + 1) - SHIFT;
    int right = (int)sy_rng_below(rng, 2 * SHIFT + 1) - SHIFT;
    bool mirror = sy_rng_below(rng, 2) == 1;
    move(r->of.network->spec.input, r->drawn, down, right, mirror, pixels);
    return SY_OK;
}

enum sy_status nas_root_rows_draw(struct nas_root_rows *r, int pass,
                                  struct sy_error *err)
{
    int domains = r->of.network->domain_count, waiting = 0;
    size_t image = sy_shape_floats(r->of.network->spec.input);
    struct nas_outlier_source source = {r->of.network, r->source,
                                        SOURCE_IMAGES};

    for (int row = 0; row < r->n; row++) {
        uint8_t *pixels = r->pixels + (size_t)waiting * image;
        struct sy_rng rng =
            sy_rng_stream(r->of.seed, SY_RNG_GATE,
                          (UINT64_C(1) << 32) + (uint64_t)pass, (uint32_t)row);
        int domain = row / r->each;
        r->domain[row] = domain < domains ? domain : domains;
        r->weight[row] = 1.0;
        SY_TRY(domain < domains ? draw(r, domain, &rng, pixels, err)
                                : nas_outlier_draw(&source, &rng, pixels, err));
        if (sy_rng_below(&rng, JPEG_SHARE) == 0) {
            int quality = 50 + (int)sy_rng_below(&rng, 50);
            SY_TRY(dom_image_through_jpeg(pixels, r->of.network->spec.input.h,
                                          r->of.network->spec.input.w, quality,
                                          err));
        }
        if (++waiting == NAS_LOOK_BATCH || row + 1 == r->n) {
            look_at(r, waiting, row + 1 - waiting);
            waiting = 0;
        }
    }
    return SY_OK;
}

/* Images of a domain that are judged on: every ASIDEth of those for training,
   and those that were held out. */
struct share {
    struct dom_loader *loader; /* or NULL */
    int step, count;
};

static struct share held_share(const struct nas_root_rows *r, int domain,
                               bool train)
{
    struct share share = {.loader = train ? r->of.train[domain]
                                          : r->of.held_out[domain],
                          .step = train ? ASIDE : 1};
    if (share.loader != NULL) {
        int images = dom_loader_images(share.loader);
        int most = share.step * r->each;
        share.step *= images > most ? (images + most - 1) / most : 1;
        share.count = (images + share.step - 1) / share.step;
    }
    return share;
}

static int held_of(const struct nas_root_rows *r, int domain)
{
    return held_share(r, domain, true).count +
           held_share(r, domain, false).count;
}

static enum sy_status look_at_share(struct nas_root_rows *r,
                                    const struct share *share, int row,
                                    struct sy_error *err)
{
    size_t image = sy_shape_floats(r->of.network->spec.input);
    for (int i = 0, waiting = 0; i < share->count; i++) {
        SY_TRY(dom_loader_read(share->loader, i * share->step, 1,
                               r->pixels + (size_t)waiting * image, r->labels,
                               err));
        if (++waiting == NAS_LOOK_BATCH || i + 1 == share->count) {
            look_at(r, waiting, row + i + 1 - waiting);
            waiting = 0;
        }
    }
    return SY_OK;
}

/* The rows that are judged on, behind the others: each domain weighs alike. */
static enum sy_status look_at_held(struct nas_root_rows *r,
                                   struct sy_error *err)
{
    int row = r->n;
    for (int d = 0; d < r->of.network->domain_count; d++) {
        int count = held_of(r, d), first = row;
        for (int part = 0; part < 2; part++) {
            struct share share = held_share(r, d, part == 0);
            SY_TRY(look_at_share(r, &share, row, err));
            row += share.count;
        }
        for (int i = first; i < row; i++) {
            r->domain[i] = d;
            r->weight[i] =
                (double)r->held / r->of.network->domain_count / count;
        }
    }
    return SY_OK;
}

/* Images that others are made of. */
static enum sy_status read_sources(struct nas_root_rows *r,
                                   struct sy_error *err)
{
    size_t image = sy_shape_floats(r->of.network->spec.input);
    for (int i = 0; i < r->of.network->domain_count * SOURCE_IMAGES; i++) {
        struct sy_rng rng = sy_rng_stream(r->of.seed, SY_RNG_GATE,
                                          UINT64_C(3) << 32, (uint32_t)i);
        SY_TRY(draw(r, i / SOURCE_IMAGES, &rng, r->source + (size_t)i * image,
                    err));
    }
    return SY_OK;
}

static enum sy_status take_room(struct nas_root_rows *r, struct sy_arena *arena,
                                struct sy_error *err)
{
    size_t image = sy_shape_floats(r->of.network->spec.input);
    size_t domains = (size_t)r->of.network->domain_count;
    size_t rows = (size_t)r->n + (size_t)r->held;
    r->features = sy_arena_zero(arena, rows * (size_t)r->inputs, sizeof(float));
    r->domain = sy_arena_zero(arena, rows, sizeof *r->domain);
    r->weight = sy_arena_zero(arena, rows, sizeof *r->weight);
    r->source = sy_arena_zero(arena, domains * SOURCE_IMAGES, image);
    r->pixels = sy_arena_zero(arena, NAS_LOOK_BATCH, image);
    r->drawn = sy_arena_zero(arena, 1, image);
    r->images = sy_arena_zero(arena, NAS_LOOK_BATCH * image, sizeof(float));
    r->labels = sy_arena_zero(arena, NAS_LOOK_BATCH, sizeof *r->labels);
    return r->features && r->domain && r->weight && r->source && r->pixels &&
                   r->drawn && r->images && r->labels
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY,
                         "root gate: no memory for features");
}

enum sy_status nas_root_rows_init(struct nas_root_rows *r,
                                  const struct nas_root_source *of, int each,
                                  struct nas_gate_look *look,
                                  struct sy_arena *arena, struct sy_error *err)
{
    int domains = of->network->domain_count;
    *r = (struct nas_root_rows){.of = *of, .each = each, .look = look};
    r->inputs = nas_gate_look_inputs(look);
    r->n = (domains + OUTLIER_SHARE) * each;
    for (int d = 0; d < domains; d++) {
        r->held += held_of(r, d);
    }
    SY_TRY(take_room(r, arena, err));
    SY_TRY(read_sources(r, err));
    SY_TRY(look_at_held(r, err));
    return nas_root_rows_draw(r, 0, err);
}
