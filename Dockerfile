# The daemon in a container:
#   docker build -t streamasr .
#   docker run --rm streamasr token          a token, and the line for the file
#   docker run -p 2700:2700 --stop-timeout 20 --read-only -v streamasr:/cache \
#     -v ./tokens:/etc/streamasr/tokens:ro streamasr
# The file of tokens must be readable for user 10001. Without one, where anybody who reaches it may use it:
# `serve --host 0.0.0.0 --insecure`. The language model is compiled into /cache at the first start.
# The stop timeout is a little above limits.drain_s. With TLS add --no-healthcheck: the check is by HTTP.

FROM python:3.11-slim-bookworm AS build
# the search of the graph decoder is compiled
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python -m venv /opt/streamasr \
 && /opt/streamasr/bin/pip install --no-cache-dir /src

FROM python:3.11-slim-bookworm
COPY --from=build /opt/streamasr /opt/streamasr
RUN groupadd --gid 10001 streamasr \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin streamasr \
 && install -d -o streamasr -g streamasr /cache
ENV PATH=/opt/streamasr/bin:$PATH XDG_CACHE_HOME=/cache PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /cache
EXPOSE 2700
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=5m --interval=30s --timeout=5s CMD \
  ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:2700/healthz', timeout=4)"]
ENTRYPOINT ["streamasr"]
CMD ["serve", "--host", "0.0.0.0", "--token-file", "/etc/streamasr/tokens"]
