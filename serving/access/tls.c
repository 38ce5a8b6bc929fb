/*
 * tls.c - GnuTLS: reading certificates, and handing out the current one.
 *
 * DESIGN: a handshake borrows certificate and key for as long as it lasts and
 * does not say when it is done, so those that were replaced are kept to the
 * end: some kilobytes for each rotation. The current one is an atomic pointer.
 */
#include "serving/access/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_CHAIN = 16, MAX_PEM_BYTES = 1 << 20 };

struct pair {
    struct pair *before; /* the one it replaced */
    gnutls_pcert_st chain[MAX_CHAIN];
    unsigned count;
    gnutls_privkey_t key;
};

struct srv_tls {
    struct pair *newest;
    bool ask_clients;
};

/* The callback gets no context, so what it hands out is known to the file. */
static _Atomic(struct pair *) current;
static atomic_bool asks_clients;

static int retrieve(gnutls_session_t session, const gnutls_datum_t *authorities,
                    int authority_count,
                    const gnutls_pk_algorithm_t *algorithms,
                    int algorithm_count, gnutls_pcert_st **chain,
                    unsigned *count, gnutls_privkey_t *key)
{
    (void)authorities, (void)authority_count;
    (void)algorithms, (void)algorithm_count;
    struct pair *pair = atomic_load(&current);
    if (pair == NULL) {
        return -1;
    }
    if (atomic_load(&asks_clients)) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(session, NULL, 0);
    }
    *chain = pair->chain;
    *count = pair->count;
    *key = pair->key;
    return 0;
}

void *srv_tls_callback(void)
{
    union {
        gnutls_certificate_retrieve_function2 *function;
        void *data;
    } callback = {.function = retrieve};
    return callback.data;
}

static void free_pair(struct pair *pair)
{
    for (unsigned i = 0; i < pair->count; i++) {
        gnutls_pcert_deinit(&pair->chain[i]);
    }
    if (pair->key != NULL) {
        gnutls_privkey_deinit(pair->key);
    }
    sy_free(pair);
}

static enum sy_status tls_fail(struct sy_error *err, const char *path, int code)
{
    return sy_fail(err, SY_BAD_INPUT, "%s: %s", path, gnutls_strerror(code));
}

/* Certificate and key have to belong together: the library says so when it is
   given both. */
static enum sy_status check_pair(const char *cert_path, const char *key_path,
                                 struct sy_error *err)
{
    gnutls_certificate_credentials_t both;
    int code = gnutls_certificate_allocate_credentials(&both);
    if (code < 0) {
        return tls_fail(err, cert_path, code);
    }
    code = gnutls_certificate_set_x509_key_file2(both, cert_path, key_path,
                                                 GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_certificate_free_credentials(both);
    if (code >= 0) {
        return SY_OK;
    }
    return sy_fail(err, SY_BAD_INPUT, "certificate %s with key %s: %s",
                   cert_path, key_path, gnutls_strerror(code));
}

static enum sy_status read_pem(const char *path, char **text,
                               gnutls_datum_t *pem, struct sy_error *err)
{
    size_t bytes;
    SY_TRY(sy_file_read(path, MAX_PEM_BYTES, text, &bytes, err));
    pem->data = (unsigned char *)*text;
    pem->size = (unsigned)bytes;
    return SY_OK;
}

static enum sy_status read_pair(struct pair *pair, const char *cert_path,
                                const char *key_path, struct sy_error *err)
{
    char *cert_text = NULL, *key_text = NULL;
    gnutls_datum_t cert, key;
    enum sy_status status;
    SY_TRY_OUT(check_pair(cert_path, key_path, err));
    SY_TRY_OUT(read_pem(cert_path, &cert_text, &cert, err));
    SY_TRY_OUT(read_pem(key_path, &key_text, &key, err));
    unsigned count = MAX_CHAIN;
    int code = gnutls_pcert_list_import_x509_raw(pair->chain, &count, &cert,
                                                 GNUTLS_X509_FMT_PEM, 0);
    if (code < 0) {
        status = tls_fail(err, cert_path, code);
        goto out;
    }
    pair->count = count;
    code = gnutls_privkey_init(&pair->key);
    if (code >= 0) {
        code = gnutls_privkey_import_x509_raw(pair->key, &key,
                                              GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    status = code < 0 ? tls_fail(err, key_path, code) : SY_OK;
out:
    if (key_text != NULL) {
        gnutls_memset(key_text, 0, key.size);
    }
    sy_free(key_text);
    sy_free(cert_text);
    return status;
}

enum sy_status srv_tls_reload(struct srv_tls *tls, const char *cert_path,
                              const char *key_path, struct sy_error *err)
{
    struct pair *pair = sy_alloc_zero(1, sizeof *pair);
    if (pair == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "certificate: out of memory");
    }
    enum sy_status status = read_pair(pair, cert_path, key_path, err);
    if (status != SY_OK) {
        free_pair(pair);
        return status;
    }
    pair->before = tls->newest;
    tls->newest = pair;
    atomic_store(&asks_clients, tls->ask_clients);
    atomic_store(&current, pair);
    return SY_OK;
}

enum sy_status srv_tls_new(struct srv_tls **tls, const char *cert_path,
                           const char *key_path, bool ask_clients,
                           struct sy_error *err)
{
    struct srv_tls *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "certificate: out of memory");
    }
    made->ask_clients = ask_clients;
    enum sy_status status = srv_tls_reload(made, cert_path, key_path, err);
    if (status != SY_OK) {
        srv_tls_free(made);
        return status;
    }
    *tls = made;
    return SY_OK;
}

void srv_tls_free(struct srv_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    atomic_store(&current, NULL);
    while (tls->newest != NULL) {
        struct pair *pair = tls->newest;
        tls->newest = pair->before;
        free_pair(pair);
    }
    sy_free(tls);
}
