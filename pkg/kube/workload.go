package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	gojson "encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/json"
)

const (
	// workloadTimeout bounds each request about a workload.
	workloadTimeout = 10 * time.Second
	// maxWorkloadBytes bounds each response about a workload. A list has 10 old versions by default, each of less than 1.5 MiB.
	maxWorkloadBytes = 8 << 20
	// maxObjects bounds such a list, because an object takes much more memory than {} takes of a response.
	maxObjects = 2000
	// rolloutSettles is how long the status of a Rollout has to stay the same. With a new pod template and another number of
	// replicas, and after an abort, Argo Rollouts updates status.observedGeneration before status.currentPodHash and status.abort
	// (syncReplicasOnly and patchCondition in its rollout/sync.go), and nothing else says that these are still the old ones. On a
	// busy control plane, half a second was measured.
	rolloutSettles = 2 * time.Second
)

var errWorkloadTimeout = fmt.Errorf("no response within %s", workloadTimeout)

var (
	replicaSets         = appsv1.SchemeGroupVersion.WithResource("replicasets")
	controllerRevisions = appsv1.SchemeGroupVersion.WithResource("controllerrevisions")
)

// workloadKind is what differs between the kinds of workloads.
type workloadKind struct {
	resource schema.GroupVersionResource
	kind     string
	label    string // of the pods of a version
}

var workloadKinds = map[string]workloadKind{
	"deployment":  {appsv1.SchemeGroupVersion.WithResource("deployments"), "Deployment", deploymentHashLabel},
	"statefulset": {appsv1.SchemeGroupVersion.WithResource("statefulsets"), "StatefulSet", revisionHashLabel},
	"daemonset":   {appsv1.SchemeGroupVersion.WithResource("daemonsets"), "DaemonSet", revisionHashLabel},
	"rollout":     {schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}, "Rollout", rolloutHashLabel},
}

// Workload is a Deployment, StatefulSet, DaemonSet or Rollout (Argo Rollouts) in the client's namespace. It is for one goroutine at
// a time.
type Workload struct {
	client     *Client
	kind, name string
	extra      labels.Selector // nil: none
	settles    time.Duration
	found      *workloadObject // in which Resolve has found the version
	version    Version
}

// Workload returns a workload. The kind is "deployment", "statefulset", "daemonset" or "rollout". The pods of its versions match
// extra too, unless it is nil.
func (c *Client) Workload(kind, name string, extra labels.Selector) *Workload {
	return &Workload{client: c, kind: kind, name: name, extra: extra, settles: rolloutSettles}
}

// String returns the workload as kubectl writes it, such as "deployment/shop".
func (w *Workload) String() string { return w.kind + "/" + w.name }

// Resolve finds the version that the workload is releasing now. It makes at most two requests: one for the workload, and for a
// Deployment or DaemonSet one for its ReplicaSets or ControllerRevisions. It reads a Rollout twice, two seconds apart.
//
// If the workload does not exist, its version is not known yet. Every other response that does not contain the workload is an
// error, see [Client.List].
func (w *Workload) Resolve(ctx context.Context) (Version, error) {
	object, version, err := w.resolve(ctx)
	if w.kind == "rollout" && err == nil && version.Pending == "" {
		first := version
		if err := sleep(ctx, w.settles); err != nil {
			return Version{}, err
		}
		object, version, err = w.resolve(ctx)
		if err == nil && version.Pending == "" && (version.Name != first.Name || version.Aborted != first.Aborted) {
			version = pending("the status of %s is changing", object)
		}
	}
	if err != nil {
		return Version{}, err
	}
	w.found, w.version = object, version
	return version, nil
}

// resolve finds the version as the workload shows it now.
func (w *Workload) resolve(ctx context.Context) (*workloadObject, Version, error) {
	object, err := w.read(ctx)
	if isNotFound(err) {
		return nil, pending("%s %s was not found in namespace %s", w.kind, w.name, w.client.namespace), nil
	}
	if err != nil {
		return nil, Version{}, err
	}
	version, err := w.versionOf(ctx, object)
	return object, version, err
}

// sleep waits for this long. It returns the cause of ctx's end if that comes first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Superseded reads the workload again, and says why it no longer releases the version that Resolve found before. It returns an empty
// string if it still releases that version. It makes one request, and a second one, which may fail, to find the name of the new version.
//
// While the status of a StatefulSet or Rollout is not about its current spec, it returns an error.
func (w *Workload) Superseded(ctx context.Context) (string, error) {
	now, err := w.read(ctx)
	if isNotFound(err) {
		return fmt.Sprintf("%s %s was deleted; checked %s", w.kind, w.name, w.version.Name), nil
	}
	if err != nil {
		return "", err
	}
	if reason := gone(w.found, now); reason != "" {
		return reason + "; checked " + w.version.Name, nil
	}
	// A new pod template is a new version, also before the controller has observed it.
	byTemplate := w.kind == "deployment" || w.kind == "daemonset"
	if byTemplate && equalTemplates(&w.found.Spec.Template, &now.Spec.Template) {
		return "", nil
	}
	next, err := w.versionOf(ctx, now)
	switch {
	case next.Aborted != "":
		return next.Aborted + "; checked " + w.version.Name, nil
	case byTemplate && (err != nil || next.Name == ""):
		return fmt.Sprintf("%s has a new pod template; checked %s", now, w.version.Name), nil
	case err != nil:
		return "", err
	case next.Name == "":
		return "", errors.New(next.Pending)
	case next.Name == w.version.Name:
		return "", nil
	}
	return fmt.Sprintf("superseded by %s; checked %s", next.Name, w.version.Name), nil
}

// versionOf returns the current version of a workload that was read.
func (w *Workload) versionOf(ctx context.Context, object *workloadObject) (Version, error) {
	if reason := object.notCurrent(); reason != "" {
		return Version{Pending: reason}, nil
	}
	selector, err := object.podSelector()
	if err != nil {
		return Version{}, fmt.Errorf("invalid selector of %s: %w", object, err)
	}
	if selector == nil {
		return pending("%s has no label selector yet", object), nil
	}

	var version Version
	switch w.kind {
	case "deployment":
		var sets objectList[appsv1.ReplicaSet]
		if err := w.list(ctx, replicaSets, selector, "ReplicaSetList", &sets); err != nil {
			return Version{}, err
		}
		version = deploymentVersion(object, sets.Items)
	case "statefulset":
		version = statefulSetVersion(object)
	case "daemonset":
		var revisions objectList[appsv1.ControllerRevision]
		if err := w.list(ctx, controllerRevisions, selector, "ControllerRevisionList", &revisions); err != nil {
			return Version{}, err
		}
		version = daemonSetVersion(object, revisions.Items)
	case "rollout":
		version = rolloutVersion(object)
	}
	if version.Name != "" {
		version.Selector, err = versionSelector(selector, w.extra, workloadKinds[w.kind].label, version.Name)
		if err != nil {
			return Version{}, fmt.Errorf("invalid version %q of %s: %w", version.Name, object, err)
		}
	}
	return version, nil
}

// read returns the workload.
func (w *Workload) read(ctx context.Context) (*workloadObject, error) {
	kind, known := workloadKinds[w.kind]
	if !known {
		return nil, fmt.Errorf("unknown kind of workload %q", w.kind)
	}
	if problems := validation.IsDNS1123Subdomain(w.name); len(problems) > 0 {
		// The name becomes a part of the path, where "" or ".." would name another resource.
		return nil, fmt.Errorf("invalid %s name %q: %s", w.kind, w.name, strings.Join(problems, "; "))
	}
	object := &workloadObject{}
	err := w.client.getObject(ctx, request{resource: kind.resource, name: w.name}, kind.kind, object)
	if status := statusIn(err); w.kind == "rollout" && status != nil && status.Code == http.StatusNotFound && !isNotFound(err) {
		// API servers answer "404 page not found" in plain text for a resource that they do not serve.
		err = fmt.Errorf("%w: is Argo Rollouts installed in this cluster?", err)
	}
	if err == nil && (object.Name != w.name || object.UID == "") {
		err = fmt.Errorf("invalid %s: it has name %q and UID %q", kind.kind, object.Name, object.UID)
	}
	return object, err
}

// objectList is a list of the API.
type objectList[T any] struct {
	metav1.TypeMeta
	metav1.ListMeta `json:"metadata"`
	Items           limited[T] `json:"items"`
}

// limited are the items of a list: at most maxObjects.
type limited[T any] []T

func (l *limited[T]) UnmarshalJSON(text []byte) error {
	in := json.NewDecoderCaseSensitivePreserveInts(bytes.NewReader(text))
	start, err := in.Token()
	switch {
	case err != nil || start == nil: // null is an empty list
		return err
	case start != gojson.Delim('['):
		return errors.New("items is not a list")
	}
	for in.More() {
		if len(*l) == maxObjects {
			return fmt.Errorf("more than %d objects", maxObjects)
		}
		var item T
		if err := in.Decode(&item); err != nil {
			return err
		}
		*l = append(*l, item)
	}
	return nil
}

// list reads the objects that a selector matches.
func (w *Workload) list(ctx context.Context, resource schema.GroupVersionResource, selector labels.Selector, kind string, list interface {
	object
	metav1.ListInterface
}) error {
	r := request{resource: resource, query: url.Values{"labelSelector": {selector.String()}}}
	err := w.client.getObject(ctx, r, kind, list)
	if err == nil && list.GetContinue() != "" {
		err = fmt.Errorf("incomplete %s: metadata.continue is set", kind)
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", resource.Resource, err)
	}
	return nil
}

// object is an object or a list of the API.
type object interface {
	GroupVersionKind() schema.GroupVersionKind
	GetResourceVersion() string
}

// getObject makes a request and decodes the JSON in its response. It returns an error if that is not an object of this kind.
func (c *Client) getObject(ctx context.Context, r request, kind string, into object) error {
	ctx, cancel := context.WithTimeoutCause(ctx, workloadTimeout, errWorkloadTimeout)
	defer cancel()
	r.accept = mediaJSON
	response, err := c.get(ctx, r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if contentType := response.Header.Get("Content-Type"); mediaType(contentType) != mediaJSON {
		return fmt.Errorf("invalid %s: unsupported content type %q", kind, contentType)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxWorkloadBytes+1))
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the %s after %d bytes: %w", kind, len(body), err)
	}
	if err := decodeObject(body, r.resource.GroupVersion().String(), kind, into); err != nil {
		return fmt.Errorf("invalid %s: %w", kind, err)
	}
	return nil
}

func decodeObject(body []byte, apiVersion, kind string, into object) error {
	switch {
	case len(body) > maxWorkloadBytes:
		return fmt.Errorf("more than %d MiB", maxWorkloadBytes>>20)
	case len(body) == 0:
		return errEmptyBody
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(body, into); err != nil {
		return err
	}
	got := into.GroupVersionKind()
	if err := checkKind(metav1.TypeMeta{Kind: got.Kind, APIVersion: got.GroupVersion().String()}, apiVersion, kind); err != nil {
		return err
	}
	if into.GetResourceVersion() == "" {
		return errors.New("no metadata.resourceVersion")
	}
	return nil
}

// isNotFound reports whether the error is a Status of the API server that says that the object does not exist.
func isNotFound(err error) bool {
	status := statusIn(err)
	return status != nil && status.Kind == "Status" && status.Code == http.StatusNotFound && status.Reason == metav1.StatusReasonNotFound
}

// statusIn returns the status in the error of a response, or nil. Only a Status that the server sent has a kind.
func statusIn(err error) *metav1.Status {
	if failed := (*apierrors.StatusError)(nil); errors.As(err, &failed) {
		return &failed.ErrStatus
	}
	return nil
}
