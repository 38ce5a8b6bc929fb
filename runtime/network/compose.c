/*
 * compose.c - a network of domains of others.
 *
 * DESIGN. First the spec: network by network, the blocks that a wanted path
 * takes are placed in their layer, in the order they have there. A block of
 * the second network is the one of the first where form and content are the
 * same; within one network blocks stay apart even if they are alike, since a
 * domain may have norms at both. Then a network is built from the parts as any
 * other is, and filled from where each unit and each slot came from.
 */
#include "runtime/network/compose.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/network/copy.h"
#include "runtime/network/equal.h"
#include "runtime/network/sums.h"

enum { ID_DIGITS = 6, NETWORKS = 2 };

/* Where a block of the made network comes from: its index in its layer of each
   network, or -1. */
struct origin {
    int block[NETWORKS];
};

struct composing {
    const struct sy_compose_domain *want;
    int count;
    int net_count;
    const struct sy_network *net[NETWORKS];
    struct sy_network_spec spec;
    struct origin origin[SY_MAX_LAYERS][SY_MAX_BLOCKS];
    struct sy_domain domain[SY_MAX_DOMAINS];
    int expert_count;
    struct sy_expert expert[SY_MAX_EXPERTS];
    int expert_from[SY_MAX_EXPERTS]; /* its index where it comes from */
    int gate_count;
    struct sy_gate gate[SY_MAX_GATES];
    int gate_from[SY_MAX_GATES];
    struct sy_network *made;
};

static int net_of(const struct composing *c, const struct sy_network *network)
{
    for (int n = 0; n < c->net_count; n++) {
        if (c->net[n] == network) {
            return n;
        }
    }
    return -1;
}

/* Takes a network in, where it fits those before. */
static enum sy_status add_network(struct composing *c,
                                  const struct sy_network *from,
                                  struct sy_error *err)
{
    if (net_of(c, from) >= 0) {
        return SY_OK;
    }
    SY_ASSERT(c->net_count < NETWORKS);
    if (from->expert_count == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: a supernet; expected a network with experts",
                       from->name);
    }
    c->net[c->net_count++] = from;
    const char *what = sy_form_difference(c->net[0], from);
    return what == NULL ? SY_OK
                        : sy_fail(err, SY_BAD_INPUT,
                                  "%s: not that of network \"%s\", so they "
                                  "cannot stand in one",
                                  what, c->net[0]->name);
}

static enum sy_status find_networks(struct composing *c,
                                    const struct sy_network *base,
                                    struct sy_error *err)
{
    SY_TRY(add_network(c, base, err));
    for (int i = 0; i < c->count; i++) {
        SY_TRY(add_network(c, c->want[i].from, err));
    }
    return SY_OK;
}

static bool is_wanted(const struct sy_compose_domain *want,
                      const struct sy_expert *expert)
{
    return expert->domain == want->domain &&
           (want->expert == NULL || strcmp(want->expert, expert->name) == 0);
}

/* Whether a wanted path of network `n` takes the block. */
static bool is_used(const struct composing *c, int n, int layer, int block)
{
    const struct sy_network *from = c->net[n];
    for (int i = 0; i < c->count; i++) {
        for (int e = 0; c->want[i].from == from && e < from->expert_count;
             e++) {
            if (is_wanted(&c->want[i], &from->expert[e]) &&
                from->expert[e].path.block[layer] == block) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a block of another network, at place `b` already, can be this one. */
static bool is_same(const struct composing *c, int layer, int b, int n,
                    int block)
{
    const struct origin *origin = &c->origin[layer][b];
    int unit = sy_network_block(c->net[n], layer, block);
    for (int o = 0; o < n; o++) {
        if (origin->block[o] >= 0) {
            int other = sy_network_block(c->net[o], layer, origin->block[o]);
            return sy_block_equal(c->net[o], other, c->net[n], unit);
        }
    }
    return false;
}

/* An id that is free: its own, or one with a suffix of the content's hash. */
static void choose_id(struct composing *c, const struct sy_network *from,
                      int unit, struct sy_candidate *added)
{
    char own[SY_BLOCK_ID_BYTES];
    char hash[SY_HASH_TEXT_BYTES];
    struct sy_hash sum;
    memcpy(own, added->id, sizeof own);
    for (uint32_t salt = 0; sy_spec_has_id(&c->spec, added->id); salt++) {
        const struct sy_unit *at = &from->unit[unit];
        sy_hash_init(&sum);
        sy_hash_add(&sum, &salt, sizeof salt);
        sy_hash_add(&sum, own, strlen(own));
        for (int p = 0; p < at->plan.param_count; p++) {
            sy_hash_add(&sum, from->values + at->weight[p],
                        sy_plan_param_count(&at->plan.param[p]) *
                            sizeof(float));
        }
        sy_hash_end(&sum, hash);
        (void)snprintf(added->id, sizeof added->id, "%.*s-%.*s",
                       SY_BLOCK_ID_BYTES - ID_DIGITS - 2, own, ID_DIGITS, hash);
    }
}

static enum sy_status place_block(struct composing *c, int n, int layer,
                                  int block, struct sy_error *err)
{
    struct sy_layer_spec *at = &c->spec.layer[layer];
    for (int b = 0; b < at->block_count; b++) {
        struct origin *origin = &c->origin[layer][b];
        if (origin->block[n] < 0 && is_same(c, layer, b, n, block)) {
            origin->block[n] = block;
            return SY_OK;
        }
    }
    if (at->block_count == SY_MAX_BLOCKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "layer %d: the blocks together are more than %d", layer,
                       SY_MAX_BLOCKS);
    }
    struct sy_candidate added = c->net[n]->spec.layer[layer].block[block];
    choose_id(c, c->net[n], sy_network_block(c->net[n], layer, block), &added);
    for (int o = 0; o < NETWORKS; o++) {
        c->origin[layer][at->block_count].block[o] = o == n ? block : -1;
    }
    at->block[at->block_count++] = added;
    return SY_OK;
}

static enum sy_status place_blocks(struct composing *c, struct sy_error *err)
{
    c->spec = c->net[0]->spec;
    for (int l = 0; l < c->spec.layer_count; l++) {
        c->spec.layer[l].block_count = 0;
    }
    for (int n = 0; n < c->net_count; n++) {
        for (int l = 0; l < c->spec.layer_count; l++) {
            int count = c->net[n]->spec.layer[l].block_count;
            for (int b = 0; b < count; b++) {
                if (is_used(c, n, l, b)) {
                    SY_TRY(place_block(c, n, l, b, err));
                }
            }
        }
    }
    return SY_OK;
}

static enum sy_status add_expert(struct composing *c, int i, int e,
                                 struct sy_error *err)
{
    const struct sy_expert *from = &c->want[i].from->expert[e];
    int n = net_of(c, c->want[i].from);
    if (c->expert_count == SY_MAX_EXPERTS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "the experts together are more than %d", SY_MAX_EXPERTS);
    }
    struct sy_expert *to = &c->expert[c->expert_count];
    c->expert_from[c->expert_count++] = e;
    *to = *from;
    to->domain = i;
    for (int l = 0; l < from->path.layer_count; l++) {
        int b = 0;
        while (c->origin[l][b].block[n] != from->path.block[l]) {
            b++; /* place_blocks has placed it */
        }
        to->path.block[l] = b;
    }
    return SY_OK;
}

static enum sy_status add_domains(struct composing *c, struct sy_error *err)
{
    for (int i = 0; i < c->count; i++) {
        const struct sy_compose_domain *want = &c->want[i];
        int before = c->expert_count;
        c->domain[i] = want->from->domain[want->domain];
        for (int e = 0; e < want->from->expert_count; e++) {
            if (is_wanted(want, &want->from->expert[e])) {
                SY_TRY(add_expert(c, i, e, err));
            }
        }
        if (c->expert_count == before) {
            return sy_fail(err, SY_NOT_FOUND,
                           "domain \"%s\" has no expert \"%s\"",
                           c->domain[i].name, want->expert);
        }
    }
    return SY_OK;
}

/* Whether the root gate of the first network still knows what it knew: its
   domains are the first ones here too. */
static bool root_stays(const struct composing *c, const struct sy_gate *root)
{
    bool stays = root->outputs - 1 <= c->count;
    for (int d = 0; stays && d < root->outputs - 1; d++) {
        stays = strcmp(c->domain[d].name, c->net[0]->domain[d].name) == 0;
    }
    return stays;
}

static enum sy_status add_gate(struct composing *c, int i, int g,
                               struct sy_error *err)
{
    const struct sy_network *from = i < 0 ? c->net[0] : c->want[i].from;
    if (c->gate_count == SY_MAX_GATES) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "the gates together are more than %d", SY_MAX_GATES);
    }
    struct sy_gate *to = &c->gate[c->gate_count];
    c->gate_from[c->gate_count++] = g;
    *to = from->gate[g];
    to->domain = i;
    for (int e = 0; to->expert >= 0 && e < c->expert_count; e++) {
        if (c->expert[e].domain == i &&
            c->expert_from[e] == from->gate[g].expert) {
            to->expert = e;
            break;
        }
    }
    return SY_OK;
}

static enum sy_status add_gates(struct composing *c, struct sy_error *err)
{
    for (int i = 0; i < c->count; i++) {
        const struct sy_compose_domain *want = &c->want[i];
        for (int g = 0; want->expert == NULL && g < want->from->gate_count;
             g++) {
            if (want->from->gate[g].domain == want->domain) {
                SY_TRY(add_gate(c, i, g, err));
            }
        }
    }
    int root = sy_network_root_gate(c->net[0]);
    if (root >= 0 && root_stays(c, &c->net[0]->gate[root])) {
        SY_TRY(add_gate(c, -1, root, err));
    }
    return SY_OK;
}

static enum sy_status build(struct composing *c, struct sy_error *err)
{
    struct sy_network_parts parts = {
        .name = c->net[0]->name,
        .spec = &c->spec,
        .domain_count = c->count,
        .domain = c->domain,
        .expert_count = c->expert_count,
        .expert = c->expert,
        .gate_count = c->gate_count,
        .gate = c->gate,
    };
    return sy_network_new(&c->made, &parts, err);
}

static void fill_blocks(struct composing *c)
{
    struct sy_network *made = c->made;
    for (int l = 0; l < made->spec.layer_count; l++) {
        for (int b = 0; b < made->spec.layer[l].block_count; b++) {
            int n = 0;
            while (c->origin[l][b].block[n] < 0) {
                n++;
            }
            sy_network_copy_weights(
                made, sy_network_block(made, l, b), c->net[n],
                sy_network_block(c->net[n], l, c->origin[l][b].block[n]));
        }
    }
}

static void fill_expert(struct composing *c, int e)
{
    const struct sy_compose_domain *want = &c->want[c->made->expert[e].domain];
    sy_network_copy_expert_norms(c->made, e, want->from, c->expert_from[e]);
}

static enum sy_status fill(struct composing *c, struct sy_error *err)
{
    struct sy_network *made = c->made;
    sy_network_copy_weights(made, made->stem, c->net[0], c->net[0]->stem);
    sy_network_copy_weights(made, made->trunk, c->net[0], c->net[0]->trunk);
    fill_blocks(c);
    for (int e = 0; e < made->expert_count; e++) {
        fill_expert(c, e);
    }
    for (int g = 0; g < made->gate_count; g++) {
        int domain = made->gate[g].domain;
        const struct sy_network *from =
            domain < 0 ? c->net[0] : c->want[domain].from;
        sy_network_copy_weights(made, sy_network_gate(made, g), from,
                                sy_network_gate(from, c->gate_from[g]));
    }
    for (int i = 0; i < c->count; i++) {
        const struct sy_compose_domain *want = &c->want[i];
        sy_network_copy_weights(made, sy_network_head(made, i), want->from,
                                sy_network_head(want->from, want->domain));
        if (want->expert == NULL) {
            SY_TRY(
                sy_network_copy_route(made, i, want->from, want->domain, err));
        } /* else the first route is that expert's already */
    }
    return SY_OK;
}

/* Keeps the hashes where all that it is made of does. */
static enum sy_status sum(struct composing *c, struct sy_error *err)
{
    for (int n = 0; n < c->net_count; n++) {
        if (c->net[n]->sums == NULL) {
            return SY_OK;
        }
    }
    return sy_network_sum(c->made, c->net, err);
}

enum sy_status sy_network_compose(struct sy_network **made,
                                  const struct sy_network *base,
                                  const struct sy_compose_domain *domains,
                                  int count, struct sy_error *err)
{
    enum sy_status status;
    if (count < 1 || count > SY_MAX_DOMAINS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "expected a network of 1 to %d domains, found %d",
                       SY_MAX_DOMAINS, count);
    }
    struct composing *c = sy_alloc_zero(1, sizeof *c);
    if (c == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "composing a network: no memory");
    }
    c->want = domains;
    c->count = count;
    SY_TRY_OUT(find_networks(c, base, err));
    SY_TRY_OUT(place_blocks(c, err));
    SY_TRY_OUT(add_domains(c, err));
    SY_TRY_OUT(add_gates(c, err));
    SY_TRY_OUT(build(c, err));
    SY_TRY_OUT(fill(c, err));
    SY_TRY_OUT(sum(c, err));
    *made = c->made;
    c->made = NULL;
out:
    sy_network_free(c->made);
    sy_free(c);
    return status;
}
