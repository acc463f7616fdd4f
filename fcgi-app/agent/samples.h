/*
 * Samples statistics of the running containers at health.sample_interval
 * (twice within a second for a new one, since CPU use is a difference) and
 * keeps the newest in the store: no request waits for Docker's own numbers,
 * which take a second or two.
 */
#ifndef AGENT_SAMPLES_H
#define AGENT_SAMPLES_H

#include "base/error.h"

struct agent;
struct samples;

int samples_start(struct agent *agent, struct samples **out, struct error *err);
/* agent->stopping must be set. */
void samples_stop(struct samples *samples);

#endif
