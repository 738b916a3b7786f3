package simcluster

import (
	"net/http"
	"testing"
)

// The other tests would not notice these differences from a real API server.
func TestAnswers(t *testing.T) {
	const protobuf, json = "application/vnd.kubernetes.protobuf", "application/json"
	for claim, test := range map[string]struct {
		opts      []Option
		query     string
		code      int
		mediaType string
	}{
		"protobuf is served when asked for":            {nil, "", 200, protobuf},
		"a server without protobuf falls back to JSON": {[]Option{WithoutProtobuf()}, "", 200, json},
		"paging is not simulated":                      {nil, "?limit=500", 400, protobuf},
	} {
		t.Run(claim, func(t *testing.T) {
			server := Start(test.opts...)
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/api/v1/namespaces/shop/pods"+test.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept", protobuf+","+json)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if got := response.Header.Get("Content-Type"); response.StatusCode != test.code || got != test.mediaType {
				t.Errorf("got %s and %s, want %d and %s", response.Status, got, test.code, test.mediaType)
			}
		})
	}
}
