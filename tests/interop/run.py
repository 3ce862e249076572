"""Checks interoperability with Python's grpcio in both directions, and with nginx, value by value.

Usage: run.py BINARY

A copy of the Python client that sensor-license replaces pushes to `serve`. `push` pushes to a
grpcio server, and to nginx as a proxy of `serve`. The server certificates are like those that the replaced client trusts: self-signed,
CA:TRUE, with a common name and without a subject alternative name.
"""

import concurrent.futures
import contextlib
import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import grpc
import grpc_tools
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMON_NAME = "license.internal"
PATH = "/Internal/UpdateSensorExpireTime"

# The records of the two clients that sensor-license replaces.
ORIGINALS = [(b"fadfadftetwtwtwt", 1232312313), (b"fadsfadfadfasfdtest", 1580962440)]


def generate(folder):
    """Compiles the contract with protoc, and returns the module with the message types."""
    included = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(
        ["protoc", f"-I{ROOT / 'proto'}", f"-I{included}", f"--python_out={folder}", str(ROOT / "proto/sensor.proto")]
    )
    assert status == 0, "protoc failed"
    sys.path.insert(0, str(folder))
    import sensor_pb2

    return sensor_pb2


def make_certificate(folder, name="server", common_name=COMMON_NAME):
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={common_name}"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    text = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-text"], check=True, capture_output=True, text=True
    ).stdout
    assert "CA:TRUE" in text and "Alternative Name" not in text, text
    return key, certificate


class Client:
    """A client like the replaced one.

    It trusts only the server's own certificate, `root`, and expects `name` in that certificate
    instead of the target's host.
    """

    def __init__(self, pb, target, root, name):
        self.pb = pb
        self.channel = grpc.secure_channel(
            target,
            grpc.ssl_channel_credentials(root_certificates=root.read_bytes()),
            options=(("grpc.ssl_target_name_override", name),),
        )

    def update(self, licenses):
        if not licenses:
            return None
        request = self.pb.SensorExpireTimeRequest(
            sensorExpire=[self.pb.SensorExpire(deviceToken=token, expireTime=time) for token, time in licenses]
        )
        assert len(request.sensorExpire) == len(licenses)
        call = self.channel.unary_unary(
            PATH,
            request_serializer=self.pb.SensorExpireTimeRequest.SerializeToString,
            response_deserializer=self.pb.SensorExpireTimeResponse.FromString,
        )
        return call(request, timeout=10)


class Server:
    """A grpcio server that stores the requests that it receives."""

    def __init__(self, pb, key, certificate, clients=None, workers=4, pause=0):
        self.pb = pb
        self.requests = []
        self.pause = pause
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=workers))
        method = grpc.unary_unary_rpc_method_handler(
            self.update,
            request_deserializer=pb.SensorExpireTimeRequest.FromString,
            response_serializer=pb.SensorExpireTimeResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("Internal", {"UpdateSensorExpireTime": method})
        self.server.add_generic_rpc_handlers((service,))
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), self.server)
        names = (health.SERVICE_NAME, "Internal", reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.server)
        pair = (key.read_bytes(), certificate.read_bytes())
        roots = clients.read_bytes() if clients else None
        credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=clients is not None)
        self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()

    def update(self, request, context):
        time.sleep(self.pause)
        self.requests.append(
            (
                [(bytes(one.deviceToken), one.expireTime) for one in request.sensorExpire],
                dict(context.invocation_metadata()),
                context.time_remaining(),
            )
        )
        return self.pb.SensorExpireTimeResponse(code=0)

    def take(self):
        requests, self.requests = self.requests, []
        return requests


@contextlib.contextmanager
def serving(binary, folder, *flags):
    dump = folder / "dump.csv"
    process = subprocess.Popen(
        [binary, "serve", "--listen", "127.0.0.1:0", "--dump", dump, "--token-encoding", "hex", *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    received = []
    try:
        address = process.stdout.readline().split("://")[1].strip()
        yield address, received
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with open(dump, newline="") as file:
            received += [(bytes.fromhex(row["device_token"]), int(row["expire_time"])) for row in csv.DictReader(file)]
    finally:
        process.kill()


@contextlib.contextmanager
def nginx(folder, key, certificate, upstream, directives=""):
    """Runs nginx as a TLS proxy of `upstream`, and yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    config = folder / "nginx.conf"
    config.write_text(f"""
        daemon off;
        pid {folder}/nginx.pid;
        events {{}}
        http {{
            access_log off;
            {"".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)}
            server {{
                listen 127.0.0.1:{port} ssl http2;
                ssl_certificate {certificate};
                ssl_certificate_key {key};
                location / {{ grpc_pass grpc://{upstream}; }}
                {directives}
            }}
        }}
    """)
    # nginx takes over the open socket, as in an upgrade of its binary. So the port stays reserved,
    # and connections wait until nginx is ready.
    process = subprocess.Popen(
        ["nginx", "-c", config, "-e", folder / "nginx.log"],
        env={**os.environ, "NGINX": f"{listener.fileno()};"},
        pass_fds=[listener.fileno()],
        stderr=subprocess.DEVNULL,
    )
    listener.close()
    try:
        yield f"127.0.0.1:{port}"
        assert process.poll() is None, (folder / "nginx.log").read_text()
    finally:
        process.terminate()
        process.wait(30)


def push(binary, *args, code=0):
    return run(binary, "push", *args, code=code)


def run(binary, command, *args, code):
    done = subprocess.run([binary, command, "--output", "json", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (args, done)
    return json.loads(done.stdout)


def many(count):
    """Returns records with arbitrary bytes in their tokens and times over the whole range."""
    return [(bytes([n % 256, n // 256, 255 - n % 256]) + b"\x00token", n * 4294967295 // (count - 1)) for n in range(count)]


def python_to_serve(pb, binary, folder, key, certificate):
    with serving(binary, folder, "--cert", certificate, "--key", key) as (address, received):
        client = Client(pb, address, certificate, COMMON_NAME)
        assert client.update([]) is None
        assert client.update(ORIGINALS).code == 0
        assert client.update(many(1000)).code == 0
    assert received == sorted(ORIGINALS + many(1000)), "what serve holds differs"
    made = folder / "made.pem"
    with serving(binary, folder, "--write-cacert", made) as (address, received):
        assert Client(pb, address, made, "localhost").update(ORIGINALS).code == 0
    assert received == ORIGINALS


def push_to_python(pb, binary, folder, key, certificate):
    server = Server(pb, key, certificate)
    flags = ["--server", f"127.0.0.1:{server.port}", "--cacert", certificate, "--servername", COMMON_NAME]
    as_csv, as_json = folder / "originals.csv", folder / "originals.json"
    rows = "".join(f"{token.decode()},{time}\n" for token, time in ORIGINALS)
    as_csv.write_text("device_token,expire_time\n" + rows)
    as_json.write_text(json.dumps([{"device_token": token.decode(), "expire_time": time} for token, time in ORIGINALS]))
    for file in as_csv, as_json:
        summary = push(binary, *flags, file)
        assert summary["records"]["acknowledged"] == 2, summary
        [(records, metadata, remaining)] = server.take()
        assert records == ORIGINALS, records
        assert 0 < remaining <= 10, remaining
        assert metadata["user-agent"].startswith("sensor-license/"), metadata

    # Without --servername, the certificate does not match the address, so `push` sends nothing.
    summary = push(binary, "--server", f"127.0.0.1:{server.port}", "--cacert", certificate, as_csv, code=6)
    assert f"--servername {COMMON_NAME}" in summary["error"]["hint"], summary
    assert not server.take()

    records = many(2500)
    as_hex = folder / "many.csv"
    as_hex.write_text("device_token,expire_time\n" + "".join(f"{token.hex()},{time}\n" for token, time in records))
    summary = push(binary, *flags, "--token-encoding", "hex", "--earliest", "0", "--batch-records", "1000", as_hex)
    assert summary["requests"]["sent"] == 3, summary
    received = [record for request in server.take() for record in request[0]]
    # Several requests are in flight at the same time, so they may arrive in any order.
    assert sorted(received) == sorted(records), "what arrived differs"
    server.server.stop(None)


def probe_python(pb, binary, folder, key, certificate):
    server = Server(pb, key, certificate)
    flags = ["--server", f"127.0.0.1:{server.port}", "--cacert", certificate]
    report = run(binary, "probe", *flags, "--servername", COMMON_NAME, code=0)
    assert [stage["name"] for stage in report["stages"]] == ["DNS", "TCP", "proxy", "TLS", "HTTP/2", "RPC"], report
    report = run(binary, "probe", *flags, code=6)
    assert report["flags"] == ["--servername", COMMON_NAME], report
    run(binary, "probe", *flags, *report["flags"], "--method", "/Internal/Nothing", code=76)
    assert not server.take(), "probe sent a message"
    server.server.stop(None)


def health_and_reflection_of_serve(pb, binary, folder, key, certificate):
    with serving(binary, folder, "--cert", certificate, "--key", key) as (address, _):
        channel = Client(pb, address, certificate, COMMON_NAME).channel
        stub = health_pb2_grpc.HealthStub(channel)
        statuses = health_pb2.HealthCheckResponse
        for service, status in [("", statuses.SERVING), ("Internal", statuses.SERVING), ("no", None)]:
            request = health_pb2.HealthCheckRequest(service=service)
            watch = stub.Watch(request)
            assert next(watch).status == (status or statuses.SERVICE_UNKNOWN), service
            assert watch.is_active(), service
            watch.cancel()
            try:
                assert stub.Check(request).status == status, service
            except grpc.RpcError as error:
                assert (status, error.code()) == (None, grpc.StatusCode.NOT_FOUND), service
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {"Internal", health.SERVICE_NAME} <= set(database.get_services())
        file = database.FindFileContainingSymbol("Internal")
        assert [method.name for method in file.service[0].method] == ["UpdateSensorExpireTime"]
        assert not file.service[0].method[0].client_streaming
        call = channel.stream_unary(PATH)
        try:
            call(iter([b"", b""]), timeout=10)
            raise AssertionError("two messages in a unary call")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error


def burst_from_python(pb, binary, folder, key, certificate):
    """Pushes to a server that answers a thousand requests at once."""
    server = Server(pb, key, certificate, workers=1000, pause=2)
    file = folder / "burst.csv"
    rows = [f"{token.hex()},{when}" for token, when in many(2000)]
    file.write_text("\n".join(["token,expire_time", *rows]))
    flags = ["--token-encoding", "hex", "--earliest", "0", "--servername", COMMON_NAME, "--concurrency", "1000", "--batch-records", "1", "--retry", "0"]
    summary = push(binary, "--server", f"localhost:{server.port}", "--cacert", certificate, *flags, file)
    assert summary["records"]["acknowledged"] == 2000, summary
    assert len(server.take()) == 2000
    server.server.stop(None)


def client_authentication(pb, binary, folder, key, certificate):
    client_key, client = make_certificate(folder, "client", "cron")
    stranger_key, stranger = make_certificate(folder, "stranger", "stranger")
    server = Server(pb, key, certificate, clients=client)
    flags = ["--server", f"127.0.0.1:{server.port}", "--cacert", certificate, "--servername", COMMON_NAME]
    records = folder / "originals.csv"
    for command, files in ("push", [records]), ("probe", []):
        run(binary, command, *flags, "--cert", client, "--key", client_key, *files, code=0)
        for identity in [], ["--cert", stranger, "--key", stranger_key]:
            summary = run(binary, command, *flags, *identity, *files, code=6)
            hint = "the client certificate that was sent" if identity else "--cert CLIENT.pem"
            assert hint in summary["error"]["hint"], summary
    assert len(server.take()) == 1
    server.server.stop(None)


def push_through_nginx(binary, folder, key, certificate):
    # Each record takes 128 bytes of a request.
    records = [(number.to_bytes(118, "big"), 4_000_000_000 + number) for number in range(20_000)]
    file = folder / "long.csv"
    file.write_text("device_token,expire_time\n" + "".join(f"{token.hex()},{time}\n" for token, time in records))
    trust = ["--cacert", certificate, "--servername", COMMON_NAME]
    for directives, options, expected in [
        # By default, nginx accepts 1 MiB.
        ("", [], {"sent": 3, "retried": 0, "failed": 0}),
        ("client_max_body_size 64k;", [], {"retried": 0, "failed": 0}),
        # nginx sends GOAWAY after each tenth request, or after each request.
        ("keepalive_requests 10;", ["--batch-records", "100", "--concurrency", "16"], {"failed": 0}),
        ("keepalive_timeout 0;", ["--batch-records", "500", "--concurrency", "16"], {"failed": 0}),
    ]:
        with (
            serving(binary, folder, "--plaintext") as (upstream, received),
            nginx(folder, key, certificate, upstream, directives) as address,
        ):
            flags = ["--server", address, *trust]
            summary = push(binary, *flags, "--token-encoding", "hex", "--retry", "0", *options, file)
            assert summary["records"]["acknowledged"] == len(records), summary
            assert expected.items() <= summary["requests"].items(), summary
            run(binary, "probe", *flags, code=0)
        assert received == records, "what arrived differs"
    with (
        serving(binary, folder, "--plaintext") as (upstream, received),
        nginx(folder, key, certificate, upstream, "client_max_body_size 20;") as address,
    ):
        summary = push(binary, "--server", address, *trust, folder / "originals.csv", code=66)
        assert summary["records"]["rejected"] == len(ORIGINALS), summary
        assert "accept larger messages" in summary["error"]["hint"], summary
        report = run(binary, "probe", "--server", address, *trust, code=0)
        assert "health: SERVING" in report["stages"][-1]["detail"], report
        report = run(binary, "probe", "--server", address, "--plaintext", code=6)
        assert report["flags"] == ["--plaintext=false"], report
    assert not received


def client_certificates_for_nginx(binary, folder, key, certificate):
    client_key, client = make_certificate(folder, "client", "cron")
    stranger_key, stranger = make_certificate(folder, "stranger", "stranger")
    verify = f"ssl_client_certificate {client}; ssl_verify_client"
    with serving(binary, folder, "--plaintext") as (upstream, received):
        # nginx refuses a client certificate with HTTP status 400, after the TLS handshake.
        with nginx(folder, key, certificate, upstream, f"{verify} on;") as address:
            flags = ["--server", address, "--cacert", certificate, "--servername", COMMON_NAME]
            for command, files in ("push", [folder / "originals.csv"]), ("probe", []):
                run(binary, command, *flags, "--cert", client, "--key", client_key, *files, code=0)
                report = run(binary, command, *flags, *files, code=77)
                assert report["error"]["hint"] == "pass --cert CLIENT.pem --key CLIENT.key", report
                report = run(binary, command, *flags, "--cert", stranger, "--key", stranger_key, *files, code=77)
                assert "trusts the client certificate that was sent" in report["error"]["hint"], report
                assert 'client certificate "CN=stranger" was sent' in report["error"]["causes"], report
        directives = f"{verify} optional; if ($ssl_client_verify != SUCCESS) {{ return 403; }}"
        with nginx(folder, key, certificate, upstream, directives) as address:
            report = run(binary, "probe", "--server", address, *flags[2:], code=71)
            assert report["flags"] == ["--cert", "CLIENT.pem", "--key", "CLIENT.key"], report
    assert len(received) == len(ORIGINALS), "what arrived differs"


def nginx_without_server(binary, folder, key, certificate):
    """Checks what is said if nginx answers for itself."""
    page = "location /page { internal; default_type text/html; return 502 '<html>down</html>'; }"
    good_page = page.replace("return 502", "return 200")
    # As in nginx's own example of a gRPC gateway.
    grpc_page = "location @grpc { default_type application/grpc; add_header grpc-status 14; return 204; }"
    unavailable = (78, 2, "later")
    not_grpc = (66, 1, "check the address")
    with socket.socket() as unused:
        # Nothing listens on a port that is only bound.
        unused.bind(("127.0.0.1", 0))
        upstream = f"127.0.0.1:{unused.getsockname()[1]}"
        for directives, words, (code, attempts, hint) in [
            ("", "HTTP status 502", unavailable),
            (f"error_page 502 /page; {page}", "HTTP status 502", unavailable),
            (f"error_page 502 =200 /page; {good_page}", "text/html", not_grpc),
            (f"error_page 502 = @grpc; {grpc_page}", "UNAVAILABLE", unavailable),
            ("return 301 https://elsewhere.invalid/;", "HTTP status 301", not_grpc),
            (f"auth_basic on; auth_basic_user_file {os.devnull};", "HTTP status 401", (80, 1, "--bearer-token-file")),
        ]:
            with nginx(folder, key, certificate, upstream, directives) as address:
                flags = ["--server", address, "--cacert", certificate, "--servername", COMMON_NAME]
                retries = ["--retry", "1", "--retry-delay", "1ms"]
                summary = push(binary, *flags, *retries, folder / "originals.csv", code=code)
                assert summary["records"]["acknowledged"] == 0, summary
                assert summary["requests"]["sent"] == attempts, summary
                assert words in summary["error"]["message"], summary
                assert hint in summary["error"]["hint"], summary
                run(binary, "probe", *flags, code=code)


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pb = generate(folder)
        key, certificate = make_certificate(folder)
        python_to_serve(pb, binary, folder, key, certificate)
        print("grpcio's client to serve: every value arrived")
        push_to_python(pb, binary, folder, key, certificate)
        print("push to grpcio's server: every value arrived")
        probe_python(pb, binary, folder, key, certificate)
        print("probe of grpcio's server: nothing arrived")
        health_and_reflection_of_serve(pb, binary, folder, key, certificate)
        print("grpcio's health and reflection clients to serve: every answer is right")
        burst_from_python(pb, binary, folder, key, certificate)
        print("push of a thousand requests at once to grpcio's server: every value arrived")
        client_authentication(pb, binary, folder, key, certificate)
        print("grpcio's server with client authentication: told as it is")
        push_through_nginx(binary, folder, key, certificate)
        print("push through nginx: every value arrived")
        client_certificates_for_nginx(binary, folder, key, certificate)
        print("nginx with client authentication: told as it is")
        nginx_without_server(binary, folder, key, certificate)
        print("nginx without a server behind it: told as it is")


main()
