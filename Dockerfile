# Every install step is scripts/setup or npm ci, so what builds here also runs outside a container.

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
WORKDIR /app
COPY scripts/setup scripts/setup
RUN scripts/setup --tools-only --container --tools-dir /opt/ytdlpd/tools \
  && rm -rf /var/lib/apt/lists/*
# The folders to mount. Mounted ones keep their owner: nothing here ever changes the owner of what is in them.
RUN install -d -o node -g node config downloads jsons
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY src src
COPY scripts/backup scripts/backup.ts scripts/restore scripts/restore.ts scripts/ytdlpd scripts/

ENV NODE_ENV=production \
  NODE_OPTIONS=--max-semi-space-size=2 \
  NODE_COMPILE_CACHE=/app/jsons/.compiled \
  HOST=0.0.0.0 \
  PORT=5000 \
  CONFIG_DIR=/app/config \
  DOWNLOAD_DIR=/app/downloads \
  STATE_DIR=/app/jsons \
  TOOLS_DIR=/opt/ytdlpd/tools

# Uid and gid 1000. Any other will do that may write to downloads and jsons: docker run --user, or PUID and PGID in
# docker-compose.yml.
USER node
VOLUME ["/app/config", "/app/downloads", "/app/jsons"]
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`, { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# tini reaps what dies and hands every signal on to the whole process group.
ENTRYPOINT ["tini", "-g", "--"]
CMD ["node", "src/main.ts"]

ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="ytdlpd" \
  org.opencontainers.image.description="A self-hosted media download daemon: a URL goes in, files come out" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.created="${CREATED}"
