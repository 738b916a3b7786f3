package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/test/bench/watching"
)

// gate is the state of one gate.
type gate struct {
	pods     typed.PodInterface
	selector string
	// restarts stands in for a ledger: what a gate keeps of each container.
	restarts map[string]int32
	report   watching.Report

	lastHeard, lastBookmark time.Time
	silence                 time.Duration
}

// watchOver is the run of one gate. The closing list comes this much later
// than the end of ctx.
func watchOver(ctx context.Context, g watching.Gate, later time.Duration) watching.Report {
	w := &gate{selector: g.Selector, restarts: map[string]int32{}}
	if err := w.connect(g); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		w.report.Failed++
		return w.report
	}
	for ctx.Err() == nil {
		_, version, err := w.list(ctx)
		if err == nil {
			err = w.watch(ctx, version)
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "watch:", err)
			w.report.Failed++
			sleep(ctx, time.Second)
		}
	}
	time.Sleep(later)
	// What the watch has not said by now is only known from a fresh list.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	pods, _, err := w.list(closing)
	if err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		w.report.Failed++
	}
	w.report.Pods = pods
	w.report.Silences = []time.Duration{w.silence}
	return w.report
}

func (w *gate) connect(g watching.Gate) error {
	config, err := clientcmd.BuildConfigFromFlags("", g.Kubeconfig)
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.DisableCompression = true // as crashcheck does
	config.NextProtos = []string{"http/1.1"}
	config.QPS = -1
	config.Dial = dialer()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	w.pods = client.CoreV1().Pods(g.Namespace)
	return nil
}

// list makes a consistent list of all pages, as a check does.
func (w *gate) list(ctx context.Context) (pods int, version string, err error) {
	w.report.Lists++
	opts := metav1.ListOptions{LabelSelector: w.selector, Limit: checker.PageSize}
	for {
		page, err := w.pods.List(ctx, opts)
		if err != nil {
			return 0, "", err
		}
		for i := range page.Items {
			w.record(&page.Items[i])
		}
		pods += len(page.Items)
		if page.Continue == "" {
			return pods, page.ResourceVersion, nil
		}
		opts.Continue = page.Continue
	}
}

func (w *gate) record(pod *corev1.Pod) {
	for _, status := range pod.Status.ContainerStatuses {
		w.restarts[string(pod.UID)+"/"+status.Name] = status.RestartCount
	}
}

// watch follows the changes since a list, until ctx or the stream ends.
func (w *gate) watch(ctx context.Context, version string) error {
	stream, err := w.pods.Watch(ctx, metav1.ListOptions{LabelSelector: w.selector, ResourceVersion: version, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer stream.Stop()
	w.lastHeard, w.lastBookmark = time.Now(), time.Time{}
	defer func() { w.silence = max(w.silence, time.Since(w.lastHeard)) }()
	for event := range stream.ResultChan() {
		now := time.Now()
		w.silence = max(w.silence, now.Sub(w.lastHeard))
		w.lastHeard = now
		switch pod, isPod := event.Object.(*corev1.Pod); {
		case event.Type == watch.Bookmark:
			w.report.Bookmarks++
			if !w.lastBookmark.IsZero() {
				w.report.BookmarkGaps = append(w.report.BookmarkGaps, now.Sub(w.lastBookmark))
			}
			w.lastBookmark = now
		case isPod && event.Type != watch.Deleted:
			w.report.Events++
			w.record(pod)
		case event.Type == watch.Error:
			return fmt.Errorf("the watch ended with %v", event.Object)
		}
	}
	if ctx.Err() == nil {
		w.report.Broken++
	}
	return nil
}
