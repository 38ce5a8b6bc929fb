/*
 * states.c - the lines of the repository index.
 *
 * Source: Triton's extension_model_repository.md.
 */
#include "serving/protocol/states.h"

#include <stdio.h>

#include "serving/protocol/model.h"

/* One line; `domain` NULL: the network itself. */
static void put_model(struct srv_text *text, const struct srv_entry *entry,
                      const char *domain, const char *version)
{
    static const char *const states[] = {
        [SRV_LOADING] = "LOADING",
        [SRV_READY] = "READY",
        [SRV_FAILED] = "UNAVAILABLE",
        [SRV_UNLOADED] = "UNAVAILABLE",
    };
    char name[SRV_MODEL_NAME_BYTES + 1];
    snprintf(name, sizeof name, "%s%s%s", entry->name,
             domain == NULL ? "" : ".", domain == NULL ? "" : domain);
    bool first = text->bytes == 0 || text->data[text->bytes - 1] == '[';
    srv_text_puts(text, first ? "{\"name\":" : ",{\"name\":");
    srv_text_string(text, name);
    if (version != NULL) {
        srv_text_printf(text, ",\"version\":\"%s\"", version);
    }
    srv_text_printf(text,
                    ",\"state\":\"%s\",\"reason\":", states[entry->state]);
    srv_text_string(text, entry->reason);
    srv_text_puts(text, "}");
}

static void put_network(struct srv_text *text, struct srv_context *server,
                        const struct srv_entry *entry)
{
    struct srv_live *live;
    if (srv_repository_get(server->repository, entry->name, &live, NULL) !=
        SY_OK) {
        put_model(text, entry, NULL, NULL);
        return;
    }
    put_model(text, entry, NULL, live->label);
    for (int d = 0; d < live->network->domain_count; d++) {
        put_model(text, entry, live->network->domain[d].name, live->label);
    }
    srv_live_unref(live);
}

void srv_states_put(struct srv_text *text, struct srv_context *server,
                    bool ready_only)
{
    srv_text_puts(text, "[");
    for (int i = 0; i < srv_repository_count(server->repository); i++) {
        struct srv_entry entry;
        srv_repository_entry(server->repository, i, &entry);
        if (entry.state == SRV_READY || !ready_only) {
            put_network(text, server, &entry);
        }
    }
    srv_text_puts(text, "]");
}
