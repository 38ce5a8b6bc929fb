/* test_route.c - routes as data. */
#include "runtime/network/route.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/network.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static enum sy_status read(struct sy_route **route, const char *text,
                           const struct sy_network *network, int domain,
                           struct sy_error *err)
{
    json_t *json;
    SY_TRY(sy_json_parse(text, strlen(text), "m.json", &json, err));
    enum sy_status status = sy_route_from_json(route, json, network, domain,
                                               "m.json", "routes.x", err);
    json_decref(json);
    return status;
}

START_TEST(a_domain_starts_with_its_main_expert)
{
    struct sy_network *network = sy_small_network(1);
    int experts[4] = {-1, -1, -1, -1};
    ck_assert_int_eq(sy_network_route_experts(network, 0, experts, 4), 1);
    ck_assert_int_eq(experts[0], 0);
    ck_assert_int_eq(sy_network_route_experts(network, 1, experts, 4), 1);
    ck_assert_int_eq(experts[0], 2);
    ck_assert_int_eq(experts[1], -1);
    ck_assert_int_eq(sy_network_route_experts(network, 1, experts, 0), 0);
    sy_network_free(network);
}
END_TEST

START_TEST(a_domain_without_main_starts_with_its_first_expert)
{
    struct sy_error err = {0};
    struct sy_network *small = sy_small_network(1);
    strcpy(small->expert[0].name, "x");
    struct sy_network_parts parts = {.name = "n",
                                     .spec = &small->spec,
                                     .domain_count = 2,
                                     .domain = small->domain,
                                     .expert_count = 3,
                                     .expert = small->expert};
    struct sy_network *network;
    int expert = -1;
    sy_check_ok(sy_network_new(&network, &parts, &err), err);
    ck_assert_int_eq(sy_network_route_experts(network, 0, &expert, 1), 1);
    ck_assert_int_eq(expert, 0);
    sy_network_free(network);
    sy_network_free(small);
}
END_TEST

START_TEST(a_supernet_has_no_routes)
{
    struct sy_network *network = sy_small_supernet(1);
    int expert = -1;
    ck_assert_int_eq(sy_network_route_experts(network, 0, &expert, 1), 0);
    sy_network_free(network);
}
END_TEST

START_TEST(a_route_reads_and_writes_the_same)
{
    struct sy_error err = {0};
    struct sy_network *network = sy_small_network(1);
    struct sy_route *route;
    int expert = -1;
    sy_check_ok(read(&route, "{\"kind\":\"expert\",\"expert\":\"second\"}",
                     network, 0, &err),
                err);
    json_t *json = sy_route_to_json(route, network);
    char *text = json_dumps(json, JSON_COMPACT);
    ck_assert_str_eq(text, "{\"kind\":\"expert\",\"expert\":\"second\"}");
    sy_free(text);
    json_decref(json);
    sy_network_set_route(network, 0, route);
    ck_assert_int_eq(sy_network_route_experts(network, 0, &expert, 1), 1);
    ck_assert_int_eq(expert, 1);
    sy_network_free(network);
}
END_TEST

#define MAIN              "{\"kind\":\"expert\",\"expert\":\"main\"}"
#define SECOND            "{\"kind\":\"expert\",\"expert\":\"second\"}"
#define STAGE(exit, rest) "{\"exit\":\"" exit "\"," rest "\"route\":" MAIN "}"
#define CASCADE(stage)                                                         \
    "{\"kind\":\"cascade\",\"stages\":[" stage ",{\"route\":" SECOND "}]}"
#define ENSEMBLE(rest)                                                         \
    "{\"kind\":\"ensemble\",\"members\":[" MAIN "," SECOND "]" rest "}"

#define GATE(name, rest)                                                       \
    "{\"kind\":\"gate\",\"gate\":\"" name "\"" rest ",\"children\":[" MAIN     \
    "," SECOND "]}"

/* The small network with gates "pick" and "late" of the domain "digits". */
static struct sy_network *gated(void)
{
    struct sy_error err = {0};
    struct sy_network *network = sy_small_network(1);
    const struct sy_gate gates[] = {
        {.name = "pick", .expert = -1, .cells = 1, .outputs = 2},
        {.name = "late", .layers = 1, .cells = 2, .hidden = 4, .outputs = 2},
        {.name = "many", .expert = -1, .cells = 1, .outputs = 3},
        {.name = "root", .domain = -1, .expert = -1, .cells = 2, .outputs = 3},
    };
    sy_check_ok(sy_network_set_gates(&network, gates, 4, &err), err);
    return network;
}

static const char *const right[] = {
    CASCADE(STAGE("confidence", "\"threshold\":0.9375,")),
    CASCADE(STAGE("margin", "\"threshold\":0.5,") "," STAGE(
        "entropy", "\"threshold\":2.0,")),
    CASCADE(STAGE("reject", "\"background\":\"two\",\"threshold\":0.25,")),
    ENSEMBLE(""),
    ENSEMBLE(",\"weights\":[2.0,0.5]"),
    "{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"margin\",\"threshold\":0.5,"
    "\"route\":" ENSEMBLE("") "},{\"route\":" CASCADE(
        STAGE("entropy", "\"threshold\":0.125,")) "}]}",
    GATE("pick", ",\"top\":1"),
    GATE("late", ",\"top\":2"),
    GATE("pick", ",\"choose\":\"each\""),
    "{\"kind\":\"gate\",\"gate\":\"late\",\"top\":1,\"children\":[" GATE(
        "pick", ",\"top\":1") "," ENSEMBLE("") "]}",
};

START_TEST(trees_read_and_write_the_same)
{
    struct sy_error err = {0};
    struct sy_network *network = gated();
    struct sy_route *route;
    sy_check_ok(read(&route, right[_i], network, 0, &err), err);
    json_t *json = sy_route_to_json(route, network);
    json_t *expected = json_loads(right[_i], 0, NULL);
    ck_assert(json_equal(json, expected));
    ck_assert_int_eq(sy_route_all_experts(route).count, 2);
    json_decref(json);
    json_decref(expected);
    sy_route_free(route);
    sy_network_free(network);
}
END_TEST

START_TEST(nodes_are_numbered_before_their_children)
{
    struct sy_error err = {0};
    struct sy_network *network = sy_small_network(1);
    struct sy_route *route;
    sy_check_ok(read(&route, right[5], network, 0, &err), err);
    ck_assert_int_eq(sy_route_nodes(route), 7);
    for (int n = 0; n < 7; n++) {
        ck_assert_int_eq(sy_route_node(route, n)->number, n);
    }
    ck_assert_ptr_eq(sy_route_node(route, 4), route->child[1]);
    ck_assert_ptr_eq(sy_route_node(route, 6), route->child[1]->child[1]);
    sy_route_free(route);
    sy_network_free(network);
}
END_TEST

static const struct {
    int domain;
    const char *text, *says;
} wrong[] = {
    {0, "{\"kind\":\"cascade\",\"stages\":[{\"route\":" MAIN "}]}",
     "routes.x.stages: expected an array of 2 to 8"},
    {0, CASCADE("{\"route\":" MAIN "}"), "routes.x.stages[0].exit"},
    {0, CASCADE(STAGE("confidance", "\"threshold\":1,")),
     "routes.x.stages[0].exit: expected \"confidence\", \"margin\""},
    {0, CASCADE(STAGE("margin", "")), "routes.x.stages[0].threshold"},
    {0, CASCADE(STAGE("margin", "\"threshold\":2.5,")),
     "routes.x.stages[0].threshold: expected a number from 0 to 2"},
    {0, CASCADE(STAGE("reject", "\"threshold\":0.1,")),
     "routes.x.stages[0].background"},
    {0, CASCADE(STAGE("reject", "\"background\":\"four\",\"threshold\":0.1,")),
     "domain \"digits\" has no class \"four\""},
    {0, CASCADE(STAGE("reject", "\"background\":\"two\",\"threshold\":0.6,")),
     "routes.x.stages[0].threshold: expected a number from 0 to 0.5"},
    {0, CASCADE(STAGE("margin", "\"threshold\":1,\"treshold\":1,")),
     "routes.x.stages[0].treshold: unknown key"},
    {0,
     "{\"kind\":\"cascade\",\"stages\":[" STAGE(
         "margin", "\"threshold\":1,") "," STAGE("margin",
                                                 "\"threshold\":1,") "]}",
     "routes.x.stages[1].exit: unknown key"},
    {0,
     "{\"kind\":\"cascade\",\"stages\":[" STAGE(
         "margin", "\"threshold\":1,") ",{\"route\":{\"kind\":\"expert\","
                                       "\"expert\":\"third\"}}]}",
     "routes.x.stages[1].route.expert: domain \"digits\" has no expert"},
    {0, "{\"kind\":\"ensemble\",\"members\":[" MAIN "]}",
     "routes.x.members: expected an array of 2 to 8"},
    {0, ENSEMBLE(",\"weights\":[1]"),
     "routes.x.weights: expected an array of 2"},
    {0, ENSEMBLE(",\"weights\":[1,0]"),
     "routes.x.weights: [1]: expected a number above 0"},
    {0, ENSEMBLE(",\"weights\":[1,\"a\"]"),
     "routes.x.weights: [1]: expected a number above 0"},
    {0, GATE("pikc", ""),
     "routes.x.gate: domain \"digits\" has no gate of that name; did you mean "
     "\"pick\"?"},
    {0, GATE("root", ""), "routes.x.gate: domain \"digits\" has no gate"},
    {0, GATE("many", ""),
     "routes.x.children: expected 3, one for each score of gate \"many\", "
     "found 2"},
    {0, GATE("pick", ",\"top\":3"),
     "routes.x.top: expected at most 2, the number of children, found 3"},
    {0, GATE("pick", ",\"top\":0"), "routes.x.top: expected a whole number"},
    {0, GATE("pick", ",\"choose\":\"some\""), "routes.x.choose: expected"},
    {0, GATE("pick", ",\"choose\":\"each\",\"top\":1"),
     "routes.x.top: unknown key"},
    {0,
     "{\"kind\":\"gate\",\"gate\":\"late\",\"children\":[" SECOND "," SECOND
     "]}",
     "gate \"late\" reads along the path of expert \"main\", which is not "
     "among its children"},
    {0, "{\"kind\":\"gate\",\"gate\":\"pick\",\"children\":[" MAIN "]}",
     "routes.x.children: expected an array of 2 to 8"},
    {0, "[]", "routes.x: expected an object"},
    {0, "{}", "routes.x.kind"},
    {0, "{\"kind\":\"gaet\",\"expert\":\"main\"}", "routes.x.kind"},
    {0, "{\"kind\":\"expert\"}", "routes.x.expert: expected a text"},
    {0, "{\"kind\":\"expert\",\"expert\":3}", "routes.x.expert"},
    {0, "{\"kind\":\"expert\",\"expert\":\"secnod\"}",
     "routes.x.expert: domain \"digits\" has no expert of that name; did you "
     "mean \"second\"?"},
    {1, "{\"kind\":\"expert\",\"expert\":\"second\"}",
     "domain \"shapes\" has no expert of that name"},
    {0, "{\"kind\":\"expert\",\"expret\":\"main\",\"expert\":\"main\"}",
     "routes.x.expret: unknown key; did you mean \"expert\"?"},
};

START_TEST(a_wrong_route_is_refused)
{
    struct sy_error err = {0};
    struct sy_network *network = gated();
    struct sy_route *route = NULL;
    int64_t live = sy_alloc_live();
    sy_check_fails(
        read(&route, wrong[_i].text, network, wrong[_i].domain, &err),
        SY_BAD_INPUT, err);
    sy_check_says(err, wrong[_i].says);
    ck_assert_ptr_null(route);
    ck_assert_int_eq(sy_alloc_live(), live);
    sy_network_free(network);
}
END_TEST

START_TEST(an_expert_stands_in_a_list_once)
{
    struct sy_route_experts list = {0};
    sy_route_add_expert(&list, 4);
    sy_route_add_expert(&list, 2);
    sy_route_add_expert(&list, 4);
    ck_assert_int_eq(list.count, 2);
    for (int i = 10; i < 30; i++) {
        sy_route_add_expert(&list, i);
    }
    ck_assert_int_eq(list.count, 22);
    ck_assert_int_eq(list.expert[0], 4);
    ck_assert_int_eq(list.expert[7], 15);
}
END_TEST

/* A kind of node for this test only: it keeps what it allocates. */
static void release_data(struct sy_route *node)
{
    sy_free(node->data);
}

static const struct sy_route_type type_with_data = {.name = "data",
                                                    .release = release_data};

START_TEST(a_tree_is_freed_with_its_children_and_data)
{
    int64_t live = sy_alloc_live();
    struct sy_route *root = sy_alloc_zero(1, sizeof *root);
    root->type = &type_with_data;
    root->data = sy_alloc(10);
    root->child[root->child_count++] = sy_route_new_expert(0);
    root->child[root->child_count++] = sy_route_new_expert(1);
    sy_route_free(root);
    sy_route_free(NULL);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(children_are_read_checked_and_limited)
{
    struct sy_error err = {0};
    struct sy_network *network = sy_small_network(1);
    struct sy_route_context context = {.network = network};
    struct sy_route *node = sy_alloc_zero(1, sizeof *node);
    json_t *root = json_object();
    json_t *leaf = json_pack("{s:s,s:s}", "kind", "expert", "expert", "main");
    struct sy_json in = sy_json_object(root, "f", "here", &err);
    for (int i = 0; i < SY_ROUTE_MAX_CHILDREN; i++) {
        sy_route_child(node, &in, leaf, "here.a[0]", &context);
    }
    sy_check_ok(in.status, err);
    ck_assert_int_eq(node->child_count, SY_ROUTE_MAX_CHILDREN);
    sy_route_child(node, &in, leaf, "here.a[8]", &context);
    ck_assert_int_eq(in.status, SY_BAD_INPUT);
    sy_check_says(err, "at most 8");
    struct sy_json deep = sy_json_object(root, "f", "here", &err);
    context.depth = SY_ROUTE_MAX_DEPTH - 1;
    node->type = &type_with_data;
    struct sy_route *other = sy_alloc_zero(1, sizeof *other);
    sy_route_child(other, &deep, leaf, "here.a[0]", &context);
    ck_assert_int_eq(deep.status, SY_BAD_INPUT);
    sy_check_says(err, "nested more than 8 deep");
    ck_assert_int_eq(other->child_count, 0);
    sy_route_free(other);
    sy_route_free(node);
    json_decref(root);
    json_decref(leaf);
    sy_network_free(network);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("route");
    TCase *tc = tcase_create("route");
    tcase_add_test(tc, a_domain_starts_with_its_main_expert);
    tcase_add_test(tc, a_domain_without_main_starts_with_its_first_expert);
    tcase_add_test(tc, a_supernet_has_no_routes);
    tcase_add_test(tc, a_route_reads_and_writes_the_same);
    tcase_add_loop_test(tc, trees_read_and_write_the_same, 0,
                        (int)(sizeof right / sizeof right[0]));
    tcase_add_test(tc, nodes_are_numbered_before_their_children);
    tcase_add_loop_test(tc, a_wrong_route_is_refused, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tc, an_expert_stands_in_a_list_once);
    tcase_add_test(tc, a_tree_is_freed_with_its_children_and_data);
    tcase_add_test(tc, children_are_read_checked_and_limited);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
