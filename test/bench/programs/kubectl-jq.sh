#!/bin/bash
# The gate as people write it today: kubectl and jq in a loop. INTERVAL is in seconds.
for ((check = 1; ; check++)); do
	crashes=$("$KUBECTL" get pods -l "$SELECTOR" -o json | jq '[.items[].status.containerStatuses[]?.restartCount] | add')
	if ((crashes >= CRASH_LIMIT)); then
		echo "{ \"Crashes\": $crashes }"
		exit 1
	fi
	((check == COUNT)) && break
	[ "$INTERVAL" = 0 ] || sleep "$INTERVAL"
done
echo "{ \"Crashes\": $crashes }"
