#!/bin/sh
#
# The example configuration is a right one, as it is and with every "#" before
# a key taken away; and it has every key. Prints TAP.

program=${top_builddir:?}/flatrun-admin
example=${top_srcdir:?}/config/config.yml.example
table=$top_srcdir/fcgi-app/settings/table.c

dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
number=0
bad=0

report() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		bad=$((bad + 1))
		echo "not ok $number - $2"
		sed 's/^/# /' "$dir/answer"
	fi
}

check() { # FILE
	"$program" -c "$1" check-config >"$dir/answer" 2>&1 &&
		[ "$(cat "$dir/answer")" = ok ]
}

check "$example"
report $? 'the example is accepted without a warning'

sed -n 's/^\( *\)#\([a-z_]*:.*\)$/\1\2/p' "$example" >"$dir/full.yml"
check "$dir/full.yml"
report $? 'the example is accepted with every key in force'

# The first argument of each row that is not UNUSED; its last part.
sed -n -e '/UNUSED/d' -e 's/^\t[A-Z]*("\([a-z_.]*\)".*/\1/p' \
	-e 's/.*\.key = "\([a-z_.]*\)".*/\1/p' "$table" >"$dir/keys"
while read -r key; do
	grep -q "#${key##*.}:" "$example" || echo "$key"
done <"$dir/keys" >"$dir/answer"
[ "$(wc -l <"$dir/keys")" -gt 30 ] && [ ! -s "$dir/answer" ]
report $? 'the example has every key that is in use'

echo "1..$number"
[ "$bad" -eq 0 ]
