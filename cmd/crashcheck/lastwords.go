package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/report"
)

const (
	lastWordsTime       = 5 * time.Second // for all containers together
	lastWordsContainers = 3
	lastWordsBytes      = 64 << 10 // of each container
)

// lastWords logs the last lines of the worst crashed containers, if that much time is left. Nothing of it can change the
// verdict.
func (g *gate) lastWords(run context.Context, pods *kube.PodLister, left time.Duration) {
	ctx, cancel := context.WithTimeout(run, min(lastWordsTime, left))
	defer cancel()
	for _, c := range g.result.Containers[:min(len(g.result.Containers), lastWordsContainers)] {
		// While no new container has started, the crashed one is the current one.
		log, err := pods.Log(ctx, c.Pod, c.Container, !c.Waiting, g.cfg.CrashLogLines, lastWordsBytes)
		switch {
		case run.Err() != nil:
			return // a signal: there is no time for words
		case ctx.Err() != nil:
			g.log.Warn("no more container logs are read: they took too long")
			return
		case apierrors.IsForbidden(err):
			g.log.Warn("the logs of the crashed containers cannot be read: " + err.Error())
			return // nor can the others
		case err != nil:
			g.log.Warn(fmt.Sprintf("the log of %s/%s cannot be read: %v", c.Pod, c.Container, err))
		case len(bytes.TrimSpace(log)) > 0:
			g.log.LastWords(report.LastWords{Pod: c.Pod, Container: c.Container, Log: log})
		default:
			g.log.Info(fmt.Sprintf("the log of %s/%s is empty", c.Pod, c.Container))
		}
	}
}
