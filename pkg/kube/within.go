package kube

import (
	"context"
	"regexp"
)

// within calls do and returns its results, or the context's cause if the context ends first. In the second case, it does not
// wait for do; if do returns a value later, within passes it to discard. Use within for calls that a context cannot cancel,
// such as a credential plugin, or a file on a network mount that does not respond.
func within[T any](ctx context.Context, do func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result)
	go func() {
		value, err := do()
		select {
		case results <- result{value, err}:
		case <-ctx.Done():
			if err == nil {
				discard(value)
			}
		}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// withoutPasswords removes the user name and password that a URL in a kubeconfig may contain from an error's text.
func withoutPasswords(err error) error {
	if err == nil || !userInfo.MatchString(err.Error()) {
		return err
	}
	return redacted{err}
}

// userInfo matches the part of a URL between the slashes and the host, even if the URL is malformed.
var userInfo = regexp.MustCompile(`//[^\s"']*@`)

type redacted struct{ error }

func (r redacted) Error() string { return userInfo.ReplaceAllString(r.error.Error(), "//***@") }

func (r redacted) Unwrap() error { return r.error }
