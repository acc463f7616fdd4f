/*
 * What a request is about, by its path.
 */
#ifndef HANDLERS_SUBJECTS_H
#define HANDLERS_SUBJECTS_H

#include "http/request.h"
#include "store/mirror.h"

/*
 * The container that the path parameter "id" names. ERR_INVALID INVALID_ID,
 * ERR_NOT_FOUND CONTAINER_NOT_FOUND, ERR_CONFLICT AMBIGUOUS_ID.
 */
int subject_container(
    struct request *request, struct mirror_container *out, struct error *err);

/*
 * Whether the container is one of a deployment, or the client an
 * administrator. Others are not for operators to remove, and not to enter: it
 * may have been given the host. ERR_FORBIDDEN PROTECTED.
 */
int subject_check_ours(struct request *request,
    const struct mirror_container *container, struct error *err);

#endif
