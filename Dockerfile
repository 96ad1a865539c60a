# The runner: `docker run --rm -v "$PWD:/work" rollout apply plan.yaml --auto-approve`
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY rollout rollout
COPY schemas schemas
RUN pip install --no-cache-dir --disable-pip-version-check build==1.3.0 \
    && python -m build --wheel --outdir /wheels

FROM python:3.11-slim-bookworm AS install
COPY constraints.txt /constraints.txt
COPY --from=build /wheels /wheels
# A virtual environment moves to the last stage whole: no compiler, no cache, no build tool in it.
RUN python -m venv /opt/rollout \
    && /opt/rollout/bin/pip install --no-cache-dir --disable-pip-version-check \
        --constraint /constraints.txt "$(echo /wheels/*.whl)[local,azureml,postgres,objects]"

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="rollout" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Declarative rollouts for machine-learning online endpoints"
RUN useradd --create-home --uid 10001 rollout && install -d -o rollout -g rollout /work
COPY --from=install /opt/rollout /opt/rollout
ENV PATH=/opt/rollout/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
# The journal lives in /work/.rollout unless --state names a store that all runners share.
ENTRYPOINT ["rollout"]
CMD ["--help"]
