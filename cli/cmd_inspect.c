/*
 * cmd_inspect.c - `switchyard inspect`: what a model is made of and who
 * shares what.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/pack.h"
#include "runtime/artefact/artefact.h"
#include "runtime/network/inspect.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_blocks(json_t *root)
{
    size_t i = 0;
    json_t *block = NULL;
    printf("\n%-6s %-8s %-28s %9s %11s  used by\n", "layer", "id", "block",
           "params", "MAdds");
    json_array_foreach(json_object_get(root, "blocks"), i, block)
    {
        size_t k = 0;
        json_t *user = NULL;
        printf("%-6lld %-8s %-28s %9lld %11lld ", number_of(block, "layer"),
               text_of(block, "id"), text_of(block, "text"),
               number_of(block, "params"), number_of(block, "madds"));
        json_array_foreach(json_object_get(block, "used_by"), k, user)
        {
            printf(" %s", json_string_value(user));
        }
        printf("\n");
    }
}

static void print_experts(json_t *root)
{
    size_t i = 0;
    json_t *expert = NULL;
    printf("\n%-24s %9s %11s  path\n", "expert", "params", "MAdds");
    json_array_foreach(json_object_get(root, "experts"), i, expert)
    {
        char name[2 * SY_NAME_BYTES];
        (void)snprintf(name, sizeof name, "%s.%s", text_of(expert, "domain"),
                       text_of(expert, "name"));
        printf("%-24s %9lld %11lld  %s\n", name, number_of(expert, "params"),
               number_of(expert, "madds"), text_of(expert, "path"));
    }
}

/* What each domain's requests run; printed as it stands in model.json. */
static void print_gates(json_t *root)
{
    json_t *gates = json_object_get(root, "gates"), *gate;
    size_t i;
    json_array_foreach(gates, i, gate)
    {
        json_t *domain = json_object_get(gate, "domain");
        printf("%s%-16s %-12s %8lld params %10lld MAdds, behind %lld layers\n",
               i == 0 ? "\ngates\n" : "",
               json_is_string(domain) ? json_string_value(domain) : "(root)",
               json_string_value(json_object_get(gate, "name")),
               json_integer_value(json_object_get(gate, "params")),
               json_integer_value(json_object_get(gate, "madds")),
               json_integer_value(json_object_get(gate, "layers")));
    }
}

/* Stages of cascades below the node whose threshold no sureness reaches. */
static int count_never(json_t *node)
{
    static const char *const keys[] = {"stages", "members", "children"};
    int count = 0;
    for (int k = 0; k < 3; k++) {
        json_t *children = json_object_get(node, keys[k]), *child;
        size_t i;
        json_array_foreach(children, i, child)
        {
            json_t *route = json_object_get(child, "route");
            count += json_number_value(json_object_get(child, "threshold")) > 1;
            count += count_never(route != NULL ? route : child);
        }
    }
    return count;
}

static void print_routes(json_t *root)
{
    const char *domain = NULL;
    json_t *route = NULL;
    printf("\nroutes\n");
    json_object_foreach(json_object_get(root, "routes"), domain, route)
    {
        printf("%-24s ", domain);
        (void)json_dumpf(route, stdout, 0);
        printf("\n");
        int never = count_never(route);
        if (never > 0) {
            printf("%-24s %d threshold%s above 1: no image ever passes\n", "",
                   never, never == 1 ? "" : "s");
        }
    }
}

static void print_jaccard(json_t *root)
{
    json_t *jaccard = json_object_get(root, "jaccard");
    json_t *names = json_object_get(jaccard, "names");
    json_t *matrix = json_object_get(jaccard, "matrix");
    printf("\nshared blocks (Jaccard)\n");
    for (size_t i = 0; i < json_array_size(names); i++) {
        printf("%-24s", json_string_value(json_array_get(names, i)));
        json_t *row = json_array_get(matrix, i);
        for (size_t k = 0; k < json_array_size(row); k++) {
            printf(" %5.2f", json_number_value(json_array_get(row, k)));
        }
        printf("\n");
    }
}

/* Every tensor of the weights file with its shape. */
static void print_tensors(const struct sy_network *network)
{
    printf("\ntensors\n");
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        printf("%-48s [", tensor->name);
        for (int k = 0; k < tensor->dims; k++) {
            printf("%s%d", k > 0 ? ", " : "", tensor->dim[k]);
        }
        printf("]\n");
    }
}

static json_t *tensors_json(const struct sy_network *network)
{
    json_t *all = json_array();
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        json_t *shape = json_array();
        for (int k = 0; k < tensor->dims; k++) {
            (void)json_array_append_new(shape, json_integer(tensor->dim[k]));
        }
        (void)json_array_append_new(
            all, json_pack("{s:s, s:o}", "name", tensor->name, "shape", shape));
    }
    return all;
}

static int run(const struct cli_args *args)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = NULL;
    if (sy_file_exists(cli_arg(args, 0))) {
        return cli_pack_show(cli_arg(args, 0), cli_flag(args, "json"));
    }
    if (sy_artefact_load(cli_arg(args, 0), &network, &artefact, &err) !=
        SY_OK) {
        return cli_error(&err);
    }
    json_t *root = sy_inspect_json(network);
    int status = CLI_OK;
    if (cli_flag(args, "json") || root == NULL) {
        if (cli_flag(args, "tensors")) {
            (void)json_object_set_new(root, "tensors", tensors_json(network));
        }
        status = cli_json(json_incref(root));
    } else {
        printf("%s, version %s: %d domains, %d layers, %lld parameters\n",
               artefact.name, artefact.label, network->domain_count,
               network->spec.layer_count,
               (long long)sy_network_params(network));
        print_blocks(root);
        print_experts(root);
        print_gates(root);
        print_routes(root);
        print_jaccard(root);
        if (cli_flag(args, "tensors")) {
            print_tensors(network);
        }
    }
    json_decref(root);
    sy_network_free(network);
    return status;
}

static const struct cli_option options[] = {
    {"tensors", CLI_FLAG, NULL, "also every tensor with its shape", 0, 0,
     false},
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_inspect = {
    .name = "inspect",
    .usage = "inspect MODEL|PACK [--tensors]",
    .summary = "Shows blocks, experts, routes and who shares what",
    .about = "Of an expert pack: what it sets, holds and builds on.",
    .example = "switchyard inspect runs/models/first",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
