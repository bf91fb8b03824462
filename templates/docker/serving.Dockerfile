# The prediction API with one bundle in it. `retailops image build` puts the context together: wheels/ with everything
# that is installed, bundle/, and serve. Nothing is fetched while building, so the build has no network.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ENV PYTHONHASHSEED=0
COPY wheels /wheels
# Compiled once, since the container can't write; with hashes and dates that say nothing of when, so that two builds
# of one context are equal.
RUN python -m venv --without-pip /retailops \
    && python -m pip --python=/retailops/bin/python install \
        --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check /wheels/*.whl \
    && /retailops/bin/python -m retailops.images.inventory /retailops/sbom.cdx.json \
    && find /retailops -name __pycache__ -prune -exec rm -r {} + \
    && /retailops/bin/python -m compileall -q --invalidation-mode unchecked-hash /retailops/lib
COPY serve /retailops/bin/serve
RUN find /retailops -exec touch --no-dereference --date=1980-01-01T00:00:00Z {} +

FROM ${BASE}
# What a server has no use for: means to install more.
RUN rm -rf \
        /usr/local/bin/pip* /usr/local/bin/wheel* /usr/local/lib/python3.*/ensurepip \
        /usr/local/lib/python3.*/site-packages/* \
        /usr/bin/pip* /usr/lib/python3*/ensurepip /usr/share/python-wheels \
        /usr/lib/python3/dist-packages/pip* /usr/lib/python3/dist-packages/setuptools* \
        /usr/lib/python3/dist-packages/wheel* /usr/lib/python3/dist-packages/pkg_resources \
        /usr/lib/python3/dist-packages/_distutils_hack
COPY --from=packages /retailops /retailops
COPY bundle /bundle
ARG MODEL_VERSION
ENV MODEL_VERSION=${MODEL_VERSION} \
    PATH=/retailops/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 10001:10001
EXPOSE 8080
CMD ["serve"]
