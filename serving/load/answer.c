/*
 * answer.c - is an answer the one that this input had before, and is it right?
 *
 * DESIGN. An answer is compared without being parsed, so that checking every
 * one of them takes no time from the server: the snapshot is found by its key,
 * and the part that the network computed is compared as bytes. Only the first
 * answer to an input is parsed, for its label.
 */
#include <string.h>

#include "domains/domain.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "serving/load/inputs.h"

/* The text behind "KEY":" up to the next quote; false: not there. */
static bool find_text(const char *body, size_t bytes, const char *key,
                      char *out, size_t room)
{
    const char *at = memmem(body, bytes, key, strlen(key));
    if (at == NULL) {
        return false;
    }
    at += strlen(key);
    const char *end = memchr(at, '"', (size_t)(body + bytes - at));
    if (end == NULL || (size_t)(end - at) >= room) {
        return false;
    }
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return true;
}

/* The part that the network computed. */
static bool find_computed(const struct srv_inputs *inputs, const char *body,
                          size_t bytes, const char **from, size_t *length)
{
    bool image = inputs->format == SRV_LOAD_IMAGE;
    const char *key = image ? ",\"route\":" : "\"outputs\":";
    const char *at = memmem(body, bytes, key, strlen(key));
    if (at == NULL) {
        return false;
    }
    *from = image ? body : at;
    *length = image ? (size_t)(at - body) : bytes - (size_t)(at - body);
    return true;
}

/* The index of the largest of `count` numbers. */
static int largest(const double *values, size_t count)
{
    size_t best = 0;
    for (size_t k = 1; k < count; k++) {
        best = values[k] > values[best] ? k : best;
    }
    return (int)best;
}

/* The class that an answer names, or -1. */
static int answered_class(const struct srv_inputs *inputs,
                          const struct srv_input_domain *domain,
                          const char *body, size_t bytes)
{
    double values[DOM_MAX_CLASSES];
    size_t classes = json_array_size(domain->labels), k;
    json_t *root = NULL, *each;
    int answer = -1;

    if (classes == 0 || classes > DOM_MAX_CLASSES) {
        return -1;
    }
    if (inputs->format == SRV_LOAD_BINARY) {
        /* The one output's floats are the last, behind the JSON's brace. */
        if (bytes <= classes * sizeof(float) ||
            body[bytes - classes * sizeof(float) - 1] != '}') {
            return -1;
        }
        for (k = 0; k < classes; k++) {
            float value;
            memcpy(&value, body + bytes - (classes - k) * sizeof value,
                   sizeof value);
            values[k] = (double)value;
        }
        return largest(values, classes);
    }
    if (sy_json_parse(body, bytes, "the answer", &root, NULL) != SY_OK) {
        return -1;
    }
    if (inputs->format == SRV_LOAD_IMAGE) {
        const char *label = json_string_value(json_object_get(root, "label"));
        json_array_foreach(domain->labels, k, each)
        {
            if (label != NULL && strcmp(label, json_string_value(each)) == 0) {
                answer = (int)k;
            }
        }
    } else {
        const json_t *data = json_object_get(
            json_array_get(json_object_get(root, "outputs"), 0), "data");
        if (json_array_size(data) == classes) {
            json_array_foreach(data, k, each)
            {
                values[k] = json_number_value(each);
            }
            answer = largest(values, classes);
        }
    }
    json_decref(root);
    return answer;
}

/* What is known of the snapshot's answer to the input, or NULL. */
static struct srv_known *find_known(struct srv_input *input,
                                    const char *snapshot)
{
    for (int i = 0; i < SRV_LOAD_SNAPSHOTS; i++) {
        if (strcmp(input->known[i].snapshot, snapshot) == 0) {
            return &input->known[i];
        }
    }
    return NULL;
}

/* Remembers an answer in the place of the oldest; false: no memory. */
static bool remember(struct srv_input *input, const char *snapshot,
                     const char *computed, size_t length)
{
    struct srv_known *known =
        &input->known[input->known_count % SRV_LOAD_SNAPSHOTS];
    char *kept = sy_realloc(known->answer, length);
    if (kept == NULL) {
        return false;
    }
    memcpy(kept, computed, length);
    memcpy(known->snapshot, snapshot, strlen(snapshot) + 1);
    known->answer = kept;
    known->answer_bytes = length;
    input->known_count++;
    return true;
}

enum srv_answer srv_inputs_judge(struct srv_inputs *inputs, int index,
                                 const char *body, size_t bytes)
{
    struct srv_input *input = &inputs->input[index];
    char snapshot[SRV_LOAD_SNAPSHOT_BYTES];
    const char *computed = NULL;
    size_t length = 0;

    if (!find_text(body, bytes, "\"snapshot\":\"", snapshot, sizeof snapshot) ||
        snapshot[0] == '\0' ||
        !find_computed(inputs, body, bytes, &computed, &length)) {
        return SRV_ANSWER_NONE;
    }
    const struct srv_known *known = find_known(input, snapshot);
    if (known != NULL) {
        return length == known->answer_bytes &&
                       memcmp(computed, known->answer, length) == 0
                   ? SRV_ANSWER_SAME
                   : SRV_ANSWER_OTHER;
    }
    int class =
        answered_class(inputs, &inputs->domain[input->domain], body, bytes);
    if (class < 0 || !remember(input, snapshot, computed, length)) {
        return SRV_ANSWER_NONE;
    }
    input->answered = true;
    input->right = class == input->label;
    return SRV_ANSWER_FIRST;
}

int srv_inputs_alike(const struct srv_inputs *inputs)
{
    int alike = 0;
    for (int i = 0; i < inputs->count; i++) {
        const struct srv_known *known = inputs->input[i].known;
        for (int a = 0; a < SRV_LOAD_SNAPSHOTS; a++) {
            for (int b = 0; b < a; b++) {
                alike += known[a].snapshot[0] != '\0' &&
                         known[b].snapshot[0] != '\0' &&
                         known[a].answer_bytes == known[b].answer_bytes &&
                         memcmp(known[a].answer, known[b].answer,
                                known[a].answer_bytes) == 0;
            }
        }
    }
    return alike;
}
