#!/bin/sh
#
# House rules that a search can check. Prints TAP.

cd "${top_srcdir:?}" || exit 99

number=0
findings=$(mktemp) || exit 99
trap 'rm -f "$findings"' EXIT

# report SENTENCE: passes when the findings are empty.
report() {
	number=$((number + 1))
	if [ -s "$findings" ]; then
		echo "not ok $number - $1"
		sed 's/^/# /' "$findings" | head -n 20
	else
		echo "ok $number - $1"
	fi
}

code_files() {
	find fcgi-app handlers tests -name '*.[ch]' | LC_ALL=C sort
}

program_files() {
	find fcgi-app handlers -name '*.[ch]' | LC_ALL=C sort
}

# The text of a C file without what stands in strings and comments; the lines
# keep their numbers.
strip() {
	awk '
	BEGIN { state = "code" }
	{
		out = ""
		n = length($0)
		for (i = 1; i <= n; i++) {
			c = substr($0, i, 1)
			two = substr($0, i, 2)
			if (state == "comment") {
				if (two == "*/") { state = "code"; i++ }
			} else if (state == "code" && two == "/*") {
				state = "comment"; i++
			} else if (state == "code" && two == "//") {
				out = out two; break
			} else if (state == "code" && (c == "\"" || c == "\047")) {
				state = c; out = out c
			} else if (state == "code") {
				out = out c
			} else if (c == "\\") {
				i++
			} else if (c == state) {
				state = "code"; out = out c
			}
		}
		if (state != "comment") state = "code"
		print FILENAME ":" FNR ": " out
	}' "$1"
}

# search PATTERN: findings in the code proper of the files named on stdin.
search() {
	while read -r file; do
		strip "$file"
	done | grep -E "^[^:]*:[0-9]+: .*($1)" >"$findings"
}

word() {
	printf '(^|[^A-Za-z0-9_])(%s)[[:space:]]*\\(' "$1"
}

code_files | search "$(word 'sprintf|vsprintf|strcpy|strcat|stpcpy|gets')"
report 'no function writes strings without a bound'

code_files | search "$(word 'strncpy|strncat')"
report 'no function leaves strings without an end'

program_files | search "$(word 'system|popen|wordexp|execlp|execvp|execvpe')"
report 'no shell and no search path starts a program'

program_files | search "$(word 'atoi|atol|atoll|atof|scanf|sscanf|fscanf')"
report 'numbers are read by functions that notice overflow'

program_files |
	search "$(word 'tmpnam|tempnam|mktemp|strtok|asctime|ctime|gmtime|localtime|readdir_r|rand|srand|random|drand48|alloca')"
report 'no function that is racy, predictable or not thread-safe'

code_files | search '//'
report 'comments are between /* and */'

program_files | search '(^|[^A-Za-z0-9_])typedef[[:space:]]+struct'
report 'structs are called struct'

# The helpers that build statements: SQL is written out, values are bound.
find fcgi-app handlers -name '*.c' | while read -r file; do
	grep -nE '"[[:space:]]*(SELECT|INSERT|UPDATE|DELETE) [^"]*%[a-z0-9.*]' "$file" |
		sed "s|^|$file:|"
done >"$findings"
report 'no SQL is put together with values in it'

find . -path ./.git -prune -o -path './build*' -prune -o -type f -print |
	grep -E '/(utils?|helpers?|misc|common|stuff)(\.[a-z]+|/)' >"$findings"
report 'every file is named after what is in it'

program_files | while read -r file; do
	name=${file##*/}
	printf '%s\n' "$name" | grep -qE '^[a-z0-9]+(-[a-z0-9]+)*\.[ch]$' ||
		echo "$file"
done >"$findings"
report 'C files have lower-case names'

code_files | while read -r file; do
	LC_ALL=C awk -v file="$file" '
	{
		# A letter of several bytes is one column.
		gsub(/[\200-\277]/, "")
		width = 0
		n = length($0)
		for (i = 1; i <= n; i++)
			width += substr($0, i, 1) == "\t" ? 8 - width % 8 : 1
		if (width > 80 && !/https?:/ && !/R"/)
			print file ":" FNR ": " width " columns"
	}' "$file"
done >"$findings"
report 'lines of C end at column 80'

{
	code_files
	find tests/api handlers nginx config -type f
} | while read -r file; do
	grep -nE '[[:space:]]+$' "$file" /dev/null | grep -v '^Binary'
done >"$findings"
report 'no line ends in blanks'

echo "1..$number"
