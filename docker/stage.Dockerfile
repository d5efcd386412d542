# The image of a Python stage: a base and the stage's locked packages. The stages' own code is mounted, not copied.
#   docker build -f docker/stage.Dockerfile --build-arg NAME=train docker
# Every layer is the same bytes whenever and wherever it is built: times are clamped, and the last stage only copies.
ARG BASE=coralline-base:bookworm
FROM ${BASE} AS build
ARG NAME
ARG PIP_INDEX_URL
ARG SOURCE_DATE_EPOCH=1735689600
WORKDIR /build
# ca.crt is the host's bundle where it has authorities of its own; it stays in this build stage.
COPY install.sh ${NAME}/requirements.lock ca.crt* ./
RUN sh install.sh requirements.lock /out

FROM ${BASE}
COPY --from=build /out/ /
