package kube

import (
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLogRequestsTheLastLinesOfAContainer(t *testing.T) {
	var received *http.Request
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		received = r
		answer(200, "text/plain", []byte("one\ntwo\n"))(w, r)
	})
	for previous, want := range map[bool]string{
		false: "container=app&previous=false&tailLines=7",
		true:  "container=app&previous=true&tailLines=7",
	} {
		log, err := client.Log(t.Context(), "web-abc-1", "app", previous, 7, 1000)
		if err != nil || string(log) != "one\ntwo\n" {
			t.Errorf("the log is %q, %v", log, err)
		}
		if received.URL.Path != "/api/v1/namespaces/shop/pods/web-abc-1/log" || received.URL.RawQuery != want {
			t.Errorf("the request is for %s, want %s", received.URL, want)
		}
	}
}

func TestTheEndOfALongLogIsKept(t *testing.T) {
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

func TestADeniedLogNamesThePermission(t *testing.T) {
	_, err := serve(t, answer(403, "", nil)).Log(t.Context(), "web-abc-1", "app", false, 1, 1000)
	wantError(t, err, `permission to get pods/log in namespace shop`, `{apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}`)
}
