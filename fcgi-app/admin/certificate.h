/*
 * The certificate that the TLS server starts with: EC P-256, signed by its
 * own key, for serverAuth.
 */
#ifndef ADMIN_CERTIFICATE_H
#define ADMIN_CERTIFICATE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

#define CERTIFICATE_DAYS 825

/*
 * Appends certificate and private key as PEM. names, NULL-ended, are host
 * names and addresses; the first one is the subject.
 */
int certificate_make(const char *const *names, struct buffer *out_certificate,
    struct buffer *out_key, struct error *err);

/* Is this PEM text a certificate that has not ended? */
bool certificate_is_current(const char *pem, size_t length);

#endif
