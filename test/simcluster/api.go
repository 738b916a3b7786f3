package simcluster

import (
	"fmt"
	"net/http"

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

func (s *Server) listPods(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for _, unsupported := range []string{"watch", "fieldSelector", "limit", "continue"} {
		if value := query.Get(unsupported); value != "" && value != "false" && value != "0" {
			s.writeError(w, r, apierrors.NewBadRequest(fmt.Sprintf("%s=%s is not simulated", unsupported, value)))
			return
		}
	}
	selector, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		s.writeError(w, r, apierrors.NewBadRequest("parsing labelSelector: "+err.Error()))
		return
	}
	pods, version := s.store.pods(s.Now())
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: []corev1.Pod{}}
	for i := range pods { // by index: a Pod is a large value
		if pods[i].Namespace == r.PathValue("namespace") && selector.Matches(labels.Set(pods[i].Labels)) {
			list.Items = append(list.Items, pods[i])
		}
	}
	s.write(w, r, http.StatusOK, list)
}
