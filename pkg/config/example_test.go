package config_test

import (
	"fmt"

	"github.com/crashcheck/crashcheck/pkg/config"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
)

func ExampleParse() {
	cfg, err := config.Parse([]string{"HASH=6fd8d747", "INTERVAL=5", "DURATION=5m", "CRASH_LIMIT=3"})
	fmt.Println(cfg.Interval, cfg.Duration, cfg.Selectors[1], err)

	// All errors are returned together.
	_, err = config.Parse([]string{"HASH={{args.hash}}", "INTERVAL=soon", "DURATION=5m", "CRASH_LIMIT=0"})
	for _, err := range err.(utilerrors.Aggregate).Errors() {
		fmt.Println(err)
	}
	// Output:
	// 5s 5m0s pod-template-hash=6fd8d747 <nil>
	// HASH: Invalid value: "{{args.hash}}": is a placeholder: replace it in the manifest, or, in an AnalysisTemplate, check the name of the argument
	// INTERVAL: Invalid value: "soon": must be a whole number of seconds (5) or a duration (5s, 1m30s, 500ms), at most 7 days
	// CRASH_LIMIT: Invalid value: "0": must be at least 1
}
