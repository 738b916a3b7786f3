package kube

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// within calls do and returns its results, or the context's cause if the context ends first. In the second case, it does not
// wait for do, whose results are lost. (If that is an HTTP response, net/http closes its connection when its context ends.)
// Use within for calls that a context cannot cancel, such as a credential plugin, or a file on a network mount that does not
// respond.
func within[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := do()
		results <- result{value, err}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// fileTimeout bounds reading the files of credentials.
const fileTimeout = 10 * time.Second

var errFileTimeout = fmt.Errorf("the files of the credentials cannot be read within %s", fileTimeout)

// withFiles calls do, which reads the files of credentials, and bounds its time.
func withFiles[T any](ctx context.Context, do func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fileTimeout, errFileTimeout)
	defer cancel()
	value, err := within(ctx, do)
	return value, withoutPasswords(err)
}

// userInfo matches the user name and password in a URL, even if the URL is malformed.
var userInfo = regexp.MustCompile(`//[^\s"']*@`)

// withoutPasswords removes the passwords from an error's text. A URL in a kubeconfig may contain them.
func withoutPasswords(err error) error {
	if err == nil || !userInfo.MatchString(err.Error()) {
		return err
	}
	return errors.New(userInfo.ReplaceAllString(err.Error(), "//***@"))
}
