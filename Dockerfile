# Builds the image of crashcheck: one static binary and nothing else.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 -t crashcheck/crashcheck:v0.1.0 .

# The image to build in: any with a Go toolchain that is new enough for go.mod, and a shell.
ARG GO_IMAGE=golang:1.26

# The builder runs on the machine's own platform and cross-compiles: no emulation for arm64.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
# Both caches in one place, whatever the builder image's user and GOPATH are.
ENV CGO_ENABLED=0 GOMODCACHE=/cache/mod GOCACHE=/cache/build

# The modules change less often than the code: a layer of their own.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache/mod \
    go mod download

COPY cmd cmd
COPY pkg pkg
# One a line: older buildah ignores the second name of an ARG, and would build for the wrong architecture.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN --mount=type=cache,target=/cache/mod \
    --mount=type=cache,target=/cache/build \
    GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/crashcheck ./cmd/crashcheck

# Nothing but the binary. In a cluster, the API server's CA certificate comes with the service account: no bundle of
# public ones is needed. There is no shell, and no /tmp: crashcheck writes no files but the termination log.
FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="crashcheck" \
      org.opencontainers.image.description="A gate for releases: fails when the pods of a ReplicaSet crash too often" \
      org.opencontainers.image.source="https://github.com/crashcheck/crashcheck" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/crashcheck /crashcheck
# A number, because the image has no /etc/passwd, and runAsNonRoot can only judge numbers.
USER 65532:65532
ENTRYPOINT ["/crashcheck"]
