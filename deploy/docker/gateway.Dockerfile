# A gateway. Build from the project's root: docker build -f deploy/docker/gateway.Dockerfile -t meridian-gateway .
FROM node:26.10.0-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json ./
# The optional packages are Node itself, which is in the image already.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production MERIDIAN_DATA_DIR=/var/lib/meridian
WORKDIR /app
COPY --from=install /app/node_modules node_modules
COPY package.json ./
COPY config/prices.yaml config/hardware.yaml config/
COPY src src
# Nothing but the data directory is ever written: run it with a read-only root.
RUN mkdir -p /var/lib/meridian && chown 10001:10001 /var/lib/meridian
USER 10001:10001
VOLUME /var/lib/meridian
EXPOSE 8080 8081 8082
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:8081/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=8", "src/main.ts"]
CMD ["gateway", "--config", "/etc/meridian/gateway.yaml"]
