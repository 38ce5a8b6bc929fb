/*
 * tf.h - the REST interface of TensorFlow Serving, for clients that have it.
 *
 * A thin shim over the models of single domains: their status, their
 * metadata, and `:predict` in the row and the column form. The signature
 * "serving_default" takes UINT8 pixels and "serving_float" FP32 ones, since a
 * JSON number does not say which it is. Bodies go through the JSON library
 * whole; who wants them read fast has /v2.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_TF_H
#define SRV_PROTOCOL_TF_H

#include "serving/protocol/oip.h"

SRV_HANDLER(srv_tf_status);   /* GET /v1/models/M[/versions/V] */
SRV_HANDLER(srv_tf_metadata); /* GET /v1/models/M[/versions/V]/metadata */
SRV_HANDLER(srv_tf_predict);  /* POST /v1/models/M[/versions/V]:predict */

#endif
