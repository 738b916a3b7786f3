// Command watch is a prototype of gates that watch between two lists instead
// of polling: many in one process, each with a connection, a token and a
// ledger of its own. It runs until SIGTERM, makes the closing lists, and
// writes what it has seen to standard output.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/watching"
)

func main() {
	file := flag.String("gates", "", "JSON file with the gates")
	over := flag.Duration("over", 0, "time over which to start them")
	end := flag.Duration("end", 0, "time over which to make the closing lists")
	flag.Parse()
	if err := run(*file, *over, *end); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

func run(file string, over, end time.Duration) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var gates []watching.Gate
	if err := json.Unmarshal(data, &gates); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	var total watching.Report
	var mutex sync.Mutex
	var all sync.WaitGroup
	for i, g := range gates {
		all.Go(func() {
			turn := func(in time.Duration) time.Duration { return in * time.Duration(i) / time.Duration(len(gates)) }
			sleep(ctx, turn(over))
			report := watchOver(ctx, g, turn(end))
			mutex.Lock()
			defer mutex.Unlock()
			total.Add(report)
		})
	}
	all.Wait()
	return json.NewEncoder(os.Stdout).Encode(total)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// dialer is a function of its own for each gate: client-go shares a
// connection among clients that dial alike, and gates are processes apart.
func dialer() func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	}
}
