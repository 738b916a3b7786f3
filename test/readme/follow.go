package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/readme/commands"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// followCommands runs the commands of the blocks that need no cluster, in reading order.
func followCommands(r reader) error {
	blocks, err := commands.Read(filepath.Join(r.checkout, "README.md"))
	if err != nil {
		return err
	}
	checks := map[string]func(r reader, commands string) error{
		"Try it":                        demo,
		"On a laptop, or in a pipeline": laptop,
	}
	for _, name := range commands.WithoutCluster {
		check, known := checks[name]
		if !known || blocks[name] == "" {
			return fmt.Errorf("%s: there are no commands in README.md, or no check here", name)
		}
		fmt.Printf("== %s\n%s", name, blocks[name])
		if err := check(r, blocks[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// demo checks that README.md shows what the demo prints: the log of the second run, and the table at the end.
func demo(r reader, commands string) error {
	out, code, err := r.shell(r.checkout, commands)
	if err != nil || code != 0 {
		return fmt.Errorf("exit code %d (%v):\n%s", code, err, out)
	}
	_, rest, _ := strings.Cut(out, "\n2. ")
	run, rest, _ := strings.Cut(rest, "\n3. ")
	_, log, _ := strings.Cut(run, "\n$ ")
	log, _, _ = strings.Cut(log, "\n{")
	_, table, _ := strings.Cut(rest, "\nRUN ")
	shown := timeless(r.readme)
	for line := range strings.Lines(log + "\n" + table) {
		if line = timeless(line); line == "" || !strings.Contains(shown, line) {
			return fmt.Errorf("README.md does not show what the demo prints (%q): run make docs\n%s", line, out)
		}
	}
	return nil
}

// timeless replaces everything that differs between two runs of one program, and its version.
func timeless(text string) string {
	text = regexp.MustCompile(`(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\dZ?`).ReplaceAllString(text, "TIME")
	text = regexp.MustCompile(`timeline: \S+`).ReplaceAllString(text, "timeline:")
	text = regexp.MustCompile(`\b\d[\d.]*m?s\b`).ReplaceAllString(text, "SECONDS")
	text = regexp.MustCompile(`crashcheck \S+: `).ReplaceAllString(text, "crashcheck: ")
	return strings.Join(strings.Fields(text), " ")
}

// laptop runs the gate. The example's window is five minutes: with a version that has already crashed five times, the run
// ends immediately.
func laptop(r reader, commands string) error {
	server := simcluster.Start(simcluster.WithSpeed(0))
	defer server.Close()
	server.Deploy(simcluster.Release{
		Namespace: "shop", Name: "shop", Hash: "6fd8d747", Workload: simcluster.Workload{Kind: "Deployment"},
		Age: time.Hour, App: simcluster.CrashLoop(time.Second, 1),
	})
	kubeconfig := filepath.Join(r.folder, "kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig, "shop"); err != nil {
		return err
	}
	r.environ = append(r.environ, "KUBECONFIG="+kubeconfig)
	out, code, err := r.shell(r.checkout, commands)
	if err != nil || code != 1 || !strings.Contains(out, `"verdict":"fail"`) || !strings.Contains(out, `"workload":"deployment/shop","selector":"app=shop,pod-template-hash=6fd8d747"`) {
		return fmt.Errorf("exit code %d (%v), want 1 and a fail:\n%s", code, err, out)
	}
	return nil
}
