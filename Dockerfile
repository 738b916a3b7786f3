# Builds the image of crashcheck, which contains only one static binary.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 -t registry.example.com/crashcheck:v0.1.0 .

# The image for the build stage: any image with a shell and a Go toolchain that is new enough for go.mod.
ARG GO_IMAGE=golang:1.26

# The build stage runs on the platform of the build machine and cross-compiles, so it needs no emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
# Both caches are in one place, independent of the user and the GOPATH of the image.
ENV CGO_ENABLED=0 GOMODCACHE=/cache/mod GOCACHE=/cache/build

# Modules change less often than the code, so they have their own layer.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache/mod \
    go mod download

COPY cmd cmd
COPY pkg pkg
# One ARG per line: older versions of buildah ignore a second name, and would build for the wrong architecture.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN --mount=type=cache,target=/cache/mod \
    --mount=type=cache,target=/cache/build \
    GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/crashcheck ./cmd/crashcheck

# The image has no public CA certificates: in a cluster, the service account contains the CA of the API server. It has no
# shell and no /tmp: crashcheck writes only to the termination log.
FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="crashcheck" \
      org.opencontainers.image.description="A release gate for Kubernetes: fails if the pods of a release crash too often" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/crashcheck /crashcheck
# A numeric ID: the image has no /etc/passwd, and runAsNonRoot cannot verify names.
USER 65532:65532
ENTRYPOINT ["/crashcheck"]
