/*
 * conform_ops.c - every operator of every backend, against the reference.
 *
 *   conform_ops           test and grad
 *   conform_ops test      forward, backward, sums and inference of each
 *                         available backend agree with the reference
 *   conform_ops grad      the reference's backward agrees with finite
 *                         differences of its forward
 *   conform_ops perf      GFLOP/s and GB/s of each backend
 *   conform_ops support   which backend has which kernel
 *
 * DESIGN. The cases are data (cases_ops.h). Two results agree when
 *   |a - b| <= tolerance * (sum of the absolute products behind it)
 * because that is what rounding errors grow with; a sum that cancels to
 * nearly nothing is no licence, and no trap. The sum comes from running the
 * reference on absolute inputs (setup_absolute).
 */
#include "runtime/base/clock.h"
#include "runtime/cpu/blas.h"
#include "tests/conform/ops_setup.h"

static const double tolerance = 4e-6;
static int64_t checks, failures;

static void fail(const struct sy_backend *backend, const struct setup *s,
                 const char *stage, const char *what)
{
    failures++;
    if (failures <= 20) {
        printf("FAIL %s: %s: %s: %s\n", backend->name, s->text, stage, what);
    }
}

/* Compares `floats` results; `extra` widens every magnitude. */
static void compare(const struct sy_backend *backend, const struct setup *s,
                    const char *stage, const float *truth,
                    const float *magnitude, const float *found, size_t floats,
                    double extra)
{
    for (size_t i = 0; i < floats; i++) {
        double bound =
            tolerance * (2.0 * fabs((double)magnitude[i]) + extra) + 1e-12;
        checks++;
        if (!(fabs((double)truth[i] - (double)found[i]) <= bound)) {
            char what[128];
            (void)snprintf(what, sizeof what,
                           "number %zu of %zu: expected %.9g, found %.9g, "
                           "bound %.3g",
                           i, floats, (double)truth[i], (double)found[i],
                           bound);
            fail(backend, s, stage, what);
            return;
        }
    }
}

/* The result of an activation, or of a difference, has errors of its own,
   relative to about 1. */
static double extra_of(const struct setup *s, enum sy_act act)
{
    return act == SY_ACT_NONE && s->node.op != SY_OP_TEXTURES ? 0.0 : 1.0;
}

static bool stage_applies(const struct setup *s, enum stage stage)
{
    if (s->node.op == SY_OP_NORM) {
        return stage != BACKWARD_SKIP;
    }
    return stage != STATS && stage != SUMS;
}

/* Squared deviations are judged by themselves, not by the squares of x. */
static void widen_stats(const struct setup *s, const struct outputs *truth,
                        struct outputs *magnitude)
{
    size_t channels = (size_t)s->in.c;
    const float *partial = truth->at[OUT_PARTIAL].data;

    for (size_t c = 0; c < channels; c++) {
        double mean = (double)partial[c];
        magnitude->at[OUT_PARTIAL].data[channels + c] =
            (float)((double)partial[channels + c] +
                    1e-3 * (double)rows_of(s) * mean * mean);
    }
}

static void truth_and_magnitude(const struct setup *s,
                                const struct setup *absolute, enum stage stage,
                                struct outputs *truth,
                                struct outputs *magnitude)
{
    run_reference(s, stage, truth);
    run_reference(absolute, stage, magnitude);
    if (stage == STATS) {
        widen_stats(s, truth, magnitude);
    }
}

/* A norm's forward over its own input gives the bits that it gives apart. */
static void check_norm_in_place(const struct sy_backend *backend,
                                const struct setup *s,
                                const struct outputs *apart)
{
    struct setup own = *s;
    struct outputs found;

    outputs_new(&found, s, FORWARD);
    own.field[X] = found.at[OUT_Y].data;
    memcpy(own.field[X], s->field[X], s->floats[X] * sizeof(float));
    run_stage(backend, &own, FORWARD, &found);
    if (memcmp(found.at[OUT_Y].data, apart->at[OUT_Y].data,
               s->floats[Y] * sizeof(float)) != 0) {
        fail(backend, s, stage_names[FORWARD], "y over x");
    }
    outputs_free(&found);
}

static void check_stage(const struct sy_backend *backend, const struct setup *s,
                        const struct setup *absolute, enum stage stage)
{
    struct outputs truth, magnitude, found;

    if (!stage_applies(s, stage) ||
        kernel_of(backend, stage, s->node.op) == NULL) {
        return;
    }
    truth_and_magnitude(s, absolute, stage, &truth, &magnitude);
    outputs_new(&found, s, stage);
    if (!run_stage(backend, s, stage, &found)) {
        fail(backend, s, stage_names[stage], "scratch overrun");
    }
    for (int i = 0; i < OUTPUTS; i++) {
        if (!guard_intact(&found.at[i])) {
            fail(backend, s, stage_names[stage], output_names[i]);
        }
        compare(backend, s, stage_names[stage], truth.at[i].data,
                magnitude.at[i].data, found.at[i].data, found.at[i].floats,
                i == OUT_Y ? extra_of(s, s->node.act) : 0.0);
    }
    if (s->node.op == SY_OP_NORM && stage == FORWARD) {
        check_norm_in_place(backend, s, &found);
    }
    outputs_free(&truth);
    outputs_free(&magnitude);
    outputs_free(&found);
}

/* Part `part` of `parts` of the images. */
static struct setup part_of(const struct setup *s, int part, int parts)
{
    int first = s->count * part / parts;

    return setup_slice(s, first, s->count * (part + 1) / parts - first);
}

/* y of the parts, under the moments in `s`, is y of the whole. */
static void check_forward_parts(const struct sy_backend *backend,
                                const struct setup *s,
                                const struct setup *whole,
                                const struct setup *absolute, int parts)
{
    struct outputs truth, magnitude;
    size_t done = 0;

    truth_and_magnitude(whole, absolute, FORWARD, &truth, &magnitude);
    for (int part = 0; part < parts; part++) {
        struct setup slice = part_of(s, part, parts);
        struct outputs found;
        outputs_new(&found, &slice, FORWARD);
        run_stage(backend, &slice, FORWARD, &found);
        compare(backend, s, "forward of parts", truth.at[OUT_Y].data + done,
                magnitude.at[OUT_Y].data + done, found.at[OUT_Y].data,
                slice.floats[Y], extra_of(s, s->node.act));
        done += slice.floats[Y];
        outputs_free(&found);
    }
    outputs_free(&truth);
    outputs_free(&magnitude);
}

/*
 * The statistics of parts, merged, are those of the whole, and the parts
 * normalised with them are the whole.
 */
static void check_norm_parts(const struct sy_backend *backend,
                             const struct setup *s,
                             const struct setup *absolute, int parts)
{
    struct outputs truth, magnitude, found;
    size_t channels = (size_t)s->in.c;
    float *merged = new_floats(2 * channels);
    struct setup own = *s;
    int64_t rows = 0;

    truth_and_magnitude(s, absolute, STATS, &truth, &magnitude);
    for (int part = 0; part < parts; part++) {
        struct setup slice = part_of(s, part, parts);
        outputs_new(&found, &slice, STATS);
        run_stage(backend, &slice, STATS, &found);
        sy_norm_merge(merged, rows, found.at[OUT_PARTIAL].data,
                      (int64_t)rows_of(&slice), s->in.c);
        rows += (int64_t)rows_of(&slice);
        outputs_free(&found);
    }
    compare(backend, s, "merged statistics", truth.at[OUT_PARTIAL].data,
            magnitude.at[OUT_PARTIAL].data, merged, 2 * channels, 0.0);
    for (size_t c = channels; c < 2 * channels; c++) {
        double var = (double)merged[c] / (double)rows;
        merged[c] = (float)(1.0 / sqrt(var + (double)SY_NORM_EPSILON));
    }
    own.field[MOMENTS] = merged;
    check_forward_parts(backend, &own, s, absolute, parts);
    outputs_free(&truth);
    outputs_free(&magnitude);
    free(merged);
}

/* The parameter gradients of parts add up to those of the whole. */
static void check_gradient_parts(const struct sy_backend *backend,
                                 const struct setup *s,
                                 const struct setup *absolute, int parts)
{
    enum stage stage = s->node.op == SY_OP_NORM ? SUMS : BACKWARD_SKIP;
    struct outputs truth, magnitude, found;

    truth_and_magnitude(s, absolute, stage, &truth, &magnitude);
    size_t floats = truth.at[OUT_PARTIAL].floats;
    float *total = new_floats(floats);
    memset(total, 0, floats * sizeof *total);
    for (int part = 0; part < parts; part++) {
        struct setup slice = part_of(s, part, parts);
        outputs_new(&found, &slice, stage);
        run_stage(backend, &slice, stage, &found);
        for (size_t i = 0; i < floats; i++) {
            total[i] += found.at[OUT_PARTIAL].data[i];
        }
        outputs_free(&found);
    }
    compare(backend, s, "gradients of parts", truth.at[OUT_PARTIAL].data,
            magnitude.at[OUT_PARTIAL].data, total, floats, 0.0);
    outputs_free(&truth);
    outputs_free(&magnitude);
    free(total);
}

static void check_parts(const struct sy_backend *backend, const struct setup *s,
                        const struct setup *absolute)
{
    enum sy_op_kind op = s->node.op;

    for (int parts = 2; parts <= 3 && parts <= s->count; parts++) {
        if (op == SY_OP_NORM && backend->stats[op] != NULL) {
            check_norm_parts(backend, s, absolute, parts);
        }
        bool there = op == SY_OP_NORM ? backend->sums[op] != NULL
                                      : backend->backward[op] != NULL;
        if (there) {
            check_gradient_parts(backend, s, absolute, parts);
        }
    }
}

/* One image's inference against the reference's. */
static void check_infer_image(const struct sy_backend *backend,
                              const struct setup *s,
                              const struct setup *absolute, int n,
                              bool residual, const float *packed,
                              struct guarded *scratch)
{
    size_t floats = sy_shape_floats(s->out);
    const struct sy_backend *reference = &sy_backend_reference;
    struct guarded truth = guard_new(floats, NAN);
    struct guarded magnitude = guard_new(floats, NAN);
    struct guarded found = guard_new(floats, NAN);
    struct guarded alone = guard_new(floats, NAN);
    struct guarded clean = guard_new(scratch->floats, NAN);

    run_infer(reference, s, n, residual, s->field[W], NULL, truth.data);
    run_infer(reference, absolute, n, residual, absolute->field[W], NULL,
              magnitude.data);
    run_infer(backend, s, n, residual, packed, scratch->data, found.data);
    run_infer(backend, s, n, residual, packed, clean.data, alone.data);
    compare(backend, s, residual ? "infer + residual" : "infer", truth.data,
            magnitude.data, found.data, floats, extra_of(s, s->act));
    if (memcmp(found.data, alone.data, floats * sizeof(float)) != 0) {
        fail(backend, s, "infer", "the bits depend on what ran before");
    }
    if (!guard_intact(&found) || !guard_intact(scratch) ||
        !guard_intact(&clean)) {
        fail(backend, s, "infer", "wrote outside y or scratch");
    }
    free(truth.block);
    free(magnitude.block);
    free(found.block);
    free(alone.block);
    free(clean.block);
}

/* All images in one call give the bits that each gives alone. */
static void check_infer_together(const struct sy_backend *backend,
                                 const struct setup *s, bool residual,
                                 const float *packed, struct guarded *scratch)
{
    size_t floats = sy_shape_floats(s->out);
    struct guarded all = guard_new((size_t)s->count * floats, NAN);
    struct guarded alone = guard_new(floats, NAN);

    run_infer_of(backend, s, 0, s->count, residual, packed, scratch->data,
                 all.data);
    for (int n = 0; n < s->count; n++) {
        run_infer(backend, s, n, residual, packed, scratch->data, alone.data);
        if (memcmp(all.data + (size_t)n * floats, alone.data,
                   floats * sizeof(float)) != 0) {
            fail(backend, s, "infer", "the bits depend on the other images");
        }
    }
    if (!guard_intact(&all) || !guard_intact(scratch)) {
        fail(backend, s, "infer", "many images: wrote outside y or scratch");
    }
    free(all.block);
    free(alone.block);
}

static void check_infer(const struct sy_backend *backend, const struct setup *s,
                        const struct setup *absolute)
{
    if (backend->infer[s->node.op] == NULL) {
        return;
    }
    struct guarded packed = pack_weight(backend, s);
    struct guarded scratch =
        guard_new(backend->infer_scratch(&s->node, s->in, s->out), NAN);
    for (int n = 0; n < s->count; n++) {
        check_infer_image(backend, s, absolute, n, false, packed.data,
                          &scratch);
        if (is_window(s->node.op)) {
            check_infer_image(backend, s, absolute, n, true, packed.data,
                              &scratch);
        }
    }
    check_infer_together(backend, s, is_window(s->node.op), packed.data,
                         &scratch);
    if (!guard_intact(&packed)) {
        fail(backend, s, "pack", "wrote outside the packed weight");
    }
    free(packed.block);
    free(scratch.block);
}

/*
 * What the reference's operators make of image 0, one after the other
 * (convolution, norm with its activation, add): y and its magnitude.
 */
static void unfused(const struct setup *one, const struct setup *absolute,
                    float *y, float *magnitude)
{
    const float *const *f = (const float *const *)one->field;
    size_t channels = (size_t)one->out.c;
    struct sy_node norm = {.op = SY_OP_NORM, .act = one->act};
    struct outputs raw, size;

    run_reference(one, FORWARD, &raw);
    run_reference(absolute, FORWARD, &size);
    sy_op_norm.forward(&(struct sy_op_args){.node = &norm,
                                            .in = one->out,
                                            .out = one->out,
                                            .count = 1,
                                            .x = raw.at[OUT_Y].data,
                                            .w = f[FOLDED],
                                            .b = f[B],
                                            .moments = f[MOMENTS],
                                            .y = y});
    for (size_t i = 0; i < sy_shape_floats(one->out); i++) {
        size_t c = i % channels;
        float sum = fabsf(f[MOMENTS][c]) + size.at[OUT_Y].data[i];
        float factor = fabsf(f[FOLDED][c]) * f[MOMENTS][channels + c];
        y[i] += f[RESIDUAL][i];
        magnitude[i] = sum * factor + fabsf(f[B][c]) + fabsf(f[RESIDUAL][i]);
    }
    outputs_free(&raw);
    outputs_free(&size);
}

/* The fused form against what it replaces. */
static void check_fused(const struct sy_backend *backend, const struct setup *s,
                        const struct setup *absolute)
{
    size_t channels = (size_t)s->out.c, floats = sy_shape_floats(s->out);
    struct setup one = setup_slice(s, 0, 1);
    struct setup size = setup_slice(absolute, 0, 1);

    if (!is_window(s->node.op) || backend->infer[s->node.op] == NULL) {
        return;
    }
    float *y = new_floats(floats), *magnitude = new_floats(floats);
    float *scale = new_floats(channels), *bias = new_floats(channels);
    float *found = new_floats(floats);
    unfused(&one, &size, y, magnitude);
    for (size_t c = 0; c < channels; c++) {
        double factor = (double)s->field[FOLDED][c] *
                        (double)s->field[MOMENTS][channels + c];
        scale[c] = (float)factor;
        bias[c] = (float)((double)s->field[B][c] -
                          (double)s->field[MOMENTS][c] * factor);
    }
    one.field[FOLDED] = scale;
    one.field[B] = bias;
    struct guarded packed = pack_weight(backend, s);
    struct guarded scratch =
        guard_new(backend->infer_scratch(&s->node, s->in, s->out), NAN);
    run_infer(backend, &one, 0, true, packed.data, scratch.data, found);
    compare(backend, s, "fused against its operators", y, magnitude, found,
            floats, extra_of(s, s->act));
    free(packed.block);
    free(scratch.block);
    free(y);
    free(magnitude);
    free(scale);
    free(bias);
    free(found);
}

/* All parts of one kernel of a split, on the images of `s`. */
static void run_split(const struct sy_backend *backend, const struct setup *s,
                      sy_kernel_fn kernel, int parts, struct sy_op_args args)
{
    struct guarded scratch =
        guard_new(backend->scratch(&s->node, s->in, s->out, s->count), NAN);
    args.node = &s->node;
    args.in = s->in;
    args.out = s->out;
    args.count = s->count;
    args.x = s->field[X];
    args.w = s->field[W];
    args.b = s->field[B];
    args.y = args.y != NULL ? args.y : s->field[Y];
    args.dy = args.dy != NULL ? args.dy : s->field[DY];
    args.parts = parts;
    args.scratch = scratch.data;
    for (args.part = 0; args.part < parts; args.part++) {
        kernel(&args);
    }
    if (!guard_intact(&scratch)) {
        fail(backend, s, "split", "scratch overrun");
    }
    free(scratch.block);
}

static void check_split_forward(const struct sy_backend *backend,
                                const struct setup *s,
                                const struct setup *absolute, int parts)
{
    struct outputs truth, magnitude, found;
    truth_and_magnitude(s, absolute, FORWARD, &truth, &magnitude);
    outputs_new(&found, s, FORWARD);
    run_split(backend, s, backend->split[s->node.op]->forward, parts,
              (struct sy_op_args){.y = found.at[OUT_Y].data});
    compare(backend, s, "forward in parts", truth.at[OUT_Y].data,
            magnitude.at[OUT_Y].data, found.at[OUT_Y].data, s->floats[Y],
            extra_of(s, s->node.act));
    if (!guard_intact(&found.at[OUT_Y])) {
        fail(backend, s, "forward in parts", "wrote outside y");
    }
    outputs_free(&truth);
    outputs_free(&magnitude);
    outputs_free(&found);
}

/* Slope, data and weight; the weight in two goes, of which one adds. */
static void check_split_backward(const struct sy_backend *backend,
                                 const struct setup *s,
                                 const struct setup *absolute, int parts,
                                 bool add)
{
    const struct sy_split *split = backend->split[s->node.op];
    enum stage stage = add ? BACKWARD_ADD : BACKWARD;
    struct outputs truth, magnitude, found;
    struct guarded dz = guard_new(s->floats[DY], NAN);
    struct guarded db = guard_new(s->floats[B], NAN);
    truth_and_magnitude(s, absolute, stage, &truth, &magnitude);
    outputs_new(&found, s, stage);
    memcpy(dz.data, s->field[DY], s->floats[DY] * sizeof(float));
    if (s->node.act != SY_ACT_NONE) {
        run_split(backend, s, split->slope, 1,
                  (struct sy_op_args){.dx2 = dz.data, .dy = dz.data});
    }
    if (split->data != NULL) {
        run_split(backend, s, split->data, parts,
                  (struct sy_op_args){.dy = dz.data,
                                      .dx = found.at[OUT_DX].data,
                                      .add_dx = add});
        compare(backend, s, "dx in parts", truth.at[OUT_DX].data,
                magnitude.at[OUT_DX].data, found.at[OUT_DX].data, s->floats[X],
                0.0);
    }
    for (int go = 0, first = 0; go < 2; go++) {
        int end = go == 0 ? s->count / 2 : s->count;
        struct setup slice = setup_slice(s, first, end - first);
        run_split(backend, &slice, split->weight, parts,
                  (struct sy_op_args){.dy = dz.data + s->floats[DY] /
                                                          (size_t)s->count *
                                                          (size_t)first,
                                      .partial = found.at[OUT_PARTIAL].data,
                                      .db = db.data,
                                      .add_partial = go == 1});
        first = end;
    }
    compare(backend, s, "weights in parts", truth.at[OUT_PARTIAL].data,
            magnitude.at[OUT_PARTIAL].data, found.at[OUT_PARTIAL].data,
            s->floats[W], 0.0);
    if (s->node.op == SY_OP_DENSE) {
        compare(backend, s, "biases in parts",
                truth.at[OUT_PARTIAL].data + s->floats[W],
                magnitude.at[OUT_PARTIAL].data + s->floats[W], db.data,
                s->floats[B], 0.0);
    }
    if (!guard_intact(&dz) || !guard_intact(&db) ||
        !guard_intact(&found.at[OUT_DX]) ||
        !guard_intact(&found.at[OUT_PARTIAL])) {
        fail(backend, s, "backward in parts", "wrote outside");
    }
    outputs_free(&truth);
    outputs_free(&magnitude);
    outputs_free(&found);
    free(dz.block);
    free(db.block);
}

/* What a backend can cut into parts, cut into some numbers of parts. */
static void check_split(const struct sy_backend *backend, const struct setup *s,
                        const struct setup *absolute)
{
    static const int cuts[] = {1, 3, 8};
    const struct sy_split *split = backend->split[s->node.op];
    bool can = split != NULL && s->count > 0 &&
               (s->node.op == SY_OP_DENSE ||
                split->parts(SY_SPLIT_BACKWARD, &s->node, s->in, s->out,
                             s->count, 1 << 20) > 0);
    for (size_t i = 0; can && i < sizeof cuts / sizeof cuts[0]; i++) {
        if (split->forward != NULL) {
            check_split_forward(backend, s, absolute, cuts[i]);
        }
        check_split_backward(backend, s, absolute, cuts[i], i == 1);
    }
}

static void test_case(const struct op_case *c, int index)
{
    const struct sy_backend *const *all = sy_backends();
    struct setup s, absolute;

    setup_new(&s, c, index, 1e-3f);
    setup_absolute(&absolute, &s);
    for (int i = 0; all[i] != NULL; i++) {
        if (!all[i]->available()) {
            continue;
        }
        for (int stage = 0; stage < STAGES; stage++) {
            check_stage(all[i], &s, &absolute, (enum stage)stage);
        }
        check_parts(all[i], &s, &absolute);
        check_split(all[i], &s, &absolute);
        check_infer(all[i], &s, &absolute);
        check_fused(all[i], &s, &absolute);
    }
    setup_free(&absolute);
    setup_free(&s);
}

/* Sum of dy * y by the reference, with norm's statistics taken anew. */
static double loss_of(struct setup *s)
{
    struct outputs o;
    double loss = 0.0;

    if (s->node.op == SY_OP_NORM) {
        set_moments(s);
    }
    run_reference(s, FORWARD, &o);
    for (size_t i = 0; i < s->floats[Y]; i++) {
        loss += (double)s->field[DY][i] * (double)o.at[OUT_Y].data[i];
    }
    outputs_free(&o);
    return loss;
}

/* The loss with field f moved by `step` along `direction`. */
static double loss_along(struct setup *s, enum field f, const float *direction,
                         double step)
{
    float *kept = s->field[f];
    float *moved = new_floats(s->floats[f]);

    for (size_t i = 0; i < s->floats[f]; i++) {
        moved[i] = (float)((double)kept[i] + step * (double)direction[i]);
    }
    s->field[f] = moved;
    double loss = loss_of(s);
    s->field[f] = kept;
    free(moved);
    return loss;
}

/* `gradient` of field f against a central difference along one direction. */
static void grad_field(struct setup *s, enum field f, const float *gradient,
                       int index)
{
    static const double step = 2e-3;
    struct sy_rng rng =
        sy_rng_stream(2, SY_RNG_TEST, (uint64_t)index, (uint32_t)f);
    float *direction = new_floats(s->floats[f]);
    double expected = 0.0, norm = 0.0;

    fill(direction, s->floats[f], &rng, 1.0f, 0.0f);
    for (size_t i = 0; i < s->floats[f]; i++) {
        expected += (double)gradient[i] * (double)direction[i];
        norm += (double)gradient[i] * (double)gradient[i];
    }
    double found = (loss_along(s, f, direction, step) -
                    loss_along(s, f, direction, -step)) /
                   (2.0 * step);
    double bound = 2e-3 * sqrt(norm) + 1e-3;
    checks++;
    if (!(fabs(found - expected) <= bound)) {
        char what[128];
        (void)snprintf(what, sizeof what,
                       "gradient of field %d: %.6g by differences, %.6g by "
                       "backward, bound %.2g",
                       (int)f, found, expected, bound);
        fail(&sy_backend_reference, s, "grad", what);
    }
    free(direction);
}

static void grad_case(const struct op_case *c, int index)
{
    struct setup s;
    struct outputs back, sums;
    bool norm = c->op == SY_OP_NORM;

    setup_new(&s, c, index, 0.1f);
    run_reference(&s, BACKWARD, &back);
    grad_field(&s, X, back.at[OUT_DX].data, index);
    if (s.floats[X2] > 0) {
        grad_field(&s, X2, back.at[OUT_DX2].data, index);
    }
    if (norm) {
        set_moments(&s);
    }
    run_reference(&s, norm ? SUMS : BACKWARD, &sums);
    if (s.floats[W] > 0) {
        grad_field(&s, W, sums.at[OUT_PARTIAL].data, index);
    }
    if (norm || c->op == SY_OP_DENSE) {
        grad_field(&s, B, sums.at[OUT_PARTIAL].data + s.floats[W], index);
    }
    outputs_free(&back);
    outputs_free(&sums);
    setup_free(&s);
}

/* Best time of a call within about 30 ms, in seconds. */
static double time_stage(const struct sy_backend *backend,
                         const struct setup *s, enum stage stage)
{
    struct outputs o;
    double best = 1e9;
    int64_t end = sy_now_ns() + 30000000;

    outputs_new(&o, s, stage);
    do {
        int64_t start = sy_now_ns();
        (void)run_stage(backend, s, stage, &o);
        best = fmin(best, (double)(sy_now_ns() - start) * 1e-9);
    } while (sy_now_ns() < end);
    outputs_free(&o);
    return best;
}

static double time_infer(const struct sy_backend *backend,
                         const struct setup *s)
{
    struct guarded packed = pack_weight(backend, s);
    struct guarded scratch =
        guard_new(backend->infer_scratch(&s->node, s->in, s->out), 0.0f);
    struct guarded y = guard_new(sy_shape_floats(s->out), 0.0f);
    double best = 1e9;
    int64_t end = sy_now_ns() + 30000000;

    do {
        int64_t start = sy_now_ns();
        for (int n = 0; n < s->count; n++) {
            run_infer(backend, s, n, false, packed.data, scratch.data, y.data);
        }
        best = fmin(best, (double)(sy_now_ns() - start) * 1e-9);
    } while (sy_now_ns() < end);
    free(packed.block);
    free(scratch.block);
    free(y.block);
    return best;
}

/* One number pair; `factor` counts passes over the products. */
static void print_rate(const struct setup *s, const char *what, double seconds,
                       double factor)
{
    double flops = 2.0 * factor * s->count *
                   (double)sy_op_of(s->node.op)->madds(&s->node, s->in, s->out);
    double bytes =
        4.0 * factor *
        (double)(s->floats[X] + s->floats[X2] + s->floats[Y] + s->floats[W]);

    printf("  %s %7.2f GFLOP/s %6.2f GB/s", what, flops / seconds * 1e-9,
           bytes / seconds * 1e-9);
}

static void perf(void)
{
    const struct sy_backend *const *all = sy_backends();

    printf("products by %s\n", sy_blas_name());
    for (int i = 0; i < PERF_CASES; i++) {
        struct setup s;
        setup_new(&s, &perf_cases[i], i, 0.0f);
        printf("%s\n", s.text);
        for (int b = 0; all[b] != NULL; b++) {
            enum sy_op_kind op = s.node.op;
            if (!all[b]->available()) {
                continue;
            }
            printf("  %-10s", all[b]->name);
            if (all[b]->forward[op] != NULL) {
                print_rate(&s, "forward", time_stage(all[b], &s, FORWARD), 1.0);
            }
            if (all[b]->backward[op] != NULL) {
                print_rate(&s, "backward", time_stage(all[b], &s, BACKWARD),
                           2.0);
            }
            if (all[b]->infer[op] != NULL) {
                print_rate(&s, "infer", time_infer(all[b], &s), 1.0);
            }
            printf("\n");
        }
        setup_free(&s);
    }
}

static void support(void)
{
    const struct sy_backend *const *all = sy_backends();

    for (int b = 0; all[b] != NULL; b++) {
        printf("%s%s\n", all[b]->name,
               all[b]->available() ? "" : " (not on this machine)");
        for (int op = 0; op < SY_OP_COUNT; op++) {
            printf("  %-10s %-6s %-8s %-5s %-9s %s\n",
                   sy_op_of((enum sy_op_kind)op)->name,
                   all[b]->stats[op] != NULL ? "stats" : "-",
                   all[b]->forward[op] != NULL ? "forward" : "-",
                   all[b]->sums[op] != NULL ? "sums" : "-",
                   all[b]->backward[op] != NULL ? "backward" : "-",
                   all[b]->infer[op] != NULL ? "infer" : "-");
        }
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    bool both = mode[0] == '\0';

    sy_blas_open();
    if (strcmp(mode, "perf") == 0) {
        perf();
        return EXIT_SUCCESS;
    }
    if (strcmp(mode, "support") == 0) {
        support();
        return EXIT_SUCCESS;
    }
    if (!both && strcmp(mode, "test") != 0 && strcmp(mode, "grad") != 0) {
        printf("usage: conform_ops [test | grad | perf | support]\n");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < OP_CASES; i++) {
        if (both || strcmp(mode, "test") == 0) {
            test_case(&op_cases[i], i);
        }
        if (both || strcmp(mode, "grad") == 0) {
            grad_case(&op_cases[i], i);
        }
    }
    printf("%d cases, %lld numbers compared, %lld failures\n", (int)OP_CASES,
           (long long)checks, (long long)failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
