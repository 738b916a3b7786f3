package streams

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const folder = "../../../pkg/checker/testdata/traces"

// The recordings' expectations hold the moments themselves; a gate that polls
// sees each at its next check.
func TestLimitsAreSeenAtTheNextCheck(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct {
		CrashAt   []float64 `json:"crash_at"`
		RestartAt []float64 `json:"restart_at"`
	}
	if err := json.Unmarshal(content, &expected); err != nil {
		t.Fatal(err)
	}
	all, err := ReadAll(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 || len(all) != len(expected) {
		t.Fatalf("%d streams, but expectations for %d", len(all), len(expected))
	}
	const interval, most = 100 * time.Millisecond, 6
	for _, s := range all {
		seen, err := s.Replay(interval, most)
		if err != nil {
			t.Fatal(err)
		}
		want := expected[s.Name]
		for kind, test := range map[string]struct{ got, want []float64 }{
			"crashes": {seen.Crashes, want.CrashAt}, "restarts": {seen.Restarts, want.RestartAt},
		} {
			expected := test.want[:min(most, len(test.want))]
			soon := func(got, at float64) int {
				if got < at-1e-9 || got > at+interval.Seconds()+1e-9 {
					return 1
				}
				return 0
			}
			if slices.CompareFunc(test.got, expected, soon) != 0 {
				t.Errorf("%s of %s are seen at\n%v, want the check after\n%v", kind, s.Name, test.got, expected)
			}
		}
	}
}

func TestAnIntervalDelaysWhatIsSeenToItsNextTick(t *testing.T) {
	all, err := ReadAll(folder)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s Stream) bool { return s.Name == "oom" })
	if i < 0 {
		t.Fatal("there is no stream oom")
	}
	seen, err := all[i].Replay(5*time.Second, 3)
	if err != nil {
		t.Fatal(err)
	}
	// The crashes are at 6.478, 9.37 and 27.588, the restarts at 6.709, 24.421 and 49.496.
	if want := []float64{10, 10, 30}; !slices.Equal(seen.Crashes, want) {
		t.Errorf("crashes are seen at %v, want %v", seen.Crashes, want)
	}
	if want := []float64{10, 25, 50}; !slices.Equal(seen.Restarts, want) {
		t.Errorf("restarts are seen at %v, want %v", seen.Restarts, want)
	}
	if math.Abs(seen.Ended-362.988) > 1e-9 {
		t.Errorf("it ended at %v", seen.Ended)
	}
}

func TestAStreamWithoutEventsShowsNothing(t *testing.T) {
	seen, err := Stream{Name: "none"}.Replay(time.Second, 6)
	if err != nil || len(seen.Crashes)+len(seen.Restarts) != 0 {
		t.Errorf("got %+v, %v", seen, err)
	}
}
