/*
 * make_model.c - writes a small network with random weights as an artefact.
 *
 *     make_model REPOSITORY/NAME [SEED [SPEC.json [DOMAINS]]]
 *
 * For tests of what stands on top of a trained network but does not care what
 * it knows: three domains (or DOMAINS of them), one expert each, every block
 * kind. The same seed gives the same bits. Prints the version's folder.
 *
 * SPEC.json ("": none) is a "network" as in a configuration. Each domain then
 * has as many experts as the longest list of candidates, "e0" on the first
 * candidate of each layer, "e1" on the second and so on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/json.h"
#include "tests/support/random_network.h"

/* Reads the spec; as many experts as candidates are then in the options. */
static enum sy_status read_spec(const char *path,
                                struct sy_random_options *options,
                                struct sy_error *err)
{
    static struct sy_network_spec spec;
    json_t *root = NULL;
    SY_TRY(sy_json_load(path, &root, err));
    enum sy_status status = sy_spec_from_json(&spec, root, path, "", err);
    json_decref(root);
    SY_TRY(status);
    for (int l = 0; l < spec.layer_count; l++) {
        if (spec.layer[l].block_count > options->experts) {
            options->experts = spec.layer[l].block_count;
        }
    }
    options->spec = &spec;
    return SY_OK;
}

int main(int argc, char **argv)
{
    struct sy_artefact artefact;
    struct sy_error err = {0};
    struct sy_random_options options = {
        .seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, .experts = 1};
    if (argc < 2 || argc > 5) {
        fprintf(stderr,
                "usage: make_model REPOSITORY/NAME [SEED [SPEC [DOMAINS]]]\n");
        return 2;
    }
    options.domains = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;
    if (argc > 3 && argv[3][0] != '\0' &&
        read_spec(argv[3], &options, &err) != SY_OK) {
        fprintf(stderr, "make_model: %s\n", err.message);
        return 2;
    }
    struct sy_network *network = sy_random_network(&options);
    json_t *provenance = json_pack("{s:s}", "made_by", "tests/tools");
    enum sy_status status =
        sy_artefact_save(network, argv[1], provenance, &artefact, &err);
    json_decref(provenance);
    sy_network_free(network);
    if (status != SY_OK) {
        fprintf(stderr, "make_model: %s\n", err.message);
        return 1;
    }
    printf("%s\n", artefact.path);
    return 0;
}
