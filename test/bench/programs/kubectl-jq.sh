#!/bin/bash
# The gate as people write it today: kubectl and jq in a loop.
for ((check = 1; ; check++)); do
	crashes=$("$KUBECTL" -n "$NAMESPACE" get pods -l "rollouts-pod-template-hash=$HASH" -o json |
		jq '[.items[].status.containerStatuses[]?.restartCount] | add')
	if ((crashes >= CRASH_LIMIT)); then
		echo "{ \"Crashes\": $crashes }"
		exit 1
	fi
	((check == COUNT)) && break
	sleep "$INTERVAL"
done
echo "{ \"Crashes\": $crashes }"
