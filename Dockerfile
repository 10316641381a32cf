# Two images: the last target is shapegate, and demo is the demo app of docker-compose.yml.

# cgo is needed: the parser of Postgres (pg_query_go) is C. Both programs share nearly all
# that is compiled.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=1 go build -trimpath -ldflags "-s -w" -o /out/ ./cmd/shapegate ./cmd/shapegate-demo

# The same glibc as above, certificates, and no shell. Runs as user 65532.
FROM gcr.io/distroless/base-debian12:nonroot AS demo
COPY --from=build /out/shapegate-demo /shapegate-demo
COPY --from=build /src/LICENSE /LICENSE
EXPOSE 8080
ENTRYPOINT ["/shapegate-demo"]
CMD ["serve"]

# The health check is the orchestrator's to ask for (shapegate ready): this image runs jobs
# that end, too.
FROM gcr.io/distroless/base-debian12:nonroot AS shapegate
COPY --from=build /out/shapegate /shapegate
COPY --from=build /src/LICENSE /LICENSE
EXPOSE 8080
ENTRYPOINT ["/shapegate"]
CMD ["serve"]
