# SPDX-License-Identifier: Apache-2.0
"""sluice-ingress between an API server and an appliance that both misbehave on demand. Both are small stand-ins here,
because the real ones do not lie."""
import contextlib
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import cluster as kube
import pytest
from cluster import eventually
from tests.support.lab import ROOT, stop

BUILD = ROOT / "build" / os.environ.get("SLUICE_BUILD", "release")
LISTS = {"/apis/networking.k8s.io/v1/ingressclasses": "classes", "/apis/networking.k8s.io/v1/ingresses": "ingresses",
         "/api/v1/services": "services", "/api/v1/secrets": "secrets", "/apis/discovery.k8s.io/v1/endpointslices": "slices",
         "/apis/sluice.dev/v1/sluiceconfigs": "configs"}
LEASE = "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases"


class Server(ThreadingHTTPServer):
    """`mode` decides what every request meets: ok, 500, 429, 404, garbage, lies, half, close, hang, huge."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.mode, self.asked = answer, "ok", 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body, headers=()):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(raw))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked += 1
        mode = self.server.mode
        if mode == "404":  # as an API server that starts, which knows no kinds yet
            self.reply(500 if self.path == "/readyz" else 404, {"kind": "Status"})
        elif mode in ("500", "429"):
            self.reply(int(mode), {"kind": "Status"}, [("Retry-After", "1")] if mode == "429" else [])
        elif mode == "garbage":
            self.reply(200, b'{"items": [{"metadata": 7}, "x", {"spec": {"rules": "no"}}, \xff\xfe')
        elif mode == "lies":  # well-formed, and an empty list without a version
            self.reply(200, {"items": []}, [("ETag", '"9"')])
        elif mode == "half":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b'{"items": [')
            self.close_connection = True
        elif mode == "close":
            self.close_connection = True
        elif mode == "hang":
            while self.server.mode == "hang":
                time.sleep(0.05)
            self.close_connection = True
        elif mode == "huge":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(90):  # no end in sight
                self.wfile.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            self.close_connection = True
        else:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the controller went
                self.server.answer(self, self.command, self.path, body)

    do_GET = do_PATCH = do_POST = do_PUT = handle_one

    def log_message(self, *_):
        pass


class FakeApi:
    """Lists, watches and writes. What is written is noted, and changes nothing."""

    def __init__(self):
        self.objects = {name: {} for name in LISTS.values()}
        self.changes = []  # (version, kind, object), for watches
        self.version = 10
        self.changed = threading.Condition()
        self.absent = set()  # kinds that are not there
        self.refuse = None   # the status that writes get
        self.written = []    # (method, path, status)
        self.lease, self.lease_versions = None, 0
        self.reading, self.read = [], []  # Secrets: how many at once, when each was asked for; those that are answered
        self.server = Server(self.answer)

    def put(self, kind, obj):
        with self.changed:
            meta = dict(obj["metadata"], uid="u", creationTimestamp="2024-01-01T00:00:00Z", resourceVersion=str(self.version + 1))
            self.put_raw(kind, dict(obj, metadata=meta))

    def put_raw(self, kind, obj):
        with self.changed:
            self.version += 1
            self.objects[kind][json.dumps(obj["metadata"].get("name"))] = obj
            self.changes.append((self.version, kind, obj))
            self.changed.notify_all()

    def answer(self, handler, method, path, body):
        url = urlsplit(path)
        kind = LISTS.get(url.path)
        if url.path.startswith(LEASE):
            return self.answer_lease(handler, method, json.loads(body or b"null"))
        if method != "GET":
            self.written.append((method, url.path, self.refuse or 200))
            return handler.reply(self.refuse or 200, {})
        if url.path.startswith("/api/v1/namespaces/default/secrets/"):
            self.reading.append(len(self.reading) - len(self.read) + 1)
            time.sleep(0.05)
            self.read.append(url.path)
            secret = self.objects["secrets"][json.dumps(url.path.split("/")[-1])]
            return handler.reply(200, dict(secret, data={"tls.crt": "bm8=", "tls.key": "bm8="}))
        if url.path == "/apis/discovery.k8s.io/v1":
            return handler.reply(200, {"resources": [{"name": "endpointslices"}]})
        if kind is None or kind in self.absent:
            return handler.reply(200 if url.path == "/readyz" else 404, {})
        query = parse_qs(url.query)
        if "watch" in query:
            return self.watch(handler, kind, int(query["resourceVersion"][0]))
        with self.changed:
            page = {"metadata": {"resourceVersion": str(self.version)}, "items": list(self.objects[kind].values())}
        return handler.reply(200, page)

    def watch(self, handler, kind, since):
        """Until the mode changes, or the kind goes."""
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while handler.server.mode == "ok" and kind not in self.absent:
            with self.changed:
                self.changed.wait_for(lambda: self.version > since, 0.1)
                events = [obj for version, k, obj in self.changes if version > since and k == kind]
                since = self.version
            for obj in events:
                line = json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n"
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        handler.wfile.write(b"0\r\n\r\n")

    def answer_lease(self, handler, method, wanted):
        """A Lease whose writes are done at once and answered late."""
        with self.changed:
            if method == "GET":
                return handler.reply(200 if self.lease else 404, self.lease or {})
            if self.lease and wanted["metadata"].get("resourceVersion") != str(self.lease_versions):
                return handler.reply(409, {})
            self.lease_versions += 1
            self.lease = dict(wanted, metadata=dict(wanted["metadata"], resourceVersion=str(self.lease_versions)))
            lease = self.lease
        time.sleep(1)
        return handler.reply(200, lease)


class FakeAppliance:
    KINDS = ("load_balancers", "listeners", "rules", "server_groups", "certificates", "address_pools",
             "access_control_lists")

    def __init__(self):
        self.config = {k: {} for k in self.KINDS}
        self.changed = threading.Lock()
        self.revision, self.refuse = 1, None
        self.server = Server(self.answer)

    def answer(self, handler, method, _, body):
        with self.changed:
            self.answer_alone(handler, method, body)

    def answer_alone(self, handler, method, body):
        tag = [("ETag", f'"{self.revision}"')]
        if method == "GET":
            if handler.headers.get("If-None-Match") == tag[0][1]:
                return handler.reply(304, b"", tag)
            return handler.reply(200, {k: list(v.values()) for k, v in self.config.items()}, tag)
        change = json.loads(body)
        if self.refuse:
            wrong = [f"/put/rules/{i}/hosts/0" for i, r in enumerate(change["put"].get("rules", []))
                     if r["hosts"][0]["value"] == self.refuse]
            if wrong:
                return handler.reply(422, {"errors": [{"path": p, "message": "is refused"} for p in wrong]})
        for kind, objects in change["put"].items():
            self.config[kind].update({o["id"]: o for o in objects})
        for kind, ids in change["delete"].items():
            for i in ids:
                self.config[kind].pop(i, None)
        for lb in self.config["load_balancers"].values():
            lb["addresses"] = lb["addresses"] or ["192.0.2.1"]
        self.revision += 1
        return handler.reply(200, {}, [("ETag", f'"{self.revision}"')])

    def hosts(self):
        with self.changed:
            return {r["hosts"][0]["value"] for r in self.config["rules"].values()}


@contextlib.contextmanager
def running(folder, api, appliance, *arguments):
    """A controller between these two."""
    config = folder / "kubeconfig"
    config.write_text(json.dumps({"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                                  "clusters": [{"name": "c", "cluster": {"server": api.server.url}}]}))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([BUILD / "mgmt/ingress/sluice-ingress", "--kubeconfig", config, "--listen",
                                    f"127.0.0.1:{kube.free_port()}", "--appliance", f"url={appliance.server.url},name=fake",
                                    *arguments], stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
        assert process.poll() in (None, 0), (folder / "log").read_text()[-3000:]
    finally:
        stop(process)
        api.server.mode = appliance.server.mode = "closed"  # ends watches and requests that hang
        for s in (api.server, appliance.server):
            s.shutdown()
            s.server_close()
    assert process.returncode in (0, -9), (folder / "log").read_text()[-3000:]  # -9: late; a sanitizer has others


def make_pair():
    api, appliance = FakeApi(), FakeAppliance()
    api.put("configs", {"metadata": {"name": "p"}, "spec": {"listener": {"idle_timeout_ms": 31000}}})
    api.put("classes", {"metadata": {"name": "sluice"}, "spec": {
        "controller": "sluice.dev/ingress", "parameters": {"apiGroup": "sluice.dev", "kind": "SluiceConfig", "name": "p"}}})
    api.put("services", kube.service("web"))
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.1"]))
    api.put("ingresses", kube.ingress("first", rules=[kube.rule("first.example", "web")]))
    return api, appliance


@pytest.fixture
def pair(tmp_path):
    api, appliance = make_pair()
    with running(tmp_path, api, appliance, "--no-leader-election") as process:
        eventually(lambda: appliance.hosts() == {"first.example"}, "the first rules")
        yield api, appliance, process


def put_second(api):
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")]))


def has_second(appliance):
    return appliance.hosts() == {"first.example", "second.example"}


@pytest.mark.parametrize("mode", ["500", "429", "404", "garbage", "lies", "half", "close", "hang", "huge"])
def test_an_api_server_that_misbehaves_changes_nothing_and_is_followed_afterwards(pair, mode):
    api, appliance, process = pair
    before = json.dumps(appliance.config)
    begin, asked = time.monotonic(), api.server.asked
    api.server.mode = mode
    eventually(lambda: api.server.asked >= asked + len(LISTS), "a request for each kind")
    time.sleep(1)
    assert api.server.asked - asked < 30 + 30 * (time.monotonic() - begin), "it backs off"
    assert json.dumps(appliance.config) == before
    memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096
    assert memory < 600 << 20, "memory is bounded"
    put_second(api)
    api.server.mode = "ok"
    eventually(lambda: has_second(appliance), "the second rules")


@pytest.mark.parametrize("mode", ["500", "garbage", "lies", "half", "close", "hang"])
def test_an_appliance_that_misbehaves_gets_all_of_it_afterwards(pair, mode):
    api, appliance, _ = pair
    asked = appliance.server.asked
    appliance.server.mode = mode
    put_second(api)
    eventually(lambda: appliance.server.asked > asked, "a request")
    time.sleep(1)
    assert appliance.hosts() == {"first.example"}
    appliance.server.mode = "ok"
    eventually(lambda: has_second(appliance), "the second rules")


def test_an_appliance_is_looked_at_now_and_then_also_while_the_cluster_changes_all_the_time(pair):
    api, appliance, _ = pair
    with appliance.changed:  # by hand
        appliance.config["rules"].clear()
        appliance.revision += 1

    def mended():
        api.put("services", kube.service("other"))
        return appliance.hosts() == {"first.example"}
    eventually(mended, "the rules to come back")


def test_endpoints_that_move_are_followed_also_when_the_appliance_was_away_meanwhile(pair):
    api, appliance, _ = pair

    def members():
        with appliance.changed:
            groups = appliance.config["server_groups"].values()
            return {m["address"] for g in groups for m in g["members"] if not m.get("drain")}
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.2", "10.0.0.3"]))
    eventually(lambda: members() == {"10.0.0.2", "10.0.0.3"}, "the first move")
    asked, appliance.server.mode = appliance.server.asked, "500"
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.4"]))
    eventually(lambda: appliance.server.asked > asked, "a request")
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.5", "10.0.0.2"]))
    appliance.server.mode = "ok"
    eventually(lambda: members() == {"10.0.0.5", "10.0.0.2"}, "the last move")


def test_an_object_that_an_appliance_refuses_is_left_out_alone(pair):
    api, appliance, _ = pair
    appliance.refuse = "bad.example"
    api.put("ingresses", kube.ingress("bad", rules=[kube.rule("bad.example", "web"), kube.rule("good.example", "web")]))
    eventually(lambda: appliance.hosts() == {"first.example", "good.example"}, "the good rule")


def test_objects_of_five_megabytes_and_of_wrong_types_pass_by(pair):
    api, appliance, _ = pair
    api.put("ingresses", {"metadata": {"name": "fat", "annotations": {"a": "x" * 5_000_000}}, "spec": {"rules": [{"host": 7}]}})
    api.put_raw("ingresses", {"metadata": {"name": "odd", "annotations": [1]}, "spec": {"rules": {"a": 1}, "tls": 3}})
    api.put_raw("ingresses", {"metadata": {}})
    api.put_raw("slices", {"metadata": {"name": "odd"}, "endpoints": [3], "ports": "x"})
    put_second(api)
    eventually(lambda: has_second(appliance), "the second rules")


def test_many_secrets_are_read_over_few_connections(pair):
    api, appliance, _ = pair
    names = {f"tls-{i}" for i in range(300)}
    for name in names:
        api.put("secrets", {"metadata": {"name": name, "namespace": "default"}})
    tls = [{"hosts": [f"{name}.example"], "secretName": name} for name in names]
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")], tls=tls))
    eventually(lambda: has_second(appliance), "the second rules")
    assert {path.split("/")[-1] for path in api.read} == names
    assert 1 < max(api.reading) <= 48


def test_parameters_go_when_their_kind_is_not_there_any_more(pair):
    api, appliance, _ = pair
    idle = lambda: {listener.get("idle_timeout_ms") for listener in appliance.config["listeners"].values()}  # noqa: E731
    assert idle() == {31000}
    api.absent.add("configs")
    eventually(lambda: 31000 not in idle(), "the defaults")
    assert appliance.hosts() == {"first.example"}


@pytest.mark.parametrize("status", [409, 503])
def test_what_cannot_be_written_back_is_tried_again_without_another_reason(pair, status):
    api, _, _ = pair
    api.refuse = status
    put_second(api)
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/second"
    eventually(lambda: api.written.count(("PATCH", path, status)) > 2, "more than one attempt")
    api.refuse = None
    eventually(lambda: ("PATCH", path, 200) in api.written, "the finalizer")


def test_a_lease_is_given_back_also_when_its_renewal_is_on_its_way(tmp_path):
    api, appliance = make_pair()
    with running(tmp_path, api, appliance) as process:
        eventually(lambda: api.lease_versions >= 3, "a renewal")  # done, and not answered yet
        assert api.lease["spec"]["holderIdentity"]
        process.terminate()
        process.wait(kube.PATIENCE)
    assert api.lease["spec"]["holderIdentity"] == ""
