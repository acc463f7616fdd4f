/*
 * The nginx site: what config.yml says, in nginx's words.
 *
 * nginx runs what its file says, as root, even while it only tests it. So
 * every value is checked against its grammar here again, whoever read it.
 */
#ifndef ADMIN_SITE_H
#define ADMIN_SITE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "settings/settings.h"

#define SITE_MAXIMUM (1024 * 1024)

/* Appends the site to out; template is the text of site.conf.in. */
int site_render(const struct settings *settings, const char *template,
    struct arena *arena, struct buffer *out, struct error *err);

/* The files of the TLS server: configured, or made by "init". */
const char *site_certificate(
    const struct settings *settings, struct arena *arena);
const char *site_certificate_key(
    const struct settings *settings, struct arena *arena);

#endif
