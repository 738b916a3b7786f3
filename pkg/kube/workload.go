package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/json"
)

const (
	// workloadTimeout bounds each request about a workload.
	workloadTimeout = 10 * time.Second
	// maxObjects bounds a list about a workload: an object takes much more memory than {} takes of a response.
	maxObjects = 2000
)

var errWorkloadTimeout = fmt.Errorf("no response within %s", workloadTimeout)

// Workload is a Deployment, StatefulSet, DaemonSet or Rollout (Argo Rollouts) in the client's namespace. It is for one goroutine at
// a time.
type Workload struct {
	client     *Client
	kind, name string // such as "deployment", "shop"
	rules      workloadKind
	extra      labels.Requirements // of the pods
	found      *workloadObject     // in which Resolve has found the version
	version    Version
}

// Workload returns a workload. The kind is "deployment", "statefulset", "daemonset" or "rollout". The pods of its versions match
// extra too, unless it is nil.
func (c *Client) Workload(kind, name string, extra labels.Selector) *Workload {
	w := &Workload{client: c, kind: kind, name: name, rules: workloadKinds[kind]}
	if extra != nil {
		w.extra, _ = extra.Requirements()
	}
	return w
}

// String returns the workload as kubectl writes it, such as "deployment/shop".
func (w *Workload) String() string { return w.kind + "/" + w.name }

// Resolve finds the version that the workload is releasing now. It makes at most two requests: one for the workload, and for a
// Deployment or DaemonSet one for its ReplicaSets or ControllerRevisions. It reads a Rollout twice, two seconds apart.
//
// If the workload does not exist, its version is not known yet. Every other response that does not contain the workload is an
// error, see [Client.List].
func (w *Workload) Resolve(ctx context.Context) (Version, error) {
	first, err := w.resolve(ctx)
	if err != nil || first.Pending != "" || w.rules.settles == 0 {
		return first, err
	}
	select {
	case <-time.After(w.rules.settles):
	case <-ctx.Done():
		return Version{}, context.Cause(ctx)
	}
	second, err := w.resolve(ctx)
	if err == nil && second.Pending == "" && second.Name != first.Name {
		return pending("the status of %s is changing", w.title()), nil
	}
	return second, err
}

// resolve finds the version as the workload shows it now.
func (w *Workload) resolve(ctx context.Context) (Version, error) {
	object, err := w.read(ctx)
	if isNotFound(err) {
		return pending("%s was not found in namespace %s", w.title(), w.client.namespace), nil
	}
	if err != nil {
		return Version{}, err
	}
	version, err := w.versionOf(ctx, object)
	if err != nil {
		return Version{}, err
	}
	w.found, w.version = object, version
	return version, nil
}

// Superseded reads the workload again, and says why it no longer releases the version that Resolve found before. It returns an empty
// string if it still releases that version. It makes one request, and a second one, which may fail, to find the name of the new version.
//
// While the status of a StatefulSet or Rollout is not about its current spec, it returns an error.
func (w *Workload) Superseded(ctx context.Context) (string, error) {
	reason, err := w.superseded(ctx)
	if reason == "" {
		return "", err
	}
	return reason + "; the checked version was " + w.version.Name, nil
}

func (w *Workload) superseded(ctx context.Context) (string, error) {
	now, err := w.read(ctx)
	switch {
	case isNotFound(err):
		return w.title() + " was deleted", nil
	case err != nil:
		return "", err
	case now.UID != w.found.UID:
		return w.title() + " was deleted and created again", nil
	case now.DeletionTimestamp != nil:
		return w.title() + " is being deleted", nil
	case now.Spec.Replicas != nil && *now.Spec.Replicas == 0:
		return w.title() + " was scaled to 0", nil
	case w.rules.byTemplate && equalTemplates(now.Spec.Template, w.found.Spec.Template):
		return "", nil
	}
	next, err := w.versionOf(ctx, now)
	switch {
	case next.Aborted != "":
		return next.Aborted, nil
	case next.Name == w.version.Name:
		return "", nil
	case next.Name != "":
		return "superseded by version " + next.Name, nil
	case w.rules.byTemplate:
		return w.title() + " has a new pod template", nil
	case err != nil:
		return "", err
	}
	return "", errors.New(next.Pending)
}

// read returns the workload.
func (w *Workload) read(ctx context.Context) (*workloadObject, error) {
	object := &workloadObject{}
	err := w.client.getObject(ctx, request{verb: "get", resource: w.rules.resource, name: w.name}, w.rules.kind, object)
	switch {
	case w.kind == "rollout" && apierrors.IsNotFound(err) && !isNotFound(err):
		// API servers answer "404 page not found" in plain text for a resource that they do not serve.
		return nil, fmt.Errorf("%w: is Argo Rollouts installed in this cluster?", err)
	case err != nil:
		return nil, err
	case object.Name != w.name || object.UID == "":
		return nil, fmt.Errorf("invalid %s: it has name %q and UID %q", w.rules.kind, object.Name, object.UID)
	}
	return object, nil
}

// list reads the objects of the API group apps that a selector matches.
func (w *Workload) list(ctx context.Context, resource string, selector labels.Selector, kind string, into any) error {
	err := w.client.getObject(ctx, request{
		verb:     "list",
		resource: appsv1.SchemeGroupVersion.WithResource(resource),
		query:    url.Values{"labelSelector": {selector.String()}},
	}, kind, into)
	if err != nil {
		return fmt.Errorf("list %s: %w", resource, err)
	}
	return nil
}

// getObject makes a request and decodes the JSON in its response. It returns an error if that is not a complete object or list
// of this kind.
func (c *Client) getObject(ctx context.Context, r request, kind string, into any) error {
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
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the %s after %d bytes: %w", kind, len(body), err)
	case len(body) > maxBytes:
		return fmt.Errorf("invalid %s: more than %d MiB", kind, maxBytes>>20)
	case len(body) == 0:
		return fmt.Errorf("invalid %s: %w", kind, errEmptyBody)
	}
	var header header
	if err := json.UnmarshalCaseSensitivePreserveInts(body, &header); err != nil {
		return fmt.Errorf("invalid %s: %w", kind, err)
	}
	if err := header.check(r.resource.GroupVersion().String(), kind); err != nil {
		return err
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(body, into); err != nil {
		return fmt.Errorf("invalid %s: %w", kind, err)
	}
	return nil
}
