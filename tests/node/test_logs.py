import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from node.logs import THROTTLED_EVENTS_MAX, LogThrottle, configure_logs, get_logger


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_json_line_holds_event_values_context_level_and_time() -> None:
    stream = io.StringIO()
    configure_logs(log_format="json", level="info", stream=stream, node="node-0")
    get_logger("runtime").info("committed", height=7)
    line = json.loads(stream.getvalue())
    time = line.pop("time")
    assert line == {"event": "committed", "height": 7, "level": "info", "node": "node-0", "logger": "runtime"}
    assert time.endswith("Z")


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    configure_logs(log_format="json", level="warning", stream=stream)
    get_logger("x").info("quiet")
    logging.getLogger("x").info("quiet")
    assert stream.getvalue() == ""
    get_logger("x").warning("loud")
    assert "loud" in stream.getvalue()


def test_standard_library_loggers_write_the_same_form() -> None:
    stream = io.StringIO()
    configure_logs(log_format="json", level="info", stream=stream, node="node-0")
    logging.getLogger("uvicorn.error").info("listening on %s", "port")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["node"]) == ("listening on port", "uvicorn.error", "node-0")


def test_exception_is_written_with_its_trace_on_one_line() -> None:
    stream = io.StringIO()
    configure_logs(log_format="json", level="info", stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        get_logger("x").exception("failed")
    assert len(stream.getvalue().splitlines()) == 1
    assert "ValueError: broken" in json.loads(stream.getvalue())["exception"]


def test_console_line_is_for_people_and_without_colours_in_a_file() -> None:
    stream = io.StringIO()
    configure_logs(log_format="console", level="info", stream=stream)
    get_logger("x").info("committed", height=7)
    assert "committed" in stream.getvalue() and "height=7" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_configuring_twice_writes_each_line_once() -> None:
    stream = io.StringIO()
    for _ in range(2):
        configure_logs(log_format="json", level="info", stream=stream)
    get_logger("x").info("once")
    assert stream.getvalue().count("once") == 1


def test_throttle_lets_one_through_per_interval_and_counts_the_others() -> None:
    throttle = LogThrottle(1_000)
    assert throttle.admit("refused", 0) == 0
    assert [throttle.admit("refused", now) for now in (1, 500, 999)] == [None, None, None]
    assert throttle.admit("other", 999) == 0
    assert throttle.admit("refused", 1_000) == 3
    assert throttle.admit("refused", 2_000) == 0


def test_p23_throttle_forgets_the_oldest_event() -> None:
    throttle = LogThrottle(1_000)
    for number in range(THROTTLED_EVENTS_MAX + 1):
        throttle.admit(str(number), 0)
    assert throttle.admit("0", 1) == 0
    assert throttle.admit("5", 1) is None
