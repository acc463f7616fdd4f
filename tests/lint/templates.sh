#!/bin/sh
#
# Compose itself takes every template: those of the programs that are on this
# machine, docker-compose 1 and "docker compose" 2, which FLATRUN_TEST_COMPOSE_V2 may
# name. Prints TAP.

cd "${top_srcdir:?}" || exit 99

dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
number=0

# As in a deployment: a name, and a value for each secret.
# shellcheck disable=SC2016
fill_in() { # TEMPLATE TO
	mkdir -p "$2" &&
		sed -e 's/\${NAME}/example/g' -e 's/\${PROXY_NETWORK}/proxy/g' \
			"$1/docker-compose.yml" >"$2/docker-compose.yml" &&
		sed -n 's/^ *- key: \([A-Z0-9_]*\)$/\1=secret/p' \
			"$1/metadata.yml" >"$2/env"
}

templates=$(cd config/templates &&
	find . -name docker-compose.yml | sed 's|^\./||; s|/[^/]*$||' |
	LC_ALL=C sort)
[ -n "$templates" ] || exit 99
for template in $templates; do
	fill_in "config/templates/$template" "$dir/$template" || exit 99
done

# check NAME PROGRAM...
check() {
	name=$1
	shift
	for template in $templates; do
		"$@" --env-file "$dir/$template/env" \
			-f "$dir/$template/docker-compose.yml" -p example \
			config >"$dir/out" 2>&1 || {
			echo "$template:"
			cat "$dir/out"
		}
	done >"$dir/findings"
	number=$((number + 1))
	if [ -s "$dir/findings" ]; then
		echo "not ok $number - $name takes every template"
		sed 's/^/# /' "$dir/findings"
	else
		echo "ok $number - $name takes every template"
	fi
}

# Its own loader, on all of them at once: it takes half a second to start.
check_v1() {
	for template in $templates; do
		echo "$template"
	done | "$python" -c '
import sys
from compose.config import config
from compose.config.environment import Environment

for template in sys.stdin.read().split():
    directory = sys.argv[1] + "/" + template
    try:
        environment = Environment.from_env_file(
            directory, directory + "/env")
        details = config.find(
            directory, ["docker-compose.yml"], environment)
        services = config.load(details).services
        for one in services:
            if "mem_limit" not in one or "healthcheck" not in one:
                print(template, one["name"], "lost a part")
    except Exception as reason:
        print(template, reason)
' "$dir" >"$dir/findings" 2>&1
	number=$((number + 1))
	if [ -s "$dir/findings" ]; then
		echo "not ok $number - docker-compose 1 takes every template"
		sed 's/^/# /' "$dir/findings"
	else
		echo "ok $number - docker-compose 1 takes every template"
	fi
}

v2=$FLATRUN_TEST_COMPOSE_V2
for path in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do
	[ -n "$v2" ] || [ ! -x "$path/docker/cli-plugins/docker-compose" ] ||
		v2=$path/docker/cli-plugins/docker-compose
done
if [ -n "$v2" ]; then
	check 'docker compose' "$v2"
fi
# The Python that docker-compose 1 itself is run by.
python=$(sed -n '1s/^#!\(.*python[0-9.]*\)$/\1/p' \
	"$(command -v docker-compose || echo /dev/null)" 2>/dev/null)
if [ -x "$python" ] && "$python" -c 'import compose.config' 2>/dev/null; then
	check_v1
fi
if [ $number -eq 0 ]; then
	echo 'ok 1 # SKIP there is no Compose on this machine'
	number=1
fi
echo "1..$number"
