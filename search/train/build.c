/*
 * build.c - collects domains, paths and experts and makes the network.
 */
#include "search/train/build.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"

_Static_assert((int)DOM_NAME_BYTES <= (int)SY_NAME_BYTES &&
                   (int)DOM_MAX_CLASSES <= (int)SY_MAX_CHANNELS,
               "every domain that opens can be one of a network");

/* What the network is made from while it is collected. */
struct parts {
    struct sy_network_spec spec;
    struct sy_domain domain[SY_MAX_DOMAINS];
    struct sy_expert expert[SY_MAX_EXPERTS];
    struct sy_path path[SY_MAX_EXPERTS]; /* of the experts, while pruning */
    int expert_count;
};

/* Names and labels of domain `d`. */
static enum sy_status take_domain(struct parts *parts,
                                  const struct nas_data *data, int d,
                                  struct sy_error *err)
{
    const struct dom_domain *from = data->domain[d];
    struct sy_domain *to = &parts->domain[d];
    size_t length = strlen(dom_name(from));
    memcpy(to->name, dom_name(from), length + 1);
    to->classes = dom_classes(from);
    to->labels = sy_alloc_zero((size_t)to->classes, sizeof *to->labels);
    if (to->labels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "network: no memory for labels");
    }
    for (int k = 0; k < to->classes; k++) {
        to->labels[k] = sy_strdup(dom_class_name(from, k));
        if (to->labels[k] == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "network: no memory for labels");
        }
    }
    return SY_OK;
}

static void release_parts(struct parts *parts)
{
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        struct sy_domain *domain = &parts->domain[d];
        for (int k = 0; domain->labels != NULL && k < domain->classes; k++) {
            sy_free(domain->labels[k]);
        }
        sy_free(domain->labels);
    }
    sy_free(parts);
}

/* The configuration's paths, dealt to the domains in turn. */
static enum sy_status take_config_paths(struct parts *parts,
                                        const struct nas_config *config,
                                        struct sy_error *err)
{
    if (config->path_count == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: no paths: give --paths FILE, or \"paths\" in the "
                       "configuration",
                       config->name);
    }
    for (int d = 0; d < config->domain_count; d++) {
        struct sy_expert *expert = &parts->expert[d];
        memcpy(expert->name, "main", sizeof "main");
        expert->domain = d;
        expert->temperature = 1.0;
        SY_TRY(sy_path_parse(&expert->path,
                             config->path[d % config->path_count], &parts->spec,
                             config->domain[d], err));
    }
    parts->expert_count = config->domain_count;
    return SY_OK;
}

/* Every expert that the file has for the domains of this run. */
static enum sy_status take_file_paths(struct parts *parts,
                                      const struct nas_data *data,
                                      const char *file, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_paths *paths = sy_alloc_zero(1, sizeof *paths);
    if (paths == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", file);
    }
    SY_TRY_OUT(sy_paths_load(paths, file, &parts->spec, err));
    for (int d = 0; d < data->count; d++) {
        int before = parts->expert_count;
        for (int i = 0; i < paths->count; i++) {
            const struct sy_paths_entry *entry = &paths->entry[i];
            if (strcmp(entry->domain, parts->domain[d].name) != 0) {
                continue;
            }
            struct sy_expert *expert = &parts->expert[parts->expert_count++];
            memcpy(expert->name, entry->expert, sizeof expert->name);
            expert->domain = d;
            expert->path = entry->path;
            expert->temperature = 1.0;
        }
        if (parts->expert_count == before) {
            status =
                sy_fail(err, SY_BAD_INPUT, "%s: domains: no path for \"%s\"",
                        file, parts->domain[d].name);
            goto out;
        }
    }
out:
    sy_free(paths);
    return status;
}

/* Drops unused candidates; the experts' paths are renumbered. */
static void prune(struct parts *parts)
{
    for (int e = 0; e < parts->expert_count; e++) {
        parts->path[e] = parts->expert[e].path;
    }
    sy_spec_prune(&parts->spec, parts->path, parts->expert_count);
    for (int e = 0; e < parts->expert_count; e++) {
        parts->expert[e].path = parts->path[e];
    }
}

/* Makes and initialises what the parts describe. */
static enum sy_status make_network(struct sy_network **network,
                                   const struct parts *parts,
                                   const struct nas_config *config,
                                   int domain_count, struct sy_error *err)
{
    struct sy_network_parts from = {
        .name = config->name,
        .spec = &parts->spec,
        .domain_count = domain_count,
        .domain = parts->domain,
        .expert_count = parts->expert_count,
        .expert = parts->expert,
    };
    SY_TRY(sy_network_new(network, &from, err));
    sy_network_init(*network, config->seed);
    return SY_OK;
}

enum sy_status nas_build_supernet(struct sy_network **network,
                                  const struct nas_config *config,
                                  const struct nas_data *data,
                                  struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct parts *parts = sy_alloc_zero(1, sizeof *parts);
    if (parts == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "network: no memory");
    }
    parts->spec = config->network;
    for (int d = 0; d < data->count; d++) {
        SY_TRY_OUT(take_domain(parts, data, d, err));
    }
    SY_TRY_OUT(make_network(network, parts, config, data->count, err));
out:
    release_parts(parts);
    return status;
}

enum sy_status nas_build(struct sy_network **network,
                         const struct nas_config *config,
                         const struct nas_data *data, const char *paths_file,
                         struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct parts *parts = sy_alloc_zero(1, sizeof *parts);
    if (parts == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "network: no memory");
    }
    parts->spec = config->network;
    for (int d = 0; d < data->count; d++) {
        SY_TRY_OUT(take_domain(parts, data, d, err));
    }
    SY_TRY_OUT(paths_file != NULL
                   ? take_file_paths(parts, data, paths_file, err)
                   : take_config_paths(parts, config, err));
    prune(parts);
    SY_TRY_OUT(make_network(network, parts, config, data->count, err));
out:
    release_parts(parts);
    return status;
}
