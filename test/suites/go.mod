// The suites that test the product from outside: the error injection suite, the manifests, the documentation. They are a
// module of their own, so that users who import the product's packages do not inherit what only these tests need.
module github.com/crashcheck/crashcheck/test/suites

go 1.26.8

require (
	github.com/crashcheck/crashcheck v0.0.0
	github.com/creack/pty v1.1.24
	github.com/leaanthony/go-ansi-parser v1.6.1
	golang.org/x/sys v0.49.0
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/client-go v0.37.2
	k8s.io/pod-security-admission v0.37.2
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730
	sigs.k8s.io/kustomize/api v0.21.2
	sigs.k8s.io/kustomize/kyaml v0.21.2
	sigs.k8s.io/yaml v1.6.0
)

replace github.com/crashcheck/crashcheck => ../..
