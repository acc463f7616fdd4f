#include "base/diff.h"

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CONTEXT 3

struct line {
	const char *text;
	size_t length; /* with its '\n', if it has one */
	uint32_t hash;
};

struct lines {
	struct line *at;
	size_t count;
};

/* One line of the result: from the old text, the new one or both. */
struct step {
	char kind; /* ' ', '-' or '+' */
	const struct line *line;
};

struct diff {
	struct arena arena;
	struct lines old, new;
	struct step *steps;
	size_t count;
};

static uint32_t
hash_line(const char *text, size_t length)
{
	uint32_t hash = 2166136261U;
	size_t i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619U;
	return hash;
}

static struct lines
split(const char *text, struct arena *arena)
{
	struct lines lines = { .count = 0 };
	const char *at, *end;
	size_t count = 0;

	if (text == NULL)
		text = "";
	for (at = text; *at != '\0'; at++)
		count += *at == '\n' || at[1] == '\0';
	lines.at = arena_array(arena, count + 1, sizeof *lines.at);
	for (at = text; *at != '\0'; at = end) {
		struct line *line = &lines.at[lines.count++];

		end = strchr(at, '\n');
		end = end != NULL ? end + 1 : at + strlen(at);
		line->text = at;
		line->length = (size_t)(end - at);
		line->hash = hash_line(at, line->length);
	}
	return lines;
}

static bool
is_same(const struct line *left, const struct line *right)
{
	return left->hash == right->hash && left->length == right->length &&
	       memcmp(left->text, right->text, left->length) == 0;
}

static void
add(struct diff *diff, char kind, const struct line *line)
{
	diff->steps[diff->count++] =
	    (struct step){ .kind = kind, .line = line };
}

/* The lines that differ, between what the texts have in common at both ends. */
struct middle {
	const struct line *old, *new;
	long old_count, new_count;
};

/*
 * How far each diagonal k (old minus new lines) is reached with d changes.
 * Row d has d + 1 diagonals, -d, -d + 2, …, d: of rows with one parity each.
 */
struct trace {
	long *rows[DIFF_CHANGES_MAXIMUM + 1];
	long changes; /* with which the end is reached */
};

static long
reached(const struct trace *trace, long d, long k)
{
	if (d < 0 || k < -d || k > d)
		return -1;
	return trace->rows[d][(k + d) / 2];
}

/* Whether diagonal k of row d is best entered by a new line, from k + 1. */
static bool
comes_down(const struct trace *trace, long d, long k)
{
	return k == -d || (k != d && reached(trace, d - 1, k - 1) <
					 reached(trace, d - 1, k + 1));
}

/* The first old line on the diagonal after the change that leads to it. */
static long
enter(const struct trace *trace, long d, long k)
{
	if (d == 0)
		return 0;
	return comes_down(trace, d, k) ? reached(trace, d - 1, k + 1)
				       : reached(trace, d - 1, k - 1) + 1;
}

/* One row; true when it reaches the end of both. */
static bool
advance(struct trace *trace, const struct middle *middle, long d)
{
	bool complete = false;
	long k;

	for (k = -d; k <= d; k += 2) {
		long x = enter(trace, d, k), y = x - k;

		while (x < middle->old_count && y < middle->new_count &&
		       is_same(&middle->old[x], &middle->new[y])) {
			x++;
			y++;
		}
		trace->rows[d][(k + d) / 2] = x;
		complete |= x >= middle->old_count && y >= middle->new_count;
	}
	return complete;
}

/* false: there are too many changes. */
static bool
search(struct trace *trace, const struct middle *middle, struct arena *arena)
{
	long d;

	for (d = 0; d <= DIFF_CHANGES_MAXIMUM; d++) {
		trace->rows[d] =
		    arena_array(arena, (size_t)d + 1, sizeof(long));
		trace->changes = d;
		if (advance(trace, middle, d))
			return true;
	}
	return false;
}

/* From the end back to the start; the steps are then the wrong way round. */
static void
walk_back(
    struct diff *diff, const struct trace *trace, const struct middle *middle)
{
	long x = middle->old_count, y = middle->new_count, d;

	for (d = trace->changes; d >= 0; d--) {
		long k = x - y, start = enter(trace, d, k);

		while (x > start) {
			x--;
			y--;
			add(diff, ' ', &middle->old[x]);
		}
		if (d == 0)
			break;
		if (comes_down(trace, d, k))
			add(diff, '+', &middle->new[--y]);
		else
			add(diff, '-', &middle->old[--x]);
	}
}

static void
reverse(struct step *steps, size_t count)
{
	size_t i;

	for (i = 0; i < count / 2; i++) {
		struct step other = steps[i];

		steps[i] = steps[count - 1 - i];
		steps[count - 1 - i] = other;
	}
}

static void
add_middle(struct diff *diff, const struct middle *middle)
{
	struct trace trace;
	size_t before = diff->count;
	long i;

	if (search(&trace, middle, &diff->arena)) {
		walk_back(diff, &trace, middle);
		reverse(diff->steps + before, diff->count - before);
		return;
	}
	for (i = 0; i < middle->old_count; i++)
		add(diff, '-', &middle->old[i]);
	for (i = 0; i < middle->new_count; i++)
		add(diff, '+', &middle->new[i]);
}

static void
compare(struct diff *diff)
{
	const struct lines *old = &diff->old, *new = &diff->new;
	size_t least = old->count < new->count ? old->count : new->count;
	size_t head = 0, tail = 0, i;
	struct middle middle;

	while (head < least && is_same(&old->at[head], &new->at[head]))
		head++;
	while (tail < least - head && is_same(&old->at[old->count - 1 - tail],
					  &new->at[new->count - 1 - tail]))
		tail++;
	middle = (struct middle){
		.old = old->at + head,
		.new = new->at + head,
		.old_count = (long)(old->count - head - tail),
		.new_count = (long)(new->count - head - tail),
	};
	for (i = 0; i < head; i++)
		add(diff, ' ', &old->at[i]);
	add_middle(diff, &middle);
	for (i = 0; i < tail; i++)
		add(diff, ' ', &old->at[old->count - tail + i]);
}

static size_t
next_change(const struct diff *diff, size_t from)
{
	while (from < diff->count && diff->steps[from].kind == ' ')
		from++;
	return from;
}

/* The end of the hunk that begins at the change: its context included. */
static size_t
hunk_end(const struct diff *diff, size_t change)
{
	size_t end, next;

	for (;;) {
		while (change < diff->count && diff->steps[change].kind != ' ')
			change++;
		end = change + CONTEXT < diff->count ? change + CONTEXT
						     : diff->count;
		next = next_change(diff, change);
		if (next == diff->count || next > end + CONTEXT)
			return end;
		change = next;
	}
}

static size_t
count_kind(const struct diff *diff, size_t from, size_t to, char kind)
{
	size_t count = 0;

	for (; from < to; from++)
		count += diff->steps[from].kind == ' ' ||
			 diff->steps[from].kind == kind;
	return count;
}

/* A side without lines is named by the line before it. */
static void
write_range(struct buffer *out, size_t before, size_t count)
{
	buffer_printf(out, "%zu", before + (count > 0));
	if (count != 1)
		buffer_printf(out, ",%zu", count);
}

static void
write_hunk(
    const struct diff *diff, size_t start, size_t end, struct buffer *out)
{
	size_t i;

	buffer_text(out, "@@ -");
	write_range(out, count_kind(diff, 0, start, '-'),
	    count_kind(diff, start, end, '-'));
	buffer_text(out, " +");
	write_range(out, count_kind(diff, 0, start, '+'),
	    count_kind(diff, start, end, '+'));
	buffer_text(out, " @@\n");
	for (i = start; i < end; i++) {
		const struct line *line = diff->steps[i].line;

		buffer_char(out, diff->steps[i].kind);
		buffer_append(out, line->text, line->length);
		if (line->text[line->length - 1] != '\n')
			buffer_text(out, "\n\\ No newline at end of file\n");
	}
}

static void
write_hunks(const struct diff *diff, struct buffer *out)
{
	size_t change = next_change(diff, 0), end;

	while (change < diff->count && !out->overflowed) {
		end = hunk_end(diff, change);
		write_hunk(
		    diff, change > CONTEXT ? change - CONTEXT : 0, end, out);
		change = next_change(diff, end);
	}
}

static void
write_side(struct buffer *out, const char *mark, char side, const char *name,
    const char *text)
{
	if (text == NULL)
		buffer_printf(out, "%s /dev/null\n", mark);
	else
		buffer_printf(out, "%s %c/%s\n", mark, side, name);
}

int
diff_unified(const char *name, const char *old_text, const char *new_text,
    struct buffer *out, struct error *err)
{
	struct diff diff = { .count = 0 };

	if ((old_text == NULL) == (new_text == NULL) &&
	    (old_text == NULL || strcmp(old_text, new_text) == 0))
		return 0;
	diff.old = split(old_text, &diff.arena);
	diff.new = split(new_text, &diff.arena);
	diff.steps = arena_array(&diff.arena,
	    diff.old.count + diff.new.count + 1, sizeof *diff.steps);
	compare(&diff);
	write_side(out, "---", 'a', name, old_text);
	write_side(out, "+++", 'b', name, new_text);
	write_hunks(&diff, out);
	arena_clear(&diff.arena);
	return out->overflowed ? error_set(err, ERR_TOO_LARGE, NULL,
				     "the difference is larger than %zu bytes",
				     out->maximum)
			       : 0;
}
