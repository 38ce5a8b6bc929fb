/*
 * report.c - collects a report's document and sets it into the page.
 */
#include "search/report/report.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "search/report/page.h"
#include "search/report/parts.h"
#include "search/study/study.h"
#include "search/supernet/search.h"

/* Where the page waits for its document. */
static const char mark[] = "\"DOCUMENT\"";

enum { DIGITS = 6 };

static enum sy_status no_memory(struct sy_error *err)
{
    return sy_fail(err, SY_NO_MEMORY, "report: no memory");
}

/* Adds an owned part to the document. */
static enum sy_status put(json_t *root, const char *key, json_t *part,
                          struct sy_error *err)
{
    return json_object_set_new(root, key, part) == 0 ? SY_OK : no_memory(err);
}

static enum sy_status put_paths(json_t *root, const struct nas_report_job *job,
                                struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_paths *paths = sy_alloc_zero(1, sizeof *paths);
    if (paths == NULL) {
        return no_memory(err);
    }
    SY_TRY_OUT(sy_paths_load(paths, job->paths, job->spec, err));
    SY_TRY_OUT(put(root, "paths", nas_report_paths(paths), err));
    SY_TRY_OUT(put(root, "jaccard", nas_report_jaccard(paths, job->spec), err));
out:
    sy_free(paths);
    return status;
}

static enum sy_status put_table(json_t *root, const char *file,
                                struct sy_error *err)
{
    json_t *table = NULL;
    SY_TRY(sy_json_load(file, &table, err));
    if (!json_is_array(json_object_get(table, "rows"))) {
        json_decref(table);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: is no table of a comparison: it has no \"rows\"",
                       file);
    }
    return put(root, "table", table, err);
}

enum sy_status nas_report_json(json_t **root, const struct nas_report_job *job,
                               struct sy_error *err)
{
    enum sy_status status = SY_OK;
    json_t *history = NULL;
    char stamp[32];
    sy_clock_stamp(stamp, sizeof stamp);
    json_t *made = json_pack("{s:s,s:s,s:s}", "title", job->title, "program",
                             SY_VERSION, "written", stamp);
    if (made == NULL) {
        return no_memory(err);
    }
    SY_TRY_OUT(put(made, "network", nas_report_network(job->spec), err));
    if (job->paths != NULL) {
        SY_TRY_OUT(put_paths(made, job, err));
    }
    if (job->study != NULL) {
        SY_TRY_OUT(nas_report_history(&history, job->study, job->label, err));
        SY_TRY_OUT(put(made, "history", history, err));
    }
    if (job->table != NULL) {
        SY_TRY_OUT(put_table(made, job->table, err));
    }
    *root = json_incref(made);
out:
    json_decref(made);
    return status;
}

/* Writes a JSON text so that no part of it can end the script it stands in. */
static enum sy_status write_document(struct sy_writer *writer, const char *text,
                                     struct sy_error *err)
{
    static const char less[] = "\\u003c";
    for (const char *at = text; *at != '\0';) {
        size_t plain = strcspn(at, "<");
        SY_TRY(sy_writer_write(writer, at, plain, err));
        at += plain;
        if (*at == '<') {
            SY_TRY(sy_writer_write(writer, less, sizeof less - 1, err));
            at++;
        }
    }
    return SY_OK;
}

static enum sy_status write_page(const char *file, const char *text,
                                 struct sy_error *err)
{
    struct sy_writer writer;
    const char *page = (const char *)nas_report_page;
    size_t bytes = nas_report_page_bytes;
    const char *at = memmem(page, bytes, mark, sizeof mark - 1);
    SY_ASSERT(at != NULL);
    const char *after = at + sizeof mark - 1;
    SY_TRY(sy_writer_open(&writer, file, err));
    enum sy_status status = SY_OK;
    SY_TRY_OUT(sy_writer_write(&writer, page, (size_t)(at - page), err));
    SY_TRY_OUT(write_document(&writer, text, err));
    SY_TRY_OUT(
        sy_writer_write(&writer, after, bytes - (size_t)(after - page), err));
    status = sy_writer_commit(&writer, err);
out:
    sy_writer_abort(&writer);
    return status;
}

enum sy_status nas_report_write(const struct nas_report_job *job,
                                struct sy_error *err)
{
    json_t *root = NULL;
    SY_TRY(nas_report_json(&root, job, err));
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    json_decref(root);
    if (text == NULL) {
        return no_memory(err);
    }
    enum sy_status status = write_page(job->out, text, err);
    sy_free(text);
    return status;
}

/* The network that the newest run of a study searched in. */
static enum sy_status read_spec(struct sy_network_spec *spec,
                                char title[SY_NAME_BYTES], const char *study,
                                struct sy_error *err)
{
    json_t *history = NULL;
    SY_TRY(nas_report_history(&history, study, NULL, err));
    json_t *config = json_object_get(json_object_get(history, "run"), "config");
    json_t *network = json_object_get(config, "network");
    const char *name = json_string_value(json_object_get(config, "name"));
    (void)snprintf(title, SY_NAME_BYTES, "%s", name != NULL ? name : "");
    enum sy_status status =
        network != NULL
            ? sy_spec_from_json(spec, network, study, "network", err)
            : sy_fail(err, SY_BAD_INPUT,
                      "%s: its run has no configuration to draw", study);
    json_decref(history);
    return status;
}

enum sy_status nas_report_folder(const char *folder, const char *table,
                                 struct sy_error *err)
{
    char study[SY_PATH_BYTES], paths[SY_PATH_BYTES], out[SY_PATH_BYTES];
    char title[SY_NAME_BYTES];
    struct nas_report_job job = {.out = out,
                                 .title = title,
                                 .label = NAS_SEARCH_LABEL,
                                 .study = study,
                                 .table = table};
    SY_TRY(sy_path_join(study, sizeof study, folder, NAS_STUDY_FILE, err));
    SY_TRY(sy_path_join(paths, sizeof paths, folder, "paths.json", err));
    SY_TRY(sy_path_join(out, sizeof out, folder, "report.html", err));
    if (!sy_file_exists(study)) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: there is no study store, so nothing to report",
                       study);
    }
    job.paths = sy_file_exists(paths) ? paths : NULL;
    struct sy_network_spec *spec = sy_alloc_zero(1, sizeof *spec);
    if (spec == NULL) {
        return no_memory(err);
    }
    job.spec = spec;
    enum sy_status status = read_spec(spec, title, study, err);
    if (status == SY_OK) {
        status = nas_report_write(&job, err);
    }
    sy_free(spec);
    return status;
}
