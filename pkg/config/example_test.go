package config_test

import (
	"fmt"

	"github.com/crashcheck/crashcheck/pkg/config"
)

func ExampleParse() {
	cfg, err := config.Parse([]string{"HASH=6fd8d747", "INTERVAL=5", "DURATION=5m", "CRASH_LIMIT=3"})
	fmt.Println(cfg.Interval, cfg.Duration, cfg.Selectors[1], err)

	// All faults are reported together.
	_, err = config.Parse([]string{"HASH={{args.hash}}", "INTERVAL=soon", "DURATION=5m", "CRASH_LIMIT=0"})
	for _, fault := range err.(config.Faults) {
		fmt.Println(fault)
	}
	// Output:
	// 5s 5m0s pod-template-hash=6fd8d747 <nil>
	// HASH: is a placeholder that nobody filled in: check the name of the argument in the AnalysisTemplate or manifest, got "{{args.hash}}"
	// INTERVAL: must be a whole number of seconds (5) or a duration (5s, 1m30s, 500ms) of at most 292 years, got "soon"
	// CRASH_LIMIT: must be at least 1, got "0"
}
