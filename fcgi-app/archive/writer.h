/*
 * Writes an archive of what is beneath a directory. In flatrun-archive alone;
 * its caller uses archive/pack.h.
 */
#ifndef ARCHIVE_WRITER_H
#define ARCHIVE_WRITER_H

#include "archive/pack.h"

int writer_run(int directory, int to, const char *leave_out,
    const struct pack_limits *limits, struct error *err);

#endif
