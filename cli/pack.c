/*
 * pack.c - an expert pack in words and as JSON.
 */
#include "cli/pack.h"

#include <stdio.h>

#include "cli/cli.h"
#include "runtime/artefact/pack.h"

/* Probe images of a domain of the part. */
static int probes_of(const struct sy_pack *pack, int domain)
{
    char name[SY_TENSOR_NAME_BYTES + 32];
    (void)snprintf(name, sizeof name, "probe.%s.images",
                   pack->part->domain[domain].name);
    const struct sy_st_entry *images = sy_st_find(pack->tensors, name);
    return images != NULL ? (int)images->dim[0] : 0;
}

static json_t *domains_json(const struct sy_pack *pack)
{
    const struct sy_network *part = pack->part;
    json_t *all = json_array();
    for (int d = 0; part != NULL && d < part->domain_count; d++) {
        json_t *experts = json_array();
        for (int e = 0; e < part->expert_count; e++) {
            const struct sy_expert *expert = &part->expert[e];
            if (expert->domain == d) {
                struct sy_cost cost =
                    sy_network_path_cost(part, &expert->path, d);
                (void)json_array_append_new(
                    experts, json_pack("{s:s, s:I, s:I}", "name", expert->name,
                                       "madds", (json_int_t)cost.madds,
                                       "params", (json_int_t)cost.params));
            }
        }
        (void)json_array_append_new(
            all, json_pack("{s:s, s:i, s:o, s:i}", "name", part->domain[d].name,
                           "classes", part->domain[d].classes, "experts",
                           experts, "probes", probes_of(pack, d)));
    }
    return all;
}

/* Blocks that are in the file, or those that it builds on. */
static json_t *blocks_json(const struct sy_pack *pack, bool held)
{
    json_t *all = json_array();
    for (int u = 0; pack->part != NULL && u < pack->part->first_head; u++) {
        const struct sy_unit *unit = &pack->part->unit[u];
        if ((pack->holds[u] != 0) == held) {
            (void)json_array_append_new(all, json_string(unit->id));
        }
    }
    return all;
}

static json_t *remove_json(const struct sy_pack *pack)
{
    json_t *all = json_array();
    for (int i = 0; i < pack->remove_count; i++) {
        (void)json_array_append_new(all, json_string(pack->remove[i]));
    }
    return all;
}

/* The domains that its root gate knows, or NULL: it brings none. */
static json_t *root_json(const struct sy_pack *pack)
{
    const struct sy_pack_root *root = pack->root_gate;
    json_t *all = root != NULL ? json_array() : NULL;
    for (int d = 0; root != NULL && d < root->gate.outputs - 1; d++) {
        (void)json_array_append_new(all, json_string(root->domain[d]));
    }
    return all;
}

static void print_list(const char *title, const json_t *list)
{
    size_t i;
    json_t *value;
    printf("%-10s", title);
    json_array_foreach(list, i, value)
    {
        printf(" %s", json_string_value(value));
    }
    printf("%s\n", json_array_size(list) == 0 ? " -" : "");
}

static void print_text(const json_t *root)
{
    size_t i, k;
    json_t *domain, *expert;
    printf("pack %s for %s, %lld bytes, signed by %s\n",
           json_string_value(json_object_get(root, "id")),
           json_string_value(json_object_get(root, "network")),
           json_integer_value(json_object_get(root, "bytes")),
           json_is_string(json_object_get(root, "signer"))
               ? json_string_value(json_object_get(root, "signer"))
               : "nobody");
    json_array_foreach(json_object_get(root, "domains"), i, domain)
    {
        printf("sets       %s: %lld classes, %lld probes\n",
               json_string_value(json_object_get(domain, "name")),
               json_integer_value(json_object_get(domain, "classes")),
               json_integer_value(json_object_get(domain, "probes")));
        json_array_foreach(json_object_get(domain, "experts"), k, expert)
        {
            printf("           expert %s, %lld MAdds, %lld parameters\n",
                   json_string_value(json_object_get(expert, "name")),
                   json_integer_value(json_object_get(expert, "madds")),
                   json_integer_value(json_object_get(expert, "params")));
        }
    }
    if (json_is_array(json_object_get(root, "root"))) {
        print_list("root gate", json_object_get(root, "root"));
    }
    print_list("removes", json_object_get(root, "removes"));
    print_list("holds", json_object_get(root, "holds"));
    print_list("builds on", json_object_get(root, "builds_on"));
}

int cli_pack_show(const char *path, bool as_json)
{
    struct sy_error err = {0};
    struct sy_pack *pack = NULL;
    if (sy_pack_open(&pack, path, &err) != SY_OK) {
        return cli_error(&err);
    }
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:I, s:s?, s:o, s:o?, s:o, s:o, s:o, s:O?}",
                  "id", pack->id, "digest", pack->digest, "network",
                  pack->network, "bytes", (json_int_t)pack->bytes, "signer",
                  pack->signer[0] != '\0' ? pack->signer : NULL, "domains",
                  domains_json(pack), "root", root_json(pack), "removes",
                  remove_json(pack), "holds", blocks_json(pack, true),
                  "builds_on", blocks_json(pack, false), "provenance",
                  json_object_get(pack->root, "provenance"));
    int status = CLI_OK;
    if (as_json || root == NULL) {
        status = cli_json(json_incref(root));
    } else {
        print_text(root);
    }
    json_decref(root);
    sy_pack_close(pack);
    return status;
}
