# One image for every process; docker-compose.yml says which one a container runs.
FROM python:3.12-slim-trixie AS build
WORKDIR /app
COPY requirements/installer.txt requirements/installer.txt
COPY requirements.txt .
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --require-hashes -r requirements/installer.txt \
    && VIRTUAL_ENV=/opt/venv uv pip install --no-cache --compile-bytecode --require-hashes -r requirements.txt

FROM python:3.12-slim-trixie
# libgomp: xgboost and scikit-learn compute with it. The client programs make backups; they must be
# of PostgreSQL 17 like the server in docker-compose.yml, as Debian 13 has them.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data trader \
    && install --directory --owner trader --mode 0700 /data
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    MALLOC_ARENA_MAX=2 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    DJANGO_SETTINGS_MODULE=tradingsite.settings.prod
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
RUN DJANGO_SETTINGS_MODULE=tradingsite.settings.dev DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
    && rm -rf /tmp/build \
    && python -m compileall -q -x '/tests/' /app
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "scripts/probe.py"]
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "--proxy-headers", "tradingsite.asgi:application"]
