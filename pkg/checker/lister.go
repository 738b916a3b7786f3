package checker

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodLister lists the pods of one namespace. A kube.Client is a PodLister, and [FromClientset] returns one for a typed
// client of client-go.
type PodLister interface {
	// List calls visit with each pod that the label selector matches, in one consistent list. The pod is valid only during
	// the call. If List returns an error, the visited pods may be incomplete. If visit returns an error, List stops and
	// returns it.
	List(ctx context.Context, selector string, visit func(*corev1.Pod) error) error
}

// PodInterface is the part of client-go's CoreV1().Pods(namespace) that a checker needs.
type PodInterface interface {
	List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error)
}

// FromClientset returns a lister that uses a typed client or its fake: FromClientset(clientset.CoreV1().Pods(namespace)).
//
// A typed client decodes {} and null to an empty list without an error, so this lister returns an error for a list without a
// resourceVersion. Unlike a kube.Client, a typed client retries when the server sends Retry-After, and follows redirects.
func FromClientset(pods PodInterface) PodLister { return clientsetLister{pods} }

type clientsetLister struct{ pods PodInterface }

func (l clientsetLister) List(ctx context.Context, selector string, visit func(*corev1.Pod) error) error {
	list, err := l.pods.List(ctx, metav1.ListOptions{LabelSelector: selector})
	switch {
	case err != nil:
		return err
	case list == nil || list.ResourceVersion == "":
		return errors.New("invalid PodList: no resourceVersion")
	case list.Continue != "":
		return errors.New("incomplete list: the server returned only its first part")
	}
	for i := range list.Items {
		if err := visit(&list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}
