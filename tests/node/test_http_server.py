"""The server's own bounds, over real connections: no trickle holds one for long (pitfalls A2)."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response

from explorer.edge import REQUEST_ID
from explorer.limits import LimitsMiddleware
from explorer.problems import Problem, ProblemWriter
from explorer.reader import Head
from explorer.settings import HttpLimits
from node.http_server import ConnectionLimits, RestServer, build_server

LIMITS = ConnectionLimits(
    connections_max=40,
    connections_per_address_max=30,
    header_bytes_max=4_096,
    header_timeout_ms=300,
    request_timeout_ms=400,
    idle_timeout_ms=500,
    write_timeout_ms=400,
)
GET = b"GET /small HTTP/1.1\r\nhost: a\r\n\r\n"
HEAD = Head(height=7, state_root=bytes(32), timestamp_ms=1_735_434_000_250)
PATIENCE_S = 5


def build_small_app() -> FastAPI:
    app = FastAPI()

    @app.get("/small")
    async def get_small() -> Response:
        return Response("ok")

    @app.get("/large")
    async def get_large() -> Response:
        return Response(b"x" * 50_000_000)

    @app.get("/slow")
    async def get_slow() -> Response:
        await asyncio.sleep(0.8)
        return Response("late")

    @app.post("/body")
    async def post_body(request: Request) -> Response:
        return Response(str(len(await request.body())))

    return app


@asynccontextmanager
async def serve(limits: ConnectionLimits = LIMITS) -> AsyncIterator[tuple[RestServer, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = build_server(build_small_app(), limits, get_head=lambda: HEAD)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve(sockets=[listener]))
        await settle(lambda: server.started)
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task
    listener.close()


async def settle(is_settled: Callable[[], bool]) -> None:
    """Return when the server, which tells nobody, has come to a state; the caller bounds the time."""
    while not is_settled():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server closes; fail if it does not."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read(-1)
        except ConnectionResetError:
            return b""


async def test_request_is_answered_and_the_server_is_not_named() -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        writer.write(GET)
        answer = await read_all(reader)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"server:" not in answer.lower()


async def test_a2_a_thousand_tricklers_keep_no_connection_and_stop_nobody() -> None:
    limits = ConnectionLimits(header_timeout_ms=600, connections_per_address_max=2_000)
    async with serve(limits) as (server, port):
        writers = []
        for _ in range(400):
            _, writer = await connect(port)
            writer.write(b"GET /small HTTP/1.1\r\nhost")
            writers.append(writer)
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 0.5:
            for writer in writers:
                writer.write(b"a")
            await asyncio.sleep(0.1)
        reader, honest = await connect(port)
        honest.write(GET)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await settle(lambda: len(server.server_state.connections) == 1)
        honest.close()
        for writer in writers:
            writer.close()


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"GET /", b"a"),
        (b"GET /small HTTP/1.1\r\n", b"h"),
        (b"GET /small HTTP/1.1\r\nx: y", b"y"),
        (b"\r\n", b"\r\n"),
    ],
)
async def test_a2_headers_that_trickle_are_408_after_the_deadline(start: bytes, drop: bytes) -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        writer.write(start)

        async def trickle() -> None:
            for _ in range(100):
                await asyncio.sleep(0.02)
                writer.write(drop)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(trickle())
            answer = await read_all(reader)
            task.cancel()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
    assert b'"code":"request_timeout"' in answer


async def test_a2_connection_that_says_nothing_is_closed() -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        assert await read_all(reader) == b""
        writer.close()


async def test_a2_body_that_trickles_is_closed_after_the_deadline() -> None:
    async with serve() as (_, port):
        for route in (b"POST /body", b"GET /small", b"POST /nothing"):
            reader, writer = await connect(port)
            writer.write(route + b" HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n")

            async def trickle(writer: asyncio.StreamWriter) -> None:
                for _ in range(100):
                    await asyncio.sleep(0.02)
                    writer.write(b"x")

            async with asyncio.TaskGroup() as group:
                task = group.create_task(trickle(writer))
                await read_all(reader)
                task.cancel()
            writer.close()


async def test_a2_empty_lines_between_requests_do_not_hold_a_connection() -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        writer.write(GET)
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"ok")

        async def trickle() -> None:
            for _ in range(100):
                await asyncio.sleep(0.05)
                writer.write(b"\r\n")

        async with asyncio.TaskGroup() as group:
            task = group.create_task(trickle())
            await read_all(reader)
            task.cancel()
        writer.close()


async def test_idle_connection_is_kept_for_a_while_and_then_closed() -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        for _ in range(3):
            writer.write(GET)
            async with asyncio.timeout(PATIENCE_S):
                await reader.readuntil(b"ok")
            await asyncio.sleep(0.2)
        assert await read_all(reader) == b""
        writer.close()


async def test_answer_that_takes_longer_than_any_deadline_of_the_request_arrives() -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        writer.write(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await read_all(reader)).endswith(b"late")
        writer.close()


async def test_large_headers_are_431() -> None:
    for request in (
        b"GET /small HTTP/1.1\r\n" + b"x: " + b"y" * 5_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /small HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % number for number in range(1_000)) + b"\r\n",
    ):
        async with serve() as (_, port):
            reader, writer = await connect(port)
            writer.write(request)
            answer = await read_all(reader)
            writer.close()
        assert answer.startswith(b"HTTP/1.1 431"), request[:40]


@pytest.mark.parametrize("request_bytes", [b"\x16\x03\x01\x02\x00", b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_bytes_that_are_no_request_are_a_problem_without_details(request_bytes: bytes) -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        writer.write(request_bytes)
        answer = await read_all(reader)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer
    assert b"httptools" not in answer.lower()


async def test_a_refusal_without_the_application_has_the_form_and_the_headers_of_every_other() -> None:
    problems = []
    async with serve() as (_, port):
        for request in (b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 5_000 + b"\r\n\r\n", b"GET /"):
            reader, writer = await connect(port)
            writer.write(request)
            head, _, body = (await read_all(reader)).partition(b"\r\n\r\n")
            writer.close()
            headers = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n")[1:])
            problem = msgspec.json.decode(body, type=Problem)
            assert f"HTTP/1.1 {problem.status} " in head.decode("ascii")
            assert problem.ledger_height == HEAD.height
            assert headers["x-request-id"] == problem.request_id
            assert REQUEST_ID.match(problem.request_id)
            assert headers["content-length"] == str(len(body))
            assert headers["connection"] == "close"
            assert headers["ledger-height"] == "7"
            assert headers["x-content-type-options"] == "nosniff"
            problems.append(problem)
    assert [problem.code for problem in problems] == ["malformed", "headers_too_large", "request_timeout"]
    assert len({problem.request_id for problem in problems}) == 3


async def test_caller_who_does_not_take_his_answer_is_closed() -> None:
    async with serve() as (server, port):
        reader, writer = await connect(port)
        writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await reader.readexactly(10)
            await settle(lambda: not server.server_state.connections)
        writer.transport.abort()


async def test_connections_of_one_address_are_bounded_and_given_back() -> None:
    async with serve() as (server, port):
        held = [await connect(port) for _ in range(LIMITS.connections_per_address_max)]
        reader, writer = await connect(port)
        assert await read_all(reader) == b""
        writer.close()
        for _, open_writer in held:
            open_writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await settle(lambda: not server.server_state.connections)
        reader, writer = await connect(port)
        writer.write(GET)
        assert (await read_all(reader)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_caller_of_a_refused_body_reads_the_answer_although_he_is_still_sending() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    problems = ProblemWriter(lambda: 7)
    app = build_small_app()
    app.add_middleware(LimitsMiddleware, limits=HttpLimits(), problems=problems, get_monotonic_ns=time.monotonic_ns)
    server = build_server(app, ConnectionLimits(), get_head=lambda: HEAD)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve(sockets=[listener]))
        await settle(lambda: server.started)
        port = listener.getsockname()[1]
        for _ in range(3):
            reader, writer = await connect(port)
            size = 5 * 1024 * 1024
            writer.write(b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size)
            for _ in range(size // 65_536):
                writer.write(b"x" * 65_536)
                await writer.drain()
            answer = await read_all(reader)
            writer.close()
            assert answer.startswith(b"HTTP/1.1 413"), answer[:100]
        server.should_exit = True
        await task
    listener.close()


async def test_pipelined_requests_are_all_answered() -> None:
    async with serve() as (_, port):
        reader, writer = await connect(port)
        writer.write(GET * 5)
        assert (await read_all(reader)).count(b"HTTP/1.1 200 OK") == 5
        writer.close()
