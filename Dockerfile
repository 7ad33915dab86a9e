# syntax=docker/dockerfile:1
# The service as an image: built from the hash-pinned lock, run by nobody in particular, writing only to /data.
# The base is pinned to Python's minor version and Debian's release. Pin it to the digest that your own registry
# mirrors (docker build --build-arg BASE=python@sha256:...): a digest written here would be somebody else's.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /srv/tierwise
RUN python -m venv /opt/tierwise
# The lock alone first: this layer is built again only when a dependency changes.
COPY requirements.lock ./
RUN /opt/tierwise/bin/pip install --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY router ./router
COPY policies ./policies
# Editable, because the bundled policies stand beside the package; nothing that can install stays behind.
RUN /opt/tierwise/bin/pip install --no-build-isolation --no-deps --editable . \
    && /opt/tierwise/bin/python -m compileall -q router \
    && /opt/tierwise/bin/pip uninstall --yes setuptools pip

FROM ${BASE}
ENV PATH=/opt/tierwise/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    TIERWISE_DATA_DIR=/data \
    TIERWISE_HOST=0.0.0.0 \
    TIERWISE_PORT=8787
COPY --from=build /opt/tierwise /opt/tierwise
COPY --from=build /srv/tierwise /srv/tierwise
WORKDIR /srv/tierwise
RUN install --directory --owner=65532 --group=65532 --mode=0700 /data
USER 65532:65532
VOLUME ["/data"]
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['TIERWISE_PORT']), timeout=3); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["tierwise", "serve"]
