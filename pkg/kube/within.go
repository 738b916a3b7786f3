package kube

import (
	"context"
	"regexp"
)

// within returns what do returns, or the context's cause if that ends first. It abandons do then: neither the reading of
// files nor a credential plugin knows contexts, and a dead network mount or a plugin that hangs must not hang the run.
func within[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := do()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// withoutPasswords hides the user and password that URLs of a kubeconfig may hold, in whatever error quotes them.
func withoutPasswords(err error) error {
	if err == nil || !userInfo.MatchString(err.Error()) {
		return err
	}
	return redacted{err}
}

// userInfo is what stands between the slashes and the host of a URL, well-formed or not.
var userInfo = regexp.MustCompile(`//[^\s"']*@`)

type redacted struct{ error }

func (r redacted) Error() string { return userInfo.ReplaceAllString(r.error.Error(), "//***@") }

func (r redacted) Unwrap() error { return r.error }
