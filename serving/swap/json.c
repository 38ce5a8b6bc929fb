/*
 * json.c - a swap as people and scripts read it.
 */
#include "serving/swap/swap_private.h"

static double mean(int64_t sum, int64_t count, double unit)
{
    return count > 0 ? (double)sum / (double)count / unit : 0;
}

/* What was counted while both ran; NULL: no memory. */
static json_t *tally_json(struct srv_tally *tally)
{
    struct srv_tally_copy t;
    srv_tally_read(tally, &t);
    return json_pack(
        "{s:I,s:f,s:I,s:{s:f,s:f},s:{s:f,s:f,s:f},s:f,s:{s:f,s:f},s:I,s:I,"
        "s:{s:f,s:f}}",
        "pairs", (json_int_t)t.pairs, "agreement", mean(t.agreed, t.pairs, 1),
        "errors", (json_int_t)t.errors, "confidence", "served",
        mean(t.served_confidence, t.pairs, 1e6), "next",
        mean(t.next_confidence, t.pairs, 1e6), "madds", "served",
        mean(t.served_madds, t.pairs, 1), "next",
        mean(t.next_madds, t.pairs, 1), "extra",
        mean(t.extra_madds, t.pairs, 1), "extra_blocks",
        mean(t.extra_blocks, t.pairs, 1), "us", "served",
        mean(t.served_ns, t.pairs, 1e3), "next", mean(t.next_ns, t.pairs, 1e3),
        "answered", (json_int_t)t.answered, "stayed", (json_int_t)t.stayed,
        "request_us", "answered", mean(t.answered_ns, t.answered_requests, 1e3),
        "stayed", mean(t.stayed_ns, t.stayed_requests, 1e3));
}

/* The counters of a domain on trial, or NULL. */
static struct srv_tally *find_tally(const struct srv_swap *swap,
                                    const char *name)
{
    const struct srv_live *joined = swap->staged.joined;
    int served =
        joined != NULL ? sy_network_find_domain(joined->network, name) : -1;
    for (int i = 0; served >= 0 && i < joined->trial->count; i++) {
        if (joined->trial->domain[i].served == served) {
            return &joined->trial->domain[i].tally;
        }
    }
    return NULL;
}

static json_t *domain_json(const struct srv_swap *swap,
                           const struct srv_staged_domain *domain)
{
    struct srv_tally *tally = find_tally(swap, domain->name);
    json_t *json =
        json_pack("{s:s,s:b,s:{s:I,s:I},s:{s:f,s:f}}", "name", domain->name,
                  "new", domain->is_new, "most_madds", "served",
                  (json_int_t)domain->served_madds, "next",
                  (json_int_t)domain->next_madds, "alone_us", "served",
                  domain->served_us, "next", domain->next_us);
    if (json != NULL && tally != NULL) {
        (void)json_object_set_new(json, "trial", tally_json(tally));
    }
    return json;
}

static double percent(int share)
{
    return (double)share * 100.0 / SRV_SHARE_ALL;
}

/* Who is asked how much, where something can be tried. */
static void put_shares(json_t *json, const struct srv_swap *swap)
{
    const struct srv_live *joined = swap->staged.joined;
    bool tried =
        swap->phase == SRV_SWAP_SHADOW || swap->phase == SRV_SWAP_CANARY;
    if (joined == NULL) {
        return;
    }
    int shadow = atomic_load(&joined->trial->shadow_share);
    int canary = atomic_load(&joined->trial->canary_share);
    (void)json_object_set_new(json, "shadow",
                              json_real(tried ? percent(shadow) : 0));
    (void)json_object_set_new(
        json, "canary",
        json_real(swap->phase == SRV_SWAP_CANARY ? percent(canary) : 0));
}

json_t *srv_swap_json(const struct srv_swap *swap)
{
    const struct srv_staged *staged = &swap->staged;
    json_t *domains = json_array();
    for (int i = 0; i < staged->domain_count; i++) {
        (void)json_array_append_new(domains,
                                    domain_json(swap, &staged->domain[i]));
    }
    enum srv_swap_phase phase = swap->exists ? swap->phase : SRV_SWAP_STAGING;
    json_t *json = json_pack(
        "{s:s,s:s,s:s,s:s,s:b,s:b,s:s,s:s,s:s}", "network", swap->network, "id",
        staged->id, "phase", srv_swap_phase_names[phase], "reason",
        swap->reason, "automatic", swap->automatic, "staging", swap->staging,
        "served", swap->base != NULL ? swap->base->label : "", "next",
        staged->label, "signed_by", staged->signed_by);
    if (json == NULL || staged->next == NULL) {
        json_decref(domains);
        return json;
    }
    put_shares(json, swap);
    (void)json_object_set_new(json, "rules", srv_rules_json(&swap->rules));
    (void)json_object_set_new(
        json, "bytes",
        json_pack("{s:I,s:I,s:I,s:I}", "new", (json_int_t)staged->bytes.fresh,
                  "shared", (json_int_t)staged->bytes.shared, "freed",
                  (json_int_t)staged->bytes.freed, "pack",
                  (json_int_t)staged->pack_bytes));
    (void)json_object_set_new(json, "probes",
                              json_pack("{s:i,s:f}", "count", staged->probes,
                                        "difference",
                                        staged->probe_difference));
    (void)json_object_set_new(json, "stage_us",
                              json_real((double)swap->stage_ns / 1e3));
    (void)json_object_set_new(json, "publish_us",
                              json_real((double)swap->publish_ns / 1e3));
    (void)json_object_set_new(json, "root", json_boolean(staged->root));
    (void)json_object_set_new(json, "windows", json_integer(swap->windows));
    (void)json_object_set_new(json, "domains", domains);
    return json;
}
