package checker

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
)

// Workload is a workload whose current version is checked, such as a Deployment. A kube.Workload has the same methods, but
// another type of versions.
type Workload interface {
	fmt.Stringer // such as "deployment/shop"

	// Resolve finds the version that the workload is releasing now.
	Resolve(ctx context.Context) (Version, error)

	// Superseded reads the workload again. If it no longer releases the version that Resolve found, Superseded says why.
	// Otherwise it returns an empty string.
	Superseded(ctx context.Context) (string, error)
}

// Version is a version of a workload, or says why there is none. Its texts may contain text from the cluster, unescaped.
type Version struct {
	Name     string          // value of the label that its pods have in common, such as "7f5b9c6d48"; empty: not known yet
	Selector labels.Selector // of its pods; nil: not known yet
	Pending  string          // why it is not known yet
	Aborted  string          // why it will never be known
	Source   string          // how it was found
}
