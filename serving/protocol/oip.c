/*
 * oip.c - the protocol's questions about server and models.
 *
 * DESIGN: "not ready" is 503 with the reason, for the server as for a single
 * model: that is what load balancers understand. GET /v2/models is not part
 * of the protocol but KServe has it, and people look for it.
 *
 * Source: kserve/open-inference-protocol, specification/protocol/
 * inference_rest.md; key order as Triton writes it.
 */
#include "serving/protocol/oip.h"

#include <stdio.h>

#include "serving/protocol/infer.h"
#include "serving/protocol/states.h"
#include "serving/protocol/text.h"
#include "serving/web/web.h"

void srv_oip_reply(struct srv_reply *reply, struct srv_text *text)
{
    srv_reply_take(reply, 200, "application/json", text->data, text->bytes);
}

SRV_HANDLER(srv_oip_server)
{
    (void)context, (void)in, (void)later;
    struct srv_text text = {0};
    srv_text_puts(
        &text,
        "{\"name\":\"switchyard\",\"version\":\"" SY_VERSION
        "\",\"extensions\":[\"classification\","
        "\"model_repository\","
        "\"model_repository(unload_dependents)\","
        "\"schedule_policy\",\"model_configuration\",\"binary_tensor_data\","
        "\"parameters\",\"statistics\"]}");
    srv_oip_reply(reply, &text);
}

SRV_HANDLER(srv_oip_document)
{
    (void)context, (void)in, (void)later;
    struct srv_text text = {0};
    srv_text_add(&text, (const char *)srv_web_openapi, srv_web_openapi_bytes);
    srv_oip_reply(reply, &text);
}

SRV_HANDLER(srv_oip_live)
{
    (void)context, (void)in, (void)later;
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"live\":true}");
    srv_oip_reply(reply, &text);
}

SRV_HANDLER(srv_oip_ready)
{
    (void)later;
    struct srv_context *server = context;
    struct sy_error err = {0};
    struct srv_text text = {0};
    enum sy_status status =
        atomic_load(&server->draining)
            ? sy_fail(&err, SY_BUSY, "the server is stopping")
            : srv_repository_ready(server->repository, &err);
    srv_text_puts(&text, status == SY_OK ? "{\"ready\":true"
                                         : "{\"ready\":false,\"error\":");
    if (status != SY_OK) {
        srv_text_string(&text, err.message);
    }
    if (in->may_read) {
        srv_text_puts(&text, ",\"models\":");
        srv_states_put(&text, server, false);
    }
    srv_text_puts(&text, "}");
    srv_oip_reply(reply, &text);
    if (status != SY_OK && reply->status == 200) {
        reply->status = srv_http_status(status);
        srv_reply_retry(reply);
    }
}

SRV_HANDLER(srv_oip_models)
{
    (void)in, (void)later;
    struct srv_context *server = context;
    struct srv_text text = {0};
    bool first = true;
    srv_text_puts(&text, "{\"models\":[");
    for (int i = 0; i < srv_repository_count(server->repository); i++) {
        struct srv_entry entry;
        struct srv_live *live;
        srv_repository_entry(server->repository, i, &entry);
        if (srv_repository_get(server->repository, entry.name, &live, NULL) !=
            SY_OK) {
            continue;
        }
        for (int d = -1; d < live->network->domain_count; d++) {
            char name[SRV_MODEL_NAME_BYTES + 1];
            snprintf(name, sizeof name, "%s%s%s", live->name, d < 0 ? "" : ".",
                     d < 0 ? "" : live->network->domain[d].name);
            srv_text_puts(&text, first ? "" : ",");
            srv_text_string(&text, name);
            first = false;
        }
        srv_live_unref(live);
    }
    srv_text_puts(&text, "]}");
    srv_oip_reply(reply, &text);
}

bool srv_oip_find(struct srv_context *server, const struct srv_request *in,
                  struct srv_model *model, struct srv_reply *reply)
{
    struct sy_error err = {0};
    if (srv_model_find(model, server->repository, in->capture[0],
                       in->capture[1], &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return false;
    }
    return true;
}

SRV_HANDLER(srv_oip_model)
{
    (void)later;
    struct srv_model model;
    if (!srv_oip_find(context, in, &model, reply)) {
        return;
    }
    struct sy_shape input = model.live->network->spec.input;
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"name\":");
    srv_text_string(&text, model.name);
    srv_text_printf(&text,
                    ",\"versions\":[\"%s\"],\"platform\":\"switchyard\","
                    "\"inputs\":[{\"name\":\"image\",\"datatype\":\"UINT8\","
                    "\"shape\":[-1,%d,%d,%d]}],\"outputs\":[",
                    model.live->label, input.h, input.w, input.c);
    enum srv_output output[SRV_OUTPUTS];
    int count = srv_model_outputs(&model, output);
    for (int i = 0; i < count; i++) {
        srv_text_printf(
            &text, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[-1,%d]}",
            i > 0 ? "," : "", srv_output_name(output[i]),
            srv_output_is_text(output[i]) ? "BYTES" : "FP32",
            srv_output_columns(&model, output[i]));
    }
    srv_text_puts(&text, "]}");
    srv_oip_reply(reply, &text);
    srv_model_release(&model);
}

SRV_HANDLER(srv_oip_model_ready)
{
    (void)later;
    struct srv_model model;
    if (!srv_oip_find(context, in, &model, reply)) {
        return;
    }
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"name\":");
    srv_text_string(&text, model.name);
    srv_text_puts(&text, ",\"ready\":true}");
    srv_oip_reply(reply, &text);
    srv_model_release(&model);
}
