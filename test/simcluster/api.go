package simcluster

import (
	"fmt"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods", s.listPods)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods/{name}/log", s.readLog)
	mux.HandleFunc("GET /apis/apps/v1/namespaces/{namespace}/replicasets", s.listReplicaSets)
	mux.HandleFunc("GET /apis/apps/v1/namespaces/{namespace}/controllerrevisions", s.listRevisions)
	for kind, resource := range workloadResources {
		pattern := fmt.Sprintf("GET /apis/%s/%s/namespaces/{namespace}/%s/{name}", resource.Group, resource.Version, resource.Resource)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.getWorkload(w, r, kind) })
	}
	mux.HandleFunc("/", http.NotFound) // as API servers do for what they do not serve: not a Status
	return mux
}

// selector reads the label selector of a list request. It answers requests for what is not simulated with an error.
func (s *Server) selector(w http.ResponseWriter, r *http.Request) (selector labels.Selector, ok bool) {
	query := r.URL.Query()
	for _, unsupported := range []string{"watch", "fieldSelector", "limit", "continue"} {
		if value := query.Get(unsupported); value != "" && value != "false" && value != "0" {
			s.writeError(w, r, apierrors.NewBadRequest(fmt.Sprintf("%s=%s is not simulated", unsupported, value)))
			return nil, false
		}
	}
	selector, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		s.writeError(w, r, apierrors.NewBadRequest("parsing labelSelector: "+err.Error()))
		return nil, false
	}
	return selector, true
}

func (s *Server) listPods(w http.ResponseWriter, r *http.Request) {
	selector, ok := s.selector(w, r)
	if !ok {
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

func (s *Server) listReplicaSets(w http.ResponseWriter, r *http.Request) {
	selector, ok := s.selector(w, r)
	if !ok {
		return
	}
	releases, version := s.store.releases(r.PathValue("namespace"), s.Now())
	list := &appsv1.ReplicaSetList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: []appsv1.ReplicaSet{}}
	for _, release := range releases {
		for _, set := range release.replicaSets(release.age) {
			if selector.Matches(labels.Set(set.Labels)) {
				set.ResourceVersion = version
				list.Items = append(list.Items, set)
			}
		}
	}
	s.write(w, r, http.StatusOK, list)
}

func (s *Server) listRevisions(w http.ResponseWriter, r *http.Request) {
	selector, ok := s.selector(w, r)
	if !ok {
		return
	}
	releases, version := s.store.releases(r.PathValue("namespace"), s.Now())
	list := &appsv1.ControllerRevisionList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: []appsv1.ControllerRevision{}}
	for _, release := range releases {
		for _, revision := range release.revisions(release.age) {
			if selector.Matches(labels.Set(revision.Labels)) {
				revision.ResourceVersion = version
				list.Items = append(list.Items, revision)
			}
		}
	}
	s.write(w, r, http.StatusOK, list)
}

var workloadResources = map[string]schema.GroupVersionResource{
	"Deployment":  appsv1.SchemeGroupVersion.WithResource("deployments"),
	"StatefulSet": appsv1.SchemeGroupVersion.WithResource("statefulsets"),
	"DaemonSet":   appsv1.SchemeGroupVersion.WithResource("daemonsets"),
	"Rollout":     rolloutGroupVersion.WithResource("rollouts"),
}

func (s *Server) getWorkload(w http.ResponseWriter, r *http.Request, kind string) {
	releases, version := s.store.releases(r.PathValue("namespace"), s.Now())
	installed := kind != "Rollout"
	for _, release := range releases {
		if release.Workload.Kind != kind {
			continue
		}
		installed = true
		if object := release.workload(release.age); object != nil && release.Name == r.PathValue("name") {
			object.(metav1.Object).SetResourceVersion(version)
			s.write(w, r, http.StatusOK, object)
			return
		}
	}
	if !installed {
		http.NotFound(w, r)
		return
	}
	s.writeError(w, r, apierrors.NewNotFound(workloadResources[kind].GroupResource(), r.PathValue("name")))
}
