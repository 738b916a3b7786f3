package simcluster

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

func (s *Server) routes() http.Handler {
	const pods, apps = "GET /api/v1/namespaces/{namespace}/pods", "GET /apis/apps/v1/namespaces/{namespace}/"
	mux := http.NewServeMux()
	mux.HandleFunc(pods, func(w http.ResponseWriter, r *http.Request) {
		items, err := matching(r, s.pods())
		s.answer(w, r, &corev1.PodList{Items: items}, err)
	})
	mux.HandleFunc(apps+"replicasets", func(w http.ResponseWriter, r *http.Request) {
		items, err := matching(r, collect(s.releases(), Release.replicaSets))
		s.answer(w, r, &appsv1.ReplicaSetList{Items: items}, err)
	})
	mux.HandleFunc(apps+"controllerrevisions", func(w http.ResponseWriter, r *http.Request) {
		items, err := matching(r, collect(s.releases(), Release.revisions))
		s.answer(w, r, &appsv1.ControllerRevisionList{Items: items}, err)
	})
	for kind, resource := range workloadResources {
		pattern := fmt.Sprintf("GET /apis/%s/%s/namespaces/{namespace}/%s/{name}", resource.Group, resource.Version, resource.Resource)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			isOne := func(release Release) bool { return release.Workload.Kind == kind }
			if kind == "Rollout" && !slices.ContainsFunc(s.releases(), isOne) {
				http.NotFound(w, r) // Argo Rollouts is not installed
				return
			}
			object, err := s.workload(kind, r.PathValue("namespace"), r.PathValue("name"))
			s.answer(w, r, object, err)
		})
	}
	mux.HandleFunc(pods+"/{name}/log", s.readLog)
	mux.HandleFunc("/", http.NotFound) // as API servers do for what they do not serve: not a Status
	return s.authenticate(mux)
}

func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		token := s.token
		s.mu.Unlock()
		if s.options.jsonOnly {
			r.Header.Del("Accept")
		}
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			writeError(w, r, apierrors.NewUnauthorized("Unauthorized"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// matching are the objects in the namespace of a list request that match its label selector.
func matching[T any, P interface {
	*T
	metav1.Object
}](r *http.Request, all []T) ([]T, *apierrors.StatusError) {
	query := r.URL.Query()
	selector, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("parsing labelSelector: " + err.Error())
	}
	delete(query, "labelSelector")
	if len(query) > 0 {
		return nil, apierrors.NewBadRequest(query.Encode() + " is not simulated")
	}
	found := []T{}
	for i := range all {
		if object := P(&all[i]); object.GetNamespace() == r.PathValue("namespace") && selector.Matches(labels.Set(object.GetLabels())) {
			found = append(found, all[i])
		}
	}
	return found, nil
}

func collect[T any](releases []Release, of func(Release) []T) (all []T) {
	for _, release := range releases {
		all = append(all, of(release)...)
	}
	return all
}

var workloadResources = map[string]schema.GroupVersionResource{
	"Deployment":  appsv1.SchemeGroupVersion.WithResource("deployments"),
	"StatefulSet": appsv1.SchemeGroupVersion.WithResource("statefulsets"),
	"DaemonSet":   appsv1.SchemeGroupVersion.WithResource("daemonsets"),
	"Rollout":     rolloutGroupVersion.WithResource("rollouts"),
}

func (s *Server) workload(kind, namespace, name string) (versioned, *apierrors.StatusError) {
	for _, release := range s.releases() {
		if release.Workload.Kind == kind && release.Namespace == namespace && release.Name == name && !happened(release.Workload.DeletedAfter, release.Age) {
			return release.workload(), nil
		}
	}
	return nil, apierrors.NewNotFound(workloadResources[kind].GroupResource(), name)
}

// readLog serves the log of the latest instance of a container that has terminated.
func (s *Server) readLog(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for _, pod := range s.pods() {
		if pod.Namespace != r.PathValue("namespace") || pod.Name != r.PathValue("name") {
			continue
		}
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			terminated := status.LastTerminationState.Terminated
			if query.Get("previous") == "false" && status.State.Waiting == nil {
				terminated = status.State.Terminated
			}
			if status.Name != query.Get("container") || terminated == nil {
				continue
			}
			lines := []string{terminated.StartedAt.UTC().Format(time.RFC3339) + " info: starting"}
			if terminated.Message != "" {
				lines = append(lines, strings.Split(terminated.Message, "\n")...)
			}
			lines = append(lines, fmt.Sprintf("%s fatal: exiting with code %d", terminated.FinishedAt.UTC().Format(time.RFC3339), terminated.ExitCode))
			if tail, err := strconv.Atoi(query.Get("tailLines")); err == nil {
				lines = lines[max(0, len(lines)-tail):]
			}
			fmt.Fprintln(w, strings.Join(lines, "\n"))
			return
		}
		writeError(w, r, apierrors.NewBadRequest(fmt.Sprintf("there is no terminated container for %v", query)))
		return
	}
	writeError(w, r, apierrors.NewNotFound(corev1.Resource("pods"), r.PathValue("name")))
}

// A versioned object is a list or a workload.
type versioned interface {
	runtime.Object
	SetResourceVersion(version string)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, object versioned, err *apierrors.StatusError) {
	if err != nil {
		writeError(w, r, err)
		return
	}
	object.SetResourceVersion(s.resourceVersion())
	write(w, r, http.StatusOK, object)
}

func writeError(w http.ResponseWriter, r *http.Request, err *apierrors.StatusError) {
	status := err.Status()
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	write(w, r, int(status.Code), &status)
}

// write answers with an object, in protobuf if the client accepts it.
func write(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	mediaType := runtime.ContentTypeJSON
	if strings.Contains(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
		mediaType = runtime.ContentTypeProtobuf
	}
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
	body, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, served), object)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body) // it fails only when the client has gone
}

// served are the versions of the API.
var served = schema.GroupVersions{corev1.SchemeGroupVersion, appsv1.SchemeGroupVersion, rolloutGroupVersion}

// codecs are apimachinery's own serializers.
var codecs = func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme)
}()
