package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/streams"
)

const (
	// streamsInterval is the INTERVAL of the gates that poll the recordings.
	streamsInterval = 5 * time.Second
	// mostLimit is the highest CRASH_LIMIT that is looked at.
	mostLimit = 6
)

// measureStreams replays the recorded streams through the product's checker.
func measureStreams(_ context.Context, b *bench, results *Results) error {
	all, err := streams.ReadAll(filepath.Join(b.folder, "..", "..", "pkg", "checker", "testdata", "traces"))
	if err != nil {
		return err
	}
	results.Streams = nil
	for _, s := range all {
		seen, err := s.Replay(streamsInterval, mostLimit)
		if err != nil {
			return err
		}
		results.Streams = append(results.Streams, seen)
	}
	return nil
}
