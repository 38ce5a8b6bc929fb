/*
 * test_pack.c - packs: written, opened, refused, applied, stored.
 *
 * `base` is what is served; `next` is the same network with some numbers of
 * domain "digits" changed, so that what a pack brings is known.
 */
#include "runtime/artefact/pack.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/memory.h"
#include "runtime/network/equal.h"
#include "tests/support/check_main.h"
#include "tests/support/forged_pack.h"
#include "tests/support/small_network.h"
#include "tests/support/small_pack.h"

enum { PROBES = 3, IMAGE = 8 * 6 * 3, DIGITS = 0, SHAPES = 1 };

static struct sy_network *base, *next;
static const char *const path = sy_pack_file, *const model = sy_pack_model;
static uint8_t images[PROBES * IMAGE];

static void setup(void)
{
    sy_small_pack_setup();
    base = sy_pack_base;
    next = sy_pack_next;
    for (int i = 0; i < PROBES * IMAGE; i++) {
        images[i] = (uint8_t)(i * 37 % 251);
    }
}

static const struct sy_pack_domain digits = {
    .domain = DIGITS, .probe_count = PROBES, .probes = images};

/* Writes a pack of `digits` of `from`, without what `has` has. */
static void write_pack(const struct sy_network *from,
                       const struct sy_network *has, char *id)
{
    struct sy_error err = {0};
    struct sy_pack_plan plan = {.from = from,
                                .domain_count = 1,
                                .domain = &digits,
                                .base = has,
                                .network = "small"};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
}

static struct sy_pack *pack_of(const struct sy_network *from,
                               const struct sy_network *has)
{
    char id[SY_PACK_ID_BYTES];
    write_pack(from, has, id);
    struct sy_pack *pack = sy_small_pack_open();
    ck_assert_str_eq(pack->id, id);
    return pack;
}

static struct sy_network *apply(const struct sy_network *to,
                                struct sy_pack *pack,
                                struct sy_pack_report *report)
{
    struct sy_error err = {0};
    struct sy_network *made = NULL;
    sy_check_ok(sy_pack_apply(&made, to, pack, report, &err), err);
    return made;
}

static int64_t bytes_of(const struct sy_network *network)
{
    return (int64_t)(network->value_count * sizeof(float));
}

START_TEST(a_pack_sets_its_domain_and_leaves_the_others_bit_for_bit)
{
    struct sy_pack_report report;
    struct sy_pack *pack = pack_of(next, NULL);
    struct sy_network *made = apply(base, pack, &report);
    ck_assert(sy_domain_equal(made, DIGITS, next, DIGITS));
    ck_assert(sy_domain_equal(made, SHAPES, base, SHAPES));
    ck_assert_int_eq(report.blocks_new, 1);
    ck_assert_int_eq(report.blocks_shared, 3);
    ck_assert_int_eq(report.blocks_freed, 1);
    ck_assert_int_eq(report.domains_replaced, 1);
    ck_assert_int_eq(report.domains_added + report.domains_removed, 0);
    ck_assert_int_eq(report.new_bytes + report.shared_bytes, bytes_of(made));
    ck_assert_int_eq(report.freed_bytes + report.shared_bytes, bytes_of(base));
    ck_assert_int_gt(report.new_bytes, 0);
    ck_assert_int_lt(report.new_bytes, report.shared_bytes);
    sy_network_free(made);
    sy_pack_close(pack);
}
END_TEST

START_TEST(blocks_that_the_other_side_has_are_not_sent)
{
    struct sy_pack *whole = pack_of(next, NULL);
    struct sy_pack *small = pack_of(next, base);
    ck_assert_uint_lt(small->bytes, whole->bytes);
    ck_assert_int_eq(small->holds[small->part->stem], 0);
    ck_assert_int_eq(small->holds[sy_small_unit(small->part, "l0b0")], 0);
    ck_assert_int_eq(small->holds[sy_small_unit(small->part, "l1b0")], 1);
    struct sy_network *a = apply(base, whole, NULL);
    struct sy_network *b = apply(base, small, NULL);
    ck_assert(sy_networks_equal(a, b));
    sy_network_free(a);
    sy_network_free(b);
    sy_pack_close(whole);
    sy_pack_close(small);
}
END_TEST

START_TEST(content_is_found_whatever_its_id_and_clashing_ids_get_a_suffix)
{
    struct sy_network *other = sy_small_network(3);
    struct sy_pack *pack;
    /* l1b1 is shared by both domains: the new one stands beside the old. */
    sy_small_move(next, "l1b1", 1.0F);
    (void)snprintf(other->spec.layer[0].block[0].id, SY_BLOCK_ID_BYTES, "old");
    (void)snprintf(other->unit[sy_small_unit(other, "l0b0")].id, 8, "old");
    pack = pack_of(next, base);
    struct sy_network *made = apply(other, pack, NULL);
    ck_assert(sy_domain_equal(made, DIGITS, next, DIGITS));
    ck_assert(sy_domain_equal(made, SHAPES, base, SHAPES));
    ck_assert_str_eq(made->spec.layer[0].block[0].id, "old");
    ck_assert_int_eq(made->spec.layer[1].block_count, 3);
    int suffixed = 0;
    for (int b = 0; b < 3; b++) {
        const char *id = made->spec.layer[1].block[b].id;
        suffixed += strncmp(id, "l1b1-", 5) == 0 && strlen(id) == 11;
    }
    ck_assert_int_eq(suffixed, 1);
    sy_network_free(made);
    sy_network_free(other);
    sy_pack_close(pack);
}
END_TEST

START_TEST(a_pack_for_another_network_is_refused_with_the_block_it_misses)
{
    struct sy_error err = {0};
    struct sy_network *other = sy_small_network(3), *made = NULL;
    struct sy_pack *pack = pack_of(next, base);
    sy_small_move(other, "l0b0", 1.0F);
    sy_check_fails(sy_pack_apply(&made, other, pack, NULL, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "builds on block \"l0b0\"");
    sy_small_move(other, "stem", 1.0F);
    sy_check_fails(sy_pack_apply(&made, other, pack, NULL, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "stem");
    sy_pack_close(pack);
    pack = pack_of(next, NULL);
    sy_check_fails(sy_pack_apply(&made, other, pack, NULL, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "the stem");
    ck_assert_ptr_null(made);
    sy_network_free(other);
    sy_pack_close(pack);
}
END_TEST

START_TEST(domains_are_removed_and_added)
{
    struct sy_error err = {0};
    const char *gone[2] = {"digits", "shapes"};
    char id[SY_PACK_ID_BYTES];
    struct sy_pack_report report;
    struct sy_pack_plan plan = {
        .remove_count = 1, .remove = gone, .network = "small"};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    struct sy_pack *less = sy_small_pack_open();
    struct sy_network *without = apply(base, less, &report);
    ck_assert_int_eq(without->domain_count, 1);
    ck_assert(sy_domain_equal(without, 0, base, SHAPES));
    ck_assert_int_eq(report.domains_removed, 1);
    ck_assert_int_eq(report.new_bytes, 0);
    struct sy_network *made = NULL;
    sy_check_fails(sy_pack_apply(&made, without, less, NULL, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "does not have");

    struct sy_pack *more = pack_of(next, without);
    struct sy_network *again = apply(without, more, &report);
    ck_assert_int_eq(report.domains_added, 1);
    ck_assert(sy_domain_equal(again, 0, base, SHAPES));
    ck_assert(sy_domain_equal(again, 1, next, DIGITS));

    plan.remove_count = 2;
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    struct sy_pack *all = sy_small_pack_open();
    sy_check_fails(sy_pack_apply(&made, base, all, NULL, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "nothing would be left");
    sy_network_free(without);
    sy_network_free(again);
    sy_pack_close(less);
    sy_pack_close(more);
    sy_pack_close(all);
}
END_TEST

START_TEST(one_expert_can_be_packed_alone)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES];
    struct sy_pack_domain one = {.domain = DIGITS, .expert = "second"};
    struct sy_pack_plan plan = {
        .from = next, .domain_count = 1, .domain = &one, .network = "small"};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    struct sy_pack *pack = sy_small_pack_open();
    struct sy_network *made = apply(base, pack, NULL);
    ck_assert_int_eq(made->expert_count, 2);
    ck_assert_int_eq(sy_network_find_expert(made, DIGITS, "main"), -1);
    ck_assert_int_ge(sy_network_find_expert(made, DIGITS, "second"), 0);
    one.expert = "third";
    sy_check_fails(sy_pack_write(path, &plan, id, &err), SY_NOT_FOUND, err);
    sy_network_free(made);
    sy_pack_close(pack);
}
END_TEST

START_TEST(a_flipped_byte_is_caught_wherever_it_is)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES];
    char *bytes;
    size_t size;
    write_pack(next, base, id);
    sy_check_ok(sy_file_read(path, 1 << 20, &bytes, &size, &err), err);
    for (size_t i = 0; i < size; i += i < 200 ? 1 : 13) {
        struct sy_pack *pack = NULL;
        bytes[i] ^= 1;
        sy_check_fails(
            sy_pack_parse(&pack, (uint8_t *)bytes, size, "flipped", &err),
            SY_BAD_INPUT, err);
        ck_assert_ptr_null(pack);
        bytes[i] ^= 1;
    }
    for (size_t less = 0; less < size; less += 161) {
        struct sy_pack *pack = NULL;
        sy_check_fails(
            sy_pack_parse(&pack, (uint8_t *)bytes, less, "cut", &err),
            SY_BAD_INPUT, err);
    }
    sy_free(bytes);
}
END_TEST

static json_t *model_of(json_t *root)
{
    return json_object_get(root, "model");
}

static void not_a_number(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    sy_forge_numbers(
        sy_forge_entry(entry, *count, "head.digits.classifier.bias"))[0] = NAN;
}

static void other_block(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    sy_forge_numbers(sy_forge_entry(entry, *count,
                                    "block.l1b0.depthwise.weight"))[3] += 1.0F;
}

static void other_shape(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    struct sy_st_entry *bias =
        sy_forge_entry(entry, *count, "head.digits.classifier.bias");
    bias->dims = 2;
    bias->dim[1] = 1;
}

static void no_head(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    *sy_forge_entry(entry, *count, "head.digits.classifier.bias") =
        entry[0]; /* the first is a tensor of a block, sent twice over */
    entry[0] = entry[--*count];
}

static void half_a_block(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    struct sy_st_entry *gone =
        sy_forge_entry(entry, *count, "block.l1b0.depthwise.weight");
    --*count;
    memmove(gone, gone + 1, (size_t)(&entry[*count] - gone) * sizeof *entry);
}

static void one_more(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    entry[*count] = entry[*count - 1]; /* images: bytes come last */
    entry[*count].name = "block.l7b7.depthwise.weight";
    ++*count;
}

static void route_to_nobody(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(
        json_object_get(json_object_get(model_of(root), "routes"), "digits"),
        "expert", json_string("nobody"));
}

static void other_path(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_t *expert =
        json_array_get(json_object_get(model_of(root), "experts"), 0);
    json_array_set_new(json_object_get(expert, "path"), 0, json_string("l9b9"));
}

static void wrong_hash(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_t *stem = json_array_get(json_object_get(model_of(root), "blocks"), 0);
    json_object_set_new(stem, "hash", json_string("00"));
}

static void unknown_key(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "extra", json_true());
}

static void later_format(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "format_version", json_integer(2));
}

static void set_and_removed(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "remove", json_pack("[s]", "digits"));
}

static void says_nothing(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry;
    json_object_del(root, "model");
    *count = 0;
}

static void few_images(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    struct sy_st_entry *all =
        sy_forge_entry(entry, *count, "probe.digits.images");
    all->dim[0] = 2;
    all->count = 2 * IMAGE;
}

static void not_probable(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    sy_forge_numbers(sy_forge_entry(
        entry, *count, "probe.digits.second.probabilities"))[0] = 1.5F;
}

START_TEST(what_a_forger_could_write_is_refused_with_the_place)
{
    static const struct {
        sy_forge_fn change;
        const char *says;
    } cases[] = {
        {not_a_number, "head.digits.classifier.bias: value 0: expected a "
                       "finite number"},
        {other_block, "model.blocks[3].hash"},
        {other_shape, "head.digits.classifier.bias: expected 1 dimensions"},
        {no_head, "is missing"},
        {half_a_block, "others of its block are not"},
        {one_more, "block.l7b7.depthwise.weight: the pack has no such"},
        {route_to_nobody, "routes.digits.expert"},
        {other_path, "path"},
        {wrong_hash, "blocks[0].hash"},
        {unknown_key, "extra"},
        {later_format, "format_version"},
        {set_and_removed, "is set and removed"},
        {says_nothing, "model"},
        {few_images, "probe.digits.main.probabilities: expected 2 x 3"},
        {not_probable, "probe.digits.second.probabilities"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sy_error err = {0};
        struct sy_pack *pack = NULL;
        char id[SY_PACK_ID_BYTES];
        write_pack(next, base, id);
        sy_forge_pack(path, cases[i].change);
        sy_check_fails(sy_pack_open(&pack, path, &err), SY_BAD_INPUT, err);
        sy_check_says(err, cases[i].says);
        ck_assert_ptr_null(pack);
    }
}
END_TEST

static void hash_of_another(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_t *block =
        json_array_get(json_object_get(model_of(root), "blocks"), 1);
    json_object_set_new(
        block, "hash",
        json_string("0123456789abcdef0123456789abcdef0123456789abcdef"
                    "0123456789abcdef"));
}

static void other_answer(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    float *p = sy_forge_numbers(
        sy_forge_entry(entry, *count, "probe.digits.main.probabilities"));
    p[4] = p[4] > 0.5F ? p[4] - 0.01F : p[4] + 0.01F;
}

START_TEST(a_hash_that_the_network_does_not_have_is_refused_when_applied)
{
    struct sy_error err = {0};
    struct sy_network *made = NULL;
    char id[SY_PACK_ID_BYTES];
    write_pack(next, base, id);
    sy_forge_pack(path, hash_of_another);
    struct sy_pack *pack = sy_small_pack_open();
    sy_check_fails(sy_pack_apply(&made, base, pack, NULL, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "0123456789abcdef");
    sy_pack_close(pack);
}
END_TEST

static enum sy_status probe(const struct sy_pack *pack,
                            struct sy_network *network,
                            struct sy_pack_probed *probed, struct sy_error *err)
{
    struct sy_snapshot *snapshot = NULL;
    struct sy_snapshot_options options = {.label = "p", .shared = true};
    sy_check_ok(sy_snapshot_make(&snapshot, network, &options, err), *err);
    enum sy_status status = sy_pack_probe(pack, snapshot, NULL, probed, err);
    sy_snapshot_unref(snapshot);
    return status;
}

START_TEST(probes_reproduce_on_the_applied_network_and_nowhere_else)
{
    struct sy_error err = {0};
    struct sy_pack_probed probed;
    struct sy_pack *pack = pack_of(next, base);
    sy_check_ok(probe(pack, apply(base, pack, NULL), &probed, &err), err);
    ck_assert_int_eq(probed.images, PROBES);
    ck_assert(probed.same_bits);
    ck_assert_double_eq(probed.largest, 0.0);
    ck_assert_double_gt(probed.us_mean, 0.0);
    sy_check_fails(probe(pack, sy_small_network(3), &probed, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "domain \"digits\", expert");
    sy_pack_close(pack);
    sy_forge_pack(path, other_answer);
    pack = sy_small_pack_open();
    sy_check_fails(probe(pack, apply(base, pack, NULL), &probed, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "probe 1 of domain \"digits\", expert \"main\"");
    sy_pack_close(pack);
}
END_TEST

static void near_answer(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    float *p = sy_forge_numbers(
        sy_forge_entry(entry, *count, "probe.digits.main.probabilities"));
    p[4] = p[4] > 0.5F ? p[4] - 0.005F : p[4] + 0.005F;
}

START_TEST(probes_may_differ_more_with_weights_of_half_the_width)
{
    struct sy_error err = {0};
    struct sy_pack_probed probed;
    struct sy_snapshot *snapshot = NULL;
    struct sy_snapshot_options options = {
        .label = "p", .weights = SY_WEIGHTS_HALF, .shared = true};
    char id[SY_PACK_ID_BYTES];
    write_pack(next, base, id);
    sy_forge_pack(path, near_answer);
    struct sy_pack *pack = sy_small_pack_open();
    sy_check_fails(probe(pack, apply(base, pack, NULL), &probed, &err),
                   SY_BAD_INPUT, err);
    sy_check_ok(
        sy_snapshot_make(&snapshot, apply(base, pack, NULL), &options, &err),
        err);
    sy_check_ok(sy_pack_probe(pack, snapshot, NULL, &probed, &err), err);
    ck_assert_double_gt(probed.largest, SY_PACK_PROBE_TOLERANCE);
    sy_snapshot_unref(snapshot);
    sy_pack_close(pack);
}
END_TEST

static void other_signature(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "network", json_string("other"));
}

START_TEST(signatures_are_checked_against_the_trusted_keys)
{
    struct sy_error err = {0};
    struct sy_sign_key key, second;
    struct sy_public_key trusted[3];
    char file[SY_PATH_BYTES], id[SY_PACK_ID_BYTES];
    struct stat info;
    int count = 0;
    (void)snprintf(file, sizeof file, "%s/key", sy_check_folder());
    sy_check_ok(sy_sign_make(file, &key, &err), err);
    ck_assert_int_eq(stat(file, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0600);
    sy_check_fails(sy_sign_make(file, &second, &err), SY_BAD_INPUT, err);
    sy_check_ok(sy_sign_load(file, &second, &err), err);
    ck_assert_str_eq(second.public_text, key.public_text);
    sy_check_ok(sy_sign_make(sy_check_path("key2"), &second, &err), err);
    sy_check_ok(
        sy_sign_public_load(sy_check_path("key.pub"), trusted, 3, &count, &err),
        err);
    ck_assert_int_eq(count, 1);
    sy_check_fails(sy_sign_public_load(file, trusted, 3, &count, &err),
                   SY_BAD_INPUT, err);

    struct sy_pack *plain = pack_of(next, base);
    sy_check_ok(sy_pack_verify(plain, NULL, 0, &err), err);
    sy_check_fails(sy_pack_verify(plain, trusted, 1, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "not signed");
    struct sy_pack_plan plan = {.from = next,
                                .domain_count = 1,
                                .domain = &digits,
                                .base = base,
                                .network = "small",
                                .key = &key};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    ck_assert_str_eq(id, plain->id); /* a signature does not change a pack */
    struct sy_pack *pack = sy_small_pack_open();
    sy_check_ok(sy_pack_verify(pack, trusted, 1, &err), err);
    memcpy(trusted[0].text, second.public_text, sizeof trusted[0].text);
    sy_check_fails(sy_pack_verify(pack, trusted, 1, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "none of the 1");
    sy_pack_close(pack);
    sy_pack_close(plain);
    sy_forge_pack(path, other_signature);
    sy_check_fails(sy_pack_open(&pack, path, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "signature");
}
END_TEST

START_TEST(stored_packs_are_found_kept_and_discarded)
{
    struct sy_error err = {0};
    struct sy_pack *pack = pack_of(next, base), *again = NULL;
    struct sy_current current = {.served = {.version = 1}};
    sy_small_pack_save_base();
    sy_check_fails(sy_pack_fetch(&again, model, pack->id, &err), SY_NOT_FOUND,
                   err);
    sy_small_pack_store(pack);
    sy_small_pack_store(pack);
    sy_check_ok(sy_pack_fetch(&again, model, pack->id, &err), err);
    ck_assert_str_eq(again->digest, pack->digest);
    sy_pack_close(again);
    memcpy(current.candidate, pack->id, SY_PACK_ID_BYTES);
    sy_check_ok(sy_current_write(model, &current, &err), err);
    sy_check_fails(sy_pack_discard(model, pack->id, &err), SY_BUSY, err);
    current.candidate[0] = '\0';
    sy_check_ok(sy_current_write(model, &current, &err), err);
    sy_check_ok(sy_pack_discard(model, pack->id, &err), err);
    sy_check_fails(sy_pack_discard(model, pack->id, &err), SY_NOT_FOUND, err);
    sy_check_fails(sy_pack_fetch(&again, model, pack->id, &err), SY_NOT_FOUND,
                   err);
    sy_check_fails(sy_pack_fetch(&again, model, "../../1", &err), SY_BAD_INPUT,
                   err);
    sy_pack_close(pack);
}
END_TEST

START_TEST(a_model_is_what_current_names_with_its_packs)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *loaded = NULL;
    struct sy_pack *pack = pack_of(next, base);
    struct sy_current current = {0};
    char label[SY_STACK_LABEL_BYTES];
    sy_small_pack_save_base();
    sy_small_pack_store(pack);
    sy_check_ok(sy_current_read(model, &current, &err), err);
    sy_check_ok(
        sy_stack_push(&current.served, model, &current.served, pack->id, &err),
        err);
    sy_check_ok(sy_current_write(model, &current, &err), err);
    sy_check_ok(sy_artefact_load(model, &loaded, &artefact, &err), err);
    ck_assert(sy_domain_equal(loaded, DIGITS, next, DIGITS));
    ck_assert(sy_domain_equal(loaded, SHAPES, base, SHAPES));
    (void)snprintf(label, sizeof label, "1+%s", pack->id);
    ck_assert_str_eq(artefact.label, label);
    sy_network_free(loaded);
    (void)snprintf(label, sizeof label, "%.80s/m/1", sy_check_folder());
    sy_check_ok(sy_artefact_load(label, &loaded, &artefact, &err), err);
    ck_assert(sy_networks_equal(loaded, base));
    ck_assert_str_eq(artefact.label, "1");
    sy_network_free(loaded);
    /* A pack that CURRENT names and that is not there: said, not left out. */
    memset(current.served.pack[0], 'a', SY_PACK_ID_BYTES - 1);
    sy_check_ok(sy_current_write(model, &current, &err), err);
    sy_check_fails(sy_artefact_load(model, &loaded, &artefact, &err),
                   SY_NOT_FOUND, err);
    sy_check_says(err, "aaaaaaaaaaaaaaaa");
    sy_pack_close(pack);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pack");
    TCase *tc = tcase_create("pack");
    tcase_add_checked_fixture(tc, setup, sy_small_pack_teardown);
    tcase_add_test(tc,
                   a_pack_sets_its_domain_and_leaves_the_others_bit_for_bit);
    tcase_add_test(tc, blocks_that_the_other_side_has_are_not_sent);
    tcase_add_test(
        tc, content_is_found_whatever_its_id_and_clashing_ids_get_a_suffix);
    tcase_add_test(
        tc, a_pack_for_another_network_is_refused_with_the_block_it_misses);
    tcase_add_test(tc, domains_are_removed_and_added);
    tcase_add_test(tc, one_expert_can_be_packed_alone);
    tcase_add_test(tc, a_flipped_byte_is_caught_wherever_it_is);
    tcase_add_test(tc, what_a_forger_could_write_is_refused_with_the_place);
    tcase_add_test(
        tc, a_hash_that_the_network_does_not_have_is_refused_when_applied);
    tcase_add_test(tc,
                   probes_reproduce_on_the_applied_network_and_nowhere_else);
    tcase_add_test(tc, probes_may_differ_more_with_weights_of_half_the_width);
    tcase_add_test(tc, signatures_are_checked_against_the_trusted_keys);
    tcase_add_test(tc, stored_packs_are_found_kept_and_discarded);
    tcase_add_test(tc, a_model_is_what_current_names_with_its_packs);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
