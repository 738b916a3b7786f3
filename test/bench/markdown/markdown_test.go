package markdown

import (
	"testing"
	"time"
)

func TestATableEscapesWhatWouldEndACell(t *testing.T) {
	table := NewTable("", "kubectl | jq", "ours")
	table.Row("CPU", "88 ms")
	table.Row("memory", "48 MiB", "15 MiB")
	const want = `|  | kubectl \| jq | ours |
|---|---:|---:|
| CPU | 88 ms |  |
| memory | 48 MiB | 15 MiB |

`
	if got := table.String(); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestFigures(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.9235: "0.924", 87.68: "87.7", 548.2555: "548", 1.5: "1.5", 999.9: "1,000",
		12345: "12,300", 1234567: "1,230,000", -1.25: "-1.25", -1234: "-1,230", 2: "2", 0.00012345: "0.000123",
	} {
		if got := Figure(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		Duration(0):                        "0",
		Duration(920 * time.Microsecond):   "920 µs",
		Duration(87681 * time.Microsecond): "87.7 ms",
		Duration(7400 * time.Millisecond):  "7.4 s",
		Bytes(56023):                       "56 kB",
		Bytes(27.4e6):                      "27.4 MB",
		Memory(16 << 20):                   "16 MiB",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRatios(t *testing.T) {
	for _, test := range []struct {
		ours, theirs float64
		want         string
	}{
		{1, 95.4, "1/95"}, {1, 2.5, "1/2.5"}, {1, 9.96, "1/10"}, {3, 3, "1.0×"}, {21, 10, "2.1×"}, {300, 10, "30×"}, {0, 10, "–"}, {10, 0, "–"},
	} {
		if got := Ratio(test.ours, test.theirs); got != test.want {
			t.Errorf("%v to %v is %s, want %s", test.ours, test.theirs, got, test.want)
		}
	}
}
