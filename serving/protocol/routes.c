/*
 * routes.c - which handler answers what.
 *
 * DESIGN: the table is the whole of the server's surface; docs/http.md has a
 * section for each line, and docs/openapi.json an operation (test_openapi).
 */
#include "serving/protocol/routes.h"

#include "serving/metrics/metrics.h"
#include "serving/protocol/classify.h"
#include "serving/protocol/networks.h"
#include "serving/protocol/oip.h"
#include "serving/protocol/packs.h"
#include "serving/protocol/tf.h"

const struct srv_route srv_routes[] = {
    {SRV_GET, "", srv_page, SRV_READ},
    {SRV_GET, "metrics", srv_metrics_page, SRV_READ},
    {SRV_GET, "v1/networks", srv_networks, SRV_READ},
    {SRV_GET, "v1/networks/*", srv_network, SRV_READ},
    {SRV_GET, "v1/networks/*/packs", srv_packs, SRV_ADMIN},
    {SRV_POST, "v1/networks/*/packs", srv_packs_stage, SRV_ADMIN},
    {SRV_GET, "v1/networks/*/packs/*", srv_pack, SRV_ADMIN},
    {SRV_DELETE, "v1/networks/*/packs/*", srv_pack_drop, SRV_ADMIN},
    {SRV_POST, "v1/networks/*/packs/*/*", srv_pack_act, SRV_ADMIN},
    {SRV_POST, "v1/classify/*", srv_classify, SRV_INFER},
    {SRV_GET, "v1/models/*", srv_tf_status, SRV_READ},
    {SRV_POST, "v1/models/*", srv_tf_predict, SRV_INFER},
    {SRV_GET, "v1/models/*/metadata", srv_tf_metadata, SRV_READ},
    {SRV_GET, "v1/models/*/versions/*", srv_tf_status, SRV_READ},
    {SRV_POST, "v1/models/*/versions/*", srv_tf_predict, SRV_INFER},
    {SRV_GET, "v1/models/*/versions/*/metadata", srv_tf_metadata, SRV_READ},
    {SRV_GET, "v2", srv_oip_server, SRV_READ},
    {SRV_GET, "v2/docs/dataplane.json", srv_oip_document, SRV_READ},
    {SRV_GET, "v2/health/live", srv_oip_live, SRV_OPEN},
    {SRV_GET, "v2/health/ready", srv_oip_ready, SRV_OPEN},
    {SRV_GET, "v2/models", srv_oip_models, SRV_READ},
    {SRV_GET, "v2/models/stats", srv_oip_all_stats, SRV_READ},
    {SRV_GET, "v2/models/*", srv_oip_model, SRV_READ},
    {SRV_GET, "v2/models/*/ready", srv_oip_model_ready, SRV_READ},
    {SRV_GET, "v2/models/*/config", srv_oip_config, SRV_READ},
    {SRV_GET, "v2/models/*/stats", srv_oip_stats, SRV_READ},
    {SRV_POST, "v2/models/*/infer", srv_oip_infer, SRV_INFER},
    {SRV_GET, "v2/models/*/versions/*", srv_oip_model, SRV_READ},
    {SRV_GET, "v2/models/*/versions/*/ready", srv_oip_model_ready, SRV_READ},
    {SRV_GET, "v2/models/*/versions/*/config", srv_oip_config, SRV_READ},
    {SRV_GET, "v2/models/*/versions/*/stats", srv_oip_stats, SRV_READ},
    {SRV_POST, "v2/models/*/versions/*/infer", srv_oip_infer, SRV_INFER},
    {SRV_POST, "v2/repository/index", srv_oip_index, SRV_READ},
    {SRV_POST, "v2/repository/models/*/load", srv_oip_load, SRV_ADMIN},
    {SRV_POST, "v2/repository/models/*/unload", srv_oip_unload, SRV_ADMIN},
    {SRV_POST, "v2/repository/*/index", srv_oip_named_repository, SRV_READ},
    {SRV_POST, "v2/repository/*/models/*/load", srv_oip_named_repository,
     SRV_ADMIN},
    {SRV_POST, "v2/repository/*/models/*/unload", srv_oip_named_repository,
     SRV_ADMIN},
    {SRV_GET, NULL, NULL, SRV_ADMIN},
};
