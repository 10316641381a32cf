# syntax=docker/dockerfile:1

# cgo is needed: the parser of Postgres (pg_query_go) is C.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=1 go build -trimpath -ldflags "-s -w" -o /out/shapegate ./cmd/shapegate

# The same glibc as above, certificates, and no shell. Runs as user 65532.
FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=build /out/shapegate /shapegate
COPY --from=build /src/LICENSE /LICENSE
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=10s CMD ["/shapegate", "ready"]
ENTRYPOINT ["/shapegate"]
CMD ["serve"]
