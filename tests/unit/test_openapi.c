/*
 * test_openapi.c - the OpenAPI document against the table of routes.
 */
#include <stdio.h>
#include <string.h>

#include "serving/protocol/routes.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

enum { PATTERN_BYTES = 256 };

static const char *method_name(enum srv_method method)
{
    static const char *const names[] = {
        [SRV_GET] = "get",
        [SRV_POST] = "post",
        [SRV_PUT] = "put",
        [SRV_DELETE] = "delete",
    };
    return names[method];
}

/* "/v2/models/{model}:predict" as the router has it: "v2/models/" "*". */
static void path_pattern(const char *path, char pattern[PATTERN_BYTES])
{
    size_t used = 0;
    for (path++; *path != '\0';) {
        size_t bytes = strcspn(path, "/");
        if (*path == '{') {
            pattern[used++] = '*';
        } else {
            memcpy(pattern + used, path, bytes);
            used += bytes;
        }
        path += bytes;
        if (*path == '/') {
            pattern[used++] = '/';
            path++;
        }
    }
    pattern[used] = '\0';
}

static bool document_has(json_t *paths, const struct srv_route *route)
{
    const char *path;
    json_t *item;
    json_object_foreach(paths, path, item)
    {
        char pattern[PATTERN_BYTES];
        path_pattern(path, pattern);
        if (strcmp(pattern, route->pattern) == 0 &&
            json_object_get(item, method_name(route->method)) != NULL) {
            return true;
        }
    }
    return false;
}

static bool table_has(const char *pattern, const char *method)
{
    for (const struct srv_route *route = srv_routes; route->pattern != NULL;
         route++) {
        if (strcmp(route->pattern, pattern) == 0 &&
            strcmp(method_name(route->method), method) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *document(void)
{
    return oip_ask(SRV_GET, "/v2/docs/dataplane.json", NULL, 200);
}

START_TEST(every_route_is_in_the_document)
{
    json_t *root = document();
    json_t *paths = json_object_get(root, "paths");
    for (const struct srv_route *route = srv_routes; route->pattern != NULL;
         route++) {
        ck_assert_msg(document_has(paths, route),
                      "%s /%s is a route: add it to docs/openapi.json",
                      method_name(route->method), route->pattern);
    }
    json_decref(root);
}
END_TEST

START_TEST(every_operation_of_the_document_is_a_route)
{
    json_t *root = document();
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(root, "paths"), path, item)
    {
        char pattern[PATTERN_BYTES];
        path_pattern(path, pattern);
        json_object_foreach(item, method, operation)
        {
            ck_assert_msg(table_has(pattern, method),
                          "docs/openapi.json has %s %s, which is no route",
                          method, path);
        }
    }
    json_decref(root);
}
END_TEST

/* Every {name} of a path is declared among the operation's parameters. */
static void check_parameters(json_t *root, const char *path, json_t *operation)
{
    json_t *shared =
        json_object_get(json_object_get(root, "components"), "parameters");
    for (const char *at = path; (at = strchr(at, '{')) != NULL; at++) {
        char name[64];
        bool found = false;
        size_t i;
        json_t *entry;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        json_array_foreach(json_object_get(operation, "parameters"), i, entry)
        {
            const char *ref = json_string_value(json_object_get(entry, "$ref"));
            json_t *real = ref == NULL
                               ? entry
                               : json_object_get(shared, strrchr(ref, '/') + 1);
            const char *declared =
                json_string_value(json_object_get(real, "name"));
            ck_assert_msg(declared != NULL, "%s: %s leads nowhere", path, ref);
            found |= strcmp(declared, name) == 0;
        }
        ck_assert_msg(found, "%s does not declare {%s}", path, name);
    }
}

START_TEST(parameters_are_declared_and_answers_described)
{
    json_t *root = document();
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(root, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            check_parameters(root, path, operation);
            ck_assert_msg(
                json_object_size(json_object_get(operation, "responses")) > 0 &&
                    json_is_string(json_object_get(operation, "summary")),
                "%s %s", method, path);
        }
    }
    json_t *server = oip_ask(SRV_GET, "/v2", NULL, 200);
    ck_assert(
        json_equal(json_object_get(json_object_get(root, "info"), "version"),
                   json_object_get(server, "version")));
    json_decref(server);
    json_decref(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("openapi");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, oip_set_up, oip_tear_down);
    tcase_add_test(tc, every_route_is_in_the_document);
    tcase_add_test(tc, every_operation_of_the_document_is_a_route);
    tcase_add_test(tc, parameters_are_declared_and_answers_described);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
