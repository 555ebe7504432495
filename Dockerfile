# Two stages: packages from the hashed lock are installed in the first, and only the finished environment goes
# into the second. The image runs with a read-only root: everything that is written goes to the volume /data.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/fluxgate
WORKDIR /build
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/fluxgate/bin/pip install --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY client client
RUN /opt/fluxgate/bin/pip install --no-deps --no-build-isolation ./client .

FROM python:3.11-slim
RUN groupadd --system --gid 10001 fluxgate \
 && useradd --system --uid 10001 --gid fluxgate --no-create-home --home-dir /data fluxgate \
 && install --directory --owner fluxgate --group fluxgate --mode 0750 /data
COPY --from=build /opt/fluxgate /opt/fluxgate
ENV PATH=/opt/fluxgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8000/health/live', timeout=4).raise_for_status()"]
CMD ["fluxgate", "serve", "--host", "0.0.0.0", "--port", "8000"]
