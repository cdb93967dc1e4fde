# The workbench and its notebooks, for reports on a schedule: see infra_cdk/README.md. No JupyterLab, no compilers, no pip.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY workbench workbench
COPY notebooks notebooks
RUN python -m venv /opt/workbench \
 && /opt/workbench/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --constraint constraints.txt . \
 && /opt/workbench/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
RUN pip uninstall --yes --root-user-action ignore pip setuptools wheel \
 && useradd --create-home --uid 10001 workbench
COPY --from=build /opt/workbench /opt/workbench
WORKDIR /app
COPY notebooks notebooks
COPY infra_cdk/container/run.py run.py
ENV PATH=/opt/workbench/bin:$PATH PYTHONUNBUFFERED=1 MPLBACKEND=agg
USER workbench
ENTRYPOINT ["python", "/app/run.py"]
