/* small_pack.c - see small_pack.h. */
#include "tests/support/small_pack.h"

#include <stdio.h>

#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

struct sy_network *sy_pack_base, *sy_pack_next;
char sy_pack_file[SY_PATH_BYTES], sy_pack_model[SY_PATH_BYTES];

void sy_small_pack_setup(void)
{
    sy_check_folder_make();
    sy_pack_base = sy_small_network(3);
    sy_pack_next = sy_small_network(3);
    sy_small_move(sy_pack_next, "l1b0", 0.5F);
    sy_small_move(sy_pack_next, "head.digits", 0.25F);
    (void)snprintf(sy_pack_file, sizeof sy_pack_file, "%s/p",
                   sy_check_folder());
    (void)snprintf(sy_pack_model, sizeof sy_pack_model, "%s/m",
                   sy_check_folder());
}

void sy_small_pack_teardown(void)
{
    sy_network_free(sy_pack_base);
    sy_network_free(sy_pack_next);
    sy_check_folder_remove();
}

struct sy_pack *sy_small_pack_open(void)
{
    struct sy_error err = {0};
    struct sy_pack *pack = NULL;
    sy_check_ok(sy_pack_open(&pack, sy_pack_file, &err), err);
    return pack;
}

void sy_small_pack_save_base(void)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    sy_check_ok(
        sy_artefact_save(sy_pack_base, sy_pack_model, NULL, &artefact, &err),
        err);
}

void sy_small_pack_store(struct sy_pack *pack)
{
    struct sy_error err = {0};
    sy_check_ok(sy_pack_store(sy_pack_model, pack, &err), err);
}
