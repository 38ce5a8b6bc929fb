/*
 * make_model.c - writes a small network with random weights as an artefact.
 *
 *     make_model REPOSITORY/NAME [SEED]
 *
 * For tests of what stands on top of a trained network but does not care what
 * it knows: three domains, one expert each, every block kind. The same seed
 * gives the same bits. Prints the version's folder.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/artefact/artefact.h"
#include "tests/support/random_network.h"

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: make_model REPOSITORY/NAME [SEED]\n");
        return 2;
    }
    struct sy_random_options options = {
        .seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, .experts = 1};
    struct sy_network *network = sy_random_network(&options);
    json_t *provenance = json_pack("{s:s}", "made_by", "tests/tools");
    struct sy_artefact artefact;
    struct sy_error err = {0};
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
