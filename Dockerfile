FROM python:3.11-slim
RUN useradd --create-home --uid 1000 padron && mkdir -p /var/lib/padron/drop && chown -R padron /var/lib/padron
WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY schemas schemas
COPY warehouse warehouse
COPY connectors connectors
COPY pipelines pipelines
COPY scheduler scheduler
COPY admin admin
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER padron
CMD ["padron", "up"]
