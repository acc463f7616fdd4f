#!/bin/sh
#
# Shell and Python files are well-formed; shellcheck looks where it is
# installed. Prints TAP.

cd "${top_srcdir:?}" || exit 99

number=0

# run SENTENCE COMMAND...
run() {
	sentence=$1
	shift
	number=$((number + 1))
	if output=$("$@" 2>&1); then
		echo "ok $number - $sentence"
	else
		echo "not ok $number - $sentence"
		printf '%s\n' "$output" | sed 's/^/# /' | head -n 20
	fi
}

shell_files() {
	find . -path ./.git -prune -o -path './build*' -prune -o \
		-path ./autotools -prune -o -type f -print |
		while read -r file; do
			case $file in
			*.sh | ./check | ./quickstart | ./.ci/run) echo "$file" ;;
			esac
		done | LC_ALL=C sort
}

for file in $(shell_files); do
	if head -n 1 "$file" | grep -q bash; then
		run "$file is well-formed" bash -n "$file"
	else
		run "$file is well-formed" sh -n "$file"
	fi
	if command -v shellcheck >/dev/null; then
		run "shellcheck finds nothing in $file" shellcheck "$file"
	fi
done
for file in $(find tests -name '*.py' | LC_ALL=C sort); do
	run "$file is well-formed" python3 -c \
		'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file"
done

echo "1..$number"
