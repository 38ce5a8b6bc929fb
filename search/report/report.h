/*
 * report.h - what a search or a comparison found, as one page.
 *
 * The page is a file of its own: no network, no script of others, readable
 * light and dark, on a phone and on paper. It shows the multi-path graph, how
 * alike the domains' paths are, the curves of the search, accuracy against
 * cost, the table of strategies, and how well scores inside the supernet rank
 * paths as training alone does; of these, what there is data for.
 *
 * DESIGN. C collects everything into one JSON document (docs/report.md), which
 * stands inside search/report/template.html; the page's own script draws it.
 * So what is shown can also be read, by eye or by program.
 *
 * Thread: any.
 */
#ifndef NAS_REPORT_H
#define NAS_REPORT_H

#include <jansson.h>

#include "runtime/network/spec.h"

/* All texts are borrowed. What is NULL is left out of the page. */
struct nas_report_job {
    const char *out;                    /* the page, replaced atomically */
    const char *title;                  /* the network's name */
    const struct sy_network_spec *spec; /* of the supernet */
    const char *study;                  /* the study store */
    const char *label; /* the run in it; NULL takes the newest */
    const char *paths; /* paths.json */
    const char *table; /* table.json of a comparison */
};

/*
 * Writes the page. A study or a table that is named but cannot be read is a
 * failure, and so is a paths.json that does not fit the spec.
 */
enum sy_status nas_report_write(const struct nas_report_job *job,
                                struct sy_error *err) SY_MUST_USE;

/*
 * Writes FOLDER/report.html from what a search has left in FOLDER: its study
 * store, which knows the configuration, and paths.json. `table` may be NULL.
 */
enum sy_status nas_report_folder(const char *folder, const char *table,
                                 struct sy_error *err) SY_MUST_USE;

/* The document inside the page, an owned reference. */
enum sy_status nas_report_json(json_t **root, const struct nas_report_job *job,
                               struct sy_error *err) SY_MUST_USE;

#endif
