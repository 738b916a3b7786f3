package main

import (
	"bytes"
	"context"
	"time"

	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/report"
)

const (
	lastWordsTime       = 5 * time.Second // for all containers together
	lastWordsContainers = 3
	lastWordsBytes      = 64 << 10 // of each container
)

// lastWords logs the last lines of the worst crashed containers. Nothing of it can change the verdict.
func (g *gate) lastWords(ctx context.Context, pods *kube.PodLister) {
	ctx, cancel := context.WithTimeout(ctx, lastWordsTime)
	defer cancel()
	for _, c := range g.result.Containers[:min(len(g.result.Containers), lastWordsContainers)] {
		if ctx.Err() != nil {
			return
		}
		// While no new container has started, the crashed one is the current one.
		log, err := pods.Log(ctx, c.Pod, c.Container, !c.Waiting, g.cfg.CrashLogLines, lastWordsBytes)
		if err != nil {
			g.log.Warn("cannot read the last log lines of " + c.Pod + "/" + c.Container + ": " + err.Error())
			continue
		}
		if len(bytes.TrimSpace(log)) > 0 {
			g.log.LastWords(report.LastWords{Pod: c.Pod, Container: c.Container, Log: log})
		}
	}
}
