/*
 * cmd_pack.c - `switchyard pack`: what a swap brings, as one file.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "runtime/artefact/pack.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "search/eval/test_images.h"

enum { DEFAULT_PROBES = 16 };

/* What is at hand while a pack is made. */
struct packing {
    const struct cli_args *args;
    struct sy_artefact artefact, base_artefact;
    struct sy_network *network, *base;
    int domain_count;
    struct sy_pack_domain domain[SY_MAX_DOMAINS];
    uint8_t *probes[SY_MAX_DOMAINS];
    int remove_count;
    const char *remove[CLI_MAX_LIST];
    struct sy_sign_key key;
    bool has_key;
};

/* The first images of the domain's test part. */
static enum sy_status read_probes(struct packing *p, const char *dir, int i,
                                  int count, struct sy_error *err)
{
    const struct sy_network *network = p->network;
    const char *name = network->domain[p->domain[i].domain].name;
    struct nas_test_images images;
    int labels[SY_PACK_MAX_PROBES];
    SY_TRY(nas_test_images_open(&images, network, dir, name, NULL, err));
    if (count > dom_loader_images(images.loader)) {
        count = dom_loader_images(images.loader);
    }
    enum sy_status status =
        dom_loader_read(images.loader, 0, count, p->probes[i], labels, err);
    p->domain[i].probe_count = count;
    nas_test_images_close(&images);
    return status;
}

/* Images to be answered: of the data, or noise, which probes numbers too. */
static enum sy_status make_probes(struct packing *p, struct sy_error *err)
{
    int count = (int)cli_int(p->args, "probes", DEFAULT_PROBES);
    const char *dir = cli_text(p->args, "data", NULL);
    size_t bytes = (size_t)count * sy_shape_floats(p->network->spec.input) + 1;
    for (int i = 0; i < p->domain_count && count > 0; i++) {
        p->probes[i] = sy_alloc(bytes);
        if (p->probes[i] == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "pack: no memory for probes");
        }
        p->domain[i].probes = p->probes[i];
        p->domain[i].probe_count = count;
        if (dir != NULL) {
            SY_TRY(read_probes(p, dir, i, count, err));
            continue;
        }
        struct sy_rng rng = sy_rng_stream(1, SY_RNG_GENERATE, 0, (uint32_t)i);
        for (size_t b = 0; b + 1 < bytes; b++) {
            p->probes[i][b] = (uint8_t)sy_rng_below(&rng, 256);
        }
    }
    return SY_OK;
}

/* The domains that --domain names. */
static enum sy_status choose_domains(struct packing *p, struct sy_error *err)
{
    int count = 0;
    const char *const *names = cli_list(p->args, "domain", &count);
    for (int i = 0; i < count; i++) {
        int found = sy_network_find_domain(p->network, names[i]);
        if (found < 0) {
            return sy_fail(err, SY_BAD_INPUT, "%s has no domain \"%s\"",
                           p->artefact.path, names[i]);
        }
        p->domain[p->domain_count++] = (struct sy_pack_domain){
            .domain = found, .expert = cli_text(p->args, "expert", NULL)};
    }
    return SY_OK;
}

/* Where the pack comes from: model, base, and how the model was trained. */
static json_t *make_provenance(const struct packing *p)
{
    char path[SY_PATH_BYTES];
    json_t *model = NULL;
    json_t *made = json_pack("{s:s, s:s}", "model", p->artefact.name,
                             "snapshot", p->artefact.label);
    if (p->base != NULL) {
        (void)json_object_set_new(made, "base",
                                  json_string(p->base_artefact.label));
    }
    if (sy_path_join(path, sizeof path, p->artefact.path, "model.json", NULL) ==
            SY_OK &&
        sy_json_load(path, &model, NULL) == SY_OK) {
        (void)json_object_set(made, "trained",
                              json_object_get(model, "provenance"));
        json_decref(model);
    }
    return made;
}

static enum sy_status prepare(struct packing *p, struct sy_error *err)
{
    const char *base = cli_text(p->args, "base", NULL);
    const char *key = cli_text(p->args, "sign", NULL);
    const char *const *remove = cli_list(p->args, "remove", &p->remove_count);
    SY_TRY(
        sy_artefact_load(cli_arg(p->args, 0), &p->network, &p->artefact, err));
    if (base != NULL) {
        SY_TRY(sy_artefact_load(base, &p->base, &p->base_artefact, err));
    }
    if (key != NULL) {
        SY_TRY(sy_sign_load(key, &p->key, err));
        p->has_key = true;
    }
    for (int i = 0; i < p->remove_count; i++) {
        p->remove[i] = remove[i];
    }
    SY_TRY(choose_domains(p, err));
    return make_probes(p, err);
}

static int write_pack(struct packing *p)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES];
    const char *out = cli_text(p->args, "out", "");
    if (prepare(p, &err) != SY_OK) {
        return cli_error(&err);
    }
    struct sy_pack_plan plan = {
        .from = p->domain_count > 0 ? p->network : NULL,
        .domain_count = p->domain_count,
        .domain = p->domain,
        .remove_count = p->remove_count,
        .remove = p->remove,
        .root = cli_flag(p->args, "root") ? p->network : NULL,
        .base = p->base,
        .network = p->base != NULL ? p->base_artefact.name : p->artefact.name,
        .provenance = make_provenance(p),
        .key = p->has_key ? &p->key : NULL,
    };
    enum sy_status status = sy_pack_write(out, &plan, id, &err);
    json_decref(plan.provenance);
    if (status != SY_OK) {
        return cli_error(&err);
    }
    if (cli_flag(p->args, "json")) {
        return cli_json(json_pack("{s:s, s:s}", "id", id, "path", out));
    }
    printf("pack %s written to %s\n", id, out);
    return CLI_OK;
}

static int make_key(const char *path)
{
    struct sy_error err = {0};
    struct sy_sign_key key;
    if (sy_sign_make(path, &key, &err) != SY_OK) {
        return cli_error(&err);
    }
    printf("%s: keep it; %s.pub: for the servers\n", path, path);
    sy_sign_wipe(&key);
    return CLI_OK;
}

static int run(const struct cli_args *args)
{
    struct packing p = {.args = args};
    struct sy_error err = {0};
    const char *key = cli_text(args, "make-key", NULL);
    int domains = 0, removed = 0;
    (void)cli_list(args, "domain", &domains);
    (void)cli_list(args, "remove", &removed);
    if (key != NULL && cli_count(args) == 0) {
        return make_key(key);
    }
    if (key != NULL || cli_count(args) == 0 ||
        domains + removed + cli_flag(args, "root") == 0 ||
        cli_text(args, "out", NULL) == NULL) {
        (void)sy_fail(
            &err, SY_BAD_INPUT,
            "expected a MODEL with --domain, --remove or --root, and --out; "
            "or --make-key alone\n"
            "usage: switchyard %s",
            cmd_pack.usage);
        return cli_error(&err);
    }
    int status = write_pack(&p);
    for (int i = 0; i < SY_MAX_DOMAINS; i++) {
        sy_free(p.probes[i]);
    }
    sy_sign_wipe(&p.key);
    sy_network_free(p.network);
    sy_network_free(p.base);
    return status;
}

static const struct cli_option options[] = {
    {"domain", CLI_LIST, "D", "a domain that it sets; may be given again", 0, 0,
     false},
    {"expert", CLI_TEXT, "E",
     "this expert alone (default: all, with the domain's route)", 0, 0, false},
    {"remove", CLI_LIST, "D", "a domain that it removes; may be given again", 0,
     0, false},
    {"root", CLI_FLAG, NULL,
     "bring the MODEL's root gate, which then finds domains", 0, 0, false},
    {"out", CLI_TEXT, "PACK", "the file to write", 0, 0, false},
    {"base", CLI_TEXT, "MODEL",
     "what is served: blocks that it has are left out", 0, 0, false},
    {"data", CLI_TEXT, "DIR",
     "probes are images of its test part (default: noise)", 0, 0, false},
    {"probes", CLI_INT, "N", "images of each domain (default 16)", 0,
     SY_PACK_MAX_PROBES, false},
    {"sign", CLI_TEXT, "KEY", "sign it with this secret key", 0, 0, false},
    {"make-key", CLI_TEXT, "KEY", "make a pair of keys: KEY and KEY.pub", 0, 0,
     false},
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_pack = {
    .name = "pack",
    .usage = "pack MODEL --domain D [--expert E] --out PACK [--base MODEL]",
    .summary = "Writes what a swap brings: an expert pack",
    .about =
        "A pack sets domains whole: labels, experts, route, head, norms and\n"
        "the blocks on their paths; other domains stay as they are, bit for "
        "bit.\n"
        "With --base it leaves out the blocks that this model has, whatever\n"
        "they are called there. It carries images and the answers that it\n"
        "promises to them, which a server checks. With --root the root gate\n"
        "changes together with the domains. `switchyard inspect PACK`\n"
        "shows one; docs/pack-format.md describes the file.",
    .example = "switchyard pack runs/models/night --domain mnist \\\n"
               "      --base models/first --out mnist.pack",
    .options = options,
    .min_args = 0,
    .max_args = 1,
    .run = run,
};
