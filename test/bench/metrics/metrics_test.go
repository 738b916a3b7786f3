package metrics

import "testing"

const text = `# HELP apiserver_request_total Counter
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",resource="pods",verb="LIST",version="v1"} 1234
apiserver_request_total{code="429",component="apiserver",resource="pods",verb="LIST",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",resource="pods",subresource="status",verb="PATCH",version="v1"} 10
apiserver_request_total{code="200",component="apiserver",resource="configmaps",verb="LIST",version="v1"} 1e+06
apiserver_request_total_other{resource="pods",verb="LIST"} 7
`

func TestSum(t *testing.T) {
	for _, test := range []struct {
		labels []string
		want   float64
	}{
		{[]string{`resource="pods"`, `verb="LIST"`}, 1236},
		{[]string{`resource="pods"`, `verb="LIST"`, `code="200"`}, 1234},
		{[]string{`verb="WATCH"`}, 0},
		{nil, 1001246},
	} {
		if got, err := Sum([]byte(text), "apiserver_request_total", test.labels...); err != nil || got != test.want {
			t.Errorf("with %v it is %v, %v, want %v", test.labels, got, err, test.want)
		}
	}
	for _, broken := range []string{`c{a="b"`, `c{a="b"} many`} {
		if _, err := Sum([]byte(broken), "c"); err == nil {
			t.Errorf("%s is no error", broken)
		}
	}
}
