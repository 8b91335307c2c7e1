"""Logs: a line an event, text or JSON, the same for every library, and nothing of anybody in either (C48)."""

import asyncio
import io
import json
import logging
import select
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import httpx
import pytest

from authz.seen import Seen
from models.database import connect_once
from models.installation import InstallationError
from models.logs import FIELDS, JsonLines, TextLines, configure
from models.vocabulary import Purpose, Role
from resolvers.operating.metrics import Metrics
from resolvers.operating.telling import WITHIN_SECONDS, Answered, Told
from resolvers.problems import Code
from tests.conftest import ROOT, TLS, running_server
from tests.operations.conftest import until
from tests.test_storage_leaks import found_in, planted

SECRET = "13800138000"
FORMATS = [TextLines(), JsonLines()]


@pytest.fixture
def written(request):
    """A stream into which a formatter writes what the root logger gets."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param)
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


both = pytest.mark.parametrize("written", FORMATS, indirect=True, ids=["text", "json"])


@both
@pytest.mark.parametrize("name", ["asyncio", "uvicorn.error", "asyncpg.pool", "tortoise", "httpx", "graphql", "x"])
def test_what_a_library_fills_into_its_words_is_in_no_log(written, name):
    logger = logging.getLogger(name)
    logger.error("the row of %s", SECRET)
    logger.error(f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{SECRET}')>")  # noqa: G004
    logger.error(ValueError(SECRET))
    try:
        int(SECRET + "x")
    except ValueError:
        logger.exception("failed with %s", SECRET)
    text = written.getvalue()
    assert SECRET not in text
    assert "Task exception was never retrieved" in text
    assert "failed with %s: ValueError" in text
    assert "test_logs.py" in text


@both
def test_an_exception_of_ours_is_logged_by_its_kind_and_place(written):
    try:
        {}[SECRET]
    except KeyError:
        logging.getLogger("needful.x").exception("it failed")
    assert SECRET not in written.getvalue()
    assert "it failed: KeyError" in written.getvalue()


@both
def test_what_a_task_dies_of_is_told_without_its_text(written):
    async def die():
        raise asyncpg.DataError(f"invalid input for query argument $1: '{SECRET}'")

    async def main():
        task = asyncio.ensure_future(die())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
        asyncio.get_running_loop().call_exception_handler({"message": "lost", "exception": ValueError(SECRET)})

    asyncio.run(main())
    assert "lost: ValueError" in written.getvalue()
    assert SECRET not in written.getvalue()


def record(**fields):
    made = logging.LogRecord("needful.x", logging.WARNING, __file__, 1, "said %s", ("so",), None)
    setattr(made, FIELDS, fields)
    return made


def test_a_line_of_json_has_time_level_logger_message_and_fields():
    line = json.loads(JsonLines().format(record(count=3, who=None, level="mine")))
    assert line.pop("time").endswith("Z")
    assert line == {"level": "WARNING", "logger": "needful.x", "message": "said so", "count": 3}


def test_a_line_of_text_has_the_same():
    assert TextLines().format(record(count=3)).partition(" ")[2] == "WARNING needful.x: said so count=3"


def test_a_format_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(InstallationError, match="NEEDFUL_LOG must be one of: text, json"):
        configure({"NEEDFUL_LOG": "xml"})


def test_a_process_that_dies_of_a_fault_says_where_and_not_with_which_value():
    code = f"from models.logs import configure; configure({{}}); int('x{SECRET}')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "CRITICAL needful.process: fault: ValueError" in done.stderr
    assert SECRET not in done.stderr.replace(code, "")


def test_each_request_has_one_line_with_what_an_operator_needs(operated, operated_handler):
    before = len(operated.logged("needful.access"))
    document = "query Named { claims(first: 1) { edges { node { diagnosis } } } }"
    body = operated.post(document, token=operated_handler).json()
    operated.post("{ no }", token=operated_handler)
    operated.post("{ claims { totalCount } }", token=operated_handler, purpose="marketing")
    operated.client.get(f"{operated.address}/livez?token=abc")
    lines = until(lambda: len(found := operated.logged("needful.access")[before:]) >= 4 and found)
    # Workers tell of theirs a moment later, each in its own time.
    answered, invalid, elsewhere, live = sorted(lines, key=lambda line: line["time"])
    assert answered.pop("ms") > 0
    assert answered.pop("time").endswith("Z")
    assert answered == {
        "level": "INFO",
        "logger": "needful.access",
        "message": "request",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
        "code": "OK",
        "role": "claims_handler",
        "purpose": "claim_handling",
        "decision": body["extensions"]["authorization"]["decisionId"],
    }
    assert (invalid["code"], invalid["status"], invalid["role"]) == ("GRAPHQL_VALIDATION_FAILED", 400, "claims_handler")
    assert (elsewhere["code"], elsewhere["status"]) == ("PURPOSE_NOT_ALLOWED", 403)
    assert (live["path"], live["code"]) == ("/livez", "OK")


def test_what_was_answered_just_before_the_stop_has_its_lines_and_counts(tmp_path, server, handler):
    log, count = tmp_path / "log", 30
    running = running_server(server.data_dir, log, environment={"NEEDFUL_LOG": "json"})
    with running as url, httpx.Client(verify=TLS) as client:
        statuses = [client.get(f"{url}/livez").status_code for _ in range(count)]
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(20)
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"needful.access"' in line]
    assert [line["status"] for line in lines] == statuses == [200] * count


def test_many_lines_come_in_pieces_that_a_pipe_takes_whole(tmp_path, caplog, monkeypatch):
    written = []
    formatter = JsonLines()
    told = Told(Metrics(tmp_path, 0))
    # The handler is one for all tests of a process.
    monkeypatch.setattr(caplog.handler, "emit", lambda record: written.append(formatter.format(record)))
    seen = Seen(role=max(Role, key=len), purpose=max(Purpose, key=len), decision=str(uuid4()))
    longest = Answered(1e9 + 0.5, "DELETE", "/console/" + "x" * 60, "graphql", max(Code, key=len), 200, 1e4, seen)

    async def tell():
        for _ in range(100):
            told.add(longest)
        await asyncio.sleep(5 * WITHIN_SECONDS)

    with caplog.at_level(logging.INFO, "needful.access"):
        asyncio.run(tell())
    assert sum(len(text.splitlines()) for text in written) == 100
    assert all(len(text.encode()) < select.PIPE_BUF for text in written)
    assert {json.loads(line)["time"] for text in written for line in text.splitlines()} == {"2001-09-09T01:46:40.500Z"}


def hostile(server, token, values):
    """Requests that carry somebody's values wherever a client can put them, most of which fail somehow."""
    ask = SimpleNamespace(post=server.post, client=server.client, url=server.url)
    for value in values:
        quoted = json.dumps(value, ensure_ascii=False)
        latin = value.encode()
        ask.post("query($p: String) { users(phone: $p) { totalCount } }", {"p": value}, token=token)
        ask.post(f"{{ users(phone: {quoted}) {{ totalCount }} }}", token=token)
        ask.post(f"{{ claim(id: {quoted}) {{ id }} }}", token=token)
        ask.post(f"{{ claims(after: {quoted}) {{ totalCount }} }}", token=token)
        ask.post(f"# {value}\n{{ {value} ", token=token)
        ask.post("query($p: Int) { claims(first: $p) { totalCount } }", {"p": value}, token=token)
        ask.post("{ claims { totalCount } }", token=token, headers={b"X-Purpose": latin, b"Idempotency-Key": latin})
        ask.post("{ claims { totalCount } }", headers={b"Authorization": b"Bearer " + latin})
        log_in = "mutation($u: String!, $p: String!) { logIn(username: $u, password: $p) { __typename } }"
        ask.post(log_in, {"u": value, "p": value})
        ask.client.get(f"{ask.url}/{value}", params={"query": value})
        ask.client.get(ask.url, params={"query": value, "variables": value})
        address = ask.url.removesuffix("/graphql")
        ask.client.post(
            f"{address}/oauth/token", data={"client_id": value, "client_secret": value, "grant_type": value}
        )
        ask.client.post(ask.url, content=b"\xff" + latin, headers={"Content-Type": "application/json"})


def break_under(server, token):
    """An answer that fails in the database: what it asks for is gone for a moment."""

    async def rename():
        owner = await connect_once(server.database.owner)
        try:
            await owner.execute("ALTER TABLE blind_index RENAME TO blind_index_gone")
            sent = {"Authorization": f"Bearer {token}"}
            document = "query($p: String) { users(phone: $p) { edges { node { nickname occupation } } } }"
            async with httpx.AsyncClient(verify=TLS) as client:
                return await client.post(server.url, json={"query": document, "variables": {"p": SECRET}}, headers=sent)
        finally:
            await owner.execute("ALTER TABLE blind_index_gone RENAME TO blind_index")
            await owner.close()

    return asyncio.run(rename())


@pytest.mark.parametrize("which", ["operated", "server"], ids=["json", "text"])
def test_no_planted_value_is_in_the_log_whatever_goes_wrong(which, request, tmp_path):
    server = request.getfixturevalue(which)
    token = server.token("claims_handler", purposes=["claim_handling"])
    values = planted(server.plaintext)
    hostile(server, token, sorted(values)[:: len(values) // 6][:6])
    broken = break_under(server, token)
    assert broken.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert len(values) > 500
    text = server.log.read_text()
    assert "unavailable" in text
    assert SECRET not in text
    (tmp_path / "data").mkdir()
    # What the server greets demo users with goes to standard output, which the suite keeps in the same file.
    kept = [line for line in text.splitlines() if not line.startswith('{"address"')]
    (tmp_path / "server.log").write_text("\n".join(kept))
    assert found_in(tmp_path, values) == set()
    (tmp_path / "server.log").write_text("\n".join([*kept, next(iter(values))]))
    assert found_in(tmp_path, values) != set()


def test_logging_from_several_threads_leaves_whole_lines(operated):
    def ask():
        for _ in range(5):
            httpx.get(f"{operated.address}/livez", verify=TLS)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for line in operated.log.read_text().splitlines():
        json.loads(line)
