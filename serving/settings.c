/*
 * settings.c - the table as data, the configuration file, the checks.
 */
#include "serving/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

const struct srv_setting srv_setting_table[] = {
#define ROW_INT(field, flag, value, def, low, high, live, help)                \
    {#field,                                                                   \
     flag,                                                                     \
     SRV_SETTING_INT,                                                          \
     offsetof(struct srv_settings, field),                                     \
     NULL,                                                                     \
     def,                                                                      \
     low,                                                                      \
     high,                                                                     \
     live},
#define ROW_TEXT(field, flag, value, def, live, help)                          \
    {#field,                                                                   \
     flag,                                                                     \
     SRV_SETTING_TEXT,                                                         \
     offsetof(struct srv_settings, field),                                     \
     def,                                                                      \
     0,                                                                        \
     0,                                                                        \
     0,                                                                        \
     live},
#define ROW_FLAG(field, flag, live, help)                                      \
    {#field,                                                                   \
     flag,                                                                     \
     SRV_SETTING_FLAG,                                                         \
     offsetof(struct srv_settings, field),                                     \
     NULL,                                                                     \
     0,                                                                        \
     0,                                                                        \
     1,                                                                        \
     live},
    SRV_SETTINGS(ROW_INT, ROW_TEXT, ROW_FLAG)
#undef ROW_INT
#undef ROW_TEXT
#undef ROW_FLAG
        {NULL, NULL, SRV_SETTING_INT, 0, NULL, 0, 0, 0, false}};

static void *field_of(struct srv_settings *settings,
                      const struct srv_setting *setting)
{
    return (char *)settings + setting->offset;
}

void srv_settings_default(struct srv_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (const struct srv_setting *s = srv_setting_table; s->key != NULL; s++) {
        if (s->kind == SRV_SETTING_INT) {
            *(int *)field_of(settings, s) = s->number_default;
        } else if (s->kind == SRV_SETTING_TEXT) {
            snprintf(field_of(settings, s), SRV_TEXT_SETTING_BYTES, "%s",
                     s->text_default);
        }
    }
}

static enum sy_status set_weight(struct srv_settings *settings,
                                 const char *model, size_t bytes, int weight,
                                 struct sy_error *err)
{
    struct srv_weight *at = settings->weight;
    if (bytes >= sizeof at->model || memchr(model, '.', bytes) == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "weight: expected NET.DOMAIN, found \"%.*s\"",
                       (int)(bytes < 200 ? bytes : 200), model);
    }
    int i = 0;
    while (i < settings->weight_count &&
           (strlen(at[i].model) != bytes ||
            memcmp(at[i].model, model, bytes) != 0)) {
        i++;
    }
    if (i == SRV_MAX_WEIGHTS) {
        return sy_fail(err, SY_BAD_INPUT, "more than %d weights",
                       SRV_MAX_WEIGHTS);
    }
    settings->weight_count += i == settings->weight_count ? 1 : 0;
    memcpy(at[i].model, model, bytes);
    at[i].model[bytes] = '\0';
    at[i].weight = weight;
    return SY_OK;
}

enum sy_status srv_settings_add_weight(struct srv_settings *settings,
                                       const char *text, struct sy_error *err)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    long weight = equals != NULL ? strtol(equals + 1, &end, 10) : 0;
    if (equals == NULL || *end != '\0' || weight < 1 ||
        weight > SRV_WEIGHT_MOST) {
        return sy_fail(err, SY_BAD_INPUT,
                       "weight: expected NET.DOMAIN=N with N from 1 to %d, "
                       "found \"%s\"",
                       SRV_WEIGHT_MOST, text);
    }
    return set_weight(settings, text, (size_t)(equals - text), (int)weight,
                      err);
}

enum sy_status srv_settings_add_preferred(struct srv_settings *settings,
                                          int size, struct sy_error *err)
{
    int count = settings->preferred_count;
    int *sizes = settings->preferred_batch;
    if (count == SRV_MAX_PREFERRED || size < 1 ||
        (count > 0 && size <= sizes[count - 1])) {
        return sy_fail(err, SY_BAD_INPUT,
                       "preferred batch: expected at most %d sizes, each "
                       "larger than the one before it, found %d",
                       SRV_MAX_PREFERRED, size);
    }
    sizes[settings->preferred_count++] = size;
    return SY_OK;
}

static void read_weights(struct srv_settings *settings, struct sy_json *in)
{
    const char *model;
    json_t *value;
    struct sy_error bad = {0};
    if (!sy_json_has(in, "weights")) {
        return;
    }
    json_t *weights = json_object_get(in->object, "weights");
    if (!json_is_object(weights)) {
        sy_json_reject(in, "weights",
                       "expected an object, {\"NET.DOMAIN\": N}");
        return;
    }
    settings->weight_count = 0;
    json_object_foreach(weights, model, value)
    {
        json_int_t number = json_integer_value(value);
        if (number < 1 || number > SRV_WEIGHT_MOST) {
            sy_json_reject(in, "weights",
                           "%s: expected a whole number from 1 to %d", model,
                           SRV_WEIGHT_MOST);
        } else if (set_weight(settings, model, strlen(model), (int)number,
                              &bad) != SY_OK) {
            sy_json_reject(in, "weights", "%s", bad.message);
        }
    }
}

static void read_preferred(struct srv_settings *settings, struct sy_json *in)
{
    struct sy_error bad = {0};
    if (!sy_json_has(in, "preferred_batch")) {
        return;
    }
    settings->preferred_count = 0;
    json_t *list = sy_json_array(in, "preferred_batch", 0, SRV_MAX_PREFERRED);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t size = json_integer_value(json_array_get(list, i));
        int small = size > 0 && size <= 1 << 20 ? (int)size : 0;
        if (srv_settings_add_preferred(settings, small, &bad) != SY_OK) {
            sy_json_reject(in, "preferred_batch", "%s", bad.message);
        }
    }
}

enum sy_status srv_settings_load(struct srv_settings *settings,
                                 const char *path, struct sy_error *err)
{
    json_t *root = NULL;
    struct srv_settings read = *settings;
    SY_TRY(sy_json_load(path, &root, err));
    struct sy_json in = sy_json_object(root, path, "", err);
    sy_json_opt_text(&in, "repository", read.repository,
                     sizeof read.repository);
    for (const struct srv_setting *s = srv_setting_table; s->key != NULL; s++) {
        void *field = field_of(&read, s);
        if (s->kind == SRV_SETTING_INT) {
            sy_json_opt_int(&in, s->key, s->low, s->high, field);
        } else if (s->kind == SRV_SETTING_TEXT) {
            sy_json_opt_text(&in, s->key, field, SRV_TEXT_SETTING_BYTES);
        } else {
            sy_json_opt_bool(&in, s->key, field);
        }
    }
    read_weights(&read, &in);
    read_preferred(&read, &in);
    enum sy_status status = sy_json_end(&in);
    json_decref(root);
    if (status == SY_OK) {
        *settings = read;
    }
    return status;
}

enum sy_status srv_settings_check(const struct srv_settings *settings,
                                  struct sy_error *err)
{
    int preferred = settings->preferred_count;
    bool tls = settings->tls_cert[0] != '\0';
    if (settings->repository[0] == '\0') {
        return sy_fail(err, SY_BAD_INPUT,
                       "no repository is named: give the folder as argument, "
                       "or as \"repository\" in the configuration");
    }
    if (preferred > 0 &&
        settings->preferred_batch[preferred - 1] > settings->max_batch) {
        return sy_fail(err, SY_BAD_INPUT,
                       "preferred_batch: %d is larger than max_batch, %d",
                       settings->preferred_batch[preferred - 1],
                       settings->max_batch);
    }
    if (tls != (settings->tls_key[0] != '\0')) {
        return sy_fail(err, SY_BAD_INPUT,
                       "tls_cert and tls_key belong together: %s is missing",
                       tls ? "tls_key" : "tls_cert");
    }
    if (!tls && settings->tls_client_ca[0] != '\0') {
        return sy_fail(err, SY_BAD_INPUT,
                       "tls_client_ca needs tls_cert and tls_key");
    }
    return SY_OK;
}

const struct srv_setting *srv_settings_need_restart(
    const struct srv_settings *before, const struct srv_settings *after)
{
    for (const struct srv_setting *s = srv_setting_table; s->key != NULL; s++) {
        const char *a = (const char *)before + s->offset;
        const char *b = (const char *)after + s->offset;
        bool same = s->kind == SRV_SETTING_TEXT ? strcmp(a, b) == 0
                    : s->kind == SRV_SETTING_INT
                        ? memcmp(a, b, sizeof(int)) == 0
                        : *a == *b;
        if (!same && !s->live) {
            return s;
        }
    }
    return NULL;
}

struct srv_queue_options srv_settings_queue(const struct srv_settings *settings)
{
    struct srv_queue_options queue = {
        .max_batch = settings->max_batch,
        .max_queue = settings->max_queue,
        .max_delay_ns = (int64_t)settings->max_queue_delay_us * 1000,
        .preferred_count = settings->preferred_count};
    memcpy(queue.preferred, settings->preferred_batch, sizeof queue.preferred);
    return queue;
}
