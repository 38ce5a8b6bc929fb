/*
 * tf.c - what a model is, in TensorFlow Serving's words.
 *
 * Source: tensorflow/serving, g3doc/api_rest.md; 64-bit integers are strings
 * there, as protobuf's JSON has it.
 */
#include "serving/protocol/tf.h"

#include "serving/protocol/infer.h"

SRV_HANDLER(srv_tf_status)
{
    (void)later;
    struct srv_model model;
    if (!srv_oip_find(context, in, &model, reply)) {
        return;
    }
    struct srv_text text = {0};
    srv_text_printf(&text,
                    "{\"model_version_status\":[{\"version\":\"%s\","
                    "\"state\":\"AVAILABLE\",\"status\":{\"error_code\":\"OK\","
                    "\"error_message\":\"\"}}]}",
                    model.live->label);
    srv_oip_reply(reply, &text);
    srv_model_release(&model);
}

/* "NAME":{...} of one tensor; `sizes` are the extents behind the batch. */
static void put_tensor(struct srv_text *text, const char *name,
                       const char *dtype, const int *sizes, int count)
{
    srv_text_printf(text,
                    "\"%s\":{\"dtype\":\"%s\",\"tensor_shape\":{\"dim\":["
                    "{\"size\":\"-1\",\"name\":\"\"}",
                    name, dtype);
    for (int i = 0; i < count; i++) {
        srv_text_printf(text, ",{\"size\":\"%d\",\"name\":\"\"}", sizes[i]);
    }
    srv_text_printf(text, "],\"unknown_rank\":false},\"name\":\"%s\"}", name);
}

static void put_signature(struct srv_text *text, const struct srv_model *model,
                          const char *name, const char *dtype)
{
    struct sy_shape input = model->live->network->spec.input;
    int sizes[3] = {input.h, input.w, input.c};
    enum srv_output output[SRV_OUTPUTS];
    int count = srv_model_outputs(model, output);
    srv_text_printf(text, "\"%s\":{\"inputs\":{", name);
    put_tensor(text, "image", dtype, sizes, 3);
    srv_text_puts(text, "},\"outputs\":{");
    for (int i = 0; i < count; i++) {
        int columns = srv_output_columns(model, output[i]);
        srv_text_puts(text, i > 0 ? "," : "");
        put_tensor(text, srv_output_name(output[i]),
                   srv_output_is_text(output[i]) ? "DT_STRING" : "DT_FLOAT",
                   &columns, 1);
    }
    srv_text_puts(text, "},\"method_name\":\"tensorflow/serving/predict\"}");
}

SRV_HANDLER(srv_tf_metadata)
{
    (void)later;
    struct srv_model model;
    if (!srv_oip_find(context, in, &model, reply)) {
        return;
    }
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"model_spec\":{\"name\":");
    srv_text_string(&text, model.name);
    srv_text_printf(&text,
                    ",\"signature_name\":\"\",\"version\":\"%s\"},"
                    "\"metadata\":{\"signature_def\":{\"signature_def\":{",
                    model.live->label);
    put_signature(&text, &model, "serving_default", "DT_UINT8");
    srv_text_puts(&text, ",");
    put_signature(&text, &model, "serving_float", "DT_FLOAT");
    srv_text_puts(&text, "}}}}");
    srv_oip_reply(reply, &text);
    srv_model_release(&model);
}
