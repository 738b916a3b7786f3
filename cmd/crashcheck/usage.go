package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/report"
)

// version is set by the linker (-X main.version=v1.2.3).
var version string

// buildVersion returns the version that the linker set, or else the module's.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// usage returns the text of --help. Its tables come from the definitions that the program uses.
func usage() string {
	var b strings.Builder
	b.WriteString(`crashcheck is a release gate for Kubernetes: it watches the pods of one release for a
configured time and reports as its exit code whether they crashed too often.

  HASH=6fd8d747 INTERVAL=5 DURATION=300 CRASH_LIMIT=5 crashcheck

Environment variables configure it. A time is a whole number of seconds (5) or a Go
duration (5s, 1m30s, 500ms), at most 7 days. An empty value is treated as unset.

Variables:
`)
	for _, v := range config.Variables {
		fmt.Fprintf(&b, "  %s (default: %s)\n      %s\n", v.Name, v.Default, v.Meaning)
	}
	b.WriteString("\nExit codes:\n")
	for _, e := range report.ExitCodes {
		fmt.Fprintf(&b, "  %s %s\n      %s\n      what to do: %s\n", e.Code, e.Verdict, e.Meaning, e.Remedy)
	}
	b.WriteString(`
Standard output is one line of JSON at the end. Standard error is the log.
The cluster is that of KUBECONFIG if it is set; otherwise, in a pod, that of its service
account; otherwise that of ~/.kube/config.
Required permission: list on pods in one namespace. WORKLOAD and CRASH_LOG_LINES need more.
`)
	return b.String()
}
