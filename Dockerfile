# syntax=docker/dockerfile:1
# One validator. Mount its folder (node.toml, keys, guard, database) at /data, owned by uid 10001:
#   docker run --read-only --tmpfs /tmp -v gongji-0:/data -p 127.0.0.1:8400:8400 gongji

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src
COPY requirements/run.txt requirements/build.txt requirements/
RUN python -m venv /opt/gongji \
 && /opt/gongji/bin/pip install --require-hashes --only-binary=:all: --requirement requirements/run.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary=:all: --requirement requirements/build.txt
COPY pyproject.toml LICENSE ./
COPY chain chain
COPY consensus consensus
COPY p2p p2p
COPY explorer explorer
COPY node node
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /opt/gongji/bin/pip install --no-deps --no-index /wheel/*.whl

FROM python:3.11-slim
RUN groupadd --system --gid 10001 gongji \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin gongji \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/gongji /opt/gongji
ENV PATH=/opt/gongji/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GONGJI_LIVEZ=http://127.0.0.1:8400/livez
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
# REST, then the listener for the other validators.
EXPOSE 8400 8500
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(os.environ['GONGJI_LIVEZ'], timeout=2).close()"]
ENTRYPOINT ["gongji"]
CMD ["start", "--config", "/data/node.toml"]
