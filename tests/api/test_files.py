"""Files of a deployment: read, written, deleted, and never left."""

import os
import random
import shutil
import subprocess
import threading
import time

import pytest

from clients import assert_error, wait_until
from conftest import one_service

MIB = 1024 * 1024
BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def site(service):
    """One deployment with files, for tests that leave it as it is."""
    from clients import Client
    from conftest import Deployments

    api = Client(service, service.admin_key, "127.0.0.3")
    deployments = Deployments(api, service)
    name = deployments.create(name=deployments.name("site"), env_vars=[
        {"key": "DB_PASSWORD", "value": "known-to-admins"}])
    top = deployments.directory(name)
    os.makedirs(os.path.join(top, "html", "img"))
    with open(os.path.join(top, "html", "index.html"), "w") as out:
        out.write("<script>alert(1)</script>\n")
    with open(os.path.join(top, "html", "img", "dot.bin"), "wb") as out:
        out.write(bytes(range(256)))
    os.chmod(os.path.join(top, "html", "img", "dot.bin"), 0o640)
    os.symlink("/etc/passwd", os.path.join(top, "passwd"))
    os.symlink("/etc", os.path.join(top, "etc"))
    os.symlink("html", os.path.join(top, "inner"))
    os.mkfifo(os.path.join(top, "fifo"))
    yield name
    deployments.remove_all()


@pytest.fixture
def blog(deployments):
    return deployments.create()


def path_in(deployments, name, *parts):
    return os.path.join(deployments.directory(name), *parts)


def content(deployments, name, *parts):
    with open(path_in(deployments, name, *parts), "rb") as one:
        return one.read()


def form(*parts, boundary="a boundary 7x"):
    """A multipart body of (name, filename or None, bytes), and its type."""
    body = b"preamble\r\n"
    for name, filename, data in parts:
        head = f'Content-Disposition: form-data; name="{name}"'
        if filename is not None:
            head += f'; filename="{filename}"\r\nContent-Type: text/plain'
        body += (f"--{boundary}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return (body + f"--{boundary}--\r\n".encode(),
            {"Content-Type": f'multipart/form-data; boundary="{boundary}"'})


def post_form(api, path, *parts, **options):
    body, headers = form(*parts)
    return api.post(path, body=body, headers=headers, **options)


# Reading


def test_a_listing_shows_what_is_there_and_follows_nothing(viewer, site):
    answer = viewer.get(f"/deployments/{site}/files")
    assert answer.status == 200, answer
    assert answer.json["path"] == "/"
    files = {one["name"]: one for one in answer.json["files"]}
    assert list(files) == sorted(files)
    assert answer.json["total"] == len(files) == 8
    assert files["html"]["is_dir"] is True
    assert files["html"]["child_count"] == 2
    assert files["html"]["path"] == "/html"
    assert files["html"]["permissions"] == "drwxr-xr-x"
    assert files["docker-compose.yml"]["permissions"] == "-rw-r--r--"
    assert files["docker-compose.yml"]["size"] > 10
    assert files["docker-compose.yml"]["mod_time"].endswith("Z")
    assert files[".env.flatrun"]["permissions"] == "-rw-------"
    for name in ("passwd", "etc", "inner"):
        assert files[name]["type"] == "link"
        assert files[name]["is_dir"] is False
        assert "child_count" not in files[name]
    assert files["fifo"]["type"] == "other"


def test_a_listing_is_of_any_directory_and_in_parts(viewer, site):
    for query in ("?path=/html/", "?path=html", "/html?list=true"):
        answer = viewer.get(f"/deployments/{site}/files{query}")
        assert answer.status == 200, answer
        assert [one["path"] for one in answer.json["files"]] == [
            "/html/img", "/html/index.html"]
        assert answer.json["path"] == "/html"
    answer = viewer.get(f"/deployments/{site}/files?path=html&offset=1")
    assert [one["name"] for one in answer.json["files"]] == ["index.html"]
    assert answer.json["total"] == 2
    answer = viewer.get(f"/deployments/{site}/files?limit=1")
    assert len(answer.json["files"]) == 1
    assert_error(viewer.get(f"/deployments/{site}/files?limit=1001"), 400)
    assert_error(
        viewer.get(f"/deployments/{site}/files?path=html/index.html"),
        409, "NOT_A_DIRECTORY")


def test_a_file_is_downloaded_and_never_shown(operator, site):
    answer = operator.get(f"/deployments/{site}/files/html/index.html")
    assert answer.status == 200, answer
    assert answer.body == b"<script>alert(1)</script>\n"
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Content-Disposition").startswith(
        'attachment; filename="index.html"')
    assert answer.header("Cache-Control") == "no-store"
    answer = operator.get(f"/deployments/{site}/files/html/img/dot.bin")
    assert answer.body == bytes(range(256))
    head = operator.request(
        "HEAD", f"/deployments/{site}/files/html/img/dot.bin")
    assert head.status == 200 and head.body == b""
    assert head.header("Content-Length") == "256"


def test_what_a_file_is_without_its_contents(viewer, site):
    answer = viewer.get(
        f"/deployments/{site}/files/html/img/dot.bin?info=true")
    assert answer.status == 200, answer
    assert answer.json["file"] == answer.json["data"]
    file = answer.json["file"]
    assert file["name"] == "dot.bin"
    assert file["path"] == "/html/img/dot.bin"
    assert file["size"] == 256
    assert file["mode"] == 0o640
    assert file["permissions"] == "-rw-r-----"
    link = viewer.get(f"/deployments/{site}/files/passwd?info=true")
    assert link.json["file"]["type"] == "link"


def test_the_size_of_it_all(viewer, site):
    answer = viewer.get(f"/deployments/{site}/files-info")
    assert answer.status == 200, answer
    assert answer.json["deployment"] == site
    assert answer.json["complete"] is True
    assert answer.json["disk_usage"] >= 4096
    assert answer.json["file_count"] == 5
    assert answer.json["mount_path"].endswith(f"/{site}")


def test_who_may_read_what(viewer, operator, api, site, anonymous):
    files = f"/deployments/{site}/files"
    assert_error(viewer.get(f"{files}/html/index.html"), 403)
    for one in (viewer, operator):
        answer = one.get(f"{files}/.env.flatrun")
        assert_error(answer, 403)
        assert "known-to-admins" not in answer.text
        assert one.get(f"{files}/.env.flatrun?info=true").status == 200
    assert b"known-to-admins" in api.get(f"{files}/.env.flatrun").body
    assert_error(viewer.get(f"/deployments/{site}/archive"), 403)
    assert_error(anonymous.get(f"{files}/html/index.html"), 401)


# What leads elsewhere

LINKS = ["passwd", "etc", "etc/passwd", "inner", "inner/index.html", "fifo"]


@pytest.mark.parametrize("path", LINKS)
def test_links_and_fifos_are_not_opened(api, site, path):
    answer = api.get(f"/deployments/{site}/files/{path}")
    assert_error(answer, 400, "UNSAFE_PATH")
    assert answer.seconds < 3
    assert "root:" not in answer.text
    if path != "fifo":
        assert_error(
            api.get(f"/deployments/{site}/files?path={path}"), 400,
            "UNSAFE_PATH")


@pytest.mark.parametrize("path", [
    b"..", b"../other", b"%2e%2e", b"%2e%2e/%2e%2e/etc/passwd",
    b"html/../../x", b"html/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    b"..%2f..%2fetc%2fpasswd", b"html/..%2f..%2fx", b"%2Fetc%2Fpasswd",
    b"html/%2e/index.html", b"html//index.html", b"%252e%252e/x",
    b"..%5c..%5cx", b"html/..;/x", b"%00", b"html%00/index.html",
    b"html/index.html%00.txt", b"%c0%ae%c0%ae/x", b"%u002e%u002e/x",
    b"a%0d%0ab", b"/".join([b"d"] * 40), b"x" * 300,
])
@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE"])
def test_no_path_leads_out(api, site, service, method, path):
    before = set(os.listdir(service.path("deployments")))
    answer = api.raw_request(
        method, b"/api/deployments/" + site.encode() + b"/files/" + path,
        [b"Content-Type: application/octet-stream"]
        if method == b"PUT" else [],
        b"x" if method == b"PUT" else b"",
    )
    if answer.status == 200 and method == b"PUT":
        # A plain name, however odd: it is in the directory itself.
        odd = answer.json["file"]["path"]
        assert odd.startswith("/") and ".." not in odd.split("/")
        assert os.path.isfile(
            service.path("deployments", site, odd.lstrip("/")))
        top = odd.lstrip("/").split("/")[0]
        subprocess.run(
            ["rm", "-rf", service.path("deployments", site, top)], check=True)
    else:
        assert answer.status in (400, 404, 405), answer
        assert "root:" not in answer.text
    assert set(os.listdir(service.path("deployments"))) == before
    assert os.path.exists("/etc/passwd")


@pytest.mark.parametrize("query", [
    "..", "/../", "html/../..", "/etc/passwd/../..", "%2e%2e", "a/%2e%2e/..",
    "etc/..", "inner/..",
])
def test_no_listing_leads_out(api, site, query):
    answer = api.get(f"/deployments/{site}/files?path={query}")
    assert answer.status in (400, 404), answer


def test_what_is_not_there_is_not_found(api, operator, site):
    for method in ("GET", "DELETE"):
        assert_error(
            operator.request(method, f"/deployments/{site}/files/nothing"),
            404, "FILE_NOT_FOUND")
        assert_error(
            operator.request(
                method, f"/deployments/{site}/files/html/index.html/x"), 404)
    assert_error(
        operator.get("/deployments/nobody/files"), 404,
        "DEPLOYMENT_NOT_FOUND")
    assert_error(
        operator.put("/deployments/nobody/files/x", body=b"x"), 404)


def test_writing_goes_through_no_link(api, site, service):
    for path in ("etc/new", "passwd", "inner/index.html", "fifo"):
        assert_error(
            api.put(f"/deployments/{site}/files/{path}", body=b"evil"),
            400, "UNSAFE_PATH")
        assert_error(
            api.put(f"/deployments/{site}/permissions/{path}", {"mode": 511}),
            400, "UNSAFE_PATH")
    assert not os.path.exists("/etc/new")
    assert_error(
        api.post(f"/deployments/{site}/mkdir/etc/dir"), 400, "UNSAFE_PATH")
    assert_error(
        api.delete(f"/deployments/{site}/files/etc/hostname"), 400,
        "UNSAFE_PATH")
    assert os.path.exists("/etc/hostname")
    assert os.path.islink(service.path("deployments", site, "passwd"))


def test_a_link_that_comes_and_goes_is_never_followed(
        api, deployments, blog, service):
    """A container changes its mount while files are read and written."""
    top = deployments.directory(blog)
    secret = service.path("secret-of-others")
    os.makedirs(secret, exist_ok=True)
    with open(os.path.join(secret, "file"), "w") as out:
        out.write("SECRET OF OTHERS")
    os.makedirs(os.path.join(top, "real"))
    with open(os.path.join(top, "real", "file"), "w") as out:
        out.write("mine")
    ended, swaps = threading.Event(), []
    real, spot = os.path.join(top, "real"), os.path.join(top, "spot")

    def clear():
        """Writing makes directories that are missing."""
        if os.path.islink(spot):
            os.unlink(spot)
        else:
            shutil.rmtree(spot, ignore_errors=True)

    def swap():
        while not ended.is_set():
            clear()
            try:
                os.rename(real, spot)
            except OSError:
                continue
            time.sleep(0.001)
            os.rename(spot, real)
            try:
                os.symlink(secret, spot)
            except FileExistsError:
                continue
            swaps.append(1)
            time.sleep(0.001)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(60):
            answer = api.get(f"/deployments/{blog}/files/spot/file")
            assert answer.status in (200, 400, 404), answer
            assert b"SECRET" not in answer.body
            answer = api.put(
                f"/deployments/{blog}/files/spot/new", body=b"written")
            assert os.listdir(secret) == ["file"], answer
    finally:
        ended.set()
        thread.join()
    assert not os.path.exists(os.path.join(secret, "new"))
    assert len(swaps) > 20


# Writing


def test_a_file_is_written_with_curl_t_and_read_back(
        operator, blog, deployments):
    data = random.Random(7).randbytes(300_000)
    answer = operator.put(
        f"/deployments/{blog}/files/data/a%20b/%C3%A4.bin", body=data)
    assert answer.status == 200, answer
    assert answer.json["message"] == "File uploaded successfully"
    assert answer.json["file"]["path"] == "/data/a b/ä.bin"
    assert answer.json["file"]["size"] == len(data)
    assert content(deployments, blog, "data", "a b", "ä.bin") == data
    again = operator.get(f"/deployments/{blog}/files/data/a%20b/%C3%A4.bin")
    assert again.body == data
    assert "filename*=UTF-8''%C3%A4.bin" in again.header(
        "Content-Disposition")
    status = os.stat(path_in(deployments, blog, "data", "a b", "ä.bin"))
    assert status.st_mode & 0o7777 == 0o644


def test_a_file_is_uploaded_by_a_form(operator, blog, deployments):
    answer = post_form(
        operator, f"/deployments/{blog}/files/notes.txt",
        ("other", None, b"ignored"), ("file", "x.txt", b"one\r\n--two"))
    assert answer.status == 200, answer
    assert answer.json["file"]["path"] == "/notes.txt"
    assert content(deployments, blog, "notes.txt") == b"one\r\n--two"
    # Into a directory by its own name, which is none of a path.
    for path, filename in (("", "top.txt"), ("/docs", "C:\\x\\deep.txt"),
                           ("/docs", "../../up.txt")):
        if path:
            operator.post(f"/deployments/{blog}/mkdir{path}")
        answer = post_form(
            operator, f"/deployments/{blog}/files{path}",
            ("file", filename, b"here"))
        assert answer.status == 200, answer
    assert content(deployments, blog, "top.txt") == b"here"
    assert sorted(os.listdir(path_in(deployments, blog, "docs"))) == [
        "deep.txt", "up.txt"]


def test_an_empty_file_is_a_file(operator, blog, deployments):
    assert operator.put(
        f"/deployments/{blog}/files/empty", body=b"").status == 200
    assert content(deployments, blog, "empty") == b""
    answer = post_form(
        operator, f"/deployments/{blog}/files/empty2", ("file", "x", b""))
    assert answer.status == 200, answer
    assert operator.get(f"/deployments/{blog}/files/empty").body == b""


def test_a_file_that_is_replaced_keeps_mode_and_owner(
        operator, blog, deployments):
    path = path_in(deployments, blog, "app.conf")
    with open(path, "w") as out:
        out.write("old")
    os.chmod(path, 0o600)
    os.chown(path, 1234, 4321)
    assert operator.put(
        f"/deployments/{blog}/files/app.conf", body=b"new").status == 200
    status = os.stat(path)
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (
        0o600, 1234, 4321)
    assert content(deployments, blog, "app.conf") == b"new"


@pytest.mark.parametrize("headers, body", [
    ({"Content-Type": "multipart/form-data"}, b"x"),
    ({"Content-Type": "multipart/form-data; boundary="}, b"x"),
    ({"Content-Type": "multipart/form-data; boundary=x"}, b""),
    ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--\r\n"),
    ({"Content-Type": "multipart/form-data; boundary=x"},
     b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf"),
])
def test_a_broken_form_writes_nothing(
        operator, blog, deployments, service, headers, body):
    answer = operator.post(
        f"/deployments/{blog}/files/new.txt", body=body, headers=headers)
    assert_error(answer, 400)
    assert not os.path.exists(path_in(deployments, blog, "new.txt"))
    assert_nothing_is_staged(service)


def test_a_form_has_one_file_of_that_name(
        operator, blog, deployments, service):
    for parts in ([("files", "x", b"1")],
                  [("file", "x", b"1"), ("file", "y", b"2")]):
        answer = post_form(
            operator, f"/deployments/{blog}/files/new.txt", *parts)
        assert_error(answer, 400)
    assert not os.path.exists(path_in(deployments, blog, "new.txt"))
    assert_nothing_is_staged(service)


def assert_nothing_is_staged(service):
    """The agent clears up when the worker has gone, not before."""
    wait_until(lambda: uploads_waiting(service) == [], 5)


def uploads_waiting(service):
    staging = service.path("deployments", ".flatrun", "staging")
    return [one for one in os.listdir(staging) if one.startswith("upload-")]


@pytest.mark.parametrize("kind", [
    None, "text/plain", "application/x-www-form-urlencoded",
    "application/json", "multipart/mixed; boundary=x",
])
def test_what_a_form_of_another_site_sends_is_refused(
        operator, blog, deployments, kind):
    answer = operator.post(
        f"/deployments/{blog}/files/x", body=b"x",
        headers={"Content-Type": kind})
    assert_error(answer, 415)
    assert not os.path.exists(path_in(deployments, blog, "x"))


def test_the_usual_routes_take_no_other_body(operator, blog):
    body, headers = form(("file", "x", b"1"))
    for path in (f"/deployments/{blog}/start", f"/deployments/{blog}/mkdir/x"):
        assert_error(operator.post(path, body=body, headers=headers), 415)


def test_directories_are_made_touched_and_deleted(
        operator, blog, deployments):
    base = f"/deployments/{blog}"
    answer = operator.post(f"{base}/mkdir/a/b/c")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Directory created"
    assert answer.json["directory"]["path"] == "/a/b/c"
    assert answer.json["directory"]["is_dir"] is True
    assert_error(operator.post(f"{base}/mkdir/a/b"), 409, "ALREADY_EXISTS")
    answer = operator.post(f"{base}/touch/a/b/file")
    assert answer.status == 200, answer
    assert answer.json["file"]["size"] == 0
    os.utime(path_in(deployments, blog, "a", "b", "file"), (1, 1))
    assert operator.post(f"{base}/touch/a/b/file").status == 200
    assert os.stat(path_in(deployments, blog, "a/b/file")).st_mtime > 1
    assert_error(
        operator.put(f"{base}/files/a", body=b"x"), 409, "IS_A_DIRECTORY")
    assert_error(
        operator.put(f"{base}/files/a/b/file/x", body=b"x"), 409,
        "NOT_A_DIRECTORY")
    assert_error(
        operator.delete(f"{base}/files/a"), 409, "DIRECTORY_NOT_EMPTY")
    answer = operator.delete(f"{base}/files/a/b/c")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Deleted successfully"
    # A link goes, and not what it leads to.
    os.symlink("/etc", path_in(deployments, blog, "a", "etc"))
    assert operator.delete(f"{base}/files/a?recursive=true").status == 200
    assert not os.path.exists(path_in(deployments, blog, "a"))
    assert os.path.exists("/etc/hostname")
    assert_error(operator.delete(f"{base}/files/a"), 404)


def test_the_directory_itself_stays(operator, blog, deployments):
    for path in ("", "/"):
        assert operator.delete(
            f"/deployments/{blog}/files{path}?recursive=true"
        ).status in (404, 405)
    assert os.path.exists(path_in(deployments, blog, "docker-compose.yml"))


@pytest.mark.parametrize("mode", [0o1777, 0o4755, 0o2755, -1, "755", None])
def test_special_permissions_are_refused(operator, blog, deployments, mode):
    operator.put(f"/deployments/{blog}/files/tool", body=b"x")
    answer = operator.put(
        f"/deployments/{blog}/permissions/tool", {"mode": mode})
    assert_error(answer, 400)
    assert os.stat(
        path_in(deployments, blog, "tool")).st_mode & 0o7777 == 0o644


def test_permissions_are_set(operator, blog, deployments):
    operator.put(f"/deployments/{blog}/files/bin/tool", body=b"x")
    for path, mode in (("bin/tool", 0o755), ("bin", 0o711)):
        answer = operator.put(
            f"/deployments/{blog}/permissions/{path}", {"mode": mode})
        assert answer.status == 200, answer
        assert answer.json["file"]["mode"] == mode
        assert os.stat(
            path_in(deployments, blog, path)).st_mode & 0o7777 == mode


def test_a_viewer_changes_nothing(viewer, blog, deployments):
    base = f"/deployments/{blog}"
    before = os.listdir(deployments.directory(blog))
    for answer in (
        viewer.put(f"{base}/files/x", body=b"x"),
        post_form(viewer, f"{base}/files/x", ("file", "x", b"x")),
        viewer.delete(f"{base}/files/docker-compose.yml"),
        viewer.post(f"{base}/mkdir/x"),
        viewer.post(f"{base}/touch/x"),
        viewer.put(f"{base}/permissions/x", {"mode": 0}),
        post_form(viewer, f"{base}/files-push", ("archive", "x", b"x")),
    ):
        assert_error(answer, 403)
    assert os.listdir(deployments.directory(blog)) == before


# The files that make the deployment


def test_the_compose_file_is_checked_like_everywhere(
        operator, blog, deployments, api):
    base = f"/deployments/{blog}/files/docker-compose.yml"
    before = content(deployments, blog, "docker-compose.yml")
    evil = ("services:\n  app:\n    image: test/web:1\n"
            "    privileged: true\n")
    assert_error(operator.put(base, body=evil), 403)
    assert_error(operator.put(base, body="a: [b\n"), 400)
    assert_error(operator.put(base, body=b"\xff\xfe\x00"), 400)
    assert_error(
        operator.put(base, body=b"#" * (1024 * 1024 + 1)), 413)
    assert content(deployments, blog, "docker-compose.yml") == before
    text = one_service() + "# by the files API\n"
    answer = operator.put(base, body=text)
    assert answer.status == 200, answer
    assert content(deployments, blog, "docker-compose.yml") == text.encode()
    assert api.get(f"/deployments/{blog}/compose").json["content"] == text
    assert api.get(f"/deployments/{blog}/revisions").status == 200


def test_metadata_and_environment_are_checked_like_everywhere(
        operator, blog, deployments, api):
    base = f"/deployments/{blog}/files"
    before = content(deployments, blog, "service.yml")
    assert_error(operator.put(f"{base}/service.yml", body="a: [b\n"), 400)
    assert_error(
        operator.put(f"{base}/service.yml",
                     body="networking: {container_port: 99999}\n"), 400)
    assert content(deployments, blog, "service.yml") == before
    assert operator.put(
        f"{base}/service.yml", body="name: new\n# mine\n").status == 200
    assert b"# mine" in content(deployments, blog, "service.yml")
    assert operator.put(
        f"{base}/.env.flatrun", body="# mine\nA=1\n").status == 200
    assert content(deployments, blog, ".env.flatrun") == b"# mine\nA=1\n"
    assert os.stat(path_in(
        deployments, blog, ".env.flatrun")).st_mode & 0o777 == 0o600
    assert_error(operator.put(f"{base}/.env.flatrun", body=b"\xff=1"), 400)


def test_nobody_takes_them_away_or_puts_others_before_them(
        operator, blog, deployments):
    base = f"/deployments/{blog}"
    for name in ("docker-compose.yml", "service.yml", ".env.flatrun",
                 "compose.yaml", "docker-compose.override.yml"):
        for answer in (
            operator.delete(f"{base}/files/{name}?recursive=true"),
            operator.put(f"{base}/permissions/{name}", {"mode": 0}),
            operator.post(f"{base}/mkdir/{name}"),
            operator.post(f"{base}/touch/{name}"),
        ):
            assert_error(answer, 403, "MANAGED_FILE")
    for name in ("compose.yaml", "docker-compose.override.yml"):
        assert_error(
            operator.put(f"{base}/files/{name}", body=one_service()), 403,
            "MANAGED_FILE")
        answer = post_form(
            operator, f"{base}/files", ("file", name, b"services: {}"))
        assert_error(answer, 403, "MANAGED_FILE")
    assert operator.put(
        f"{base}/files/other/compose.yaml", body=b"x").status == 200


# Large ones


def peak_memory(service):
    peak = 0
    for process in service.workers():
        with open(f"/proc/{process}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]) * 1024)
    return peak


@pytest.mark.parametrize("by_form", [False, True])
def test_64_mebibytes_go_through_and_65_do_not(
        operator, blog, deployments, service, by_form):
    data = os.urandom(MIB) * 64
    path = f"/deployments/{blog}/files/large"
    before = peak_memory(service)

    def send(data):
        if by_form:
            return post_form(operator, path, ("file", "large", data))
        return operator.put(path, body=data)

    answer = send(data)
    assert answer.status == 200, answer
    assert content(deployments, blog, "large") == data
    assert peak_memory(service) - before < 32 * MIB
    back = operator.get(path)
    assert back.body == data
    assert peak_memory(service) - before < 32 * MIB
    for extra in (1, MIB):
        assert_error(send(data + b"x" * extra), 413)
    assert content(deployments, blog, "large") == data
    assert_nothing_is_staged(service)


def test_a_hundred_mebibytes_are_refused_and_leave_nothing(
        operator, blog, service):
    answer = operator.put(
        f"/deployments/{blog}/files/large", body=b"x" * (100 * MIB))
    assert answer.status == 413, answer
    assert_nothing_is_staged(service)
    body = service.path("nginx", "body")
    wait_until(lambda: sum(
        len(files) for _, _, files in os.walk(body)) == 0, 5)


def mount(path, size):
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path],
        check=True)


def test_a_full_disk_is_507_and_the_old_file_stays(
        operator, blog, deployments):
    small = path_in(deployments, blog, "small")
    os.makedirs(small)
    mount(small, "1m")
    try:
        base = f"/deployments/{blog}/files/small/file"
        assert operator.put(base, body=b"old" * 1000).status == 200
        assert_error(
            operator.put(base, body=b"x" * (2 * MIB)), 507, "STORAGE_FULL")
        assert content(
            deployments, blog, "small", "file") == b"old" * 1000
        assert os.listdir(small) == ["file"]
        assert operator.get(base).body == b"old" * 1000
        assert operator.put(base, body=b"new").status == 200
        assert operator.delete(base).status == 200
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_full_staging_area_is_507_and_recovers(
        operator, blog, deployments, service):
    staging = service.path("deployments", ".flatrun", "staging")
    service.stop_agent()
    mount(staging, "4m")
    try:
        service.start_agent()
        service.wait_until_ready()
        path = f"/deployments/{blog}/files/file"
        assert_error(
            operator.put(path, body=b"x" * (8 * MIB)), 507, "STORAGE_FULL")
        assert os.listdir(staging) == []
        assert not os.path.exists(path_in(deployments, blog, "file"))
        assert operator.get("/deployments").status == 200
        # There is room for this one, and it is of another file system.
        assert operator.put(path, body=b"x" * MIB).status == 200
        assert len(content(deployments, blog, "file")) == MIB
        assert os.listdir(staging) == []
    finally:
        service.stop_agent()
        subprocess.run(["umount", "-l", staging], check=True)
        service.start_agent()
        service.wait_until_ready()


# Trouble


def test_two_writers_of_one_file_leave_one_of_both(
        operator, blog, deployments):
    answers = []

    def write(letter):
        answers.append((letter, operator.put(
            f"/deployments/{blog}/files/both", body=letter * MIB)))

    threads = [threading.Thread(target=write, args=(letter,))
               for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for _, answer in answers} <= {200, 409}
    written = [letter for letter, answer in answers if answer.status == 200]
    now = content(deployments, blog, "both")
    assert len(now) == MIB and now[:1] in written
    assert now == now[:1] * MIB


@pytest.mark.parametrize("delay", [0, 0.03, 0.1, 0.2])
def test_an_agent_killed_in_an_upload_leaves_the_old_or_the_new_file(
        operator, blog, deployments, service, delay):
    path = f"/deployments/{blog}/files/file"
    old, new = b"old" * 1000, b"new" * (8 * MIB // 3)
    assert operator.put(path, body=old).status == 200
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        operator.put(path, body=new)))
    thread.start()
    time.sleep(delay)
    service.kill_agent()
    thread.join(60)
    service.start_agent()
    service.wait_until_ready()
    now = content(deployments, blog, "file")
    assert now in (old, new)
    assert answers[0].status in (200, 409, 500, 502, 503), answers
    if answers[0].status == 200:
        assert now == new
    assert sorted(os.listdir(deployments.directory(blog))) == [
        "docker-compose.yml", "file", "service.yml"]
    assert_nothing_is_staged(service)
    assert operator.put(path, body=b"again").status == 200


def test_without_the_agent_files_are_unavailable(api, blog, service):
    service.stop_agent()
    try:
        for answer in (
            api.get(f"/deployments/{blog}/files"),
            api.get(f"/deployments/{blog}/env"),
            api.put(f"/deployments/{blog}/files/x", body=b"x" * MIB),
        ):
            assert_error(answer, 503, "AGENT_UNAVAILABLE")
            assert answer.seconds < 3
    finally:
        service.start_agent()
        service.wait_until_ready()


def test_contents_are_neither_in_the_log_nor_in_the_state(
        operator, blog, service):
    assert operator.put(
        f"/deployments/{blog}/files/x", body=b"unique-word-4711"
    ).status == 200
    for name in ("agent", "workers"):
        assert "unique-word-4711" not in service.log(name)
    state = service.path("state", "database")
    for name in os.listdir(state):
        with open(os.path.join(state, name), "rb") as one:
            assert b"unique-word-4711" not in one.read()
