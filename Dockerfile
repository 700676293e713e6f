# The weekly run in a container: docs/github-actions.md says how to start it.
FROM python:3.11-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba

# libgomp1: LightGBM; openssh-client: a git remote over SSH
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git libgomp1 make openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /project \
    && useradd --create-home --uid 1000 pricetrail

# PyPI's build of torch is for CUDA, with gigabytes of packages of its own: this is the CPU build's index.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /opt/pricetrail
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-deps --no-build-isolation . && pricetrail --help > /dev/null

USER pricetrail
WORKDIR /project
ENTRYPOINT ["pricetrail", "weekly"]
