#!/bin/sh
# Releases a Deployment, lets crashcheck watch over the new version, and goes back where the gate does not pass.
#
#   release.sh NAMESPACE DEPLOYMENT MANIFESTS GATE
#
# MANIFESTS is the file or folder that kubectl applies. GATE is the folder of a kustomization over deploy/base whose HASH
# is not filled in: the hash of the new version is known only once the Deployment has been applied.
#
# The exit code is the gate's own (0: pass, 1: fail, 2: invalid, 3: inconclusive, 4: not ready, 143: interrupted), or 100
# where there was no verdict: kubectl failed, the gate could not start, or its Job has hit its deadline.
set -eu

namespace=$1 deployment=$2 manifests=$3 gate=$4
job=rollout-crashcheck-job

k() { kubectl --namespace "$namespace" "$@"; }

# The revision of a Deployment counts its versions. Nothing where there is no Deployment yet.
revision() {
  k get deployment "$deployment" --ignore-not-found \
    --output jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}'
}

# Releases and waits for the verdict. Whatever fails on the way ends it with 100.
release() {
  code=100
  trap 'exit "$code"' EXIT

  # 1. Release, and wait until the Deployment's controller has seen it: only then its revision is the new one.
  k apply -f "$manifests"
  generation=$(k get deployment "$deployment" --output jsonpath='{.metadata.generation}')
  give_up=$(($(date +%s) + 60))
  until seen=$(k get deployment "$deployment" --output jsonpath='{.status.observedGeneration}') &&
    [ "${seen:-0}" -ge "$generation" ]; do
    [ "$(date +%s)" -lt "$give_up" ]
    sleep 1
  done
  revision=$(revision)
  hash=$(k get replicasets --output jsonpath="{range .items[?(@.metadata.annotations.deployment\.kubernetes\.io/revision==\"$revision\")]}{.metadata.ownerReferences[0].name}{\" \"}{.metadata.labels.pod-template-hash}{\"\n\"}{end}" |
    awk -v owner="$deployment" '$1 == owner { print $2 }')
  echo "release: revision $revision of $deployment, pod-template-hash $hash"
  [ -n "$hash" ]

  # 2. Start the gate. A Job cannot be changed, so the one of the last release goes first, with its pods.
  k delete job "$job" --ignore-not-found --cascade=foreground --timeout=60s
  kubectl kustomize "$gate" | sed "s/<pod-template-hash>/\"$hash\"/" | k apply -f -

  # 3. Wait until the Job has ended, whichever way. kubectl wait knows one condition at a time, so ask for both. A Job
  # ends at its activeDeadlineSeconds at the latest; a minute more, and something is wrong with the cluster.
  give_up=$(($(date +%s) + $(k get job "$job" --output jsonpath='{.spec.activeDeadlineSeconds}') + 60))
  ended=
  until [ -n "$ended" ]; do
    # An API server that does not answer just now is asked again.
    conditions=$(k get job "$job" --output jsonpath='{.status.conditions[?(@.status=="True")].type}') || conditions=
    case " $conditions " in
      *" Complete "*) ended=Complete ;;
      *" Failed "*) ended=Failed ;;
      *) [ "$(date +%s)" -lt "$give_up" ]; sleep 2 ;;
    esac
  done

  # 4. Read the verdict: the log, for people and with its line of JSON, and the exit code of the last run.
  k logs "job/$job" --tail=-1 || true
  if [ "$ended" = Complete ]; then
    code=0
    return
  fi
  k describe job "$job" || true
  last=$(k get pods --selector "batch.kubernetes.io/job-name=$job" --sort-by=.metadata.creationTimestamp \
    --output jsonpath='{range .items[*]}{.status.containerStatuses[?(@.name=="crashcheck")].state.terminated.exitCode}{"\n"}{end}' |
    tail -n 1)
  # A Job that failed although its last run passed (its deadline came first) has no verdict.
  [ "${last:-0}" -eq 0 ] || code=$last
}

before=$(revision)
set +e
(set -e; release)
code=$?
set -e
if [ "$code" -eq 0 ]; then
  echo "release: the gate passes"
  exit 0
fi

# 5. Go back to the version from before. Not just "undo": applying the same version twice makes no new revision, and the
# one before it may be any.
if [ -z "$before" ] || [ "$before" = "$(revision)" ]; then
  echo "release: the gate does not pass (exit code $code), and there is no other version to go back to"
else
  echo "release: the gate does not pass (exit code $code): going back to revision $before"
  k rollout undo "deployment/$deployment" --to-revision="$before"
  k rollout status "deployment/$deployment" --timeout=300s
fi
exit "$code"
