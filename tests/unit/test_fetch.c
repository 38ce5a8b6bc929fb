/*
 * Tests of domains/fetch.c and its table, without a network: from file
 * addresses, and from a server of a few lines on the loopback.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domains/fetch.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static struct sy_error err;
static char url[SY_PATH_BYTES];
static char sum[SY_HASH_TEXT_BYTES];
static struct dom_fetch_file files[2];
static struct dom_fetch_set sets[2];
static struct dom_fetch_options options;

/* One set "toy" of one file; its source is FOLDER/source with `text`. */
static void make_set(const char *text)
{
    sy_put_text("source", text);
    (void)snprintf(url, sizeof(url), "file://%s", sy_check_path("source"));
    sy_hash_bytes(text, strlen(text), sum);
    files[0] = (struct dom_fetch_file){"data", url, sum, (int64_t)strlen(text)};
    sets[0] = (struct dom_fetch_set){"toy", "a toy", files, "cat\ndog\n"};
    options = (struct dom_fetch_options){.sets = sets, .allow_file_urls = true};
}

static void check_content(const char *path, const char *text)
{
    size_t bytes;
    uint8_t *data = sy_get(path, &bytes);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_mem_eq(data, text, bytes);
    sy_free(data);
}

/* Fetching must fail, and leave nothing but an empty folder. */
static void refuses(enum sy_status status, const char *says)
{
    sy_check_fails(dom_fetch("toy", sy_check_folder(), &options, &err), status,
                   err);
    sy_check_says(err, says);
    sy_shell("test -z \"$(ls -A %s/toy)\"", sy_check_folder(), "");
}

/*
 * Answers one request on the loopback with `answer`, in a child process;
 * `port` is where it listens.
 */
static pid_t serve_once(const char *answer, size_t bytes, int *port)
{
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof(address)),
                     0);
    ck_assert_int_eq(listen(server, 1), 0);
    ck_assert_int_eq(getsockname(server, (struct sockaddr *)&address, &length),
                     0);
    *port = ntohs(address.sin_port);
    pid_t child = fork();
    if (child == 0) {
        char request[4096];
        int peer = accept(server, NULL, NULL);
        (void)!read(peer, request, sizeof(request));
        (void)!write(peer, answer, bytes);
        shutdown(peer, SHUT_WR);
        (void)!read(peer, request, sizeof(request));
        _exit(0);
    }
    close(server);
    return child;
}

static void fetch_from_server(const char *answer, enum sy_status status,
                              const char *says)
{
    int port;
    pid_t child = serve_once(answer, strlen(answer), &port);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/data", port);
    if (status == SY_OK) {
        sy_check_ok(dom_fetch("toy", sy_check_folder(), &options, &err), err);
    } else {
        refuses(status, says);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(a_file_with_the_right_sum_arrives_with_its_names)
{
    make_set("hello, world");
    sy_check_ok(dom_fetch("toy", sy_check_folder(), &options, &err), err);
    check_content("toy/data", "hello, world");
    check_content("toy/labels.txt", "cat\ndog\n");
    /* Again: what is there is left alone, also names a person has changed. */
    sy_put_text("toy/labels.txt", "Katze\nHund\n");
    sy_shell("rm %s/source", sy_check_folder(), "");
    sy_check_ok(dom_fetch("toy", sy_check_folder(), &options, &err), err);
    check_content("toy/labels.txt", "Katze\nHund\n");
}
END_TEST

START_TEST(a_file_with_another_sum_never_gets_its_name)
{
    make_set("hello, world");
    sy_put_text("source", "hello, w0rld");
    refuses(SY_BAD_INPUT, "expected SHA-256");
    sy_put_text("source", "hello");
    refuses(SY_BAD_INPUT, "5; the file there has changed");
    sy_put_text("source", "hello, world and more");
    refuses(SY_BAD_INPUT, "sends more");
    sy_shell("rm %s/source", sy_check_folder(), "");
    refuses(SY_IO, "cannot fetch it");
}
END_TEST

START_TEST(another_file_in_the_way_is_refused_not_overwritten)
{
    make_set("hello, world");
    sy_put_text("toy/data", "mine");
    sy_check_fails(dom_fetch("toy", sy_check_folder(), &options, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "move it away");
    check_content("toy/data", "mine");
}
END_TEST

START_TEST(file_addresses_are_refused_outside_of_tests)
{
    make_set("hello, world");
    options.allow_file_urls = false;
    refuses(SY_IO, "cannot fetch it");
}
END_TEST

START_TEST(an_unknown_set_is_not_found)
{
    sy_check_fails(dom_fetch("nothing", sy_check_folder(), NULL, &err),
                   SY_NOT_FOUND, err);
    sy_check_says(err, "nothing");
    ck_assert_int_eq(sy_check_folder_count(), 0);
}
END_TEST

START_TEST(a_server_is_read_by_http)
{
    make_set("hello, world");
    fetch_from_server("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
                      "hello, world",
                      SY_OK, "");
    check_content("toy/data", "hello, world");
}
END_TEST

START_TEST(errors_of_a_server_leave_nothing_behind)
{
    make_set("hello, world");
    fetch_from_server("HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\n"
                      "hello, world",
                      SY_IO, "404");
    fetch_from_server("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello",
                      SY_IO, "cannot fetch it");
    fetch_from_server("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd"
                      "\r\nContent-Length: 0\r\n\r\n",
                      SY_IO, "cannot fetch it");
}
END_TEST

/* Stops at the first call. */
static bool stop(void *context, const char *file, int64_t bytes,
                 int64_t total_bytes)
{
    ck_assert_str_eq(file, "data");
    ck_assert_int_le(bytes, total_bytes);
    *(int *)context += 1;
    return false;
}

START_TEST(progress_is_reported_and_can_stop_the_download)
{
    int calls = 0;
    make_set("hello, world");
    options.progress = stop;
    options.context = &calls;
    refuses(SY_CANCELLED, "stopped");
    ck_assert_int_ge(calls, 1);
}
END_TEST

START_TEST(the_table_is_well_formed)
{
    int count = 0;
    for (const struct dom_fetch_set *set = dom_fetch_sets; set->name != NULL;
         set++) {
        ck_assert_ptr_eq(dom_fetch_find(NULL, set->name), set);
        ck_assert_ptr_nonnull(set->summary);
        for (const struct dom_fetch_file *file = set->files; file->name != NULL;
             file++) {
            ck_assert_uint_eq(strlen(file->sha256), 64);
            ck_assert_uint_eq(strspn(file->sha256, "0123456789abcdef"), 64);
            ck_assert_int_gt(file->bytes, 0);
            ck_assert(strncmp(file->url, "http", 4) == 0);
            const char *end = file->url + strlen(file->url);
            ck_assert_str_eq(end - strlen(file->name), file->name);
        }
        count++;
    }
    ck_assert_int_ge(count, 3);
}
END_TEST

START_TEST(the_sums_of_mnist_are_those_of_the_official_files)
{
    const char *data = sy_real_data();
    const struct dom_fetch_set *set = dom_fetch_find(NULL, "mnist");
    int compared = 0;
    for (int i = 0; data != NULL && set->files[i].name != NULL; i++) {
        char path[SY_PATH_BYTES];
        char found[SY_HASH_TEXT_BYTES];
        (void)snprintf(path, sizeof(path), "%s/formats/mnist-idx-official/%s",
                       data, set->files[i].name);
        if (sy_file_exists(path)) {
            sy_check_ok(sy_hash_file(path, found, &err), err);
            ck_assert_str_eq(found, set->files[i].sha256);
            compared++;
        }
    }
    ck_assert(data == NULL || compared == 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("fetch");
    TCase *tc = tcase_create("fetch");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, a_file_with_the_right_sum_arrives_with_its_names);
    tcase_add_test(tc, a_file_with_another_sum_never_gets_its_name);
    tcase_add_test(tc, another_file_in_the_way_is_refused_not_overwritten);
    tcase_add_test(tc, file_addresses_are_refused_outside_of_tests);
    tcase_add_test(tc, an_unknown_set_is_not_found);
    tcase_add_test(tc, a_server_is_read_by_http);
    tcase_add_test(tc, errors_of_a_server_leave_nothing_behind);
    tcase_add_test(tc, progress_is_reported_and_can_stop_the_download);
    tcase_add_test(tc, the_table_is_well_formed);
    tcase_add_test(tc, the_sums_of_mnist_are_those_of_the_official_files);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
