package simcluster

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods", s.listPods)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods/{name}/log", s.readLog)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.writeError(w, r, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, corev1.Resource(""), "", "404 page not found", 0, true))
	})
	return mux
}

// listQuery is what a list asks for.
type listQuery struct {
	namespace string
	selector  labels.Selector
	limit     int    // 0: no limit
	token     string // empty: from the start, of a new snapshot
}

func parseListQuery(namespace string, query url.Values) (listQuery, error) {
	parsed := listQuery{namespace: namespace, token: query.Get("continue")}
	for _, unsupported := range []string{"watch", "fieldSelector"} {
		if value := query.Get(unsupported); value != "" && value != "false" && value != "0" {
			return listQuery{}, fmt.Errorf("%s=%s is not simulated", unsupported, value)
		}
	}
	var err error
	if parsed.selector, err = labels.Parse(query.Get("labelSelector")); err != nil {
		return listQuery{}, fmt.Errorf("parsing labelSelector: %w", err)
	}
	if limit := query.Get("limit"); limit != "" {
		if parsed.limit, err = strconv.Atoi(limit); err != nil || parsed.limit < 0 {
			return listQuery{}, fmt.Errorf("limit: invalid value %q", limit)
		}
	}
	return parsed, nil
}

func (s *Server) listPods(w http.ResponseWriter, r *http.Request) {
	query, err := parseListQuery(r.PathValue("namespace"), r.URL.Query())
	if err != nil {
		s.writeError(w, r, apierrors.NewBadRequest(err.Error()))
		return
	}
	list, err := s.list(query)
	if err != nil {
		s.writeError(w, r, apierrors.NewResourceExpired(err.Error()))
		return
	}
	s.write(w, r, http.StatusOK, list)
}

// list answers a query. Its only error is a continue token that is unknown or expired.
func (s *Server) list(query listQuery) (*corev1.PodList, error) {
	var start string
	var shot *snapshot
	if query.token == "" {
		shot = s.store.snapshot(s.Now())
	} else {
		position, err := parseToken(query.token)
		if err != nil {
			return nil, err
		}
		if shot, start = s.store.kept(position.Version), position.Start; shot == nil {
			return nil, fmt.Errorf("the provided continue parameter is too old to display a consistent list result: resourceVersion %d has expired", position.Version)
		}
	}

	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: shot.resourceVersion()}}
	var left int64
	list.Items, left = shot.page(query.namespace, query.selector, start, query.limit)
	if left == 0 {
		return list, nil
	}
	s.store.keep(shot)
	list.Continue = position{Version: shot.version, Start: key(&list.Items[len(list.Items)-1])}.token()
	if query.selector.Empty() { // a real server does not count what a selector leaves
		list.RemainingItemCount = &left
	}
	return list, nil
}

// A position is where the next page begins. Its token is opaque to clients.
type position struct {
	Version int64  `json:"rv"`
	Start   string `json:"start"` // key of the last pod of the page before
}

func (p position) token() string {
	encoded, err := json.Marshal(p)
	if err != nil {
		panic(err) // two plain fields always encode
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

func parseToken(token string) (position, error) {
	decoded, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return position{}, fmt.Errorf("decoding the continue token: %w", err)
	}
	var p position
	if err := json.Unmarshal(decoded, &p); err != nil {
		return position{}, fmt.Errorf("decoding the continue token: %w", err)
	}
	return p, nil
}
