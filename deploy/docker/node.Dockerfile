# A GPU node: the daemon beside its engine, which it starts. Build from the project's root:
# docker build -f deploy/docker/node.Dockerfile -t meridian-node .
ARG ENGINE_IMAGE=lmsysorg/sglang:v0.5.8
FROM node:26.10.0-bookworm-slim AS node
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

# hadolint ignore=DL3006
FROM ${ENGINE_IMAGE}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/meridian
COPY --from=node /app/node_modules node_modules
COPY package.json ./
COPY config/hardware.yaml config/
COPY src src
# The identity of the node, and what the engine compiles at its first start: keep both on a volume.
ENV NODE_ENV=production HOME=/var/lib/meridian HF_HOME=/models
RUN mkdir -p /var/lib/meridian /models && chown 10001:10001 /var/lib/meridian /models
USER 10001:10001
VOLUME /var/lib/meridian
EXPOSE 8090
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:8090/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["node", "--config", "/etc/meridian/node.yaml"]
