#!/bin/sh
#
# No two folders define the same function: of static libraries the linker
# takes the first one and says nothing. Prints TAP.

cd "${top_builddir:?}" || exit 99

findings=$(find fcgi-app handlers -name '*.a' | LC_ALL=C sort |
	while read -r library; do
		nm --defined-only --extern-only "$library" 2>/dev/null |
			awk -v library="$library" \
				'NF == 3 && $2 ~ /[TDBR]/ { print $3, library }'
	done | LC_ALL=C sort | awk '
		$1 == last { print $1 " is in " where " and in " $2 }
		{ last = $1; where = $2 }')

echo "1..2"
if [ -n "$(find fcgi-app -name '*.a')" ]; then
	echo "ok 1 - there are libraries to look at"
else
	echo "not ok 1 - there are libraries to look at"
fi
if [ -z "$findings" ]; then
	echo "ok 2 - every function is defined once"
else
	echo "not ok 2 - every function is defined once"
	printf '%s\n' "$findings" | sed 's/^/# /'
fi
