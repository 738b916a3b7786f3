#!/bin/sh
# Releases a Deployment, checks the new version with crashcheck, and rolls back if the gate does not pass.
#
#   release.sh NAMESPACE DEPLOYMENT MANIFESTS GATE
#
# MANIFESTS is the file or folder to apply. GATE is the folder of a kustomization over deploy/base whose WORKLOAD is the
# Deployment. crashcheck finds the version that the script applies, even if the number of replicas changes at the same
# time.
#
# The exit code is that of the gate (0: pass, 1: fail, 2: invalid, 3: inconclusive, 4: not ready, 143: interrupted), or 100
# if there is no verdict: kubectl failed, the gate could not start, or its Job exceeded its deadline.
set -eu

namespace=$1 deployment=$2 manifests=$3 gate=$4
job=rollout-crashcheck-job

k() { kubectl --namespace "$namespace" "$@"; }

# Prints a field of the Deployment, or nothing if the Deployment does not exist yet.
field() { k get deployment "$deployment" --ignore-not-found --output jsonpath="{$1}"; }

# Releases and waits for the verdict. Exits with 100 if a command fails.
release() {
  code=100
  trap 'exit "$code"' EXIT

  # 1. Release. Do not wait for the rollout: it does not finish while the new version crashes at startup.
  k apply -f "$manifests"

  # 2. Start the gate. A finished Job does not run again, so delete the Job of the last release first, with its pods.
  k delete job "$job" --ignore-not-found --cascade=foreground --timeout=60s
  k apply -k "$gate"

  # 3. Wait until the Job is Complete or Failed: kubectl wait can wait for only one of them. A Job ends no later
  # than its activeDeadlineSeconds, so give up one minute later.
  give_up=$(($(date +%s) + $(k get job "$job" --output jsonpath='{.spec.activeDeadlineSeconds}') + 60))
  ended=
  until [ -n "$ended" ]; do
    # If the API server does not respond, try again.
    conditions=$(k get job "$job" --output jsonpath='{.status.conditions[?(@.status=="True")].type}') || conditions=
    case " $conditions " in
      *" Complete "*) ended=Complete ;;
      *" Failed "*) ended=Failed ;;
      *) [ "$(date +%s)" -lt "$give_up" ]; sleep 2 ;;
    esac
  done

  # 4. Print the log, which contains the JSON line, and read the exit code of the last run.
  k logs "job/$job" --tail=-1 || true
  if [ "$ended" = Complete ]; then
    code=0
    return
  fi
  k describe job "$job" || true
  last=$(k get pods --selector "batch.kubernetes.io/job-name=$job" --sort-by=.metadata.creationTimestamp \
    --output jsonpath='{range .items[*]}{.status.containerStatuses[?(@.name=="crashcheck")].state.terminated.exitCode}{"\n"}{end}' |
    tail -n 1)
  # If the Job failed although its last run exited with 0 (the deadline came first), there is no verdict.
  [ "${last:-0}" -eq 0 ] || code=$last
}

revision=$(field '.metadata.annotations.deployment\.kubernetes\.io/revision') || exit 100
template=$(field .spec.template) || exit 100
set +e
(set -e; release)
code=$?
set -e
if [ "$code" -eq 0 ]; then
  echo "release: the gate passed"
  exit 0
fi

# 5. Roll back to the revision from before the release. Compare the pod templates to find out whether there is a new
# one: the controller sets the new revision a moment later. If the release changed nothing, "rollout undo" without a
# revision would go back to an older version.
if [ -z "$revision" ] || [ "$template" = "$(field .spec.template)" ]; then
  echo "release: the gate did not pass (exit code $code), and there is no other revision to roll back to"
else
  echo "release: the gate did not pass (exit code $code); rolling back to revision $revision"
  k rollout undo "deployment/$deployment" --to-revision="$revision"
  k rollout status "deployment/$deployment" --timeout=300s
fi
exit "$code"
