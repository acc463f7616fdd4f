/* How far a pull is, by what an Engine says of its layers. */
#include "agent/pull-progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaa"
#define B "bbbbbbbbbbbb"

struct fixture {
	struct pull_state state;
	struct buffer output;
	struct json_object *json; /* the newest */
	double percent;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->output.maximum = 4096;
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	buffer_clear(&f->output);
	json_object_put(f->json);
	free(f);
	return 0;
}

/* What all of them have to hold is looked at after each message. */
static void
note(struct fixture *f, const char *id, const char *status, int64_t current,
    int64_t total)
{
	struct docker_pull_progress progress = { id, status, current, total };
	double percent;

	pull_state_note(&f->state, &progress, &f->output);
	json_object_put(f->json);
	f->json = pull_state_to_json(&f->state);
	percent = json_object_get_double(json_member(f->json, "percent"));
	assert_true(percent >= f->percent);
	assert_true(percent >= 0 && percent <= 99);
	assert_true(json_int(f->json, "current_bytes", -1) >= 0);
	assert_true(json_int(f->json, "current_bytes", -1) <=
		    json_int(f->json, "total_bytes", -1));
	f->percent = percent;
}

static struct json_object *
layer(struct fixture *f, size_t index)
{
	return json_object_array_get_idx(json_member(f->json, "layers"), index);
}

static void
layers_are_told_one_by_one_and_together(void **state)
{
	struct fixture *f = *state;

	note(f, "1", "Pulling from team/web", 0, 0);
	assert_int_equal(
	    json_object_array_length(json_member(f->json, "layers")), 0);
	note(f, A, "Pulling fs layer", 0, 0);
	note(f, B, "Already exists", 0, 0);
	note(f, A, "Downloading", 30, 100);
	assert_string_equal(json_text(layer(f, 0), "id"), A);
	assert_string_equal(json_text(layer(f, 0), "status"), "Downloading");
	assert_int_equal(json_int(layer(f, 0), "current", 0), 30);
	assert_int_equal(json_int(layer(f, 0), "total", 0), 100);
	assert_int_equal(json_int(f->json, "current_bytes", 0), 30);
	assert_int_equal(json_int(f->json, "total_bytes", 0), 100);
	assert_true(f->percent == 15);
	note(f, A, "Verifying Checksum", 0, 0);
	note(f, A, "Download complete", 0, 0);
	assert_true(f->percent == 50);
	note(f, A, "Extracting", 50, 100);
	assert_int_equal(json_int(layer(f, 0), "current", 0), 50);
	assert_int_equal(json_int(f->json, "current_bytes", 0), 100);
	assert_true(f->percent == 75);
	note(f, A, "Pull complete", 0, 0);
	assert_true(f->percent == 99);
	pull_state_finish(&f->state);
	json_object_put(f->json);
	f->json = pull_state_to_json(&f->state);
	assert_true(
	    json_object_get_double(json_member(f->json, "percent")) == 100);
}

static void
a_layer_that_waits_is_not_forgotten(void **state)
{
	struct fixture *f = *state;

	note(f, A, "Pulling fs layer", 0, 0);
	note(f, B, "Waiting", 0, 0);
	note(f, A, "Downloading", 10, 10);
	note(f, A, "Pull complete", 0, 0);
	/* The only one whose size is known is done, but it is not all. */
	assert_true(f->percent <= 50);
	note(f, B, "Downloading", 1, 1000);
	assert_true(f->percent <= 50);
	note(f, B, "Downloading", 1000, 1000);
	note(f, B, "Extracting", 900, 1000);
	assert_true(f->percent > 90);
}

static void
what_is_new_is_a_line(void **state)
{
	struct fixture *f = *state;

	note(f, "1", "Pulling from team/web", 0, 0);
	note(f, A, "Pulling fs layer", 0, 0);
	note(f, A, "Waiting", 0, 0);
	note(f, A, "Downloading", 1, 2);
	note(f, A, "Downloading", 2, 2);
	note(f, A, "Extracting", 1, 2);
	note(f, A, "Pull complete", 0, 0);
	note(f, A, "Pull complete", 0, 0);
	note(f, "", "Status: Downloaded newer image for web:1", 0, 0);
	note(f, "", "", 0, 0);
	assert_string_equal(buffer_string(&f->output),
	    "1: Pulling from team/web\n" A ": Pulling fs layer\n" A
	    ": Pull complete\n"
	    "Status: Downloaded newer image for web:1\n");
}

static void
hostile_messages_stay_bounded(void **state)
{
	struct fixture *f = *state;
	char id[16], text[4096];
	int i;

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	for (i = 0; i < 2 * PULL_LAYERS_MAXIMUM; i++) {
		snprintf(id, sizeof id, "%012x", (unsigned int)i);
		note(f, id, "Downloading", INT64_MAX / 4096, 1);
		note(f, id, text, 7, 3);
		note(f, id, "Extracting", 9, 3);
	}
	assert_int_equal(
	    json_object_array_length(json_member(f->json, "layers")),
	    PULL_LAYERS_MAXIMUM);
	assert_false(f->output.overflowed);
}

/* A status is cut between two characters. */
static void
a_long_status_stays_valid(void **state)
{
	struct fixture *f = *state;

	note(f, A,
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "\xC3\xA9\xC3\xA9",
	    0, 0);
	assert_int_equal(strlen(json_text(layer(f, 0), "status")), 59);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layers_are_told_one_by_one_and_together),
		TEST(a_layer_that_waits_is_not_forgotten),
		TEST(what_is_new_is_a_line),
		TEST(hostile_messages_stay_bounded),
		TEST(a_long_status_stays_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
