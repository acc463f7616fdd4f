/*
 * What flatrun-archive gives up before it touches an archive.
 */
#ifndef ARCHIVE_CONFINE_H
#define ARCHIVE_CONFINE_H

#include "base/error.h"

/*
 * Nobody, without capabilities, files or programs to open: what is open already
 * is all it has.
 */
int confine_reader(struct error *err);

/* Root, but with no capability left than to read any file. */
int confine_writer(struct error *err);

#endif
