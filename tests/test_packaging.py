"""What is shipped: the locks, the image, the commands, the changelog."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LOCKS = ("run", "dev", "build")
RUN_DISTRIBUTIONS_MAX = 36
"""About 25 is the wish (conventions 21); the direct ones bring their own. Raised only with an ADR."""

TARGETS = (
    "setup",
    "devnet",
    "test",
    "check",
    "bench",
    "simulate",
    "model",
    "lock",
    "format",
    "clean",
    "help",
)


def get_lock(name: str) -> str:
    return (REPOSITORY / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def get_pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", get_lock(name), re.MULTILINE))


def get_requirements(*path: str) -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    node = project
    for part in path[:-1]:
        node = node[part]
    return [re.split(r"[<>=!~ \[]", line, maxsplit=1)[0] for line in node[path[-1]]]


def get_instructions() -> list[list[str]]:
    """Return the Dockerfile's instructions as words, continuation lines joined, comments left out."""
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host_and_no_path(name: str) -> None:
    text = get_lock(name)
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host| @ file:|^-e", text, re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_hashes_every_distribution(name: str) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", get_lock(name), flags=re.MULTILINE)[1:]
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==\S+ \\\n\s+--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]


def test_run_lock_holds_the_dependencies_and_dev_lock_holds_the_same_versions() -> None:
    run, dev = get_pins("run"), get_pins("dev")
    assert set(get_requirements("project", "dependencies")) <= set(run)
    assert set(get_requirements("project", "optional-dependencies", "dev")) <= set(dev)
    assert run.items() <= dev.items()
    assert set(get_pins("build")) >= set(get_requirements("build-system", "requires"))


def test_run_time_distributions_stay_few() -> None:
    assert len(get_pins("run")) <= RUN_DISTRIBUTIONS_MAX


def test_a5_form_parser_is_not_installed() -> None:
    assert "python-multipart" not in get_pins("run")


def test_l19_pynacl_is_recent_enough() -> None:
    assert tuple(int(part) for part in get_pins("run")["pynacl"].split(".")) >= (1, 6, 2)


def test_a6_starlette_is_recent_enough() -> None:
    assert tuple(int(part) for part in get_pins("run")["starlette"].split(".")) >= (1, 0, 1)


def test_image_copies_only_paths_that_exist_and_are_not_ignored() -> None:
    ignore = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    sources = [
        word
        for words in get_instructions()
        if words[0] == "COPY" and not words[1].startswith("--from=")
        for word in words[1:-1]
    ]
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert f"!{Path(source).parts[0]}" in ignore, f"{source} is left out of the build context"


def test_image_copies_every_package_that_is_distributed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name for name in project["tool"]["setuptools"]["packages"]["find"]["include"] if "*" not in name}
    copied = {words[1] for words in get_instructions() if words[0] == "COPY" and len(words) == 3}
    assert packages <= copied


def test_image_runs_without_root_from_one_base_with_a_health_check() -> None:
    instructions = get_instructions()
    bases = [words[1] for words in instructions if words[0] == "FROM"]
    assert bases == ["python:3.11-slim"] * 2, "the environment is copied between stages: their Python must be one"
    last = max(i for i, words in enumerate(instructions) if words[0] == "FROM")
    final = {words[0]: words for words in instructions[last:]}
    assert final["USER"][1] not in {"root", "0", "0:0"}
    assert "gongji" in final["ENTRYPOINT"][1]
    assert final["EXPOSE"][1:]
    health = " ".join(final["HEALTHCHECK"])
    assert "GONGJI_LIVEZ" in health
    assert any("/livez" in word for words in instructions for word in words if words[0] == "ENV")
    installs = [" ".join(words) for words in instructions if words[0] == "RUN" and "pip install" in " ".join(words)]
    assert installs
    assert all("--require-hashes" in text or "--no-index" in text for text in installs)


@pytest.mark.parametrize("target", TARGETS)
def test_each_habit_is_a_make_target_with_a_line_of_help(target: str) -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:[^=]*## ", text, re.MULTILINE)


def test_help_lists_every_target() -> None:
    result = subprocess.run(
        ["make", "--no-print-directory"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert {line.split()[1] for line in result.stdout.splitlines()} == set(TARGETS)


def test_changelog_tells_what_breaks_consensus() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased = text.partition("## [Unreleased]")[2].partition("\n## [")[0]
    assert "### Consensus-breaking" in unreleased


def test_packaged_data_of_every_kind_is_listed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    kinds = {Path(pattern).suffix for pattern in project["tool"]["setuptools"]["package-data"]["*"]}
    shipped = {
        path.suffix
        for package in ("chain", "consensus", "p2p", "explorer", "node")
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
    }
    assert shipped <= kinds, shipped - kinds
