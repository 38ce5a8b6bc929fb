/*
 * oip_config.c - GET /v2/models/M[/versions/V]/config: the model
 * configuration extension.
 *
 * DESIGN: only members whose value is a fact of this server are written.
 * max_batch_size is what one request may hold, which is what clients read it
 * for; how many images the engine takes at once is its own business. Dims
 * leave the batch out, and the batch is there as max_batch_size.
 *
 * Source: Triton's extension_model_configuration.md and model_config.proto;
 * 64-bit integers are JSON numbers, as Triton writes them.
 */
#include "serving/protocol/infer.h"
#include "serving/protocol/oip.h"

static void put_output(struct srv_text *text, const struct srv_model *model,
                       enum srv_output output)
{
    srv_text_printf(text,
                    "{\"name\":\"%s\",\"data_type\":\"%s\",\"dims\":[%d],"
                    "\"label_filename\":\"\",\"is_shape_tensor\":false}",
                    srv_output_name(output),
                    srv_output_is_text(output) ? "TYPE_STRING" : "TYPE_FP32",
                    srv_output_columns(model, output));
}

SRV_HANDLER(srv_oip_config)
{
    (void)later;
    struct srv_context *server = context;
    struct srv_model model;
    if (!srv_oip_find(server, in, &model, reply)) {
        return;
    }
    struct sy_shape input = model.live->network->spec.input;
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"name\":");
    srv_text_string(&text, model.name);
    srv_text_printf(
        &text,
        ",\"platform\":\"switchyard\",\"backend\":\"switchyard\","
        "\"version_policy\":{\"latest\":{\"num_versions\":1}},"
        "\"max_batch_size\":%d,"
        "\"input\":[{\"name\":\"image\",\"data_type\":\"TYPE_UINT8\","
        "\"format\":\"FORMAT_NHWC\",\"dims\":[%d,%d,%d],"
        "\"is_shape_tensor\":false,\"allow_ragged_batch\":false,"
        "\"optional\":false}],\"output\":[",
        server->max_images, input.h, input.w, input.c);
    enum srv_output output[SRV_OUTPUTS];
    int count = srv_model_outputs(&model, output);
    for (int i = 0; i < count; i++) {
        srv_text_puts(&text, i > 0 ? "," : "");
        put_output(&text, &model, output[i]);
    }
    srv_text_puts(&text, "],\"instance_group\":[{\"name\":");
    srv_text_string(&text, model.live->name);
    srv_text_puts(&text, ",\"kind\":\"KIND_CPU\",\"count\":1,\"gpus\":[]}],"
                         "\"parameters\":{},\"model_warmup\":[],"
                         "\"model_transaction_policy\":{\"decoupled\":false}}");
    srv_oip_reply(reply, &text);
    srv_model_release(&model);
}
