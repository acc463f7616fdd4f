/*
 * How long the validation of a Compose text takes, and how much memory: all
 * that stands between a text and Compose, as compose_check() and
 * document_normalise() have it. Each document in a process of its own.
 *
 *	validate ROUNDS
 *
 * prints "NAME OUTCOME MICROSECONDS KIB" for each, the median of the rounds.
 * Documents without a mark are legal, those that begin with '!' are not.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "compose/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAXIMUM 1000
#define NORMALISED_MAXIMUM ((size_t)16 * 1024 * 1024)
#define TEXT_LENGTH 1000000

struct sample {
	const char *name;
	void (*write)(struct buffer *text, struct buffer *environment);
};

/* Services as people write them, with long texts to come to 1 MB. */
static void
write_ordinary(struct buffer *text, struct buffer *environment)
{
	int i;

	buffer_text(environment, "VERSION=1.27\nSECRET=hunter2\n");
	buffer_text(text, "services:\n");
	for (i = 0; i < 350; i++)
		buffer_printf(text,
		    "  s%d:\n"
		    "    image: registry.example.org/team/app:${VERSION}\n"
		    "    restart: unless-stopped\n"
		    "    ports: [\"127.0.0.1:%d:80\"]\n"
		    "    volumes:\n      - ./data/s%d:/data\n"
		    "    depends_on: [s%d]\n"
		    "    healthcheck:\n      test: [CMD, true]\n"
		    "    environment:\n      PASSWORD: ${SECRET:?missing}\n"
		    "      NOTE: |\n        %02400d\n",
		    i, 10000 + i, i, i > 0 ? i - 1 : 0, i);
	while (text->length < TEXT_LENGTH)
		buffer_text(text, "# a line of words that say nothing more\n");
}

static void
write_comments(struct buffer *text, struct buffer *environment)
{
	(void)environment;
	buffer_text(text, "services:\n  app:\n    image: nginx:1\n");
	while (text->length < TEXT_LENGTH)
		buffer_text(text, "    # x\n");
}

/* As many values as there may be, as deep as they may be. */
static void
write_nodes(struct buffer *text, struct buffer *environment)
{
	int i;

	(void)environment;
	buffer_text(text, "services:\n  app:\n    image: n\nx-deep: ");
	for (i = 0; i < 60; i++)
		buffer_char(text, '[');
	for (i = 0; i < 9900; i++)
		buffer_printf(text, "\"%090d\",", i);
	for (i = 0; i < 60; i++)
		buffer_char(text, ']');
	buffer_char(text, '\n');
}

static void
write_aliases(struct buffer *text, struct buffer *environment)
{
	int i;

	(void)environment;
	buffer_text(text, "x-a: &a [");
	for (i = 0; i < 90; i++)
		buffer_printf(text, "\"%0400d\",", i);
	buffer_text(text, "]\nservices:\n  app:\n    image: n\nx-b: [");
	for (i = 0; i < 100; i++)
		buffer_text(text, "*a,");
	buffer_text(text, "]\n");
}

/* Variables in variables, each up to what all of it may come to. */
static void
write_variables(struct buffer *text, struct buffer *environment)
{
	int i, k;

	for (i = 0; i < 1000; i++)
		buffer_printf(environment, "A_%d=%0400d\n", i, i);
	buffer_text(text, "services:\n  app:\n    image: n\n    command:\n");
	for (i = 0; i < 9000 && text->length < TEXT_LENGTH; i++) {
		buffer_text(text, "      - \"");
		for (k = 0; k < 8; k++)
			buffer_text(text, "${B:-${B:-");
		buffer_printf(text, "$A_%d", i % 1000);
		for (k = 0; k < 8; k++)
			buffer_text(text, "}}");
		buffer_text(text, "\"\n");
	}
}

/* Each is compared with all before it. */
static void
write_keys(struct buffer *text, struct buffer *environment)
{
	int i;

	(void)environment;
	buffer_text(text, "services:\n  app:\n    image: n\n    labels:\n");
	for (i = 0; i < 4900; i++)
		buffer_printf(text, "      %0190d.k: v\n", i);
}

static void
write_mounts(struct buffer *text, struct buffer *environment)
{
	int i;

	(void)environment;
	buffer_text(text, "services:\n  app:\n    image: n\n    volumes:\n");
	for (i = 0; i < 9900; i++)
		buffer_printf(text,
		    "      - ./%d/a/b/c/d/e/f/g/h/i/j/k/l/m/n/"
		    "o/p/q/r/s/t/u/v/w/x/y/z:/%d\n",
		    i, i);
}

/* As deep as a path can be, over and over. */
static void
write_paths(struct buffer *text, struct buffer *environment)
{
	int i, k;

	(void)environment;
	buffer_text(text, "x-a: &a\n");
	for (i = 0; i < 80; i++) {
		buffer_text(text, "  - ./");
		for (k = 0; k < 2000; k++)
			buffer_text(text, "a/");
		buffer_printf(text, "%d:/x\n", i);
	}
	buffer_text(text, "services:\n");
	for (i = 0; i < 12; i++)
		buffer_printf(text, "  s%d: {image: n, volumes: *a}\n", i);
}

static void
write_services(struct buffer *text, struct buffer *environment)
{
	int i;

	(void)environment;
	buffer_text(text, "services:\n");
	for (i = 0; i < 2490; i++)
		buffer_printf(text, "  service-%d: {image: 'n:%d'}\n", i, i);
}

static void
write_brackets(struct buffer *text, struct buffer *environment)
{
	(void)environment;
	while (text->length < TEXT_LENGTH)
		buffer_char(text, '[');
}

static void
write_laughs(struct buffer *text, struct buffer *environment)
{
	int i, k;

	(void)environment;
	buffer_text(text, "a0: &a0 lol\n");
	for (i = 1; i < 20; i++) {
		buffer_printf(text, "a%d: &a%d [", i, i);
		for (k = 0; k < 5; k++)
			buffer_printf(text, "*a%d,", i - 1);
		buffer_text(text, "]\n");
	}
}

static const struct sample samples[] = {
	{ "ordinary", write_ordinary },
	{ "comments", write_comments },
	{ "nodes", write_nodes },
	{ "aliases", write_aliases },
	{ "variables", write_variables },
	{ "keys", write_keys },
	{ "mounts", write_mounts },
	{ "paths", write_paths },
	{ "services", write_services },
	{ "!brackets", write_brackets },
	{ "!laughs", write_laughs },
};

static int64_t
now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int
validate(struct compose *compose, const struct buffer *text,
    const char *environment, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_buffer struct buffer out = BUFFER(NORMALISED_MAXIMUM);
	struct document *document;

	if (compose_check(compose, "bench", text->bytes, text->length,
		environment, &arena, &document, err) < 0)
		return -1;
	return document_normalise(document, &out, err);
}

static int
compare(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* In a child: what it took at most is its own. */
static int
measure(const struct sample *sample, int rounds)
{
	auto_buffer struct buffer text = BUFFER(2 * COMPOSE_TEXT_MAXIMUM);
	auto_buffer struct buffer environment = BUFFER(COMPOSE_TEXT_MAXIMUM);
	static const struct compose_policy policy = { NULL, NULL };
	int64_t taken[ROUNDS_MAXIMUM];
	struct compose *compose;
	struct rusage usage;
	struct error err;
	int i, result = 0;

	sample->write(&text, &environment);
	if (compose_open("/", &policy, false, &compose, &err) < 0)
		return 1;
	for (i = 0; i < rounds; i++) {
		int64_t start = now_us();

		result =
		    validate(compose, &text, buffer_string(&environment), &err);
		taken[i] = now_us() - start;
	}
	compose_close(compose);
	getrusage(RUSAGE_SELF, &usage);
	qsort(taken, (size_t)rounds, sizeof taken[0], compare);
	printf("%s %s %lld %ld\n", sample->name, result < 0 ? err.code : "ok",
	    (long long)taken[rounds / 2], usage.ru_maxrss);
	if ((result < 0) == (sample->name[0] == '!'))
		return 0;
	fprintf(stderr, "validate: %s: %s\n", sample->name,
	    result < 0 ? err.message : "it is legal");
	return 1;
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 11;
	size_t i;
	int failed = 0;

	if (rounds < 1 || rounds > ROUNDS_MAXIMUM)
		rounds = 11;
	for (i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		pid_t child;
		int status = 1;

		fflush(NULL);
		child = fork();
		if (child == 0)
			exit(measure(&samples[i], rounds));
		failed |=
		    child < 0 || waitpid(child, &status, 0) < 0 || status != 0;
	}
	return failed;
}
