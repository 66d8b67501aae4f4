# SPDX-License-Identifier: Apache-2.0
"""sluice-ingress between an API server and an appliance that both misbehave on demand. Both are small stand-ins here,
because the real ones do not lie."""
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cluster as kube
import pytest
from lab import ROOT, stop, wait_for

BUILD = ROOT / "build" / os.environ.get("SLUICE_BUILD", "release")
LISTS = {"/apis/networking.k8s.io/v1/ingressclasses": "classes", "/apis/networking.k8s.io/v1/ingresses": "ingresses",
         "/api/v1/services": "services", "/api/v1/secrets": "secrets", "/apis/discovery.k8s.io/v1/endpointslices": "slices"}


class Server(ThreadingHTTPServer):
    """`mode` decides what every request meets: ok, 500, 429, garbage, half, close, hang, huge."""
    daemon_threads = True

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
        if mode in ("500", "429"):
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
            self.server.answer(self, self.command, self.path, body)

    do_GET = do_PATCH = do_POST = do_PUT = handle_one

    def log_message(self, *_):
        pass


class FakeApi:
    def __init__(self):
        self.objects = {name: {} for name in LISTS.values()}
        self.version = 10
        self.server = Server(self.answer)

    def put(self, kind, obj):
        self.version += 1
        meta = dict(obj["metadata"], resourceVersion=str(self.version), uid="u", creationTimestamp="2024-01-01T00:00:00Z")
        self.objects[kind][meta["name"]] = dict(obj, metadata=meta)

    def answer(self, handler, method, path, _):
        route, _, query = path.partition("?")
        if method != "GET":
            return handler.reply(200, {})
        if route == "/apis/discovery.k8s.io/v1":
            return handler.reply(200, {"resources": [{"name": "endpointslices"}]})
        if route not in LISTS:
            return handler.reply(404, {})
        items = list(self.objects[LISTS[route]].values())
        if "watch=1" not in query:
            return handler.reply(200, {"metadata": {"resourceVersion": str(self.version)}, "items": items})
        # A watch that says at once that it is too old: every change is seen by listing.
        time.sleep(0.3)
        return handler.reply(200, json.dumps({"type": "ERROR", "object": {"code": 410}}).encode() + b"\n")


class FakeAppliance:
    KINDS = ("load_balancers", "listeners", "rules", "server_groups", "certificates", "address_pools")

    def __init__(self):
        self.config = {k: {} for k in self.KINDS}
        self.revision, self.refuse = 1, None
        self.server = Server(self.answer)

    def answer(self, handler, method, _, body):
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
        return {r["hosts"][0]["value"] for r in self.config["rules"].values()}


@pytest.fixture
def pair(tmp_path):
    api, appliance = FakeApi(), FakeAppliance()
    api.put("classes", {"metadata": {"name": "sluice"}, "spec": {"controller": "sluice.dev/ingress"}})
    api.put("services", kube.service("web"))
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.1"]))
    api.put("ingresses", kube.ingress("first", rules=[kube.rule("first.example", "web")]))
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps({"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
                                  "clusters": [{"name": "c", "cluster": {"server": api.server.url}}], "users": []}))
    port = kube.free_port()
    log = open(tmp_path / "log", "wb")
    process = subprocess.Popen([BUILD / "mgmt/ingress/sluice-ingress", "--kubeconfig", config, "--no-leader-election", "--listen",
                                f"127.0.0.1:{port}", "--appliance", f"url={appliance.server.url},name=fake"],
                               stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: appliance.hosts() == {"first.example"}, 30, "the first rules")
        yield api, appliance, process
        assert process.poll() is None, Path(tmp_path / "log").read_text()[-3000:]
    finally:
        stop(process)
        api.server.mode = appliance.server.mode = "ok"
        for s in (api.server, appliance.server):
            s.shutdown()
            s.server_close()


@pytest.mark.parametrize("mode", ["500", "429", "garbage", "lies", "half", "close", "hang", "huge"])
def test_an_api_server_that_misbehaves_changes_nothing_and_is_followed_afterwards(pair, mode):
    api, appliance, process = pair
    api.server.mode = mode
    asked = api.server.asked
    wait_for(lambda: api.server.asked > asked, 10, "a request")
    time.sleep(2)
    assert api.server.asked - asked < 150, "it backs off"
    assert appliance.hosts() == {"first.example"}
    memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096
    assert memory < 600 << 20, "memory is bounded"
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")]))
    api.server.mode = "ok"
    wait_for(lambda: appliance.hosts() == {"first.example", "second.example"}, 30, "the second rules")


@pytest.mark.parametrize("mode", ["500", "garbage", "lies", "half", "close", "hang"])
def test_an_appliance_that_misbehaves_gets_all_of_it_afterwards(pair, mode):
    api, appliance, _ = pair
    appliance.server.mode = mode
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")]))
    time.sleep(2)
    assert appliance.hosts() == {"first.example"}
    appliance.server.mode = "ok"
    wait_for(lambda: appliance.hosts() == {"first.example", "second.example"}, 40, "the second rules")


def test_an_object_that_an_appliance_refuses_is_left_out_alone(pair):
    api, appliance, _ = pair
    appliance.refuse = "bad.example"
    api.put("ingresses", kube.ingress("bad", rules=[kube.rule("bad.example", "web"), kube.rule("good.example", "web")]))
    wait_for(lambda: appliance.hosts() == {"first.example", "good.example"}, 20, "the good rule")


def test_objects_of_five_megabytes_and_of_wrong_types_pass_by(pair):
    api, appliance, _ = pair
    api.put("ingresses", {"metadata": {"name": "fat", "annotations": {"a": "x" * 5_000_000}}, "spec": {"rules": [{"host": 7}]}})
    api.objects["ingresses"]["odd"] = {"metadata": {"name": "odd", "annotations": [1]}, "spec": {"rules": {"a": 1}, "tls": 3}}
    api.objects["ingresses"]["none"] = {"metadata": {}}
    api.objects["slices"]["odd"] = {"metadata": {"name": "odd"}, "endpoints": [3], "ports": "x"}
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")]))
    wait_for(lambda: appliance.hosts() == {"first.example", "second.example"}, 20, "the second rules")
