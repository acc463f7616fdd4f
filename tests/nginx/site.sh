#!/bin/sh
#
# The site that render-nginx writes, in a real nginx of this test's own: the
# syntax of several configurations, and what nginx answers by itself while no
# worker is there. Prints TAP.

program=${top_builddir:?}/flatrun-admin
template=${top_srcdir:?}/nginx/site.conf.in
nginx=$(PATH=$PATH:/usr/sbin command -v nginx)

if [ -z "$nginx" ] || ! command -v curl >/dev/null ||
	! command -v openssl >/dev/null; then
	echo '1..0 # SKIP needs nginx, curl and openssl'
	exit 0
fi

dir=$(mktemp -d) || exit 99
nginx_pid=
number=0
bad=0

finish() {
	[ -z "$nginx_pid" ] || kill "$nginx_pid"
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 99' INT TERM

report() { # STATUS SENTENCE
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		bad=$((bad + 1))
		echo "not ok $number - $2"
		sed 's/^/# /' "$dir/answer" | head -n 20
	fi
}

# port_is_free PORT: nobody answers there.
port_is_free() {
	curl -s -o "$dir/answer" --max-time 1 "http://127.0.0.1:$1/"
	[ $? -eq 7 ]
}

port=$((20000 + $$ % 20000))
until port_is_free "$port" && port_is_free "$((port + 1))"; do
	port=$((port + 2))
done
tls_port=$((port + 1))

mkdir -p "$dir/tmp" "$dir/vhosts" "$dir/run/http"
chmod 755 "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	-keyout "$dir/key.pem" -out "$dir/certificate.pem" -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost \
	>"$dir/answer" 2>&1 || exit 99

# write_config LINE...: config.yml of the test's own; lines go under "api:".
write_config() {
	{
		cat <<-END
			run_directory: $dir/run
			state_directory: $dir/state
			nginx:
			  vhost_directory: $dir/vhosts
			  access_log: $dir/access.log
			api:
			  port: $port
			  tls_port: $tls_port
			  tls_host: 127.0.0.1
			  certificate: $dir/certificate.pem
			  certificate_key: $dir/key.pem
		END
		for line in "$@"; do
			printf '  %s\n' "$line"
		done
	} >"$dir/config.yml"
}

# The configuration of somebody else's nginx that includes ours.
write_nginx() {
	cat >"$dir/nginx.conf" <<-END
		pid $dir/nginx.pid;
		error_log $dir/error.log;
		worker_processes 1;
		events { worker_connections 256; }
		http {
			client_body_temp_path $dir/tmp/body;
			fastcgi_temp_path $dir/tmp/fastcgi;
			proxy_temp_path $dir/tmp/proxy;
			scgi_temp_path $dir/tmp/scgi;
			uwsgi_temp_path $dir/tmp/uwsgi;
			gzip on;
			add_header X-Elsewhere yes;
			error_page 404 /elsewhere.html;
			map \$uri \$elsewhere { default 1; }
			server {
				listen unix:$dir/other.sock;
				server_name other.example.org;
			}
			include $dir/site.conf;
		}
	END
}

render() {
	"$program" -c "$dir/config.yml" render-nginx --template "$template" \
		--output "$dir/site.conf" >"$dir/answer" 2>&1
}

test_site() { # SENTENCE LINE...
	sentence=$1
	shift
	write_config "$@"
	render && "$nginx" -t -c "$dir/nginx.conf" >"$dir/answer" 2>&1 &&
		! grep -q '\[warn\]' "$dir/answer"
	report $? "nginx takes the site $sentence"
}

write_nginx
long=$(printf '%050d' 0 | tr 0 a)
test_site 'as it comes'
test_site 'without TLS' 'wait_seconds: 10' &&
	sed -i 's/^  tls_port:.*/  tls_port: 0/' "$dir/config.yml" && render &&
	! grep -q ssl "$dir/site.conf"
report $? 'tls_port: 0 leaves TLS out'
test_site 'with IPv6 addresses' 'server_names: ["::1", "2001:db8::1"]' \
	'allowed_origins: ["http://[::1]:3000"]' 'enable_cors: true'
test_site 'with every origin' 'enable_cors: true' 'allowed_origins: ["*"]'
test_site 'without rate limits' 'rate_limit: 0'
test_site 'behind proxies' 'trusted_proxies: [10.0.0.0/8, "fd00::/8"]'
test_site 'with long names' 'enable_cors: true' \
	"server_names: [$long.$long.$long.example.org]" \
	"allowed_origins: [\"https://$long.$long.$long.example.org\"]"
write_config && sed -i 's/access_log:.*/access_log: "off"/' "$dir/config.yml" &&
	render && grep -q 'access_log off;' "$dir/site.conf" &&
	"$nginx" -t -c "$dir/nginx.conf" >"$dir/answer" 2>&1
report $? 'the access log can be off'

for value in 'host: "127.0.0.1; return 200"' \
	'server_names: ["a\"; }"]' 'server_names: ["~^.*$"]' \
	'enable_cors: true, allowed_origins: ["https://a\" b"]' \
	'trusted_proxies: ["0.0.0.0/0; deny all"]'; do
	printf 'api: {%s}\n' "$value" >"$dir/config.yml"
	! render && grep -q 'config.yml:1: api' "$dir/answer"
	report $? "api: {$value} is refused with its line"
done

# From here on a running nginx, with no worker behind it.
write_config 'enable_cors: true' \
	'allowed_origins: ["https://dash.example.org"]' \
	'server_names: [panel.example.org]' 'rate_limit: 1' 'rate_burst: 150'
render && "$nginx" -c "$dir/nginx.conf" -g 'daemon off;' \
	>"$dir/answer" 2>&1 &
nginx_pid=$!
tries=0
while port_is_free "$port" && [ "$tries" -lt 50 ]; do
	sleep 0.1
	tries=$((tries + 1))
done

# ask URL-PATH [CURL-OPTION]...: status in $status, head and body in answer.
ask() {
	path=$1
	shift
	status=$(curl -s -k -g --path-as-is --max-time 10 -D "$dir/head" \
		-o "$dir/body" -w '%{http_code}' "$@" \
		"http://127.0.0.1:$port$path")
	cat "$dir/head" "$dir/body" >"$dir/answer" 2>/dev/null
	echo "curl says $status" >>"$dir/answer"
}

has() { # PATTERN
	grep -qi -- "$1" "$dir/answer"
}

is_error() { # STATUS CODE
	[ "$status" = "$1" ] && has "\"code\":\"$2\"" &&
		has '^content-type: application/json' &&
		has '^{"error":"[^"]*","code":"[A-Z_]*","request_id":"[^"]*"}$' &&
		has '^x-request-id: '
}

# Reads an answer to bytes that no client library sends.
raw() { # BYTES
	status=$(printf '%b' "$1" | timeout 5 openssl s_client -quiet -ign_eof \
		-connect "127.0.0.1:$tls_port" 2>/dev/null |
		tee "$dir/answer" | sed -n '1s/HTTP[^ ]* \([0-9]*\).*/\1/p')
	sed -i 's/\r$//' "$dir/answer"
}

ask /
is_error 404 NOT_FOUND && ! has elsewhere
report $? 'what is not under /api is 404'
ask /apiary
is_error 404 NOT_FOUND
report $? '/apiary is not /api'
for path in /api /api/ /api/health /api/auth/login /api/deployments?follow=1; do
	ask "$path"
	is_error 502 BACKEND_UNAVAILABLE && has '^retry-after: 1'
	report $? "$path is 502 while no worker is there"
done
ask /api/health -H 'X-Request-Id: a.B-c_1'
is_error 502 BACKEND_UNAVAILABLE && has '"request_id":"a.B-c_1"' &&
	has '^x-request-id: a.B-c_1'
report $? 'a decent X-Request-Id is kept'
for id in 'a b' 'a"b' '' "$long$long" 'a{b}' 'a%%0d'; do
	ask /api/health -H "X-Request-Id: $id"
	is_error 502 BACKEND_UNAVAILABLE && has '"request_id":"[0-9a-f]\{32\}"'
	report $? "X-Request-Id '$id' is replaced"
done

head -c 3000000 /dev/zero >"$dir/large"
ask /api/deployments --data-binary "@$dir/large"
is_error 413 PAYLOAD_TOO_LARGE
report $? 'a large body is 413'
ask /api/deployments --data-binary "@$dir/large" -H 'Transfer-Encoding: chunked'
is_error 413 PAYLOAD_TOO_LARGE
report $? 'a large chunked body is 413'
ask "/api/$(printf '%09000d' 0)"
is_error 414 URI_TOO_LONG
report $? 'a long target is 414'
ask /api/health -H "X-Long: $(printf '%09000d' 0)"
is_error 431 HEADERS_TOO_LARGE
report $? 'a large header is 431'
ask '/api/%00'
is_error 400 BAD_REQUEST
report $? 'a NUL in the path is 400'
ask '/api/../../etc/passwd'
is_error 400 BAD_REQUEST
report $? 'a path out of the root is 400'
ask /api/health -X TRACE
is_error 405 METHOD_NOT_ALLOWED
report $? 'TRACE is 405'
raw 'GARBAGE\r\n\r\n'
is_error 400 BAD_REQUEST
report $? 'garbage is 400'
raw 'GET /api/health HTTP/1.1\r\n\r\n'
is_error 400 BAD_REQUEST
report $? 'HTTP/1.1 without a Host is 400'
raw 'GET /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'
is_error 400 BAD_REQUEST
report $? 'two lengths are 400'
raw 'POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'
is_error 400 BAD_REQUEST
report $? 'a length and chunks are 400'
raw 'POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n'
is_error 501 NOT_IMPLEMENTED
report $? 'an unknown transfer encoding is 501'
raw 'GET /api/health HTTP/9.9\r\nHost: localhost\r\n\r\n'
is_error 505 HTTP_VERSION_NOT_SUPPORTED
report $? 'an unknown version is 505'
ask /api/health --connect-to "::127.0.0.1:$tls_port"
is_error 400 HTTPS_REQUIRED
report $? 'plain HTTP on the TLS port is 400'

for host in evil.example.org 127.0.0.2 panel.example.org.evil.org ''; do
	ask /api/health -H "Host: $host"
	case $host in
	'') is_error 400 BAD_REQUEST ;;
	*) is_error 421 MISDIRECTED_REQUEST ;;
	esac
	report $? "Host '$host' is refused"
	ask '/api/deployments?follow=true' -H "Host: $host."
	[ "$status" = 421 ] || [ "$status" = 400 ]
	report $? "Host '$host.' is refused for streams too"
done
for host in localhost "127.0.0.1:$port" PANEL.example.org; do
	ask /api/health -H "Host: $host"
	is_error 502 BACKEND_UNAVAILABLE
	report $? "Host '$host' is ours"
done

ask /api/deployments -X OPTIONS -H 'Origin: https://dash.example.org' \
	-H 'Access-Control-Request-Method: PATCH'
[ "$status" = 204 ] &&
	has '^access-control-allow-origin: https://dash.example.org' &&
	has '^access-control-allow-credentials: true' &&
	has '^access-control-allow-methods: .*PATCH' &&
	has '^access-control-allow-headers: .*If-Match' &&
	has '^access-control-max-age: ' && has '^vary: origin'
report $? 'nginx answers the preflight of a listed origin'
for origin in https://dash.example.org.evil.org http://dash.example.org null \
	https://dashXexample.org '*'; do
	ask /api/deployments -X OPTIONS -H "Origin: $origin"
	[ "$status" = 204 ] && ! has '^access-control' && has '^vary: origin'
	report $? "origin $origin is allowed nothing"
done
ask /api/deployments -H 'Origin: https://dash.example.org'
is_error 502 BACKEND_UNAVAILABLE && has '^vary: origin' &&
	has '^access-control-allow-origin: https://dash.example.org' &&
	has '^access-control-expose-headers: .*ETag' &&
	! has '^access-control-allow-methods'
report $? 'a listed origin may read errors'

count=0
while [ "$count" -lt 200 ]; do
	printf 'url = "http://127.0.0.1:%s/api/health"\noutput = "%s"\n' \
		"$port" "$dir/discard"
	count=$((count + 1))
done >"$dir/many"
curl -s -K "$dir/many"
ask /api/health
is_error 429 RATE_LIMITED && has '^retry-after: 1'
report $? 'too many requests are 429'

grep -q '"path":"/api/deployments","status":502' "$dir/access.log" &&
	! grep -q 'follow' "$dir/access.log" &&
	python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$dir/access.log" \
		>"$dir/answer" 2>&1
report $? 'the access log is JSON and has no queries'
! find "$dir/tmp" -type f | grep . >"$dir/answer"
report $? 'no temporary file is left'

echo "1..$number"
[ "$bad" -eq 0 ]
