# A static binary on an empty image, as a user without rights. docs/install.md says how to run it with io_uring.
#   docker build --build-arg OPSURGE_COMMIT="$(git rev-parse --short=12 HEAD)" -t opsurge .
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /source
COPY . .
# .git stays outside (see .dockerignore), so the commit comes as an argument; without it, --version names none.
ARG OPSURGE_COMMIT=""
RUN cargo build --locked --profile dist --features full --target "$(uname -m)-unknown-linux-musl" \
    && cp "target/$(uname -m)-unknown-linux-musl/dist/opsurge" /opsurge

FROM scratch
# The roots that https targets are checked against; --cacert names others.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /opsurge /opsurge
# nobody: the program needs no right beyond connecting and, for --json and its kin, writing to a mounted folder.
USER 65534:65534
ENTRYPOINT ["/opsurge"]
CMD ["--help"]
