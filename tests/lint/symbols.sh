#!/bin/sh
#
# Names of functions are ours alone. Of two static libraries the linker takes
# the first definition and says nothing; a function of ours with the name of
# one in a shared library is called by that library instead of its own.
# Prints TAP.

cd "${top_builddir:?}" || exit 99

# "NAME WHERE" for each function and variable that is defined.
ours() {
	find fcgi-app handlers -name '*.a' | LC_ALL=C sort |
		while read -r library; do
			nm --defined-only --extern-only "$library" 2>/dev/null |
				awk -v library="$library" \
					'NF == 3 && $2 ~ /[TDBR]/ { print $3, library }'
		done
}

theirs() {
	for program in flatrun-fcgi flatrun-agent flatrun-admin; do
		ldd "$program"
	done | awk '$3 ~ /^\// { print $3 }' | LC_ALL=C sort -u |
		# The sanitizers define what they watch.
		grep -vE '/lib(c|asan|ubsan)\.so' | while read -r library; do
		nm --dynamic --defined-only "$library" |
			awk -v library="$library" '
				NF == 3 && $2 ~ /[TDBR]/ {
					sub(/@.*/, "", $3); print $3, library
				}'
	done
}

# report SENTENCE FINDINGS
report() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

number=0
[ -n "$(ours)" ] && [ -n "$(theirs)" ] || exit 99
report 'every function is defined once' "$(ours | LC_ALL=C sort | awk '
	$1 == last { print $1 " is in " where " and in " $2 }
	{ last = $1; where = $2 }')"
report 'no function has the name of one in a library' "$({
	ours | sed 's/^/ours /'
	theirs | sed 's/^/theirs /'
} | awk '
	$1 == "ours" { where[$2] = $3; next }
	$2 in where { print $2 " is in " where[$2] " and in " $3 }')"
echo "1..$number"
