/*
 * tls.h - the certificate that the server shows, which may change while it
 * runs.
 *
 * Thread: new, reload, free: init.
 */
#ifndef SRV_ACCESS_TLS_H
#define SRV_ACCESS_TLS_H

#include <stddef.h>

#include "runtime/base/status.h"

struct srv_tls;

/*
 * Reads a certificate chain and its key (PEM). There is one such thing a
 * process, because the TLS library's callback knows no context. With
 * `ask_clients`, handshakes of clients that show no certificate which the
 * daemon's trust list can verify fail.
 */
enum sy_status srv_tls_new(struct srv_tls **tls, const char *cert_path,
                           const char *key_path, bool ask_clients,
                           struct sy_error *err) SY_MUST_USE;

/* Reads them again; handshakes from now on show the new one. On failure the
   old one stays. */
enum sy_status srv_tls_reload(struct srv_tls *tls, const char *cert_path,
                              const char *key_path,
                              struct sy_error *err) SY_MUST_USE;

/* When nobody shakes hands any more. NULL is legal. */
void srv_tls_free(struct srv_tls *tls);

/* The callback for MHD_OPTION_HTTPS_CERT_CALLBACK, as the data pointer that
   the library takes it for. */
void *srv_tls_callback(void);

#endif
