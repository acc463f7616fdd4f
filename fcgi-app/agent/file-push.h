/*
 * Files of an archive, put in their places beneath a deployment: one that was
 * sent, or that is among its files. Each is replaced as a whole; nothing is
 * when one of them must not be, or something of another kind is in its place.
 */
#ifndef AGENT_FILE_PUSH_H
#define AGENT_FILE_PUSH_H

#include "agent/executor.h"

job_body push_files;

#endif
