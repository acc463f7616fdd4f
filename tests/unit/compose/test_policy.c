#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "compose/compose.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
check(const char *text, const struct compose_policy *policy, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct document *document;

	memset(err, 0, sizeof *err);
	if (document_parse(text, strlen(text), &arena, &document, err) < 0 ||
	    document_interpolate(document, NULL, 0, err) < 0)
		return -1;
	return document_check(document, policy, err);
}

static void
assert_allowed(const char *text, const struct compose_policy *policy)
{
	struct error err;

	if (check(text, policy, &err) < 0)
		fail_msg("%s\n%s", text, err.message);
}

static void
assert_refused(const char *text, const struct compose_policy *policy,
    enum error_kind kind, const char *code, const char *message)
{
	struct error err;

	if (check(text, policy, &err) == 0)
		fail_msg("allowed: %s", text);
	if (err.kind != kind || strcmp(err.code, code) != 0 ||
	    strstr(err.message, message) == NULL)
		fail_msg("%s\n%s %s", text, err.code, err.message);
	assert_string_equal(err.field, "compose_content");
	assert_non_null(strstr(err.message, "line "));
}

/* A service "app" with one more line, in flow style or with " | " breaks. */
static const char *
service(const char *line)
{
	static char text[2048];

	snprintf(text, sizeof text,
	    "services:\n"
	    "  app:\n"
	    "    image: nginx\n"
	    "    %s\n"
	    "  db: {image: postgres}\n"
	    "volumes: {data: , d: }\n"
	    "networks: {front: }\n"
	    "configs: {c: {file: ./c}}\n"
	    "secrets: {s: {file: s.txt}}\n",
	    line);
	return text;
}

static void
assert_forbidden(const char *text, const char *key)
{
	assert_refused(text, NULL, ERR_FORBIDDEN, "COMPOSE_POLICY", key);
}

static void
assert_invalid(const char *text, const char *message)
{
	assert_refused(text, NULL, ERR_INVALID, "INVALID_COMPOSE", message);
}

/* Each line, and the key that an operator may allow. */
static const struct {
	const char *line, *key;
} dangerous[] = {
	{ "privileged: true", "privileged" },
	{ "privileged: yes", "privileged" },
	{ "privileged: on", "privileged" },
	{ "privileged: 1", "privileged" },
	{ "privileged: 'true'", "privileged" },
	{ "privileged: no", "privileged" },
	{ "network_mode: host", "network_mode" },
	{ "network_mode: container:other", "network_mode" },
	{ "network_mode: service:elsewhere", "network_mode" },
	{ "network_mode: other_default", "network_mode" },
	{ "pid: host", "pid" },
	{ "pid: container:x", "pid" },
	{ "ipc: host", "ipc" },
	{ "ipc: container:x", "ipc" },
	{ "uts: host", "uts" },
	{ "userns_mode: host", "userns_mode" },
	{ "cgroup: host", "cgroup" },
	{ "cgroup_parent: /x", "cgroup_parent" },
	{ "cap_add: [SYS_ADMIN]", "cap_add" },
	{ "cap_add: [ALL]", "cap_add" },
	{ "cap_add: [CHOWN, cap_net_admin]", "cap_add" },
	{ "devices: [/dev/sda]", "devices" },
	{ "device_cgroup_rules: ['c 1:3 mr']", "device_cgroup_rules" },
	{ "gpus: all", "gpus" },
	{ "deploy: {resources: {reservations: {devices: [{count: 1}]}}}",
	    "gpus" },
	{ "security_opt: ['apparmor:unconfined']", "security_opt" },
	{ "security_opt: ['seccomp=unconfined']", "security_opt" },
	{ "security_opt: ['no-new-privileges:false']", "security_opt" },
	{ "ports: ['1-65535:1-65535']", "port_ranges" },
	{ "ports: ['3000', '1000-1999/udp']", "port_ranges" },
	{ "ports: ['127.0.0.1:1000-1999:1000-1999', 5]", "port_ranges" },
	{ "ports: [{target: 80, published: 8000-9999}]", "port_ranges" },
	{ "sysctls: {net.core.somaxconn: 1, kernel.x: 1}", "sysctls" },
	{ "sysctls: {net.a/../../kernel/core_pattern: x}", "sysctls" },
	{ "sysctls: {net..core: x}", "sysctls" },
	{ "sysctls: ['netx.core=1']", "sysctls" },
	{ "sysctls: [fs.mqueue.msg_max=1]", "sysctls" },
	{ "sysctls: [{net.core: 1}]", "sysctls" },
	{ "sysctls: [kernel.msgmax=1]", "sysctls" },
	{ "volumes_from: [db]", "volumes_from" },
	{ "volumes_from: ['container:x']", "volumes_from" },
	{ "external_links: [x]", "external_links" },
	{ "use_api_socket: true", "use_api_socket" },
	{ "provider: {type: x}", "provider" },
	{ "models: [x]", "models" },
	{ "credential_spec: {file: x}", "credential_spec" },
	{ "annotations: {a: b}", "annotations" },
	{ "runtime: sysbox", "runtime" },
	{ "oom_kill_disable: true", "oom_kill_disable" },
	{ "oom_score_adj: -1000", "oom_score_adj" },
	{ "post_start: [{command: x, privileged: true}]", "privileged" },
	{ "pre_stop: [{command: x, privileged: 'yes'}]", "privileged" },
	{ "extends: {service: x, file: other.yml}", "extends" },
	{ "logging: {driver: syslog}", "logging" },
	{ "labels: {com.docker.compose.project: other}", "labels" },
	{ "labels: ['com.docker.compose.service=x']", "labels" },
	{ "labels: {Com.Docker.Compose.Project: other}", "labels" },
	{ "deploy: {labels: {com.docker.compose.project: x}}", "labels" },
	{ "build: {context: ., labels: [com.docker.compose.x=1]}", "labels" },
	{ "build: {context: ., privileged: true}", "build_privileged" },
	{ "build: {context: ., entitlements: [security.insecure]}",
	    "build_entitlements" },
	{ "build: {context: ., network: host}", "build_network" },
	{ "build: {context: ., network: 'container:x'}", "build_network" },
	{ "build: {context: ., ssh: [default]}", "build_ssh" },
	{ "build: {context: ., secrets: [s]}", "build_secrets" },
	{ "build: {context: ., cache_to: ['type=local,dest=/etc']}",
	    "build_cache" },
	{ "build: {context: ., cache_to: ['type=registry,ref=x,dest=/e']}",
	    "build_cache" },
	{ "build: {context: ., cache_from: ['type=local,src=/etc']}",
	    "build_cache" },
	{ "build: https://example.com/x.git", "build_remote" },
	{ "build: 'git@example.com:x.git'", "build_remote" },
	{ "build: github.com/x/y", "build_remote" },
	{ "build: {context: 'ssh://x/y'}", "build_remote" },
	{ "build: {context: 'x.git#main'}", "build_remote" },
	{ "build: {context: ., additional_contexts: {a: 'https://x'}}",
	    "build_remote" },
	{ "build: {context: ., additional_contexts: ['a=git://x']}",
	    "build_remote" },
	{ "networks: {front: {driver_opts: {a: b}}}", "network_driver_opts" },
	{ "volumes: ['./a:/a:rshared']", "bind_propagation" },
	{ "volumes: [{type: bind, source: ./a, target: /a, "
	  "bind: {propagation: shared}}]",
	    "bind_propagation" },
	{ "volumes: [{type: npipe, source: x, target: /x}]", "mount_type" },
	{ "volumes: [{type: cluster, source: x, target: /x}]", "mount_type" },
	{ "volumes: ['./a:/a', './a/b:/b']", "nested_mounts" },
	{ "volumes: ['.:/a', './b:/b:ro']", "nested_mounts" },
	{ "volumes: ['./a:/a', './a-b:/b', './a/b:/c:ro']", "nested_mounts" },
	{ "volumes: ['./a/b:/c:ro', './a.b:/b', './a:/a']", "nested_mounts" },
	{ "volumes: ['./:/a', './/b/./c:/b']", "nested_mounts" },
	{ "volumes: [{type: bind, source: ., target: /a, read_only: yes}, "
	  "./b:/b]",
	    "nested_mounts" },
};

static void
dangerous_keys_are_refused_by_service_and_key(void **state)
{
	char quoted[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof dangerous / sizeof dangerous[0]; i++) {
		snprintf(quoted, sizeof quoted, "service 'app': '%s' is",
		    dangerous[i].key);
		assert_forbidden(service(dangerous[i].line), quoted);
	}
}

static void
the_operator_allows_each_key_alone(void **state)
{
	const char *allow[] = { NULL, NULL };
	const struct compose_policy policy = { .allow = allow };
	const char *const other[] = { "another_key", NULL };
	const struct compose_policy others = { .allow = other };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof dangerous / sizeof dangerous[0]; i++) {
		allow[0] = dangerous[i].key;
		assert_allowed(service(dangerous[i].line), &policy);
		assert_refused(service(dangerous[i].line), &others,
		    ERR_FORBIDDEN, "COMPOSE_POLICY", dangerous[i].key);
	}
}

static void
paths_outside_the_project_are_refused(void **state)
{
	static const char *const lines[] = {
		"volumes: ['/etc:/x']",
		"volumes: ['/:/x:ro']",
		"volumes: ['~/x:/x']",
		"volumes: ['~root:/x']",
		"volumes: ['../x:/x']",
		"volumes: ['./../x:/x']",
		"volumes: ['./a/../../x:/x']",
		"volumes: ['..:/x']",
		"volumes: [{type: bind, source: /etc, target: /x}]",
		"volumes: [{type: bind, source: ~, target: /x, x-a: 1}, "
		"'~:/x']",
		"volumes: [{type: bind, source: a/../../b, target: /x}]",
		"volumes: ['/data/other:/x']",
		"env_file: /etc/shadow",
		"env_file: [../other/.env]",
		"env_file: [{path: /etc/shadow}]",
		"env_file: ~/x",
		"label_file: ../x",
		"build: /etc",
		"build: ../x",
		"build: {context: ../x}",
		"build: {context: ., dockerfile: /etc/x}",
		"build: {context: ., dockerfile: ../x}",
		"build: {context: ., additional_contexts: {a: ../x}}",
		"build: {context: ., additional_contexts: ['a=/etc']}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct error err;

		if (check(service(lines[i]), NULL, &err) == 0)
			fail_msg("allowed: %s", lines[i]);
		/* "source: ~" is null, and says so. */
		if (strstr(lines[i], "source: ~") != NULL)
			continue;
		if (err.kind != ERR_FORBIDDEN ||
		    strcmp(err.code, "COMPOSE_POLICY") != 0)
			fail_msg("%s: %s %s", lines[i], err.code, err.message);
	}
}

static void
sockets_of_docker_need_their_own_permission(void **state)
{
	static const char *const lines[] = {
		"volumes: ['/var/run/docker.sock:/var/run/docker.sock']",
		"volumes: ['/run/docker.sock:/x:ro']",
		"volumes: ['/run//./docker.sock:/x']",
		"volumes: [{type: bind, source: /var/run/docker.sock, "
		"target: /x}]",
		"volumes: ['/run:/x']",
		"volumes: ['/var:/x']",
		"volumes: ['/:/x']",
		"volumes: ['/run/flatrun/agent.sock:/x']",
		"volumes: ['/var/lib/docker/volumes:/x']",
		"volumes: ['/var/lib:/x']",
	};
	const char *const everything[] = { "/", "/run", NULL };
	const char *const allow[] = { "docker_socket", NULL };
	const struct compose_policy paths = { .bind_paths = everything };
	const struct compose_policy both = { allow, everything };
	const struct compose_policy socket = { .allow = allow };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		assert_forbidden(service(lines[i]), "'docker_socket'");
		assert_refused(service(lines[i]), &paths, ERR_FORBIDDEN,
		    "COMPOSE_POLICY", "'docker_socket'");
		assert_allowed(service(lines[i]), &both);
	}
	assert_allowed(service(lines[0]), &socket);
	assert_allowed(service(lines[1]), &socket);
	assert_refused(service(lines[4]), &socket, ERR_FORBIDDEN,
	    "COMPOSE_POLICY", "only paths beneath");
}

static void
the_operator_opens_directories_with_all_beneath(void **state)
{
	const char *const paths[] = { "/srv/media/", "/data", NULL };
	const struct compose_policy policy = { .bind_paths = paths };

	(void)state;
	assert_allowed(service("volumes: ['/srv/media:/x']"), &policy);
	assert_allowed(service("volumes: ['/srv/media/a/b:/x:ro']"), &policy);
	assert_allowed(service("env_file: /data/x.env"), &policy);
	assert_refused(service("volumes: ['/srv/mediax:/x']"), &policy,
	    ERR_FORBIDDEN, "COMPOSE_POLICY", "/srv/mediax");
	assert_refused(service("volumes: ['/srv:/x']"), &policy, ERR_FORBIDDEN,
	    "COMPOSE_POLICY", "/srv");
	assert_refused(service("volumes: ['/srv/media/../../etc:/x']"), &policy,
	    ERR_FORBIDDEN, "COMPOSE_POLICY", "/etc");
	assert_refused(service("volumes: ['/data:/x', '/data/a:/y']"), &policy,
	    ERR_FORBIDDEN, "COMPOSE_POLICY", "nested_mounts");
}

static void
harmless_values_pass(void **state)
{
	static const char *const lines[] = {
		"privileged: false",
		"privileged: 'false'",
		"network_mode: none",
		"network_mode: bridge",
		"network_mode: service:db",
		"pid: service:db",
		"ipc: shareable",
		"cgroup: private",
		"cap_add: [NET_BIND_SERVICE, CAP_CHOWN, setuid]",
		"cap_drop: [ALL]",
		"security_opt: ['no-new-privileges:true']",
		"ports: ['1000-1999:1000-1999/udp']",
		"ports: [80, '81:81', x, {published: 1}, [1]]",
		"expose: ['1-65535']",
		"sysctls: {net.core.somaxconn: 1, net.ipv4.x-y: 0}",
		"sysctls: ['net.ipv4.ip_unprivileged_port_start=0']",
		"devices: []",
		"use_api_socket: false",
		"links: [db]",
		"depends_on: [db]",
		"depends_on: {db: {condition: service_started}}",
		"tmpfs: [/tmp]",
		"volumes: [/data, 'data:/x', 'data:/x:ro,nocopy', './a:/a:z']",
		"volumes: ['./a:/a:ro', './a/b:/b']",
		"volumes: ['./a:/a', './ab:/b', './a:/c']",
		"volumes: ['.:/a:ro', './b:/b']",
		"volumes: [{type: volume, source: d, target: /x}]",
		"volumes: [{type: volume, target: /x}]",
		"volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1}}]",
		"volumes: [{type: bind, source: data, target: /x, "
		"bind: {create_host_path: true}}]",
		"env_file: [.env, {path: ./b.env, required: false}]",
		"networks: [front, default]",
		"networks: {front: {aliases: [x]}}",
		"configs: [c, {source: c, target: /x}]",
		"secrets: [s]",
		"build: .",
		"build: {context: ./app, dockerfile: deploy/Dockerfile, "
		"args: {A: b}, cache_from: ['nginx:1', "
		"'type=registry,ref=x/y:1'], network: none, "
		"additional_contexts: {a: 'docker-image://nginx:1', b: ./b}}",
		"logging: {driver: json-file, options: {max-size: 1m}}",
		"extends: db",
		"extends: {service: db}",
		"labels: {traefik.enable: 'true'}",
		"labels: [com.dockers.compose.x=1]",
		"post_start: [{command: x, user: root}]",
		"deploy: {replicas: 2, resources: {limits: {cpus: '1'}}}",
		"x-anything: {privileged: true}",
		"container_name: my.App-1_x",
		"oom_score_adj: 100",
		"healthcheck: {test: [CMD, 'true'], start_interval: 1s}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++)
		assert_allowed(service(lines[i]), NULL);
}

static void
what_compose_would_not_run_is_invalid(void **state)
{
	(void)state;
	assert_invalid("a: 1\n", "unknown key 'a'");
	assert_invalid("services: {}\n", "at least one service");
	assert_invalid("version: '3'\n", "at least one service");
	assert_invalid("services: [a]\n", "at least one service");
	assert_invalid("services: {app: }\n", "must be a mapping");
	assert_invalid("services: {app: {}}\n", "neither 'image' nor 'build'");
	assert_invalid(
	    "services: {App: {image: n}}\n", "a service's name must be");
	assert_invalid(
	    "services: {../x: {image: n}}\n", "a service's name must be");
	assert_invalid(service("imagee: x"), "unknown key 'imagee'");
	assert_invalid(service("priviledged: true"), "service 'app': unknown");
	assert_invalid(service("container_name: ../x"), "container_name");
	assert_invalid(service("container_name: x"), "container_name");
	assert_invalid(
	    "services: {app: {image: '-v /:/x'}}\n", "image reference");
	assert_invalid("services: {app: {image: [a]}}\n", "image reference");
	assert_invalid(service("build: {contex: .}"), "unknown key 'contex'");
	assert_invalid(service("networks: [back]"), "'back'");
	assert_invalid(service("depends_on: [x]"), "'x'");
	assert_invalid(service("secrets: [x]"), "'x'");
	assert_invalid(service("configs: [{source: x}]"), "'x'");
	assert_invalid(service("extends: x"), "'x', which is no service");
	assert_invalid(service("volumes: ['nothere:/x']"), "not defined");
	assert_invalid(service("volumes: ['d:/x']"), "one letter");
	assert_invalid(service("volumes: ['data:x']"), "absolute");
	assert_invalid(service("volumes: ['data']"), "absolute");
	assert_invalid(service("volumes: ['data:/x:ro:rw']"), "too many");
	assert_invalid(service("volumes: ['data:/x:exec']"), "option 'exec'");
	assert_invalid(service("volumes: [\"./a\\n:/x\"]"), "not valid");
	assert_invalid(service("volumes: ['C:\\x:/x']"), "option '/x'");
	assert_invalid(service("volumes: [{source: x}]"), "needs a 'type'");
	assert_invalid(service("volumes: [{typ: x}]"), "unknown key 'typ'");
	assert_invalid(service("volumes: x"), "must be a list");
	assert_invalid(service("cap_add: NET_ADMIN"), "must be a list");
	assert_invalid("name: Big\nservices: {a: {image: n}}\n", "'name'");
}

/* A document with one more line at the top level. */
static const char *
document(const char *line)
{
	static char text[1024];

	snprintf(text, sizeof text, "services: {app: {image: n}}\n%s\n", line);
	return text;
}

static void
the_top_level_is_looked_at_as_well(void **state)
{
	(void)state;
	assert_forbidden(document("include: [x.yml]"), "'include'");
	assert_forbidden(document("include: ['oci://x']"), "'include'");
	assert_forbidden(document("models: {a: {model: x}}"), "'models'");
	assert_forbidden(
	    document("volumes: {v: {driver_opts: {type: none, o: bind, "
		     "device: /}}}"),
	    "'volume_driver_opts'");
	assert_forbidden(
	    document("volumes: {v: {driver: rclone}}"), "'volume_driver'");
	assert_forbidden(
	    document("networks: {v: {driver: host}}"), "'network_driver'");
	assert_forbidden(
	    document("networks: {v: {driver: macvlan}}"), "'network_driver'");
	assert_forbidden(
	    document("networks: {v: {driver_opts: "
		     "{com.docker.network.bridge.name: docker0}}}"),
	    "'network_driver_opts'");
	assert_forbidden(
	    document("networks: {v: {ipam: {driver: x}}}"), "'network_driver'");
	assert_forbidden(
	    document("networks: {v: {external: true, name: host}}"),
	    "'network_mode'");
	assert_forbidden(document("networks: {v: {external: {name: host}}}"),
	    "'network_mode'");
	assert_forbidden(
	    document("networks: {host: {external: yes}}"), "'network_mode'");
	assert_forbidden(
	    document("networks: {v: {labels: {com.docker.compose.x: y}}}"),
	    "'labels'");
	assert_forbidden(
	    document("secrets: {s: {file: /etc/shadow}}"), "/etc/shadow");
	assert_forbidden(
	    document("configs: {s: {file: ../other/.env}}"), "../other");
	assert_forbidden(
	    document("secrets: {s: {driver: x}}"), "'secret_driver'");
	assert_invalid(
	    document("secrets: {s: {environment: PATH}}"), "not supported");
	assert_invalid(document("volumes: {v: {x: y}}"), "unknown key 'x'");
	assert_invalid(document("volumes: {../v: }"), "a name in 'volumes'");
	assert_invalid(document("networks: {v: {name: 'a b'}}"), "'name'");
	assert_invalid(document("networks: [v]"), "must be a mapping");
	assert_allowed(document("networks: {proxy: {external: true}}"), NULL);
	assert_allowed(
	    document("volumes: {v: {external: true, name: other}}"), NULL);
	assert_allowed(document("networks: {v: {driver: bridge, internal: "
				"true, driver_opts: "
				"{com.docker.network.driver.mtu: 1400}, ipam: "
				"{config: [{subnet: 10.9.0.0/24}]}}}"),
	    NULL);
	assert_allowed(document("configs: {c: {content: hello}}"), NULL);
}

static void
what_is_merged_and_interpolated_counts(void **state)
{
	auto_arena struct arena arena = { 0 };
	static const char text[] = "services:\n"
				   "  app:\n"
				   "    image: n\n"
				   "    privileged: ${P}\n";
	const struct compose_variable bad = { "P", "true" };
	const struct compose_variable good = { "P", "false" };
	struct document *document;
	struct error err;

	(void)state;
	assert_forbidden("x-a: &a {privileged: true}\n"
			 "services: {app: {image: n, <<: *a}}\n",
	    "'privileged'");
	assert_forbidden("x-a: &a ['/:/x']\n"
			 "services: {app: {image: n, volumes: *a}}\n",
	    "'docker_socket'");
	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	assert_int_equal(document_interpolate(document, &bad, 1, &err), 0);
	assert_int_equal(document_check(document, NULL, &err), -1);
	assert_string_equal(err.code, "COMPOSE_POLICY");
	assert_string_equal(err.message,
	    "line 4, column 17: service 'app': 'privileged' is not allowed: "
	    "it makes the container root on the host");
	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	assert_int_equal(document_interpolate(document, &good, 1, &err), 0);
	assert_int_equal(document_check(document, NULL, &err), 0);
}

struct tree {
	char path[64];
	int fd;
};

static int
make_tree(void **state)
{
	struct tree *tree = xcalloc(1, sizeof *tree);
	struct error err;

	snprintf(
	    tree->path, sizeof tree->path, "%s", "/tmp/flatrun-test-XXXXXX");
	assert_non_null(mkdtemp(tree->path));
	tree->fd = file_open_root(tree->path, &err);
	assert_true(tree->fd >= 0);
	*state = tree;
	return 0;
}

static int
remove_tree(void **state)
{
	struct tree *tree = *state;
	struct error err;

	assert_int_equal(
	    file_remove_tree(AT_FDCWD, strrchr(tree->path, '/') + 1, &err), 0);
	close(tree->fd);
	free(tree);
	return 0;
}

static void
assert_paths(struct tree *tree, const char *line,
    const struct compose_policy *policy, const char *code)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { .code = "" };
	struct document *document;
	const char *text = service(line);

	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	assert_int_equal(document_interpolate(document, NULL, 0, &err), 0);
	document_check_paths(document, policy, tree->fd, &err);
	if (strcmp(err.code, code) != 0)
		fail_msg("%s: %s %s", line, err.code, err.message);
}

static void
symbolic_links_are_not_followed(void **state)
{
	struct tree *tree = *state;
	const char *const paths[] = { tree->path, NULL };
	const struct compose_policy policy = { .bind_paths = paths };
	char line[256];

	assert_int_equal(mkdirat(tree->fd, "dir", 0755), 0);
	assert_int_equal(symlinkat("/etc", tree->fd, "dir/link"), 0);
	assert_int_equal(symlinkat("dir", tree->fd, "inside"), 0);
	assert_int_equal(symlinkat("/etc/shadow", tree->fd, "s.txt.link"), 0);

	assert_paths(tree, "volumes: ['./dir:/x']", NULL, "");
	assert_paths(tree, "volumes: ['.:/x:ro']", NULL, "");
	assert_paths(tree, "volumes: ['./not/there:/x']", NULL, "");
	assert_paths(tree, "volumes: ['./dir/link:/x']", NULL, "UNSAFE_PATH");
	assert_paths(tree, "volumes: ['./dir/link/:/x']", NULL, "UNSAFE_PATH");
	assert_paths(
	    tree, "volumes: ['./dir/link/ssh:/x']", NULL, "UNSAFE_PATH");
	assert_paths(tree, "volumes: ['./inside:/x']", NULL, "UNSAFE_PATH");
	assert_paths(tree, "env_file: s.txt.link", NULL, "UNSAFE_PATH");
	assert_paths(tree, "build: ./dir/link", NULL, "UNSAFE_PATH");
	assert_paths(tree, "build: {context: ./dir, dockerfile: link}", NULL,
	    "UNSAFE_PATH");
	assert_paths(tree, "volumes: ['/etc:/x']", NULL, "COMPOSE_POLICY");
	snprintf(line, sizeof line, "volumes: ['%s/dir:/x']", tree->path);
	assert_paths(tree, line, &policy, "");
	snprintf(line, sizeof line, "volumes: ['%s/dir/link:/x']", tree->path);
	assert_paths(tree, line, &policy, "UNSAFE_PATH");
	assert_int_equal(symlinkat("dir", tree->fd, "c"), 0);
	assert_paths(tree, "tty: true", NULL, "UNSAFE_PATH"); /* configs.c */
}

static void
ten_thousand_mounts_are_compared_quickly(void **state)
{
	struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct error err;
	int i;

	(void)state;
	buffer_text(&text, "services:\n  app:\n    image: n\n    volumes:\n");
	for (i = 0; i < 9000; i++)
		buffer_printf(&text, "      - ./d%d/a/b/c/d/e/f/g/h:/x\n", i);
	alarm(5);
	assert_int_equal(check(buffer_string(&text), NULL, &err), 0);
	buffer_text(&text, "      - ./d7000/a:/x\n");
	assert_int_equal(check(buffer_string(&text), NULL, &err), -1);
	assert_non_null(strstr(err.message, "nested_mounts"));
	alarm(0);
	buffer_clear(&text);
}

/* Deep ones that differ at their ends, and what lies between in order. */
static void
deep_mounts_are_compared_quickly(void **state)
{
	struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	struct error err;
	int64_t start = clock_monotonic_ms();
	int i, k;

	(void)state;
	buffer_text(&text, "x-a: &a\n");
	for (i = 0; i < 80; i++) {
		buffer_text(&text, "  - ./");
		for (k = 0; k < 2000; k++)
			buffer_text(&text, "a/");
		buffer_printf(&text, "%d:/x\n", i);
	}
	buffer_text(&text, "services:\n");
	for (i = 0; i < 12; i++)
		buffer_printf(&text, "  s%d: {image: n, volumes: *a}\n", i);
	assert_int_equal(check(buffer_string(&text), NULL, &err), 0);
#ifndef __SANITIZE_ADDRESS__
	assert_true(clock_monotonic_ms() - start < 1000);
#endif
	buffer_text(&text, "  t: {image: n, volumes: ['./a-b:/x', "
			   "'./a.b:/x', './a/a/a:/x']}\n");
	assert_int_equal(check(buffer_string(&text), NULL, &err), -1);
	assert_non_null(strstr(err.message, "nested_mounts"));
	buffer_clear(&text);
}

static void
paths_that_no_system_takes_are_refused(void **state)
{
	char *path = xcalloc(1, 5000);
	struct error err;
	auto_arena struct arena arena = { 0 };

	(void)state;
	memset(path, 'a', 4093);
	assert_int_equal(
	    check(arena_printf(&arena,
		      "services: {app: {image: n, volumes: ['./%s:/x']}}\n",
		      path),
		NULL, &err),
	    0);
	path[4093] = 'a';
	assert_int_equal(
	    check(arena_printf(&arena,
		      "services: {app: {image: n, volumes: ['./%s:/x']}}\n",
		      path),
		NULL, &err),
	    -1);
	assert_string_equal(err.code, "INVALID_COMPOSE");
	free(path);
}

static int
check_resource(const char *driver, bool has_options, const char *labels,
    bool is_network, const struct compose_policy *policy, struct error *err)
{
	auto_json struct json_object *object = NULL;
	auto_json struct json_object *options = json_object_new_object();
	struct docker_volume_options volume = { .driver = driver,
		.driver_options = options };
	struct docker_network_options network = { .driver = driver };
	struct compose *compose;
	int result;

	memset(err, 0, sizeof *err);
	assert_int_equal(compose_open("/tmp", policy, false, &compose, err), 0);
	if (labels != NULL)
		assert_int_equal(
		    json_parse_trusted(labels, strlen(labels), &object, err),
		    0);
	if (has_options)
		json_put_text(options, "type", "none");
	volume.labels = network.labels = object;
	result = is_network ? compose_check_network(compose, &network, err)
			    : compose_check_volume(compose, &volume, err);
	compose_close(compose);
	return result;
}

static void
without_a_document_the_policy_is_the_same(void **state)
{
	static const struct {
		const char *driver;
		bool has_options;
		const char *labels;
		bool is_network;
		const char *field, *allow;
	} cases[] = {
		{ "rexray", false, NULL, false, "driver", "volume_driver" },
		{ "local", true, NULL, false, "driver_opts",
		    "volume_driver_opts" },
		{ "local", false, "{\"com.docker.compose.project\":\"a\"}",
		    false, "labels", "labels" },
		{ "macvlan", false, NULL, true, "driver", "network_driver" },
		{ "host", false, NULL, true, "driver", "network_driver" },
		{ "bridge", false, "{\"x\":\"\",\"COM.docker.stack\":\"\"}",
		    true, "labels", "labels" },
	};
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const allow[] = { cases[i].allow, NULL };
		const struct compose_policy policy = { .allow = allow };

		assert_int_equal(
		    check_resource(cases[i].driver, cases[i].has_options,
			cases[i].labels, cases[i].is_network, NULL, &err),
		    -1);
		assert_int_equal(err.kind, ERR_FORBIDDEN);
		assert_string_equal(err.code,
		    cases[i].is_network ? "NETWORK_POLICY" : "VOLUME_POLICY");
		assert_string_equal(err.field, cases[i].field);
		assert_int_equal(
		    check_resource(cases[i].driver, cases[i].has_options,
			cases[i].labels, cases[i].is_network, &policy, &err),
		    0);
	}
	assert_int_equal(
	    check_resource("local", false, "{\"a\":\"b\"}", false, NULL, &err),
	    0);
	assert_int_equal(
	    check_resource("bridge", false, NULL, true, NULL, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dangerous_keys_are_refused_by_service_and_key),
		cmocka_unit_test(the_operator_allows_each_key_alone),
		cmocka_unit_test(paths_outside_the_project_are_refused),
		cmocka_unit_test(sockets_of_docker_need_their_own_permission),
		cmocka_unit_test(
		    the_operator_opens_directories_with_all_beneath),
		cmocka_unit_test(harmless_values_pass),
		cmocka_unit_test(what_compose_would_not_run_is_invalid),
		cmocka_unit_test(the_top_level_is_looked_at_as_well),
		cmocka_unit_test(what_is_merged_and_interpolated_counts),
		cmocka_unit_test_setup_teardown(
		    symbolic_links_are_not_followed, make_tree, remove_tree),
		cmocka_unit_test(without_a_document_the_policy_is_the_same),
		cmocka_unit_test(ten_thousand_mounts_are_compared_quickly),
		cmocka_unit_test(deep_mounts_are_compared_quickly),
		cmocka_unit_test(paths_that_no_system_takes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
