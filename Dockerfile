# The service with its kernels compiled, and Mosquitto for the embedded broker.
#
#   docker build -t undertow .
#   docker run --rm -p 127.0.0.1:9464:9464 undertow                      live venues, configs/default.toml
#   docker run --rm -p 127.0.0.1:9464:9464 undertow demo                 simulated venues
#   docker run --read-only --tmpfs /tmp --user 4242:4242 ... undertow    any uid, read-only root
#
# Settings: mount a file over /etc/undertow/undertow.toml, or set UNDERTOW__SECTION__KEY.
# What is kept (state/, captures/) lies in the volume /var/lib/undertow. A new volume is writable for every uid; whoever writes first
# owns its files, so keep to one uid a volume.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# No pip in what is shipped: it is called from outside the environment.
RUN python -m venv --without-pip /opt/undertow
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY engines ./engines
COPY monitor ./monitor
# Libraries' own tests are a tenth of the image. Bytecode is checked against nothing: the root may be read-only, and a rebuilt layer
# may carry other file times.
RUN pip --python /opt/undertow/bin/python install --no-compile -c constraints.txt . \
 && find /opt/undertow/lib -type d -name tests -prune -exec rm -rf {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/undertow/lib

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="Undertow" \
      org.opencontainers.image.description="Live, verified crypto order books, and a warning when a market is being sold at any price" \
      org.opencontainers.image.licenses="Apache-2.0"

# tini: Python as process 1 would leave what its children leave behind unreaped. Versions are the base image's business: a pinned
# Debian version is gone from the mirrors with its first security fix.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends mosquitto tini \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 undertow \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/undertow --shell /usr/sbin/nologin undertow \
 && install -d -o 10001 -g 10001 /opt/undertow-kernels \
 && install -d -m 1777 /var/lib/undertow

COPY --from=build /opt/undertow /opt/undertow
COPY deploy/image/healthcheck.py /opt/undertow/healthcheck.py
COPY configs/default.toml /etc/undertow/undertow.toml

# `generic` is every x86-64 and every arm64. Measured on our kernels, real 68-level frames to seven bands: 4.82 us generic, 5.02
# x86-64-v2, 4.95 x86-64-v3, 5.12 the build host's own AVX-512. They branch more than they vectorise: there is nothing to gain.
# Whoever sets another target compiles at the start, about 20 s.
ENV PATH=/opt/undertow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_DIR=/opt/undertow-kernels \
    UNDERTOW__HTTP__LISTEN=0.0.0.0:9464

USER 10001:10001
# The relative paths of the settings, state/ and captures/, start here.
WORKDIR /var/lib/undertow
# From the final path and by the final user: numba's cache depends on both. Fails when anything is left to compile.
RUN ["python", "-m", "monitor.warm"]

VOLUME ["/var/lib/undertow"]
EXPOSE 9464
# /livez and not /readyz: a book that is not verified, or a venue that is down, does not get better by killing the service, which would
# throw the other books away. Send traffic by /readyz, restart by /livez.
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-I", "-S", "/opt/undertow/healthcheck.py"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "undertow"]
CMD ["run", "-c", "/etc/undertow/undertow.toml"]
