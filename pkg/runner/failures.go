package runner

import (
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// deniedFor is how long denials are retried before any list of pods has succeeded: a new RoleBinding takes effect after a
// short delay.
const deniedFor = 10 * time.Second

// isRejection reports whether the same request can only fail again, because the server does not accept it.
func isRejection(err error) bool {
	switch statusCode(err) {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// isDenial reports whether the server refused the credentials or their permissions.
func isDenial(err error) bool {
	code := statusCode(err)
	return code == http.StatusUnauthorized || code == http.StatusForbidden
}

// statusCode returns the HTTP status of an API error, or 0.
func statusCode(err error) int {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return int(status.Status().Code)
	}
	return 0
}

// retryAfter returns how long the server asks clients to wait.
func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return time.Duration(max(seconds, 0)) * time.Second
}

// newBackoff returns the pauses between attempts: 0.5 s to 5 s, jitter included.
func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.25, Cap: 4 * time.Second, Steps: 10}
}

// streak is a sequence of failed attempts without a success in between.
type streak struct {
	since    time.Duration // start of the first one
	failures int64
	last     error
	denied   time.Duration // when the first denial was received
	isDenied bool
	backoff  wait.Backoff
}

// fail records an attempt that failed.
func (s *streak) fail(err error, began, ended time.Duration) {
	if s.failures == 0 {
		*s = streak{since: began, backoff: newBackoff()}
	}
	s.failures++
	s.last = err
	if isDenial(err) && !s.isDenied {
		s.isDenied, s.denied = true, ended
	}
}
