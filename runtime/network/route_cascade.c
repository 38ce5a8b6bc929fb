/*
 * route_cascade.c - stages in order, until an answer is sure enough.
 *
 *     {"kind": "cascade", "stages": [
 *         {"exit": "confidence", "threshold": 0.93, "route": {...}},
 *         {"exit": "reject", "background": "other", "threshold": 0.02,
 *          "route": {...}},
 *         {"route": {...}}]}
 *
 * Every stage but the last has a rule. confidence, margin and entropy measure
 * how sure the stage's answer is, in [0, 1] (runtime/heads/head.h); at the
 * threshold or above it the answer is taken. `reject` is the stage of a search
 * for rare things: it may only say "nothing here". It measures how sure the
 * answer is that the sample is anything but the background, and ends the
 * cascade below the threshold, which is at most 1/2, so that the answer that
 * is then taken is the background.
 *
 * A stage that cannot be paid is passed over. The last answer that there is
 * counts. An answer that is not a number is sure of nothing.
 *
 * Source: P. Viola, M. Jones, "Rapid Object Detection using a Boosted Cascade
 * of Simple Features", CVPR 2001; S. Teerapittayanon et al., "BranchyNet",
 * ICPR 2016.
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/network.h"

enum { REJECT = SY_SURENESSES, RULES };

static const char *const rule_names[] = {"confidence", "margin", "entropy",
                                         "reject", NULL};

struct exit_rule {
    int rule;       /* enum sy_sureness, or REJECT */
    int background; /* class; of REJECT */
    double threshold;
};

struct cascade {
    struct exit_rule exit[SY_ROUTE_MAX_CHILDREN]; /* the last is not used */
};

/* The class with this label, or -1. */
static int find_class(const struct sy_domain *domain, const char *label)
{
    for (int k = 0; k < domain->classes; k++) {
        if (strcmp(domain->labels[k], label) == 0) {
            return k;
        }
    }
    return -1;
}

static void read_background(struct exit_rule *exit, struct sy_json *in,
                            const struct sy_domain *domain)
{
    char label[SY_LABEL_BYTES] = "";
    sy_json_text(in, "background", label, sizeof label);
    exit->background = find_class(domain, label);
    if (exit->background < 0) {
        sy_json_reject(in, "background", "domain \"%s\" has no class \"%s\"",
                       domain->name, label);
    }
}

static void read_stage(struct sy_route *node, int child, int count,
                       struct sy_json *in,
                       const struct sy_route_context *context)
{
    struct cascade *cascade = node->data;
    struct exit_rule *exit = &cascade->exit[child];

    if (child + 1 == count) {
        return; /* it takes whatever comes, and has no rule */
    }
    sy_json_choice(in, "exit", rule_names, &exit->rule);
    if (in->status == SY_OK && exit->rule == REJECT) {
        read_background(exit, in, &context->network->domain[context->domain]);
    }
    sy_json_real(in, "threshold", 0,
                 exit->rule == REJECT ? 0.5 : SY_ROUTE_NEVER, &exit->threshold);
}

static void parse(struct sy_route *node, struct sy_json *in,
                  const struct sy_route_context *context)
{
    node->data = sy_alloc_zero(1, sizeof(struct cascade));
    if (node->data == NULL) {
        in->status = sy_fail(in->err, SY_NO_MEMORY, "%s: no memory for a route",
                             in->file);
        return;
    }
    sy_route_children(node, in, "stages", 2, read_stage, context);
}

static const char *background_of(const struct sy_route *node,
                                 const struct sy_network *network,
                                 const struct exit_rule *exit)
{
    int domain = sy_route_domain(node, network);
    return network->domain[domain].labels[exit->background];
}

/* Adds the rule's name, and the background's. */
static bool put_rule(const struct sy_route *node,
                     const struct sy_network *network, int child,
                     json_t *object)
{
    const struct cascade *cascade = node->data;
    const struct exit_rule *exit = &cascade->exit[child];
    bool put = json_object_set_new(object, "exit",
                                   json_string(rule_names[exit->rule])) == 0;
    if (exit->rule == REJECT) {
        const char *background = background_of(node, network, exit);
        put = put && json_object_set_new(object, "background",
                                         json_string(background)) == 0;
    }
    return put;
}

static bool print(const struct sy_route *node, const struct sy_network *network,
                  json_t *object)
{
    const struct cascade *cascade = node->data;
    json_t *stages = json_array();
    bool made = json_object_set_new(object, "stages", stages) == 0;

    for (int i = 0; made && i < node->child_count; i++) {
        json_t *stage = json_object();
        made = json_array_append_new(stages, stage) == 0;
        if (made && i + 1 < node->child_count) {
            double threshold = cascade->exit[i].threshold;
            made = put_rule(node, network, i, stage) &&
                   json_object_set_new(stage, "threshold",
                                       json_real(threshold)) == 0;
        }
        made = made && json_object_set_new(
                           stage, "route",
                           sy_route_to_json(node->child[i], network)) == 0;
    }
    return made;
}

/* Whether the stage's answer ends the cascade; notes the decision. */
static bool ends(const struct sy_route *node, int stage,
                 struct sy_route_walk *walk, const float *answer)
{
    const struct cascade *cascade = node->data;
    const struct exit_rule *exit = &cascade->exit[stage];
    int classes = walk->network->domain[walk->domain].classes;
    bool ended;
    double value;

    if (exit->rule == REJECT) {
        value = sy_head_classify.other_than(answer, classes, exit->background);
        ended = value < exit->threshold;
    } else {
        value = sy_head_classify.sureness(answer, classes,
                                          (enum sy_sureness)exit->rule);
        ended = value >= exit->threshold;
    }
    sy_route_note(walk, (struct sy_route_decision){.node = node->number,
                                                   .child = stage,
                                                   .value = value,
                                                   .threshold = exit->threshold,
                                                   .ended = ended});
    return ended;
}

static enum sy_route_outcome ask(const struct sy_route *node,
                                 struct sy_route_walk *walk,
                                 const float **answer)
{
    enum sy_route_outcome best = SY_ROUTE_NOTHING;

    for (int i = 0; i < node->child_count; i++) {
        const struct sy_route *child = node->child[i];
        enum sy_route_outcome outcome = child->type->ask(child, walk, answer);
        if (outcome == SY_ROUTE_WAITS) {
            return SY_ROUTE_WAITS;
        }
        if (outcome == SY_ROUTE_ANSWERED) {
            best = SY_ROUTE_ANSWERED;
            if (i + 1 < node->child_count && ends(node, i, walk, *answer)) {
                break;
            }
        }
    }
    return best;
}

static void release(struct sy_route *node)
{
    sy_free(node->data);
}

const struct sy_route_type sy_route_cascade = {
    .name = "cascade",
    .parse = parse,
    .print = print,
    .ask = ask,
    .explain = put_rule,
    .release = release,
};
