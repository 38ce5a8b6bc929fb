/*
 * paths_json.c - reading and writing paths.json.
 *
 * DESIGN. In memory the file is one flat list, for its readers walk experts
 * and not domains; the nesting by domain exists on disk only.
 */
#include "runtime/network/paths_json.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"

/* One domain of the file while it is read. */
struct reading {
    struct sy_paths *paths;
    const struct sy_network_spec *spec;
    const char *file;
    const char *domain;
    int first; /* the domain's first entry */
    struct sy_error *err;
};

static void read_cost(struct sy_json *in, const char *key, int64_t *cost)
{
    if (sy_json_has(in, key)) {
        sy_json_int64(in, key, 0, INT64_MAX, cost);
    }
}

static enum sy_status read_expert(struct reading *in, json_t *json,
                                  const char *place)
{
    char text[SY_PATH_TEXT_BYTES] = "";
    char what[SY_JSON_PLACE_BYTES * 2];
    struct sy_paths *paths = in->paths;
    if (paths->count == SY_MAX_EXPERTS) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: expected at most %d experts in all", in->file,
                       SY_MAX_EXPERTS);
    }
    struct sy_paths_entry *entry = &paths->entry[paths->count];
    memset(entry, 0, sizeof *entry);
    memcpy(entry->domain, in->domain, strlen(in->domain) + 1);
    struct sy_json object = sy_json_object(json, in->file, place, in->err);
    sy_json_text(&object, "name", entry->expert, sizeof entry->expert);
    sy_json_text(&object, "path", text, sizeof text);
    read_cost(&object, "madds", &entry->madds);
    read_cost(&object, "params", &entry->params);
    if (!sy_name_valid(entry->expert)) {
        sy_json_reject(&object, "name",
                       "expected letters, digits, '_' and '-'");
    }
    for (int e = in->first; e < paths->count; e++) {
        if (strcmp(paths->entry[e].expert, entry->expert) == 0) {
            sy_json_reject(&object, "name",
                           "domain \"%s\" has an expert \"%s\" already",
                           in->domain, entry->expert);
        }
    }
    SY_TRY(sy_json_end(&object));
    (void)snprintf(what, sizeof what, "%.200s: %s.path", in->file, place);
    SY_TRY(sy_path_parse(&entry->path, text, in->spec, what, in->err));
    paths->count++;
    return SY_OK;
}

static enum sy_status read_domain(struct reading *in, json_t *json)
{
    char place[SY_JSON_PLACE_BYTES];
    char at[SY_JSON_PLACE_BYTES + 32];
    (void)snprintf(place, sizeof place, "domains.%s", in->domain);
    struct sy_json object = sy_json_object(json, in->file, place, in->err);
    json_t *experts = sy_json_array(&object, "experts", 1, SY_MAX_EXPERTS);
    SY_TRY(sy_json_end(&object));
    for (size_t e = 0; e < json_array_size(experts); e++) {
        (void)snprintf(at, sizeof at, "%s.experts[%zu]", place, e);
        SY_TRY(read_expert(in, json_array_get(experts, e), at));
    }
    return SY_OK;
}

static enum sy_status read_root(struct reading *in, json_t *json)
{
    const char *name;
    json_t *value;
    struct sy_json root = sy_json_object(json, in->file, "", in->err);
    struct sy_json domains = sy_json_child(&root, "domains");
    (void)sy_json_has(&root, "search"); /* where they come from: any value */
    SY_TRY(sy_json_end(&root));
    json_object_foreach(domains.object, name, value)
    {
        if (!sy_name_valid(name)) {
            sy_json_reject(&domains, name,
                           "expected a name of letters, digits, '_' and '-'");
            return domains.status;
        }
        in->domain = name;
        in->first = in->paths->count;
        SY_TRY(read_domain(in, value));
    }
    return SY_OK;
}

enum sy_status sy_paths_from_json(struct sy_paths *paths, json_t *json,
                                  const struct sy_network_spec *spec,
                                  const char *file, struct sy_error *err)
{
    struct sy_paths read = {0};
    struct reading in = {
        .paths = &read, .spec = spec, .file = file, .err = err};
    SY_TRY(read_root(&in, json));
    *paths = read;
    return SY_OK;
}

/* Adds one entry to its domain's list; false: no memory. */
static bool put_entry(json_t *domains, const struct sy_paths_entry *entry)
{
    char text[SY_PATH_TEXT_BYTES];
    json_t *domain = json_object_get(domains, entry->domain);
    if (domain == NULL) {
        domain = json_pack("{s:[]}", "experts");
        if (json_object_set_new(domains, entry->domain, domain) != 0) {
            return false;
        }
    }
    json_t *expert = json_pack("{s:s,s:s,s:I,s:I}", "name", entry->expert,
                               "path", sy_path_text(&entry->path, text),
                               "madds", (json_int_t)entry->madds, "params",
                               (json_int_t)entry->params);
    return json_array_append_new(json_object_get(domain, "experts"), expert) ==
           0;
}

json_t *sy_paths_to_json(const struct sy_paths *paths)
{
    json_t *root = json_pack("{s:{}}", "domains");
    json_t *domains = json_object_get(root, "domains");
    for (int e = 0; root != NULL && e < paths->count; e++) {
        if (!put_entry(domains, &paths->entry[e])) {
            json_decref(root);
            return NULL;
        }
    }
    return root;
}

enum sy_status sy_paths_load(struct sy_paths *paths, const char *path,
                             const struct sy_network_spec *spec,
                             struct sy_error *err)
{
    json_t *root;
    SY_TRY(sy_json_load(path, &root, err));
    enum sy_status status = sy_paths_from_json(paths, root, spec, path, err);
    json_decref(root);
    return status;
}

enum sy_status sy_paths_save(const struct sy_paths *paths, const char *path,
                             struct sy_error *err)
{
    json_t *root = sy_paths_to_json(paths);
    if (root == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to write it", path);
    }
    enum sy_status status = sy_json_save(path, root, err);
    json_decref(root);
    return status;
}
