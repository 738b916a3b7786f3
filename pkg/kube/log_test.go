package kube

import (
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLogAsksForTheLastLinesOfAContainer(t *testing.T) {
	var asked *http.Request
	pods := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		answer(200, "text/plain", []byte("one\ntwo\n"))(w, r)
	})
	for _, previous := range []bool{false, true} {
		log, err := pods.Log(t.Context(), "web-abc-1", "app", previous, 7, 1000)
		if err != nil || string(log) != "one\ntwo\n" {
			t.Errorf("the log is %q, %v", log, err)
		}
		want := "container=app&previous=" + map[bool]string{false: "false", true: "true"}[previous] + "&tailLines=7"
		if asked.URL.Path != "/api/v1/namespaces/shop/pods/web-abc-1/log" || asked.URL.RawQuery != want {
			t.Errorf("it asks for %s, want %s", asked.URL, want)
		}
	}
}

func TestAPodsNameCannotLeadElsewhere(t *testing.T) {
	var path string
	pods := serve(t, func(_ http.ResponseWriter, r *http.Request) { path = r.URL.EscapedPath() })
	_, _ = pods.Log(t.Context(), "../secrets?x", "app", false, 1, 1)
	if want := "/api/v1/namespaces/shop/pods/..%2Fsecrets%3Fx/log"; path != want {
		t.Errorf("the path is %s, want %s", path, want)
	}
}

func TestOfALongLogTheEndIsKept(t *testing.T) {
	text := strings.Repeat("x", 100_000) + "the end"
	for limit, want := range map[int64]string{
		7: "the end", 8: "xthe end", 100_006: text[1:], 100_007: text, 100_008: text, 0: "",
	} {
		for claim, read := range map[string]func(string) ([]byte, error){
			"at once":      func(s string) ([]byte, error) { return readTail(strings.NewReader(s), limit) },
			"in halves":    func(s string) ([]byte, error) { return readTail(iotest.HalfReader(strings.NewReader(s)), limit) },
			"end and data": func(s string) ([]byte, error) { return readTail(iotest.DataErrReader(strings.NewReader(s)), limit) },
		} {
			if got, err := read(text); err != nil || string(got) != want {
				t.Errorf("read %s, at most %d bytes: %d bytes, %v", claim, limit, len(got), err)
			}
		}
	}
}

func TestALogThatIsDeniedNamesItsOwnPermission(t *testing.T) {
	_, err := serve(t, answer(403, "", nil)).Log(t.Context(), "web-abc-1", "app", false, 1, 1)
	if want := `get pods/log in namespace shop: bind it there to a Role or ClusterRole with the rule {apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the message is %v; it does not hold %q", err, want)
	}
}

func TestALogThatBreaksOffIsAnError(t *testing.T) {
	pods := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("one\n"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if log, err := pods.Log(t.Context(), "web-abc-1", "app", false, 1, 1000); err == nil || !strings.Contains(err.Error(), "read the log") {
		t.Errorf("the log is %q, %v", log, err)
	}
}
