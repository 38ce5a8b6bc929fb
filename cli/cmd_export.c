/*
 * cmd_export.c - `switchyard export`: one expert as an ONNX file.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/commands.h"
#include "runtime/artefact/artefact.h"
#include "runtime/onnx/export.h"

static int print_result(const struct sy_network *network,
                        const struct sy_export *what, const char *path,
                        const struct sy_onnx_size *size, bool as_json)
{
    const char *domain = network->domain[what->domain].name;
    const char *expert = network->expert[what->expert].name;

    if (!as_json) {
        printf("%s: %s.%s of %s, %d nodes, %lld numbers, %zu bytes\n", path,
               domain, expert, what->snapshot, size->nodes,
               (long long)size->numbers, size->bytes);
        return CLI_OK;
    }
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:i, s:I}", "file", path,
                  "domain", domain, "expert", expert, "snapshot",
                  what->snapshot, "opset", SY_ONNX_OPSET, "nodes", size->nodes,
                  "numbers", (json_int_t)size->numbers, "tensors",
                  size->tensors, "bytes", (json_int_t)size->bytes);
    return cli_json(root);
}

static int run(const struct cli_args *args)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = NULL;
    struct sy_onnx_size size = {0};
    char snapshot[SY_NAME_BYTES + 16];
    struct sy_export what = {.snapshot = snapshot};
    const char *path = cli_text(args, "out", "");
    int status = CLI_OK;

    if (sy_artefact_load(cli_arg(args, 0), &network, &artefact, &err) !=
        SY_OK) {
        return cli_error(&err);
    }
    (void)snprintf(snapshot, sizeof snapshot, "%s/%d", artefact.name,
                   artefact.version);
    if (sy_export_find(network, cli_text(args, "domain", ""),
                       cli_text(args, "expert", NULL), &what, &err) != SY_OK) {
        sy_error_prefix(&err, "%s", artefact.path);
        status = cli_error(&err);
    } else if (sy_export_write(network, &what, path, &size, &err) != SY_OK) {
        status = cli_error(&err);
    } else {
        status =
            print_result(network, &what, path, &size, cli_flag(args, "json"));
    }
    sy_network_free(network);
    return status;
}

static const struct cli_option options[] = {
    {"domain", CLI_TEXT, "D", "whose labels the file gives", 0, 0, true},
    {"expert", CLI_TEXT, "E",
     "which expert (default: the first on the domain's route)", 0, 0, false},
    {"out", CLI_TEXT, "FILE.onnx", "the file to write", 0, 0, true},
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_export = {
    .name = "export",
    .usage = "export MODEL --domain D [--expert E] --out FILE.onnx",
    .summary = "Writes one expert as an ONNX file",
    .about =
        "A static graph of the expert's own path, norms folded in: opset 17,\n"
        "any batch, input NCHW float32 normalised as (x/255)*2-1, outputs\n"
        "logits and probabilities. docs/onnx.md shows how to run it.",
    .example = "switchyard export runs/models/first --domain mnist --out "
               "mnist.onnx",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
