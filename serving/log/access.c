/*
 * access.c - two buffers that change places.
 *
 * DESIGN: HTTP threads append lines to one buffer under a lock held for a
 * copy of some hundred bytes; the writer takes the full buffer, leaves the
 * empty one, and writes without the lock.
 */
#include "serving/log/access.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "serving/protocol/text.h"

enum { BUFFER_BYTES = 1 << 20 };

struct srv_access_log {
    pthread_t writer;
    bool writer_runs;     /* init thread only */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    int fd;
    char *filling, *writing; /* BUFFER_BYTES each */
    size_t filled;
    int64_t dropped;
    bool closing;
};

static enum sy_status open_file(const char *path, int *fd, struct sy_error *err)
{
    *fd = strcmp(path, "-") == 0
              ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
              : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return *fd >= 0 ? SY_OK
                    : sy_fail_errno(err, SY_IO, errno, "access log %s", path);
}

static void write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t done = write(fd, data, bytes);
        if (done < 0 && errno != EINTR) {
            return; /* a full disk must not stop the server */
        }
        if (done > 0) {
            data += done;
            bytes -= (size_t)done;
        }
    }
}

static void *writer_main(void *context)
{
    struct srv_access_log *log = context;
    pthread_mutex_lock(&log->lock);
    while (!log->closing || log->filled > 0) {
        if (log->filled == 0) {
            pthread_cond_wait(&log->work, &log->lock);
            continue;
        }
        char *full = log->filling;
        size_t bytes = log->filled;
        int fd = dup(log->fd); /* reopening does not pull it away */
        log->filling = log->writing;
        log->writing = full;
        log->filled = 0;
        pthread_mutex_unlock(&log->lock);
        if (fd >= 0) {
            write_all(fd, full, bytes);
            close(fd);
        }
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

enum sy_status srv_access_log_open(struct srv_access_log **log,
                                   const char *path, struct sy_error *err)
{
    struct srv_access_log *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "access log: out of memory");
    }
    enum sy_status status = SY_OK;
    made->fd = -1;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    made->filling = sy_alloc(BUFFER_BYTES);
    made->writing = sy_alloc(BUFFER_BYTES);
    if (made->filling == NULL || made->writing == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "access log: out of memory");
        goto out;
    }
    SY_TRY_OUT(open_file(path, &made->fd, err));
    int code = pthread_create(&made->writer, NULL, writer_main, made);
    if (code != 0) {
        status = sy_fail_errno(err, SY_INTERNAL, code,
                               "starting the access log's thread");
        goto out;
    }
    made->writer_runs = true;
    *log = made;
    made = NULL;
out:
    srv_access_log_close(made);
    return status;
}

enum sy_status srv_access_log_reopen(struct srv_access_log *log,
                                     const char *path, struct sy_error *err)
{
    int fd;
    SY_TRY(open_file(path, &fd, err));
    pthread_mutex_lock(&log->lock);
    int old = log->fd;
    log->fd = fd;
    pthread_mutex_unlock(&log->lock);
    close(old);
    return SY_OK;
}

static void put_text(struct srv_text *text, const char *name, const char *value)
{
    if (value[0] != '\0') {
        srv_text_printf(text, ",\"%s\":", name);
        srv_text_string(text, value);
    }
}

static void put_us(struct srv_text *text, const char *name, int64_t ns)
{
    srv_text_printf(text, ",\"%s\":%lld", name, (long long)(ns / 1000));
}

static void put_line(struct srv_text *text, const struct srv_record *record)
{
    const struct srv_request *request = record->request;
    const struct srv_facts *facts = record->facts;
    char stamp[32];
    sy_clock_stamp(stamp, sizeof stamp);
    srv_text_printf(text, "{\"time\":\"%s\",\"id\":\"%s\"", stamp, request->id);
    put_text(text, "trace_id", request->trace_id);
    put_text(text, "parent_span_id", request->span_id);
    put_text(text, "client", request->client);
    put_text(text, "address", request->address);
    put_text(text, "method", request->method_text);
    put_text(text, "route",
             request->route != NULL ? request->route->pattern : "none");
    srv_text_printf(text,
                    ",\"status\":%d,\"sent\":%s,\"bytes_in\":%zu,"
                    "\"bytes_out\":%zu",
                    record->status, record->sent ? "true" : "false",
                    record->body_bytes, record->reply_bytes);
    put_us(text, "us", record->total_ns);
    if (facts->images > 0) {
        put_text(text, "model", facts->model);
        put_text(text, "snapshot", facts->snapshot);
        put_text(text, "domain", facts->domain);
        put_text(text, "experts", facts->experts);
        put_text(text, "exit", facts->exit);
        srv_text_printf(text, ",\"images\":%d,\"madds\":%lld", facts->images,
                        (long long)facts->madds);
        if (facts->degraded_madds > 0) {
            srv_text_printf(text, ",\"degraded\":%lld",
                            (long long)facts->degraded_madds);
        }
        put_us(text, "read_us", record->read_ns);
        put_us(text, "parse_us", record->parse_ns);
        put_us(text, "queue_us", facts->queue_ns);
        put_us(text, "compute_us", facts->compute_ns);
        put_us(text, "wake_us", record->wake_ns);
        put_us(text, "encode_us", record->encode_ns);
        put_us(text, "write_us", record->write_ns);
    }
    srv_text_puts(text, "}\n");
}

void srv_access_log_add(struct srv_access_log *log,
                        const struct srv_record *record)
{
    struct srv_text text = {0};
    put_line(&text, record);
    pthread_mutex_lock(&log->lock);
    if (text.failed || text.bytes > BUFFER_BYTES - log->filled) {
        log->dropped++;
    } else {
        memcpy(log->filling + log->filled, text.data, text.bytes);
        log->filled += text.bytes;
        pthread_cond_signal(&log->work);
    }
    pthread_mutex_unlock(&log->lock);
    srv_text_release(&text);
}

int64_t srv_access_log_dropped(struct srv_access_log *log)
{
    pthread_mutex_lock(&log->lock);
    int64_t dropped = log->dropped;
    pthread_mutex_unlock(&log->lock);
    return dropped;
}

void srv_access_log_close(struct srv_access_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->writer_runs) {
        pthread_mutex_lock(&log->lock);
        log->closing = true;
        pthread_cond_signal(&log->work);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->writer, NULL);
    }
    if (log->fd >= 0) {
        close(log->fd);
    }
    pthread_cond_destroy(&log->work);
    pthread_mutex_destroy(&log->lock);
    sy_free(log->filling);
    sy_free(log->writing);
    sy_free(log);
}
