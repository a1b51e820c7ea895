# The image holds one static binary, runs as a user without rights, and needs no writable file system.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -tags noembedded -ldflags "-s -w -X leat/app.version=${VERSION}" -o /leat .

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /leat /leat
# Health and metrics are read-only; a container that is to be scraped listens on all interfaces.
ENV LEAT_HTTP_ADDR=:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 CMD ["/leat", "health"]
ENTRYPOINT ["/leat"]
CMD ["run"]
