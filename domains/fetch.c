/*
 * fetch.c - public datasets from their original addresses, by libcurl. The
 * only file that includes curl.h.
 *
 * DESIGN. Bytes go to a temporary file beside the target and through SHA-256
 * at once; only a file of the right size and sum is renamed to its name. So
 * an interrupted or forged download leaves nothing that could be opened, and
 * asking again continues with the files that are missing. Plain http is
 * enough where a publisher has no https, because the sum is what we trust.
 */
#include "domains/fetch.h"

#include <curl/curl.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"

enum {
    CONNECT_S = 30,
    STALL_S = 60, /* this long below STALL_BYTES_S ends it */
    STALL_BYTES_S = 1000,
    MAX_REDIRECTS = 5
};

/* One file on its way. */
struct download {
    const struct dom_fetch_file *file;
    const struct dom_fetch_options *options;
    struct sy_writer writer;
    struct sy_hash hash;
    int64_t bytes;
    enum sy_status status;
    struct sy_error *err;
};

const struct dom_fetch_set *dom_fetch_find(const struct dom_fetch_set *sets,
                                           const char *name)
{
    const struct dom_fetch_set *set = sets != NULL ? sets : dom_fetch_sets;
    while (set->name != NULL && strcmp(set->name, name) != 0) {
        set++;
    }
    return set->name != NULL ? set : NULL;
}

/* libcurl hands over bytes; returning less than it gave stops it. */
static size_t take_bytes(char *data, size_t one, size_t bytes, void *context)
{
    struct download *load = context;
    (void)one;
    const struct dom_fetch_file *file = load->file;
    if ((int64_t)bytes > file->bytes - load->bytes) {
        load->status = sy_fail(load->err, SY_BAD_INPUT,
                               "%s: expected %lld bytes, the server sends "
                               "more; the file there has changed",
                               file->url, (long long)file->bytes);
        return 0;
    }
    sy_hash_add(&load->hash, data, bytes);
    load->bytes += (int64_t)bytes;
    load->status = sy_writer_write(&load->writer, data, bytes, load->err);
    return load->status == SY_OK ? bytes : 0;
}

/* libcurl asks about once a second whether to go on. */
static int report(void *context, curl_off_t total, curl_off_t now,
                  curl_off_t up_total, curl_off_t up_now)
{
    struct download *load = context;
    const struct dom_fetch_options *options = load->options;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    if (options == NULL || options->progress == NULL ||
        options->progress(options->context, load->file->name, load->bytes,
                          load->file->bytes)) {
        return 0;
    }
    load->status =
        sy_fail(load->err, SY_CANCELLED, "%s: stopped", load->file->name);
    return 1;
}

/* Sets libcurl up for one download; 0 where all options are known. */
static CURLcode prepare(CURL *curl, struct download *load, char *text)
{
    bool local = load->options != NULL && load->options->allow_file_urls;
    const char *protocols = local ? "http,https,file" : "http,https";
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, load->file->url);
    code |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
    code |= curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    code |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    code |= curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    code |= curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    code |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    code |= curl_easy_setopt(curl, CURLOPT_USERAGENT, "switchyard");
    code |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    code |= curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    code |=
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_S);
    code |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    code |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    code |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, load);
    code |= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    code |= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, report);
    code |= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, load);
    return code;
}

/* Brings the bytes into the open writer. */
static enum sy_status transfer(struct download *load)
{
    char text[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return sy_fail(load->err, SY_NO_MEMORY, "no memory for libcurl");
    }
    CURLcode code = prepare(curl, load, text);
    if (code == CURLE_OK) {
        code = curl_easy_perform(curl);
    }
    curl_easy_cleanup(curl);
    if (load->status != SY_OK) {
        return load->status;
    }
    if (code != CURLE_OK) {
        return sy_fail(load->err, SY_IO,
                       "%s: cannot fetch it: %s; check the network and the "
                       "proxy settings, or fetch it by other means and put "
                       "it into the domain's folder",
                       load->file->url,
                       text[0] != '\0' ? text : curl_easy_strerror(code));
    }
    return SY_OK;
}

/* What arrived must be the published file. */
static enum sy_status judge(struct download *load)
{
    char sum[SY_HASH_TEXT_BYTES];
    sy_hash_end(&load->hash, sum);
    if (strcmp(sum, load->file->sha256) != 0) {
        return sy_fail(load->err, SY_BAD_INPUT,
                       "%s: expected SHA-256 %s and %lld bytes, found %s and "
                       "%lld; the file there has changed or the transfer was "
                       "damaged",
                       load->file->url, load->file->sha256,
                       (long long)load->file->bytes, sum,
                       (long long)load->bytes);
    }
    return SY_OK;
}

static enum sy_status fetch_file(const struct dom_fetch_file *file,
                                 const char *folder,
                                 const struct dom_fetch_options *options,
                                 struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    SY_TRY(sy_path_join(path, sizeof(path), folder, file->name, err));
    if (sy_file_exists(path)) {
        char sum[SY_HASH_TEXT_BYTES];
        SY_TRY(sy_hash_file(path, sum, err));
        if (strcmp(sum, file->sha256) == 0) {
            return SY_OK;
        }
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected SHA-256 %s, found a file with %s; move "
                       "it away to fetch the published one",
                       path, file->sha256, sum);
    }
    struct download load = {.file = file, .options = options, .err = err};
    enum sy_status status = SY_OK;
    sy_hash_init(&load.hash);
    SY_TRY(sy_writer_open(&load.writer, path, err));
    SY_TRY_OUT(transfer(&load));
    SY_TRY_OUT(judge(&load));
    SY_TRY_OUT(sy_writer_commit(&load.writer, err));
out:
    sy_writer_abort(&load.writer);
    return status;
}

/* labels.txt, where the set has names and none are there. */
static enum sy_status write_labels(const struct dom_fetch_set *set,
                                   const char *folder, struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    SY_TRY(sy_path_join(path, sizeof(path), folder, "labels.txt", err));
    if (set->labels == NULL || sy_file_exists(path)) {
        return SY_OK;
    }
    return sy_file_write(path, set->labels, strlen(set->labels), err);
}

enum sy_status dom_fetch(const char *name, const char *dir,
                         const struct dom_fetch_options *options,
                         struct sy_error *err)
{
    char folder[SY_PATH_BYTES];
    const struct dom_fetch_set *set =
        dom_fetch_find(options != NULL ? options->sets : NULL, name);
    if (set == NULL) {
        return sy_fail(err, SY_NOT_FOUND,
                       "\"%s\": expected the name of a public dataset, found "
                       "none of that name; `domains fetch` lists them",
                       name);
    }
    SY_TRY(sy_path_join(folder, sizeof(folder), dir, name, err));
    SY_TRY(sy_dir_make(folder, err));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return sy_fail(err, SY_INTERNAL, "libcurl does not start");
    }
    enum sy_status status = SY_OK;
    for (const struct dom_fetch_file *file = set->files; file->name != NULL;
         file++) {
        SY_TRY_OUT(fetch_file(file, folder, options, err));
    }
    status = write_labels(set, folder, err);
out:
    curl_global_cleanup();
    return status;
}
