# What jobs run in: all of retailops, without a model. `retailops image build --worker` puts the context together: wheels/
# of other people, own/ with ours. Nothing is fetched while building, so the build needs no network. Two builds of one
# context give the same layers, byte for byte (how: serving.Dockerfile).
#
# No USER: SageMaker gives its folders under /opt/ml to root, so there it has to be root. Kubernetes runs it as 10001 with
# a root that can't be written; all that it writes is in /tmp and where its arguments say.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ENV PYTHONHASHSEED=0
COPY wheels /wheels
# Compiled here, since the container can't write.
RUN python -m venv --without-pip /retailops \
    && python -m pip --python=/retailops/bin/python install \
        --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check /wheels/*.whl \
    && /retailops/bin/python -m compileall -q --invalidation-mode unchecked-hash /retailops/lib \
    && mkdir /packages \
    && find /retailops -exec touch --no-dereference --date=1980-01-01T00:00:00Z {} + \
    && cp --archive --link /retailops /packages/

# Apart, so that another version of retailops is another small layer alone.
FROM packages AS ours
COPY own /own
RUN python -m pip --python=/retailops/bin/python install \
        --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check /own/*.whl \
    && /retailops/bin/python -m compileall -q --invalidation-mode unchecked-hash /retailops/lib/python3*/site-packages/retailops \
    && mkdir -p /ours/retailops/bin \
    && cp --archive --parents /retailops/lib/python3*/site-packages/retailops* /ours/ \
    && /retailops/bin/python -m retailops.images.inventory /ours/retailops/sbom.cdx.json \
    && find /ours -exec touch --no-dereference --date=1980-01-01T00:00:00Z {} +

# The base without means to install more, which nobody has a use for; in a folder, since what is at the root of a
# running step has dates and files of the machine that it runs on.
FROM ${BASE} AS system
RUN rm -rf \
        /usr/local/bin/pip* /usr/local/bin/wheel* \
        /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/site-packages/* \
        /usr/bin/pip* /usr/lib/python3*/ensurepip /usr/share/python-wheels \
        /usr/lib/python3/dist-packages/pip* /usr/lib/python3/dist-packages/setuptools* \
        /usr/lib/python3/dist-packages/wheel* /usr/lib/python3/dist-packages/pkg_resources \
        /usr/lib/python3/dist-packages/_distutils_hack \
    && mkdir -p /system/dev /system/proc /system/sys \
    && mkdir -m 1777 /system/tmp \
    && find / -mindepth 1 -maxdepth 1 \
        ! -name dev ! -name proc ! -name sys ! -name tmp ! -name system ! -name .dockerenv \
        -exec cp --archive {} /system/ ';' \
    && rm -f /system/etc/hostname /system/etc/hosts /system/etc/mtab /system/etc/resolv.conf \
    && find /system -type d -exec touch --date=1980-01-01T00:00:00Z {} +

FROM scratch
COPY --from=system /system /
COPY --from=packages /packages /
COPY --from=ours /ours /
ENV PATH=/retailops/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Kubernetes gives its own; SageMaker's tuner, which can name no entry point, starts its trials by this one.
ENTRYPOINT ["python", "-P", "-m", "retailops.worker", "--hyperparameters=/opt/ml/input/config/hyperparameters.json"]
