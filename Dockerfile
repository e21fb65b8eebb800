# The daemon in a container:
#   docker build -t streamasr .
#   docker run -p 2700:2700 -v ./tokens:/etc/streamasr/tokens:ro streamasr
# Make the tokens with `docker run --rm streamasr token`, or run it with `serve --host 0.0.0.0 --insecure`
# where anybody who reaches it may use it. Keep /cache in a volume: the language model is compiled into it
# at the first start.

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
