/*
 * One value that says why something failed: filled once where the failure is
 * seen, passed on unchanged or wrapped with context, logged once by whoever
 * ends its way (the dispatcher, a job, main).
 *
 * Functions that can fail take a struct error as their last parameter, leave
 * it untouched on success and return -1 after filling it. error_set() and its
 * siblings return -1, so that a failing path is one line.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_kind { /* what the caller can do; http/reply.c has the statuses */
	ERR_INTERNAL,        /* our bug, or the machine is in trouble */
	ERR_INVALID,         /* the client can correct its input */
	ERR_UNAUTHENTICATED, /* who are you? */
	ERR_FORBIDDEN,       /* you may not */
	ERR_NOT_FOUND,
	ERR_METHOD,        /* the resource has other methods */
	ERR_CONFLICT,      /* the object's present state forbids it */
	ERR_PRECONDITION,  /* the object is not what If-Match said */
	ERR_TOO_LARGE,     /* a size over a limit of ours */
	ERR_MEDIA_TYPE,    /* the body is not JSON */
	ERR_UNPROCESSABLE, /* well formed, but not what was said before */
	ERR_RATE_LIMITED,  /* retry_after_s says when to come back */
	ERR_UPSTREAM,      /* Docker, nginx or the CA refused */
	ERR_UNAVAILABLE,   /* something needed is not running or is full */
	ERR_TIMEOUT,       /* something needed was too slow */
	ERR_STORAGE_FULL,  /* no room on the disk */
};

/* Texts that are too long are cut; what is no UTF-8 in them becomes '?'. */
struct error {
	enum error_kind kind;
	char code[40];     /* UPPER_SNAKE for programs; "" is the kind's own */
	char field[64];    /* the input at fault, or "" */
	char message[512]; /* for the client: no secret, path or command line */
	char detail[512];  /* for the log alone: errno, a tool's own words */
	char related[64];  /* id of the object in the way, or "" */
	unsigned int retry_after_s; /* 0: not known */
};

/*
 * These are macros around functions so that compilers and analysers see the
 * -1: what a failing function leaves unset is not used.
 */
#define ERROR_RESULT(call) \
	({                 \
		call;      \
		-1;        \
	})

/* code may be NULL: the kind's default. */
#define error_set(err, kind, code, ...) \
	ERROR_RESULT(error_fill((err), (kind), (code), __VA_ARGS__))
/* ERR_INVALID about one input. code NULL is INVALID_REQUEST. */
#define error_field(err, field, code, ...) \
	ERROR_RESULT(error_fill_field((err), (field), (code), __VA_ARGS__))
/*
 * The kind that errno stands for: ERR_STORAGE_FULL for a full disk,
 * ERR_UNAVAILABLE for no memory or descriptors, else ERR_INTERNAL. The
 * message says what could not be done; errno's text goes to the detail.
 */
#define error_errno(err, ...) ERROR_RESULT(error_fill_errno((err), __VA_ARGS__))
/* Puts "<text>: " before the message. */
#define error_wrap(err, ...) ERROR_RESULT(error_add_context((err), __VA_ARGS__))
/* Adds what only the log may see. */
#define error_detail(err, ...) \
	ERROR_RESULT(error_add_detail((err), __VA_ARGS__))

void error_fill(struct error *err, enum error_kind kind, const char *code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void error_fill_field(struct error *err, const char *field, const char *code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void error_fill_errno(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void error_add_context(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void error_add_detail(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The code, or the default one of its kind; never empty. */
const char *error_code(const struct error *err);

/* The message for clients: of what is our own trouble no more than that. */
const char *error_public(const struct error *err);

/* Lower-case word for the kind, for storage; unknown words are ERR_INTERNAL. */
const char *error_kind_name(enum error_kind kind);
enum error_kind error_kind_parse(const char *name);

#endif
