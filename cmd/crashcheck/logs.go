package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/crashcheck/crashcheck/pkg/kube"
)

const (
	logsTime       = 5 * time.Second // for all containers together
	logsContainers = 3
	logsBytes      = 64 << 10 // of each container
)

// crashLogs logs the last log lines of the containers that crashed most, as many as can be read in the time left. It
// never changes the verdict.
func (g *gate) crashLogs(run context.Context, client *kube.Client, left time.Duration) {
	ctx, cancel := context.WithTimeout(run, min(logsTime, left))
	defer cancel()
	containers := 0
	for _, c := range g.result.Containers {
		if c.Container == "" {
			continue // a pod that was evicted
		}
		if containers++; containers > logsContainers {
			return
		}
		// Until a new container has started, the crashed one is the current one.
		log, err := client.Log(ctx, c.Pod, c.Container, !c.Waiting, g.cfg.CrashLogLines, logsBytes)
		switch {
		case run.Err() != nil:
			return // a signal: there is no time left
		case ctx.Err() != nil:
			g.log.Warn("cannot read more container logs: the time limit is reached")
			return
		case apierrors.IsForbidden(err):
			g.log.Warn("cannot read the logs of crashed containers: " + err.Error())
			return // the others are forbidden too
		case err != nil:
			g.log.Warn(fmt.Sprintf("cannot read the log of %s/%s: %v", c.Pod, c.Container, err))
		case len(bytes.TrimSpace(log)) > 0:
			g.log.LogLines(c.Pod, c.Container, log)
		default:
			g.log.Info(fmt.Sprintf("the log of %s/%s is empty", c.Pod, c.Container))
		}
	}
}
