/*
 * params.c - reading parameters.
 *
 * DESIGN: first the object as a whole is checked (plain values, no reserved
 * keys), then each key that is known is fetched by a getter that checks its
 * type and range. The sequence parameters are known only to be refused: a
 * client that sends them relies on state between its requests.
 *
 * Source: Triton's extension_parameters.md, extension_schedule_policy.md,
 * extension_binary_data.md, extension_classification.md.
 */
#include "serving/protocol/params.h"

#include <string.h>

#include "serving/job.h"

enum { MAX_CLASSES = 1000000, NS_PER_US = 1000 };

struct reader {
    const json_t *object; /* NULL: no parameters */
    const char *where;    /* for messages: "", "inputs[0].", ... */
    struct sy_error *err;
};

static enum sy_status reader_open(struct reader *in, const json_t *owner,
                                  const char *where, struct sy_error *err)
{
    json_t *object = json_object_get(owner, "parameters");
    *in = (struct reader){.object = object, .where = where, .err = err};
    if (object == NULL) {
        return SY_OK;
    }
    if (!json_is_object(object)) {
        return sy_fail(err, SY_BAD_INPUT, "%sparameters: expected an object",
                       where);
    }
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value) && !json_is_number(value) &&
            !json_is_boolean(value)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%sparameters.%s: expected a string, a number or "
                           "a boolean",
                           where, key);
        }
        if (strncmp(key, "triton_", strlen("triton_")) == 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%sparameters.%s: keys that begin with 'triton_' "
                           "are reserved",
                           where, key);
        }
    }
    return SY_OK;
}

/* Leaves *value alone when the key is absent; so do the next two. */
static enum sy_status get_int(const struct reader *in, const char *key,
                              int64_t low, int64_t high, int64_t *value)
{
    const json_t *found = json_object_get(in->object, key);
    if (found == NULL) {
        return SY_OK;
    }
    json_int_t number = json_integer_value(found);
    if (!json_is_integer(found) || number < low || number > high) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%sparameters.%s: expected a whole number from %lld to "
                       "%lld",
                       in->where, key, (long long)low, (long long)high);
    }
    *value = number;
    return SY_OK;
}

static enum sy_status get_bool(const struct reader *in, const char *key,
                               bool *value)
{
    const json_t *found = json_object_get(in->object, key);
    if (found == NULL) {
        return SY_OK;
    }
    if (!json_is_boolean(found)) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%sparameters.%s: expected true or false", in->where,
                       key);
    }
    *value = json_is_true(found);
    return SY_OK;
}

static enum sy_status get_text(const struct reader *in, const char *key,
                               const char **value)
{
    const json_t *found = json_object_get(in->object, key);
    if (found == NULL) {
        return SY_OK;
    }
    if (!json_is_string(found)) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%sparameters.%s: expected a string", in->where, key);
    }
    *value = json_string_value(found);
    return SY_OK;
}

/* Refuses keys that ask for what is not offered, unless they say "none". */
static enum sy_status refuse(const struct reader *in, const char *const *keys,
                             const char *why)
{
    for (; *keys != NULL; keys++) {
        const json_t *found = json_object_get(in->object, *keys);
        bool none =
            found == NULL || json_is_false(found) ||
            (json_is_integer(found) && json_integer_value(found) == 0) ||
            (json_is_string(found) && json_string_length(found) == 0);
        if (!none) {
            return sy_fail(in->err, SY_UNSUPPORTED, "%sparameters.%s: %s",
                           in->where, *keys, why);
        }
    }
    return SY_OK;
}

static const char *const shared_memory[] = {"shared_memory_region",
                                            "shared_memory_byte_size",
                                            "shared_memory_offset", NULL};
static const char no_shared_memory[] =
    "shared memory is not supported by this server: send the tensor with "
    "'binary_data_size'";

static enum sy_status read_device(const struct reader *in)
{
    const char *device = "auto";
    SY_TRY(get_text(in, "device", &device));
    if (strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0) {
        return SY_OK;
    }
    if (strcmp(device, "cuda") == 0) {
        return sy_fail(in->err, SY_UNSUPPORTED,
                       "%sparameters.device: this server runs on the CPU "
                       "only, found 'cuda'",
                       in->where);
    }
    return sy_fail(in->err, SY_BAD_INPUT,
                   "%sparameters.device: expected cpu, cuda or auto, found "
                   "'%s'",
                   in->where, device);
}

enum sy_status srv_params_read(struct srv_params *params, const json_t *owner,
                               struct sy_error *err)
{
    static const char *const sequences[] = {"sequence_id", "sequence_start",
                                            "sequence_end", NULL};
    struct srv_params made = {0};
    struct reader in;
    int64_t timeout_us = 0, priority = 0;
    SY_TRY(reader_open(&in, owner, "", err));
    SY_TRY(get_text(&in, "domain", &made.domain));
    SY_TRY(get_int(&in, "max_madds", 1, INT64_MAX, &made.max_madds));
    SY_TRY(
        get_int(&in, "deadline_us", 1, SRV_MAX_TIMEOUT_US, &made.deadline_us));
    SY_TRY(get_int(&in, "timeout", 0, SRV_MAX_TIMEOUT_US, &timeout_us));
    SY_TRY(get_int(&in, "priority", 0, SRV_PRIORITY_LAST, &priority));
    SY_TRY(get_bool(&in, "binary_data_output", &made.binary_output));
    SY_TRY(get_bool(&in, "explain", &made.explain));
    SY_TRY(read_device(&in));
    SY_TRY(
        refuse(&in, sequences, "models here keep no state between requests"));
    if (timeout_us == 0 ||
        (made.deadline_us > 0 && made.deadline_us < timeout_us)) {
        timeout_us = made.deadline_us;
    }
    made.timeout_ns = timeout_us * NS_PER_US;
    made.priority = (int)priority;
    *params = made;
    return SY_OK;
}

enum sy_status srv_output_params_read(struct srv_output_params *params,
                                      const json_t *owner,
                                      bool binary_by_default,
                                      struct sy_error *err)
{
    struct srv_output_params made = {.binary = binary_by_default};
    struct reader in;
    int64_t classes = 0;
    SY_TRY(reader_open(&in, owner, "outputs[].", err));
    SY_TRY(get_bool(&in, "binary_data", &made.binary));
    SY_TRY(get_int(&in, "classification", 0, MAX_CLASSES, &classes));
    SY_TRY(refuse(&in, shared_memory, no_shared_memory));
    made.classes = (int)classes;
    *params = made;
    return SY_OK;
}

enum sy_status srv_input_params_read(struct srv_input_params *params,
                                     const json_t *owner, struct sy_error *err)
{
    struct reader in;
    int64_t bytes = -1;
    SY_TRY(reader_open(&in, owner, "inputs[0].", err));
    SY_TRY(get_int(&in, "binary_data_size", 0, INT64_MAX, &bytes));
    SY_TRY(refuse(&in, shared_memory, no_shared_memory));
    params->binary_bytes = bytes < 0 ? SRV_NO_BINARY : (size_t)bytes;
    return SY_OK;
}
