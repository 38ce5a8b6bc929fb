/*
 * table.h - a latency table as measured, before it applies to a network:
 * what search/latency fills in, and what stands in the file.
 */
#ifndef SY_LATENCY_TABLE_H
#define SY_LATENCY_TABLE_H

#include "runtime/latency/latency.h"

enum { SY_LATENCY_MAX_PATHS = 1000 };

/* One path measured end to end. */
struct sy_latency_path {
    struct sy_path path;
    double predicted_us; /* with offset and factor */
    double measured_us;
};

struct sy_latency_table {
    char name[SY_NAME_BYTES];
    char program[32]; /* version */
    char cpu[SY_MACHINE_BYTES];
    char kernels[32];
    struct sy_network_spec spec;
    double stem_us, trunk_us;
    double head_us[SY_LATENCY_HEADS];
    double block_us[SY_MAX_LAYERS][SY_MAX_BLOCKS];
    double offset_us, factor;
    struct sy_latency_check check;
    /* The paths of the check, or NULL; borrowed, and only written. */
    const struct sy_latency_path *path;
};

/* Owned reference, NULL: no memory. */
json_t *sy_latency_table_to_json(const struct sy_latency_table *table);

/* Reads and checks; `path` stays NULL. */
enum sy_status sy_latency_table_from_json(struct sy_latency_table *table,
                                          json_t *json, const char *file,
                                          struct sy_error *err) SY_MUST_USE;

/*
 * Sets offset and factor from paths that were predicted without them: the
 * least squares of measured = offset + factor x predicted, or a factor alone
 * where all predictions are the same or time does not grow with them.
 */
void sy_latency_fit(struct sy_latency_table *table,
                    const struct sy_latency_path *path, int count);

/* Applies it to a network; errors name the first difference. */
enum sy_status sy_latency_apply(struct sy_latency *latency,
                                const struct sy_latency_table *table,
                                const struct sy_network_spec *spec,
                                const char *file,
                                struct sy_error *err) SY_MUST_USE;

#endif
