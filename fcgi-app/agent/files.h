/*
 * What workers get to know of deployments' files, and files that they send: the
 * agent's side of jobs/files.h, where the questions are. Nothing here changes a
 * deployment; jobs do (agent/file-jobs.h).
 *
 * Only root and the workers' user may connect. Each of 32 connections at most
 * has a thread while it lasts, which waits ten seconds for the next bytes. Two
 * at a time may walk through a whole deployment, for its size or an archive.
 */
#ifndef AGENT_FILES_H
#define AGENT_FILES_H

#include "base/error.h"

struct agent;
struct files;

/*
 * Listens on RUN/agent/files.sock (mode 0660, the workers' group; a socket that
 * is there is replaced). End it with files_stop(), which waits for what is
 * being answered; NULL is accepted.
 */
int files_start(struct agent *agent, struct files **out, struct error *err);
void files_stop(struct files *files);

#endif
