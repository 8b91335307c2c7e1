"""HTTPS only, trusted proxies only, and every response tells browsers to be careful (C52)."""

import datetime as dt
import socket
import ssl
from ipaddress import ip_address

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from models.installation import InstallationError
from resolvers.serving.listening import read_listening
from resolvers.serving.settings import Settings
from tests.conftest import running_server

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
HSTS = "max-age=63072000; includeSubDomains"
PUBLIC = {"NEEDFUL_PUBLIC_URL": "https://api.example.cn"}


def careful(response) -> None:
    for name, value in ALWAYS.items():
        assert response.headers.get_list(name) == [value], name
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "camera=()" in response.headers["permissions-policy"]
    assert "server" not in response.headers


@pytest.mark.parametrize(
    "method, path, headers",
    [
        ("GET", "/livez", {}),
        ("GET", "/readyz", {}),
        ("GET", "/nothing", {}),
        ("POST", "/livez", {}),
        ("GET", "/graphql", {"Accept": "text/html"}),
        ("GET", "/graphql/assets/page.js", {}),
        ("GET", "/graphql/assets/nothing.js", {}),
        ("POST", "/graphql", {}),
        ("DELETE", "/graphql", {}),
        ("POST", "/graphql", {"Authorization": "Bearer nonsense"}),
    ],
)
def test_every_response_has_the_security_headers_and_no_server(server, method, path, headers):
    response = server.client.request(method, server.url.removesuffix("/graphql") + path, headers=headers)
    careful(response)
    assert "strict-transport-security" not in response.headers


def test_answers_with_data_and_those_to_malformed_http_have_them_too(server, handler):
    careful(server.post("{ __typename }", token=handler))
    host, port = server.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        answer = raw.recv(65536).lower()
    assert answer.startswith(b"http/1.1 400")
    for name in ALWAYS:
        assert name.encode() in answer
    assert b"\r\nserver:" not in answer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of this test's own for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "needful.test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder


def test_c52_tls_on_every_address_answers_https_with_hsts_and_no_plain_http(server, tmp_path, certificate, handler):
    files = ("--tls-cert", str(certificate / "cert.pem"), "--tls-key", str(certificate / "key.pem"))
    with running_server(server.data_dir, tmp_path / "log", "--host", "0.0.0.0", *files) as url:  # noqa: S104 - that is the test
        assert url.startswith("https://0.0.0.0:")
        port = int(url.rsplit(":", 1)[1])
        trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        with httpx.Client(verify=trust) as client:
            at = f"https://127.0.0.1:{port}"
            sent = {"Authorization": f"Bearer {handler}"}
            for response in (
                client.get(f"{at}/nothing"),
                client.get(f"{at}/graphql", headers={"Accept": "text/html"}),
                client.post(f"{at}/graphql", json={"query": "{ __typename }"}, headers=sent),
            ):
                careful(response)
                assert response.headers.get_list("strict-transport-security") == [HSTS]
            assert response.json()["data"] == {"__typename": "Query"}
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            pytest.raises((ssl.SSLError, ConnectionError)),
            old.wrap_socket(raw),
        ):
            pass
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            httpx.get(f"http://127.0.0.1:{port}/livez")


@pytest.fixture(scope="module")
def proxied(server, tmp_path_factory):
    """A server whose trusted proxy is this machine."""
    log = tmp_path_factory.mktemp("proxied") / "log"
    with running_server(server.data_dir, log, "--forwarded-allow-ips", "127.0.0.1", environment=PUBLIC) as url:
        yield url


@pytest.fixture(scope="module")
def mistrusting(server, tmp_path_factory):
    """A server whose trusted proxy is another machine."""
    log = tmp_path_factory.mktemp("mistrusting") / "log"
    with running_server(
        server.data_dir, log, environment={"NEEDFUL_FORWARDED_ALLOW_IPS": "10.1.2.3,10.9.0.0/16"}
    ) as url:
        yield url


def test_c52_plain_http_from_elsewhere_is_refused_behind_a_trusted_proxy(proxied, handler):
    sent = {"X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {handler}"}
    for forwarded in ({"X-Forwarded-Proto": "http"}, {}):
        response = httpx.post(f"{proxied}/graphql", json={"query": "{ __typename }"}, headers={**sent, **forwarded})
        assert response.status_code == 400
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert "HTTPS" in error["message"]
        careful(response)


def test_https_of_a_trusted_proxy_is_answered_with_hsts(proxied, handler):
    sent = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Authorization": f"Bearer {handler}"}
    response = httpx.post(f"{proxied}/graphql", json={"query": "{ __typename }"}, headers=sent)
    assert response.json()["data"] == {"__typename": "Query"}
    assert response.headers.get_list("strict-transport-security") == [HSTS]


def test_the_address_that_the_proxy_saw_counts_not_one_that_the_client_wrote(proxied):
    spoofed = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9", "X-Forwarded-Proto": "http"}
    assert httpx.get(f"{proxied}/nothing", headers=spoofed).status_code == 400


def test_a_proxys_probes_are_answered_in_plain(proxied):
    for path in ("/livez", "/readyz"):
        assert httpx.get(f"{proxied}{path}", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200


def test_forwarded_headers_of_anybody_else_are_ignored(mistrusting, server):
    for url in (mistrusting, server.url.removesuffix("/graphql")):
        spoofed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        assert httpx.get(f"{url}/nothing", headers=spoofed).status_code == 404
        pretended = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        assert "strict-transport-security" not in httpx.get(f"{url}/nothing", headers=pretended).headers


def test_a_public_https_address_has_hsts_even_on_the_inner_hop(proxied):
    assert httpx.get(f"{proxied}/livez").headers["strict-transport-security"] == HSTS


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - that is the test
@pytest.mark.parametrize("demo", ["0", "1"])
def test_c52_plain_http_on_an_address_of_the_network_does_not_start(tmp_path, host, demo):
    environment = {"NEEDFUL_DEMO": demo, "NEEDFUL_REGION": "CN"}
    with pytest.raises(RuntimeError, match=r"Plain HTTP on .* --tls-cert and --tls-key"):
        running_server(tmp_path / "data", tmp_path / "log", "--host", host, environment=environment).__enter__()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.10"])
def test_loopback_needs_neither_certificate_nor_proxy(host):
    assert read_listening({}, host=host, port=0).host == host


@pytest.mark.parametrize("host", ["", "no such host", "\x00", "256.1.1.1"])
def test_a_host_that_is_none_is_refused(host):
    with pytest.raises(InstallationError, match="choose another with --host"):
        read_listening({}, host=host, port=0)


@pytest.mark.parametrize("proxies", ["*", "0.0.0.0/0", "::/0", "10.0.0.5,*", "proxy.example", "10.0.0.5/8"])
def test_everybody_is_no_trusted_proxy(proxies):
    with pytest.raises(InstallationError, match="--forwarded-allow-ips"):
        read_listening({"NEEDFUL_FORWARDED_ALLOW_IPS": proxies}, host="127.0.0.1", port=0)


def test_half_a_certificate_or_a_broken_one_is_refused(certificate, tmp_path):
    cert, key = str(certificate / "cert.pem"), str(certificate / "key.pem")
    with pytest.raises(InstallationError, match="both a certificate and its key"):
        read_listening({"NEEDFUL_TLS_CERT": cert}, host="0.0.0.0", port=0)  # noqa: S104 - that is the test
    with pytest.raises(InstallationError, match="check both files"):
        read_listening({"NEEDFUL_TLS_CERT": key, "NEEDFUL_TLS_KEY": key}, host="127.0.0.1", port=0)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.cn", "https://api.example.cn/v1", "api.example.cn", "ftp://h",
        "https://", "https://user@api.example.cn", "https://api.example.cn?x", "https://api.example.cn:99999", "https://[",
    ],
)  # fmt: skip
def test_a_public_address_without_tls_or_with_more_than_a_host_is_refused(url):
    with pytest.raises(InstallationError, match="NEEDFUL_PUBLIC_URL must"):
        Settings.read({"NEEDFUL_PUBLIC_URL": url})


@pytest.mark.parametrize("url", ["https://api.example.cn", "https://api.example.cn:8443", "http://127.0.0.1:8000"])
def test_a_public_address_with_tls_or_of_this_machine_is_accepted(url):
    assert Settings.read({"NEEDFUL_PUBLIC_URL": url}).public_url == url
