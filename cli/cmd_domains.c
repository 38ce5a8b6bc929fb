/*
 * cmd_domains.c - `switchyard domains`: list, make, fetch.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "domains/domain.h"
#include "domains/fetch.h"
#include "domains/generated/generated.h"
#include "domains/image/image.h"
#include "domains/listing.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

static json_t *listed_json(const struct dom_listed *item)
{
    if (item->status != SY_OK) {
        return json_pack("{s:s, s:s}", "name", item->name, "error",
                         item->message);
    }
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "name",
                     item->name, "format", item->format, "classes",
                     item->classes, "height", item->height, "width",
                     item->width, "channels", item->channels, "train",
                     item->train, "test", item->test);
}

static void print_listed(const struct dom_listed *item)
{
    char shape[48] = "mixed";
    if (item->status != SY_OK) {
        printf("%-16s %s\n", item->name, item->message);
        return;
    }
    if (item->height > 0) {
        (void)snprintf(shape, sizeof shape, "%dx%dx%d", item->height,
                       item->width, item->channels);
    }
    printf("%-16s %-8s %7d  %-12s %8d %8d\n", item->name, item->format,
           item->classes, shape, item->train, item->test);
}

static int list(const char *dir, bool as_json)
{
    struct dom_listing listing = {0};
    struct sy_error err = {0};
    int status = CLI_OK;
    if (dom_listing_make(&listing, dir, &err) != SY_OK) {
        return cli_error(&err);
    }
    if (as_json) {
        json_t *rows = json_array();
        for (int i = 0; i < listing.count; i++) {
            (void)json_array_append_new(rows, listed_json(&listing.items[i]));
        }
        status = cli_json(json_pack("{s:o}", "domains", rows));
    } else {
        printf("%-16s %-8s %7s  %-12s %8s %8s\n", "domain", "format", "classes",
               "shape", "train", "test");
        for (int i = 0; i < listing.count; i++) {
            print_listed(&listing.items[i]);
        }
    }
    dom_listing_release(&listing);
    return status;
}

/* True when `name` stands in the comma-separated `only` (NULL: all do). */
static bool is_wanted(const char *only, const char *name)
{
    size_t length = strlen(name);
    while (only != NULL) {
        const char *comma = strchr(only, ',');
        size_t part = comma != NULL ? (size_t)(comma - only) : strlen(only);
        if (part == length && strncmp(only, name, length) == 0) {
            return true;
        }
        if (comma == NULL) {
            return false;
        }
        only = comma + 1;
    }
    return true;
}

/* Every name of --only is a generator's; complains otherwise. */
static bool check_only(const char *only)
{
    while (only != NULL) {
        char name[DOM_NAME_BYTES] = "";
        const char *comma = strchr(only, ',');
        size_t part = comma != NULL ? (size_t)(comma - only) : strlen(only);
        if (part < sizeof name) {
            memcpy(name, only, part);
        }
        if (dom_generator_find(name) == NULL) {
            (void)fprintf(stderr,
                          "switchyard: no generated domain is called "
                          "\"%.*s\"; there are:",
                          (int)part, only);
            for (int i = 0; dom_generators[i] != NULL; i++) {
                (void)fprintf(stderr, " %s", dom_generators[i]->name);
            }
            (void)fprintf(stderr, "\n");
            return false;
        }
        only = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

static int make(const struct cli_args *args)
{
    struct sy_error err = {0};
    const char *only = cli_text(args, "only", NULL);
    uint64_t seed = (uint64_t)cli_int(args, "seed", 1);
    json_t *rows = json_array();
    if (!check_only(only)) {
        json_decref(rows);
        return CLI_BAD_INPUT;
    }
    for (int i = 0; dom_generators[i] != NULL; i++) {
        const struct dom_generator *g = dom_generators[i];
        if (!is_wanted(only, g->name)) {
            continue;
        }
        if (dom_generate(g, cli_arg(args, 1), seed, &err) != SY_OK) {
            json_decref(rows);
            return cli_error(&err);
        }
        if (cli_flag(args, "json")) {
            (void)json_array_append_new(rows, json_string(g->name));
        } else {
            printf("%-12s %d + %d images, %d classes: %s\n", g->name, g->train,
                   g->test, g->classes, g->summary);
        }
    }
    if (cli_flag(args, "json")) {
        return cli_json(json_pack("{s:o}", "domains", rows));
    }
    json_decref(rows);
    return CLI_OK;
}

/* Shows how far a download has come, on a terminal only. */
static bool show_download(void *context, const char *file, int64_t bytes,
                          int64_t total_bytes)
{
    (void)context;
    if (isatty(STDERR_FILENO) == 1) {
        (void)fprintf(stderr, "\r\033[K%s %lld of %lld kB", file,
                      (long long)bytes / 1000, (long long)total_bytes / 1000);
    }
    return true;
}

/* domains fetch NAME... DIR: the last argument is the folder. */
static int fetch(const struct cli_args *args)
{
    struct sy_error err = {0};
    struct dom_fetch_options options = {.progress = show_download};
    int last = cli_count(args) - 1;
    if (last < 2) {
        (void)fprintf(stderr, "switchyard domains fetch: expected NAME... DIR; "
                              "there are:\n");
        for (const struct dom_fetch_set *s = dom_fetch_sets; s->name; s++) {
            (void)fprintf(stderr, "  %-16s %s\n", s->name, s->summary);
        }
        return CLI_BAD_INPUT;
    }
    for (int i = 1; i < last; i++) {
        enum sy_status status =
            dom_fetch(cli_arg(args, i), cli_arg(args, last), &options, &err);
        if (isatty(STDERR_FILENO) == 1) {
            (void)fputc('\n', stderr);
        }
        if (status != SY_OK) {
            return cli_error(&err);
        }
        if (!cli_flag(args, "json")) {
            printf("%s/%s\n", cli_arg(args, last), cli_arg(args, i));
        }
    }
    return cli_flag(args, "json") ? list(cli_arg(args, last), true) : CLI_OK;
}

static int print_sample(const struct cli_args *args, int index,
                        const char *label)
{
    if (cli_flag(args, "json")) {
        return cli_json(json_pack("{s:s, s:i, s:s, s:s}", "domain",
                                  cli_arg(args, 2), "index", index, "label",
                                  label, "file", cli_arg(args, 3)));
    }
    printf("%s\n", label);
    return CLI_OK;
}

/* domains sample DIR NAME OUT.png: one test image, its label on stdout. */
static int sample(const struct cli_args *args)
{
    struct sy_error err = {0};
    struct dom_options none = {0};
    struct dom_domain *domain = NULL;
    struct dom_image image = {.channels = 3};
    int index = (int)cli_int(args, "index", 0);
    int status = CLI_OK;
    if (dom_open(&domain, cli_arg(args, 1), cli_arg(args, 2), &none, &err) !=
        SY_OK) {
        return cli_error(&err);
    }
    image.height = dom_height(domain) > 0 ? dom_height(domain) : 224;
    image.width = dom_width(domain) > 0 ? dom_width(domain) : 224;
    image.pixels = sy_alloc((size_t)image.height * (size_t)image.width * 3);
    if (index >= dom_count(domain, DOM_TEST)) {
        (void)sy_fail(&err, SY_BAD_INPUT,
                      "%s: --index %d, but there are %d test images",
                      cli_arg(args, 2), index, dom_count(domain, DOM_TEST));
    } else if (image.pixels == NULL) {
        (void)sy_fail(&err, SY_NO_MEMORY, "no memory for an image");
    } else if (dom_read(domain, DOM_TEST, index, image.height, image.width,
                        image.pixels, &err) == SY_OK &&
               dom_image_save_png(&image, cli_arg(args, 3), &err) == SY_OK) {
        status = print_sample(
            args, index,
            dom_class_name(domain, dom_label(domain, DOM_TEST, index)));
    }
    if (err.status != SY_OK) {
        status = cli_error(&err);
    }
    dom_image_release(&image);
    dom_close(domain);
    return status;
}

static int run(const struct cli_args *args)
{
    static const char *const actions[] = {"list", "make", "fetch", "sample",
                                          NULL};
    const char *action = cli_arg(args, 0);
    bool two = cli_count(args) == 2;
    if (strcmp(action, "list") == 0 && two) {
        return list(cli_arg(args, 1), cli_flag(args, "json"));
    }
    if (strcmp(action, "make") == 0 && two) {
        return make(args);
    }
    if (strcmp(action, "fetch") == 0) {
        return fetch(args);
    }
    if (strcmp(action, "sample") == 0 && cli_count(args) == 4) {
        return sample(args);
    }
    const char *near = sy_nearest_word(action, actions);
    if (near != NULL && strcmp(near, action) == 0) {
        near = NULL; /* the right word with the wrong arguments */
    }
    (void)fprintf(stderr,
                  "switchyard domains: expected list DIR, make DIR, fetch "
                  "NAME... DIR or sample DIR NAME OUT.png%s%s%s\n",
                  near != NULL ? "; did you mean \"" : "",
                  near != NULL ? near : "", near != NULL ? "\"?" : "");
    return CLI_BAD_INPUT;
}

static const struct cli_option options[] = {
    {"only", CLI_TEXT, "A,B", "make: just these generated domains", 0, 0,
     false},
    {"seed", CLI_INT, "N", "make: the same seed gives the same files", 0,
     INT64_MAX, false},
    {"index", CLI_INT, "N", "sample: which test image (default 0)", 0,
     INT32_MAX, false},
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_domains = {
    .name = "domains",
    .usage = "domains (list DIR | make DIR | fetch NAME... DIR |\n"
             "                          sample DIR NAME OUT.png)",
    .summary = "Lists a data folder, draws generated domains, fetches public "
               "ones",
    .about = "list   what stands in DIR: name, format, classes, shape, counts\n"
             "make   writes the built-in generated domains as ordinary files\n"
             "fetch  downloads public datasets from their original addresses,\n"
             "       checked by SHA-256; without a name it lists them\n"
             "sample writes one test image as PNG and prints its label",
    .example = "switchyard domains make runs/data --only glyphs,textures",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
